"""The lists of ProcessMaker's API, as data: where each is, how it is walked, what it can be asked, who may.

Standard library only.
"""

from __future__ import annotations

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.resources import COMMON, Resource
from airflow_provider_processmaker.client.suggest import did_you_mean

__all__ = ["HIDDEN_FIELDS", "RESOURCES", "resource_named"]

#: Columns that are left out of every record unless asked for by name. ``remember_token`` would log a person in.
HIDDEN_FIELDS = frozenset({"remember_token"})

USER_STATUSES = ("ACTIVE", "INACTIVE", "BLOCKED", "OUT_OF_OFFICE", "SCHEDULED")
_ORDER = ("order_by", "order_direction")
_ANYONE = "none: every user reads them all"
_ENTERPRISE = "Of a package of the enterprise edition; a community server answers 404."
_MEMBERS = ("A row is a membership beside what it is of: id is the membership's, member_id tells who it is.",)
_CASES = ("Needs ProcessMaker 4.12.",)
_TASK_PARAMETERS = (
    "process_id", "user_id", "status", "element_id", "element_name", "process_request_id", "include_sub_tasks",
    "statusfilter", "overdue", "non_system", "all_tasks", "processesIManage",
)  # fmt: skip
_CASE_PARAMETERS = ("userId", "filterBy", "search")

_PEOPLE = (
    Resource(
        "users",
        "users",
        "view-users",
        parameters=(*COMMON, "status", "exclude_ids", "mention_username"),
        choices=(("status", USER_STATUSES),),
        of_users=True,
        quirks=("Users of the system itself are left out.",),
    ),
    Resource("deleted_users", "deleted_users", "view-users", of_users=True),
    Resource(
        "user_tokens",
        "users/{user_id}/tokens",
        "one's own; those of others: an administrator",
        order_by=None,
        ascending=False,
        id_type="text",
        page_size=100,
        parameters=(),
    ),
    Resource("groups", "groups", "view-groups", parameters=(*COMMON, "include", "status")),
    # Their rows are joined with the memberships, so that "id" would be ambiguous in an order.
    Resource(
        "group_users",
        "groups/{group_id}/users",
        "view-groups",
        order_by="member_id",
        key="member_id",
        of_users=True,
        quirks=_MEMBERS,
    ),
    Resource(
        "group_groups",
        "groups/{group_id}/groups",
        "view-groups",
        order_by="member_id",
        key="member_id",
        quirks=_MEMBERS,
    ),
    Resource(
        "group_members",
        "group_members",
        "one's own memberships; all: an administrator",
        parameters=(*_ORDER, "member_id"),
    ),
)

_DESIGNS = (
    Resource(
        "processes",
        "processes",
        "view-processes",
        page_size=100,
        parameters=(*COMMON, "include", "pmql", "status", "category", "cat_status"),
        choices=(("status", ("archived", "all")),),
        quirks=("status=all gives the active ones.", "The server loads all of them for each page."),
    ),
    Resource(
        "start_processes",
        "start_processes",
        "those that one may start",
        page_size=100,
        parameters=(*COMMON, "include", "without_event_definitions"),
        quirks=("The server loads all of them for each page.",),
    ),
    # Described as processes/{processId}/start_events, a route that there is not.
    Resource(
        "start_events",
        "process_bookmarks/processes/{process_id}/start_events",
        "view-process-catalog",
        order_by=None,
        ascending=False,
        id_type="text",
        parameters=(),
    ),
    Resource(
        "process_categories",
        "process_categories",
        "view-process-categories",
        parameters=(*COMMON, "include", "status"),
    ),
    Resource("screens", "screens", _ANYONE, page_size=100, parameters=(*COMMON, "include", "exclude", "pmql")),
    Resource("screen_categories", "screen_categories", "view-screen-categories"),
    Resource("scripts", "scripts", "view-scripts", page_size=100, parameters=(*COMMON, "include", "pmql")),
    Resource("script_categories", "script_categories", "view-script-categories"),
    Resource(
        "script_executors",
        "script-executors",
        _ANYONE,
        page_size=100,
        parameters=_ORDER,
        quirks=("Some servers answer 404, a 4.15.5 among them.",),
    ),
    Resource(
        "signals",
        "signals",
        "view-signals",
        order_by=None,
        ascending=False,
        id_type="text",
        meta="signals",
        page_size=100,
        parameters=(*COMMON, "pmql"),
        quirks=("pmql picks the processes whose signals are listed.",),
    ),
    Resource("environment_variables", "environment_variables", "view-environment_variables"),
    Resource(
        "task_assignments",
        "task_assignments",
        "view-task_assignments",
        parameters=(*_ORDER, "include", "process_id", "process_task_id", "assignment_id", "assignment_type"),
    ),
)

_RUNS = (
    # Rows of requests and tasks are heavy, 3 to 4 ms each.
    Resource(
        "requests",
        "requests",
        "view-all_requests; else those that one started or takes part in",
        page_size=100,
        parameters=(*COMMON, "include", "pmql", "type", "advanced_filter"),
        tells_total=True,
        choices=(
            # With type=all the server reads the whole table, unbounded, before it answers.
            ("type", ("started_me", "in_progress", "completed")),
            ("include", ("assigned", "process", "participants", "data", "summary", "activeTasks", "user")),
        ),
        cleans_pmql=False,
        quirks=("type=in_progress leaves out those in ERROR.",),
    ),
    Resource(
        "tasks",
        "tasks",
        "view-all_requests; else one's own and those that one may claim",
        page_size=100,
        parameters=(*COMMON, "include", "pmql", "advanced_filter", *_TASK_PARAMETERS),
        cleans_pmql=False,
        quirks=("Only tasks for people, unless all_tasks=true.", "The status of a task that is done is CLOSED."),
    ),
    Resource(
        "cases",
        "/api/1.1/cases/get_all_cases",
        _ANYONE,
        order_by="case_number",
        key="case_number",
        meta="cases",
        page_size=100,
        parameters=(*_CASE_PARAMETERS, "status"),
        size_parameter="pageSize",
        order_parameter="sortBy",
        choices=(("status", ("IN_PROGRESS", "COMPLETED")),),
        quirks=_CASES,
    ),
    *(
        Resource(
            f"cases_{name}",
            f"/api/1.1/cases/get_{name}",
            _ANYONE,
            order_by="case_number",
            key="case_number",
            ascending=False,
            meta="cases",
            page_size=100,
            parameters=_CASE_PARAMETERS,
            size_parameter="pageSize",
            order_parameter="sortBy",
            quirks=(*_CASES, "A row for each participant of a case, unless userId is given."),
        )
        for name in ("in_progress", "completed")
    ),
    Resource(
        "request_files",
        "requests/{request_id}/files",
        "to see the request",
        order_by=None,
        ascending=False,
        meta="none",
        parameters=("name", "id"),
        quirks=("Files of all requests of the case are listed.",),
    ),
    Resource("files", "files", "view-files"),
)

_REST = (
    Resource(
        "notifications",
        "notifications",
        "one's own",
        order_by="created_at",
        ascending=False,
        id_type="uuid",
        meta="laravel",
        page_size=100,
        parameters=(*COMMON, "status"),
        choices=(("status", ("read", "unread")),),
        quirks=("Reading them makes the server send those that are overdue.",),
    ),
    Resource(
        "comments",
        "comments",
        "to see what they are about",
        page_size=100,
        parameters=(*_ORDER, "commentable_id", "commentable_type", "type"),
        required=("commentable_id", "commentable_type"),
    ),
    # The server sorts by the place in its own form first, whatever is asked for, so that ids do not ascend.
    Resource(
        "settings",
        "settings",
        "view-settings",
        ascending=False,
        page_size=1000,
        parameters=(*COMMON, "pmql", "group"),
        quirks=("They come in the order of ProcessMaker's own form, whatever is asked for.",),
    ),
    Resource("security_logs", "security-logs", "view-security-logs", page_size=100, parameters=(*COMMON, "pmql")),
    Resource(
        "collections",
        "collections",
        "as the package has it",
        page_size=100,
        parameters=(*COMMON, "include"),
        quirks=(_ENTERPRISE,),
    ),
    Resource(
        "collection_records",
        "collections/{collection_id}/records",
        "as the package has it",
        page_size=100,
        parameters=(*COMMON, "include", "pmql"),
        quirks=(_ENTERPRISE,),
    ),
    Resource(
        "saved_searches",
        "saved-searches",
        "as the package has it",
        page_size=100,
        parameters=(*COMMON, "include", "type", "subset"),
        quirks=(_ENTERPRISE,),
    ),
)

#: Every list by its name.
RESOURCES: dict[str, Resource] = {resource.name: resource for resource in (*_PEOPLE, *_DESIGNS, *_RUNS, *_REST)}


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
