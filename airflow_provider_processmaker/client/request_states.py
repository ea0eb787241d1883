"""The states of many requests, asked for in few and small calls."""

from __future__ import annotations

import random
from collections.abc import Iterable
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import (
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.pmql import LONGEST_QUERY, field
from airflow_provider_processmaker.client.records import page_of, total_of

if TYPE_CHECKING:
    from collections.abc import Collection, Iterator

    from airflow_provider_processmaker.client.pmql import Expression
    from airflow_provider_processmaker.client.process_runs import ProcessRuns
    from airflow_provider_processmaker.client.records import Record

__all__ = [
    "GONE",
    "HIDDEN",
    "NOT_TOLD",
    "NO_SHAPE",
    "id_batches",
    "is_request",
    "look",
    "request_id_of",
    "request_ids_of",
    "rows_of",
]

#: What we call a request that the server does not show: deleted; not for this user to see; not looked up this time.
GONE, HIDDEN, NOT_TOLD = "GONE", "HIDDEN", "NOT TOLD"

#: Percent-encoded bytes of a query that are not ids.
_FRAME = 120
#: A list leaves out what is deleted and what may not be seen alike; so many are asked for one by one at a time.
_SINGLE_LOOKS = 10
_PATH = "/api/1.0/requests"

#: What to do about an answer that has not the shape that is due.
NO_SHAPE = "Is this ProcessMaker, and does nothing in between answer for it?"


def request_id_of(value: Any) -> int:
    """An id of a request, also from the text that a template makes of it.

    :param value: what was given.
    :raises InvalidInputError: if that is not what it is.
    """
    text = value.strip() if isinstance(value, str) else value
    number = int(text) if isinstance(text, str) and text.isascii() and text.isdigit() else text
    if isinstance(number, bool) or not isinstance(number, int) or not 0 < number < 2**63:
        raise InvalidInputError(f"A request is given by its id, a whole number from 1, not by {value!r}.")
    return number


def request_ids_of(values: Any) -> list[int]:
    """Ids of requests, each once, in their order.

    :param values: what was given; a single one will do, also as the text that a template makes of it.
    :raises InvalidInputError: if one is none, or there is none.
    """
    given = values if isinstance(values, Iterable) and not isinstance(values, str | bytes) else [values]
    ids = list(dict.fromkeys(request_id_of(value) for value in given))
    if not ids:
        raise InvalidInputError("No id of a request is given.")
    return ids


def id_batches(ids: Iterable[int]) -> Iterator[tuple[int, ...]]:
    """Ids in batches that fit into a URL.

    :param ids: any number of them.
    """
    ordered = sorted(set(ids))
    if ordered:
        size = (LONGEST_QUERY - _FRAME) // (len(str(ordered[-1])) + len("%2C%20"))
        for start in range(0, len(ordered), size):
            yield tuple(ordered[start : start + size])


def look(api: ProcessRuns, ids: Collection[int], *, read_timeout: float | None = None) -> dict[int, str]:
    """The status of each request.

    One request is read (``GET /requests/{id}``). Of more, the server counts those that are still ACTIVE, which costs
    it a sixteenth of telling them; their rows are read only if that number falls short
    (``GET /requests?pmql=id IN […]``).

    :param api: the client.
    :param ids: one batch of :func:`id_batches`.
    :param read_timeout: seconds to wait for an answer.
    :return: ``ACTIVE``, ``COMPLETED``, ``ERROR``, ``CANCELED`` or what the server says; or one of the constants of this
        module.
    """
    if len(ids) == 1:
        (request_id,) = ids
        return {request_id: _single(api, request_id, read_timeout)}
    these = field("id").is_in(ids)
    running = _count(api, these & (field("status") == "ACTIVE"), read_timeout)
    if running == len(ids):
        return dict.fromkeys(ids, "ACTIVE")
    ended = rows_of(api, these & (field("status") != "ACTIVE"), len(ids), read_timeout=read_timeout)
    states = dict.fromkeys(ids, "ACTIVE") | _statuses(ended)
    if running + len(ended) == len(ids):
        return states
    # Some are not told, or have changed between the two calls.
    found = _statuses(rows_of(api, these, len(ids), read_timeout=read_timeout))
    return found | _missing(api, [one for one in ids if one not in found], read_timeout)


def _count(api: ProcessRuns, query: Expression, read_timeout: float | None) -> int:
    total = total_of(api.get("requests", {"pmql": str(query), "total": True}, read_timeout=read_timeout))
    if total is None:
        raise _wrong_shape(api, "The server does not tell how many requests there are.")
    return total


def _missing(api: ProcessRuns, ids: list[int], read_timeout: float | None) -> dict[int, str]:
    # By chance, so that each has its turn; what was not looked up is in doubt no longer or shorter than before.
    some = random.sample(ids, min(len(ids), _SINGLE_LOOKS))
    singly = {one: _single(api, one, read_timeout) for one in some}
    return dict.fromkeys(ids, NOT_TOLD) | singly


def _single(api: ProcessRuns, request_id: int, read_timeout: float | None) -> str:
    try:
        return str(api.get_request(request_id, read_timeout=read_timeout)["status"])
    except NotFoundError:
        return GONE
    except ForbiddenError:
        return HIDDEN


def rows_of(
    api: ProcessRuns, query: Expression, at_most: int, *, read_timeout: float | None = None, **params: Any
) -> list[Record]:
    """The requests of a query, on one page, by ascending ids (``GET /requests``).

    :param api: the client.
    :param query: which ones.
    :param at_most: rows of the page.
    :param read_timeout: seconds to wait for an answer.
    :param params: more query parameters.
    :return: rows that each have an id and a status.
    """
    asked = {"pmql": str(query), "per_page": at_most, "order_by": "id", "order_direction": "asc", **params}
    body = api.get("requests", asked, read_timeout=read_timeout)
    rows = page_of(body, _PATH, server=api.settings.base_url).records
    if not all(is_request(row) for row in rows):
        raise _wrong_shape(api, "A request without id or status came.")
    return rows


def _wrong_shape(api: ProcessRuns, what: str) -> UnexpectedAnswerError:
    return UnexpectedAnswerError(what, method="GET", path=_PATH, server=api.settings.base_url, hint=NO_SHAPE)


def is_request(value: Any) -> bool:
    """Tell whether an answer, or a row of one, is a request: whether it has an id and a status.

    :param value: decoded JSON.
    """
    return isinstance(value, dict) and type(value.get("id")) is int and isinstance(value.get("status"), str)


def _statuses(rows: list[Record]) -> dict[int, str]:
    return {row["id"]: row["status"] for row in rows}
