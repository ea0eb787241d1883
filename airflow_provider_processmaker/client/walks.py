"""The ways of walking a list so that every record that is there throughout comes exactly once.

A list changes while it is walked. On plain pages a row that is deleted moves all later rows one place forward, over the
edge of a page that was read already, and a row is missed. So:

- Where a list takes PMQL it is walked *by key*: ``id > 4711``. Whatever comes or goes, that neither misses nor repeats.
  Ahead of the consumer it is read by ranges of ids, which are independent of each other.
- Else its pages are walked forward, ordered by id, several at once, and *checked*: if as many rows were seen as there
  were at the start, none can have been missed. If fewer, it is walked again from its last page to its first, one page
  at a time: there a deletion only moves rows to where they are yet to be read. What was seen before is dropped.
- A list that can be ordered by nothing stable is walked forward, and may repeat or miss rows that move.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.id_set import IdSet
from airflow_provider_processmaker.client.look_ahead import ahead
from airflow_provider_processmaker.client.records import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_processmaker.client.records import Page, Record

__all__ = ["Source", "by_key", "by_pages", "forward"]

#: A range of ids is never wider than this many times the last one, so that a gap is crossed fast but not blindly.
GROWTH = 8


@dataclass(frozen=True, slots=True)
class Source:
    """One list with one query, as the walks see it.

    :param fetch: gets a page by its number and size, with more parameters.
    :param size: rows a page.
    :param path: path of the list, for errors.
    :param paged: False for a list that comes whole.
    :param pmql: the query's own PMQL, if it has one.
    """

    fetch: Callable[[int, int, dict[str, Any]], Page]
    size: int
    path: str
    paged: bool = True
    pmql: str | None = None

    def page(self, number: int) -> Page:
        """A page in ascending order.

        :param number: its number, from 1.
        """
        return self.fetch(number, self.size, {})

    def newest(self) -> Page:
        """A page with the record of the highest id alone."""
        return self.fetch(1, 1, {"order_direction": "desc"})

    def between(self, low: int, high: int | None) -> Page:
        """The first page of the records whose ids lie above one and not above another.

        :param low: ids above this one.
        :param high: ids not above this one; None: no limit.
        """
        clause = f"(id > {low})" if high is None else f"(id > {low} AND id <= {high})"
        return self.fetch(1, self.size, {"pmql": f"({self.pmql}) AND {clause}" if self.pmql else clause})


def forward(source: Source) -> Iterator[Page]:
    """The pages as they come, one after the other.

    :param source: the list.
    """
    return walk(source.page, page_size=source.size, paged=source.paged, path=source.path)


def by_key(source: Source, window: int) -> Iterator[Page]:
    """A list that takes PMQL, by ascending ids.

    :param source: the list.
    :param window: pages to read ahead.
    """
    first = source.page(1)
    last = _last_id(first)
    if last is None or not _trusted(first, source):
        yield from _from(first, source)
        return
    yield first
    if len(first.records) >= (first.total or 0):
        return
    rest = (first.total or 0) - len(first.records)
    if window <= 1 or rest <= source.size:
        yield from _chain(source, last, None)
        return
    newest = _last_id(source.newest())
    if newest is None:  # all are gone
        return
    ranges = _Ranges(last, newest, width=_width(first, source.size), size=source.size)
    for pages in ahead((_job(source, low, high) for low, high in ranges), window):
        ranges.learn(sum(len(page.records) for page in pages))
        for page in pages:
            yield replace(page, total=first.total)


def _job(source: Source, low: int, high: int) -> Callable[[], list[Page]]:
    return lambda: list(_chain(source, low, high))


def _chain(source: Source, low: int, high: int | None) -> Iterator[Page]:
    """The pages of a range of ids, each beginning behind the last id of the one before."""
    while True:
        page = source.between(low, high)
        if page.records:
            yield page
        last = _last_id(page)
        if last is None or len(page.records) < source.size:
            return
        low = last


class _Ranges:
    """Ranges of ids, one after the other, each about as wide as a page has rows.

    :param low: ids above this one.
    :param high: ids not above this one.
    :param width: of the first range.
    :param size: rows a page.
    """

    def __init__(self, low: int, high: int, *, width: int, size: int) -> None:
        self._low = low
        self._high = high
        self._width = width
        self._size = size

    def __iter__(self) -> Iterator[tuple[int, int]]:
        while self._low < self._high:
            low = self._low
            self._low = min(self._high, low + self._width)
            yield low, self._low

    def learn(self, rows: int) -> None:
        """Take into account how many rows a range had.

        :param rows: how many.
        """
        wanted = self._size / max(rows, self._size / GROWTH)
        self._width = max(1, int(self._width * min(GROWTH, max(1 / GROWTH, wanted))))


def _width(page: Page, size: int) -> int:
    """Ids that a page of rows spans, by the first one; a little less, so that it becomes one page rather than two."""
    ids = [_id(record) or 0 for record in page.records]
    return max(1, int(size * (ids[-1] - ids[0] + 1) / len(ids) * 0.9))


def by_pages(source: Source, window: int) -> Iterator[Page]:
    """A list that takes no PMQL, by ascending ids, checked at the end.

    :param source: the list.
    :param window: pages to read ahead.
    """
    first = source.page(1)
    if _last_id(first) is None or not _trusted(first, source) or len(first.records) >= (first.total or 0):
        yield from _from(first, source)
        return
    # Count and highest id from one answer, so that they belong together; the first page is read again after it.
    newest = source.newest()
    total, highest = newest.total, _last_id(newest)
    if total is None or highest is None:
        yield from _from(source.page(1), source)
        return
    seen, old = IdSet(), 0
    numbers = range(1, math.ceil(total / source.size) + 1)
    for page in ahead((_page_job(source, number) for number in numbers), window):
        new = [record for record in page.records if seen.add(_id(record) or 0)]
        old += sum((_id(record) or 0) <= highest for record in new)
        yield replace(page, records=new, total=total)
    if old < total:
        yield from _missed(source, seen, highest)


def _page_job(source: Source, number: int) -> Callable[[], Page]:
    return lambda: source.page(number)


def _missed(source: Source, seen: IdSet, highest: int) -> Iterator[Page]:
    """What was not seen though it was there at the start, from the last page to the first, one at a time."""
    number = source.page(1).last_page or 1
    while number >= 1:
        page = source.page(number)
        new = [record for record in page.records if (_id(record) or 0) <= highest and seen.add(_id(record) or 0)]
        if new:
            yield replace(page, records=new)
        number -= 1


def _from(first: Page, source: Source) -> Iterator[Page]:
    """The plain forward walk of a list whose first page is there already."""

    def fetch(number: int) -> Page:
        return first if number == 1 else source.page(number)

    return walk(fetch, page_size=source.size, paged=source.paged, path=source.path)


def _trusted(page: Page, source: Source) -> bool:
    """Tell whether what a first page says of its list fits together; if not, only the plain walk will do."""
    rows, total = len(page.records), page.total
    if total is None or rows > source.size or page.size not in {None, source.size}:
        return False
    return page.last_page == max(1, math.ceil(total / source.size)) and rows == min(total, source.size)


def _id(record: Record) -> int | None:
    found = record.get("id")
    return found if isinstance(found, int) and not isinstance(found, bool) and found >= 0 else None


def _last_id(page: Page) -> int | None:
    """The highest id of a page that is ordered by ids; None for an empty page or one that is not."""
    ids = [_id(record) for record in page.records]
    if not ids or None in ids or ids != sorted(set(ids)):  # type: ignore[type-var]
        return None
    return ids[-1]
