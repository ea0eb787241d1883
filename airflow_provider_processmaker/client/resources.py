"""What a list of ProcessMaker's API is; the lists themselves are in :mod:`.resource_table`.

Standard library only.
"""

from __future__ import annotations

import string
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["COMMON", "META", "Resource"]

#: Parameters of the walk itself; they are not for a query to set.
WALK_PARAMETERS = frozenset({"page", "per_page", "pageSize"})

#: Parameters that nearly every list knows.
COMMON = ("order_by", "order_direction", "filter")

#: What a list calls, in its ``meta``, the number of its rows, of its last page, and of the rows a page: by the kind of
#: its ``meta``. Where there is none, it comes whole.
META: Mapping[str, tuple[str, str, str] | None] = MappingProxyType(
    {
        # ProcessMaker's own, with count, total_pages, links and more.
        "processmaker": ("total", "last_page", "per_page"),
        # Laravel's, which has links beside meta.
        "laravel": ("total", "last_page", "per_page"),
        # Made by hand; one page too many where the last is full, and a page behind the end is the last again.
        "signals": ("total", "last_page", "per_page"),
        # Of /api/1.1/cases.
        "cases": ("total", "lastPage", "perPage"),
        "none": None,
    }
)


@dataclass(frozen=True, slots=True)
class Resource:
    """One list endpoint.

    :param name: what users call it.
    :param path: below ``/api/1.0``; names in braces are taken from the query.
    :param permission: what its user needs, by the name of the permission, or what he sees without one.
    :param order_by: column of the order in which it is walked; None where the list takes no order.
    :param key: field that tells the rows apart.
    :param ascending: whether that is a whole number, and the rows ascend by it in that order, which is what "exactly
        once" rests on; if not, the plain pages are walked.
    :param id_type: what identifies a row is an ``integer``, a ``text`` or a ``uuid``.
    :param meta: kind of its ``meta``, one of :data:`META`.
    :param page_size: rows a page, weighed between the cost of a call (25 ms) and that of a row.
    :param parameters: query parameters that it knows, besides those of the path.
    :param tells_total: whether ``total=true`` asks for the number of rows alone.
    :param size_parameter: what the list calls the rows a page.
    :param order_parameter: ``order_by``, beside which ``order_direction`` stands; or ``sortBy``, which holds both.
    :param required: parameters that it does not do without.
    :param choices: parameters that take only some values; any other would be ignored, or the list empty without a word.
    :param cleans_pmql: whether the server cuts tags out of the query, and what looks like one, before it reads it.
    :param of_users: whether its rows are users, and hold no others: what must not be shown of a user is then looked for
        in the rows alone, which spares a search through every page.
    :param quirks: what else is to be known of it, a sentence each.
    """

    name: str
    path: str
    permission: str
    order_by: str | None = "id"
    key: str = "id"
    ascending: bool = True
    id_type: str = "integer"
    meta: str = "processmaker"
    page_size: int = 500
    parameters: tuple[str, ...] = COMMON
    tells_total: bool = False
    size_parameter: str = "per_page"
    order_parameter: str = "order_by"
    required: tuple[str, ...] = ()
    choices: tuple[tuple[str, tuple[str, ...]], ...] = ()
    cleans_pmql: bool = True
    of_users: bool = False
    quirks: tuple[str, ...] = ()

    @property
    def paged(self) -> bool:
        """False for a list that comes whole."""
        return META[self.meta] is not None

    @property
    def pmql(self) -> bool:
        """Whether it takes a query in ProcessMaker's query language, and so can be walked by key."""
        return "pmql" in self.parameters

    @property
    def path_names(self) -> tuple[str, ...]:
        """Names in the path that a query must fill."""
        return tuple(name for _, name, _, _ in string.Formatter().parse(self.path) if name)

    def ordered(self, *, descending: bool = False) -> dict[str, str]:
        """Parameters for the order in which it is walked, or for the other way round.

        :param descending: the other way round.
        """
        direction = "desc" if descending else "asc"
        if self.order_by is None:
            return {}
        if self.order_parameter == "sortBy":
            return {"sortBy": f"{self.order_by}:{direction}"}
        return {"order_by": self.order_by, "order_direction": direction}

    def endpoint(self, query: dict[str, object]) -> tuple[str, dict[str, object]]:
        """The path for a query, and what is left of the query for the URL.

        :param query: names of the path and parameters, with their values.
        :raises InvalidInputError: for a parameter that this list does not know, or one that its path lacks.
        """
        rest = {key: value for key, value in query.items() if value is not None}
        self._check_names(rest)
        missing = [name for name in self.path_names if not _is_id(rest.get(name))]
        if missing:
            raise InvalidInputError(
                f'The list "{self.name}" needs {", ".join(missing)}.',
                hint="It goes into the query: an id, a number or a text.",
            )
        self._check_choices(rest)
        lacking = [name for name in self.required if rest.get(name) is None]
        if lacking:
            raise InvalidInputError(f'The list "{self.name}" needs {", ".join(lacking)}.')
        filled = {name: quote(str(rest.pop(name)), safe="", errors="replace") for name in self.path_names}
        return self.path.format(**filled), rest

    def _check_names(self, names: Iterable[str]) -> None:
        known = {*self.parameters, *self.path_names}
        for key in names:
            if key in WALK_PARAMETERS:
                raise InvalidInputError(
                    f'"{key}" is not for a query to set: the pages are walked for you.',
                    hint="The size of a page is page_size of the connection or of the call.",
                )
            if key not in known:
                raise InvalidInputError(
                    f'The list "{self.name}" has no parameter "{key}".', hint=did_you_mean(key, known)
                )

    def _check_choices(self, query: Mapping[str, object]) -> None:
        for name, values in self.choices:
            # Only of what is included there may be several; the others are compared as they stand.
            for value in _each(query.get(name)) if name == "include" else _only(query.get(name)):
                if value not in values:
                    raise InvalidInputError(
                        f'The list "{self.name}" knows no {name} {value!r}.', hint=did_you_mean(str(value), values)
                    )


def _each(value: Any) -> list[Any]:
    """The values of a parameter that may hold several."""
    if isinstance(value, str):
        return [part.strip() for part in value.split(",") if part.strip()]
    return list(value) if isinstance(value, list | tuple | set | frozenset) else _only(value)


def _only(value: Any) -> list[Any]:
    return [] if value is None else [value]


def _is_id(value: object) -> bool:
    return isinstance(value, int | str) and not isinstance(value, bool) and str(value).strip() not in {"", ".", ".."}
