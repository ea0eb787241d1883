"""Lists: from a resource and a query to pages, and to their number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import quote

from airflow_provider_processmaker.client.errors import (
    CallRefusedError,
    InvalidInputError,
    InvalidQueryError,
    ServerError,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.fields import drop_hidden
from airflow_provider_processmaker.client.pmql import LONGEST_QUERY, Expression, raw
from airflow_provider_processmaker.client.progress import with_progress
from airflow_provider_processmaker.client.records import page_of, total_of
from airflow_provider_processmaker.client.request_states import NO_SHAPE
from airflow_provider_processmaker.client.resource_table import HIDDEN_FIELDS, resource_named
from airflow_provider_processmaker.client.resources import META
from airflow_provider_processmaker.client.settings import MAX_LOOK_AHEAD, MAX_PAGE_SIZE, check_range
from airflow_provider_processmaker.client.walks import Source, by_key, by_pages, forward

if TYPE_CHECKING:
    from collections.abc import Generator, Iterable, Mapping

    from airflow_provider_processmaker.client.records import Page
    from airflow_provider_processmaker.client.resources import Resource
    from airflow_provider_processmaker.client.settings import Settings

__all__ = ["Lists", "asks_hidden", "field_names"]


class _Get(Protocol):
    def __call__(self, endpoint: str, params: Mapping[str, Any], *, hidden_fields: bool = ...) -> Any: ...


class Lists:
    """Reads the lists of a server.

    :param get: makes a GET call.
    :param settings: page size and look-ahead.
    """

    def __init__(self, get: _Get, settings: Settings) -> None:
        self._get = get
        self._settings = settings

    def pages(
        self,
        resource: str,
        query: Mapping[str, Any],
        *,
        page_size: int | None = None,
        look_ahead: int | None = None,
        hidden_fields: bool = False,
    ) -> Generator[Page]:
        """The pages of a list.

        :param resource: name of the list.
        :param query: its parameters.
        :param page_size: rows a page.
        :param look_ahead: pages to read ahead.
        :param hidden_fields: keep what is left out otherwise.
        """
        known = resource_named(resource)
        size = self._settings.page_size or known.page_size if page_size is None else page_size
        window = self._settings.look_ahead if look_ahead is None else look_ahead
        check_range("page_size", size, 1, MAX_PAGE_SIZE, whole=True)
        check_range("look_ahead", window, 1, MAX_LOOK_AHEAD, whole=True)
        path, params = _params(known, query)
        answered = False

        def fetch(number: int, rows: int, more: dict[str, Any]) -> Page:
            nonlocal answered
            paging = {"page": number, known.size_parameter: rows} if known.paged else {}
            # Once the query was answered, it is not to blame for what happens later.
            get = self._get if answered else self._first
            body = get(path, {**params, **paging, **more}, hidden_fields=hidden_fields or known.of_users)
            answered = True
            page = page_of(body, _shown(path), META[known.meta], server=self._settings.base_url)
            if known.of_users and not hidden_fields:
                drop_hidden(page.records)
            return page

        source = Source(
            fetch,
            size,
            _shown(path),
            paged=known.paged,
            pmql=params.get("pmql"),
            key=known.key,
            newest_first=known.ordered(descending=True),
        )
        if not known.ascending or not _in_its_order(known, params):
            pages = forward(source)
        else:
            pages = by_key(source, window) if known.pmql else by_pages(source, window)
        return with_progress(pages, known.name)

    def _first(self, path: str, params: dict[str, Any], *, hidden_fields: bool = False) -> Any:
        """The first answer to a query; one that the server does not understand is one error, however it says so."""
        try:
            return self._get(path, params, hidden_fields=hidden_fields)
        except (CallRefusedError, ServerError) as error:
            if "pmql" not in params or error.status not in {400, 422, 500}:
                raise
            problem = error
        # If it answers without the query, the query is what it cannot do; unless it only stumbled.
        self._get(path, {key: value for key, value in params.items() if key != "pmql"})
        if problem.status == 500:
            try:
                return self._get(path, params, hidden_fields=hidden_fields)
            except (CallRefusedError, ServerError) as error:
                if error.status not in {400, 422, 500}:
                    raise
                problem = error
        raise InvalidQueryError(
            "ProcessMaker does not understand the query.",
            method=problem.method,
            path=problem.path,
            server=problem.server,
            status=problem.status,
            server_message=problem.server_message,
            hint="Check its fields and its syntax; the builder in client.pmql writes what ProcessMaker reads.",
        )

    def count(self, resource: str, query: Mapping[str, Any]) -> int:
        """How many records a list has, by the server's own count.

        :param resource: name of the list.
        :param query: its parameters.
        :raises UnexpectedAnswerError: if the server does not tell.
        """
        known = resource_named(resource)
        path, params = _params(known, query)
        where = _shown(path)
        names = META[known.meta]
        if names is None:
            body = self._first(path, params)
            return len(page_of(body, where, names, server=self._settings.base_url).records)
        # Where the list can tell its number alone, no row is made for it.
        alone = {"total": "true"} if known.tells_total else {known.size_parameter: 1}
        total = total_of(self._first(path, {**params, **alone}), names)
        if total is None:
            raise UnexpectedAnswerError(
                "The server does not tell how many records the list has.",
                method="GET",
                path=where,
                server=self._settings.base_url,
                hint=NO_SHAPE,
            )
        return total


def _params(resource: Resource, query: Mapping[str, Any]) -> tuple[str, dict[str, Any]]:
    path, params = resource.endpoint(dict(query))
    if "pmql" in params:
        params["pmql"] = _query(params["pmql"], cleaned=resource.cleans_pmql)
    if "order_by" not in params:
        # Without it some lists come in an order that moves, or is nearly constant: rows would repeat or be
        # missed.
        params = {**resource.ordered(), **params}
    return path, params


def _query(given: Any, *, cleaned: bool) -> str:
    """A query as it is sent.

    :param given: an expression, or a text.
    :param cleaned: whether the server cuts out of it what looks like a tag.
    """
    # Texts are checked, so that none can reach out of the parentheses in which it is joined to our own clause.
    text = str(given) if isinstance(given, Expression) else raw(given, cleaned=cleaned).parts[0]
    if len(quote(text, safe="")) > LONGEST_QUERY:
        raise InvalidInputError(
            f"The query is too long for a URL: more than {LONGEST_QUERY:,} bytes when percent-encoded.",
            hint="split_in in client.pmql cuts a long list of values up into several queries.",
        )
    return text


def _in_its_order(resource: Resource, params: Mapping[str, Any]) -> bool:
    """Tell whether a list is asked for in the order in which it is walked by itself."""
    own = {key: str(value).lower() for key, value in params.items() if key in {"order_by", "order_direction"}}
    if "order_by" not in resource.ordered():
        return True
    return {"order_direction": "asc", **own} == {"order_by": resource.order_by, "order_direction": "asc"}


def _shown(path: str) -> str:
    return path if path.startswith("/") else f"/api/1.0/{path}"


def field_names(fields: Iterable[str] | None) -> tuple[str, ...] | None:
    """The fields to keep, if they are names.

    :param fields: what was asked for.
    :raises InvalidInputError: if they are not.
    """
    if fields is None:
        return None
    if isinstance(fields, str):
        raise InvalidInputError(f"fields must be a list of names, not a text: [{fields!r}].")
    try:
        names = tuple(fields)
    except TypeError:
        raise InvalidInputError(f"fields must be a list of names, not a {type(fields).__name__}.") from None
    for name in names:
        if not isinstance(name, str) or not name:
            raise InvalidInputError(f"A field must be a name, not {name!r}.")
    return names or None


def asks_hidden(fields: tuple[str, ...] | None) -> bool:
    """Tell whether fields were asked for that are left out otherwise.

    :param fields: their names.
    """
    return fields is not None and not HIDDEN_FIELDS.isdisjoint(fields)
