"""The lists of ProcessMaker's API, as data: where each is, how it is walked, what it can be asked.

Standard library only.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from urllib.parse import quote

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.suggest import did_you_mean

__all__ = ["RESOURCES", "Resource", "resource_named"]

#: Parameters of the walk itself; they are not for a query to set.
WALK_PARAMETERS = frozenset({"page", "per_page"})

#: Parameters that nearly every list knows.
COMMON = ("order_by", "order_direction", "filter")

#: Columns that are left out of every record unless asked for by name. ``remember_token`` would log a person in.
HIDDEN_FIELDS = frozenset({"remember_token"})


@dataclass(frozen=True, slots=True)
class Resource:
    """One list endpoint.

    :param name: what users call it.
    :param path: below ``/api/1.0``; names in braces are taken from the query.
    :param order_by: column that gives a stable order; None where the list takes no order.
    :param page_size: rows a page, weighed between the cost of a call (25 ms) and that of a row.
    :param parameters: query parameters that it knows, besides those of the path.
    :param paged: False for a list that comes whole, without ``meta``.
    :param tells_total: whether ``total=true`` asks for the number of rows alone.
    :param size_parameter: what the list calls the rows a page.
    :param fixed: parameters that every call of it has.
    :param required: parameters that it does not do without.
    :param choices: parameters that take only some values; with any other the list would be empty without a word.
    """

    name: str
    path: str
    order_by: str | None = "id"
    page_size: int = 500
    parameters: tuple[str, ...] = COMMON
    paged: bool = True
    tells_total: bool = False
    size_parameter: str = "per_page"
    fixed: tuple[tuple[str, str], ...] = ()
    required: tuple[str, ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()

    @property
    def pmql(self) -> bool:
        """Whether it takes a query in ProcessMaker's query language, and so can be walked by key."""
        return "pmql" in self.parameters

    @property
    def path_names(self) -> tuple[str, ...]:
        """Names in the path that a query must fill."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.path) if name)

    def endpoint(self, query: dict[str, object]) -> tuple[str, dict[str, object]]:
        """The path for a query, and what is left of the query for the URL.

        :param query: names of the path and parameters, with their values.
        :raises InvalidInputError: for a parameter that this list does not know, or one that its path lacks.
        """
        rest = {key: value for key, value in query.items() if value is not None}
        known = {*self.parameters, *self.path_names}
        for key in rest:
            if key in WALK_PARAMETERS:
                raise InvalidInputError(
                    f'"{key}" is not for a query to set: the pages are walked for you.',
                    hint="The size of a page is page_size of the connection or of the call.",
                )
            if key not in known:
                raise InvalidInputError(
                    f'The list "{self.name}" has no parameter "{key}".', hint=did_you_mean(key, known)
                )
        missing = [name for name in self.path_names if not _is_id(rest.get(name))]
        if missing:
            raise InvalidInputError(
                f'The list "{self.name}" needs {", ".join(missing)}.',
                hint="It goes into the query: an id, a number or a text.",
            )
        for name, values in self.choices:
            if name in rest and rest[name] not in values:
                raise InvalidInputError(
                    f'The list "{self.name}" knows no {name} {rest[name]!r}.',
                    hint=did_you_mean(str(rest[name]), values),
                )
        lacking = [name for name in self.required if rest.get(name) is None]
        if lacking:
            raise InvalidInputError(f'The list "{self.name}" needs {", ".join(lacking)}.')
        filled = {name: quote(str(rest.pop(name)), safe="", errors="replace") for name in self.path_names}
        return self.path.format(**filled), rest


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and str(value).strip() not in {"", ".", ".."}


_TASK_PARAMETERS = (
    "process_id", "user_id", "status", "element_id", "element_name", "process_request_id", "include_sub_tasks",
    "statusfilter", "overdue", "non_system", "all_tasks", "processesIManage",
)  # fmt: skip

USER_STATUSES = ("ACTIVE", "INACTIVE", "BLOCKED", "OUT_OF_OFFICE", "SCHEDULED")

_TABLE = (
    # People.
    Resource("users", "users", parameters=(*COMMON, "status", "exclude_ids"), choices=(("status", USER_STATUSES),)),
    Resource("deleted_users", "deleted_users"),
    Resource("user_tokens", "users/{user_id}/tokens", order_by=None, page_size=100, parameters=()),
    Resource("groups", "groups", parameters=(*COMMON, "include", "status")),
    # Their rows are joined with the memberships, so "id" would be ambiguous in an order.
    Resource("group_users", "groups/{group_id}/users", order_by=None, parameters=("filter", "order_direction")),
    Resource("group_groups", "groups/{group_id}/groups", order_by=None, parameters=("filter", "order_direction")),
    Resource("group_members", "group_members", parameters=("order_by", "order_direction", "member_id")),
    # Designs.
    Resource("processes", "processes", page_size=100, parameters=(*COMMON, "include", "pmql", "status", "category")),
    Resource(
        "start_processes",
        "start_processes",
        page_size=100,
        parameters=(*COMMON, "include", "without_event_definitions"),
    ),
    # Described as processes/{processId}/start_events, a route that there is not.
    Resource(
        "start_events",
        "process_bookmarks/processes/{process_id}/start_events",
        order_by=None,
        parameters=(),
        paged=False,
    ),
    Resource("process_categories", "process_categories"),
    Resource("screens", "screens", page_size=100, parameters=(*COMMON, "include", "exclude", "pmql")),
    Resource("screen_categories", "screen_categories"),
    Resource("scripts", "scripts", page_size=100, parameters=(*COMMON, "include", "pmql")),
    Resource("script_categories", "script_categories"),
    # Built from a collection, whatever order is asked for.
    Resource("script_executors", "script-executors", order_by=None, page_size=100),
    # Their ids are texts.
    Resource("signals", "signals", order_by=None, page_size=100, parameters=(*COMMON, "pmql")),
    Resource("environment_variables", "environment_variables", parameters=(*COMMON, "include")),
    Resource("task_assignments", "task_assignments"),
    # Runs. Their rows are heavy, 3 to 4 ms each.
    Resource(
        "requests",
        "requests",
        page_size=100,
        parameters=(*COMMON, "include", "pmql", "type", "advanced_filter"),
        tells_total=True,
    ),
    Resource(
        "tasks", "tasks", page_size=100, parameters=(*COMMON, "include", "pmql", "advanced_filter", *_TASK_PARAMETERS)
    ),
    Resource(
        "cases",
        "/api/1.1/cases/get_all_cases",
        order_by=None,
        page_size=100,
        parameters=("userId", "status", "filterBy", "search"),
        size_parameter="pageSize",
        fixed=(("sortBy", "case_number:asc"),),
    ),
    Resource("request_files", "requests/{request_id}/files", order_by=None, parameters=("name", "id"), paged=False),
    Resource("files", "files"),
    # The rest of the house. Reading notifications makes the server send overdue ones; their ids are UUIDs.
    Resource("notifications", "notifications", order_by=None, page_size=100, parameters=(*COMMON, "include", "status")),
    Resource(
        "comments",
        "comments",
        page_size=100,
        parameters=(*COMMON, "commentable_id", "commentable_type", "type"),
        required=("commentable_id", "commentable_type"),
    ),
    Resource("settings", "settings", page_size=100, parameters=(*COMMON, "include", "pmql")),
    Resource("security_logs", "security-logs", page_size=100, parameters=(*COMMON, "pmql")),
    # Of separate packages; a community server answers 404.
    Resource("collections", "collections", page_size=100, parameters=(*COMMON, "include")),
    Resource(
        "collection_records",
        "collections/{collection_id}/records",
        page_size=100,
        parameters=(*COMMON, "include", "pmql"),
    ),
    Resource("saved_searches", "saved-searches", page_size=100, parameters=(*COMMON, "include", "type", "subset")),
)

#: Every list by its name.
RESOURCES: dict[str, Resource] = {resource.name: resource for resource in _TABLE}


def resource_named(name: str) -> Resource:
    """The list of a name.

    :param name: as in :data:`RESOURCES`.
    :raises InvalidInputError: if there is none; names the nearest.
    """
    if not isinstance(name, str):
        raise InvalidInputError(f"The resource must be a text, not {type(name).__name__}.")
    resource = RESOURCES.get(name.strip().strip("/"))
    if resource is None:
        raise InvalidInputError(f'ProcessMaker has no list "{name}".', hint=did_you_mean(name, RESOURCES))
    return resource
