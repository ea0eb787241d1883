"""Streams of records over the pages of a list."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import UnexpectedAnswerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

__all__ = ["Page", "Record", "page_of", "total_of", "walk"]

Record = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Page:
    """One page of a list.

    :param records: its rows.
    :param total: rows of the whole list as the server counts them; None if it does not tell.
    :param last_page: number of the last page; None likewise.
    :param size: rows that a full page has; None likewise.
    """

    records: list[Record]
    total: int | None = None
    last_page: int | None = None
    size: int | None = None


#: Names in the ``meta`` of nearly every list: of the number of its rows, of its last page, and of the rows a page.
USUAL = ("total", "last_page", "per_page")


def total_of(body: Any, names: tuple[str, str, str] | None = USUAL) -> int | None:
    """How many records a list has, by the ``meta`` of an answer; None if it does not tell.

    :param body: the decoded answer.
    :param names: what the list calls it.
    """
    meta = body.get("meta") if isinstance(body, dict) else None
    return _count(meta.get(names[0])) if names and isinstance(meta, dict) else None


def page_of(body: Any, path: str, names: tuple[str, str, str] | None = USUAL, *, server: str | None = None) -> Page:
    """The page in an answer: ``{"data": [...], "meta": {...}}``, or a bare list.

    :param body: the decoded answer.
    :param path: path of the list, for the error.
    :param names: what the list calls the numbers in its ``meta``; None: it has none.
    :param server: address of the server, for the error.
    :raises UnexpectedAnswerError: if that is not a page of a list.
    """
    rows = body.get("data") if isinstance(body, dict) else body
    # By type, which is faster than isinstance; JSON makes no subclasses.
    if not isinstance(rows, list) or not set(map(type, rows)) <= {dict}:
        shape = "nothing" if body is None else f"a {type(rows if rows is not None else body).__name__}"
        raise UnexpectedAnswerError(
            f"A list of records is due, and {shape} came.",
            method="GET",
            path=path,
            server=server,
            hint="Is this path a list, and does nothing in between answer for ProcessMaker?",
        )
    meta = body.get("meta") if isinstance(body, dict) else None
    if not names or not isinstance(meta, dict):
        return Page(rows)
    total, last_page, size = (_count(meta.get(name)) for name in names)
    return Page(rows, total=total, last_page=last_page, size=size)


def _count(value: Any) -> int | None:
    """A number of things from what a server says; None if that makes no sense."""
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return int(number) if math.isfinite(number) and number >= 0 and not isinstance(value, bool) else None


def walk(fetch: Callable[[int], Page], *, page_size: int, paged: bool, path: str) -> Iterator[Page]:
    """The pages of a list, one after the other, each asked for when it is wanted.

    The numbers in ``meta`` are hints: a list ends where its pages end. A page past the end is not relied upon
    to be empty, since some lists of ProcessMaker repeat themselves there.

    :param fetch: gets a page by its number, from 1.
    :param page_size: rows a page that were asked for.
    :param paged: False for a list that comes whole.
    :param path: path of the list, for errors.
    :raises UnexpectedAnswerError: if the server repeats pages without end.
    """
    marks: set[int] = set()
    seen, claimed_end, number = 0, False, 1
    while True:
        page = fetch(number)
        mark = _mark(page.records)
        if page.records and mark in marks:
            if claimed_end:  # we only looked behind the end
                return
            raise UnexpectedAnswerError(
                f"Page {number} of the list is a page that came before: it would never end.",
                method="GET",
                path=path,
                hint="A cache or a proxy that ignores the query could do so.",
            )
        marks.add(mark)
        seen += len(page.records)
        last = not paged or _is_last(page, number, seen, page_size)
        claimed_end = page.last_page is not None and number >= page.last_page
        yield page  # and do not look at it again: who takes it may empty it
        if last:
            return
        number += 1


def _mark(records: list[Record]) -> int:
    """A number that two different pages hardly share; one of these a page is all that is remembered."""
    ids = [record.get("id") for record in records]
    return hash(repr(records if None in ids else ids))


def _is_last(page: Page, number: int, seen: int, page_size: int) -> bool:
    if not page.records:
        return True
    full = len(page.records) >= (page.size or page_size)
    if page.last_page is None:
        return not full
    if number < page.last_page:
        return False
    # The last page by the server's word. Where its own count says that there is more, we look on.
    return page.total is None or seen >= page.total
