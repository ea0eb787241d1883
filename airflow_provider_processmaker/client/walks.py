"""The ways of walking a list so that every record that is there throughout comes exactly once.

A list changes while it is walked. On plain pages a row that is deleted moves all later rows one place forward, over the
edge of a page that was read already, and a row is missed. Read several pages at once, and it happens both ways. Yet a
page shows a stretch of the list without holes, ordered by ids, so all that can be missed lies in a *seam*: between the
last id of one page and the first of the next. Where these are neighbours, nothing can.

- **By key**, where a list takes PMQL: the pages behind the last id that was given, ``id > 4711``, several at once. The
  first of them has no seam before it. What lies in the seams of the others is asked for, many seams by one call. That
  neither misses nor repeats, whatever comes or goes.
- **By pages**, where it takes none: the pages from the first to the last, several at once, are counted: if as many of
  the rows that were there at the start were given as there were then, none was missed. If fewer, the pages around the
  seams are read again, from the last to the first, one at a time: so a deletion only moves rows to where they are yet
  to be read.
- **Forward**, where a list has no order by id: its plain pages, one after the other.

Each gives ascending ids; only rows that had to be asked for again come later. No row comes twice, but for forward.
A page that was given is not looked at again: who takes it may empty it.

What is *not* there throughout may come or not. What cannot be promised:

- By pages: if a row comes in between with an id below the highest (a deleted user who is restored; one that begins to
  match the ``filter``, or that another's transaction had held back), then a row that moved because of it, or because of
  another that went meanwhile, may be missed. By key that does no harm.
- Forward, which goes for an ``order_by`` of one's own, for the lists of the table without an order, for ids that are no
  whole numbers, and (but for by key) for a server whose ``meta`` does not fit its page: rows that move meanwhile may be
  missed, or come twice.
- Everything rests on ids that never change and on answers that are not stale, as those of a lagging copy of the
  database may be.
"""

from __future__ import annotations

import logging
import math
from bisect import bisect_left
from contextlib import closing
from dataclasses import dataclass, field, replace
from itertools import islice
from operator import itemgetter, lt
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_processmaker.client.errors import CallRefusedError, ServerError, UnexpectedAnswerError
from airflow_provider_processmaker.client.look_ahead import ahead
from airflow_provider_processmaker.client.pmql import LONGEST_QUERY
from airflow_provider_processmaker.client.records import walk

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator, Mapping

    from airflow_provider_processmaker.client.records import Page

__all__ = ["Source", "by_key", "by_pages", "forward"]

log = logging.getLogger(__name__)

#: Percent-encoded bytes of a query for seams: some 50 of them.
SEAMS_QUERY = 3000


@dataclass(frozen=True, slots=True)
class Source:
    """One list with one query, as the walks see it.

    :param fetch: gets a page by its number and size, with more parameters.
    :param size: rows a page.
    :param path: path of the list, for errors.
    :param paged: False for a list that comes whole.
    :param pmql: the query's own PMQL, if it has one.
    :param key: field by which the rows ascend.
    :param newest_first: parameters that turn the order round.
    """

    fetch: Callable[[int, int, dict[str, Any]], Page]
    size: int
    path: str
    paged: bool = True
    pmql: str | None = None
    key: str = "id"
    newest_first: Mapping[str, str] = field(default_factory=lambda: {"order_direction": "desc"})

    def page(self, number: int) -> Page:
        """A page in ascending order.

        :param number: its number, from 1.
        """
        return self.fetch(number, self.size, {})

    def newest(self) -> Page:
        """A page with the record of the highest id alone."""
        return self.fetch(1, 1, dict(self.newest_first))

    def behind(self, low: int, number: int) -> Page:
        """A page of the records whose ids lie above one.

        :param low: ids above this one.
        :param number: number of the page, from 1.
        """
        return self.fetch(number, self.size, {"pmql": self.with_clause(f"id > {low}")})

    def with_clause(self, clause: str) -> str:
        """The query's own PMQL and a clause more, each in parentheses, so that no OR reaches out of its own.

        :param clause: PMQL.
        """
        return f"({self.pmql}) AND ({clause})" if self.pmql else f"({clause})"

    def known_ids(self, page: Page) -> list[int] | None:
        """The ids of a page; None if they are no whole numbers, or do not ascend.

        :param page: of this list.
        """
        try:
            ids: list[Any] = list(map(itemgetter(self.key), page.records))
        except KeyError:
            return None
        if ids and (set(map(type, ids)) != {int} or ids[0] < 0):  # by type: a boolean is no id
            return None
        return ids if all(map(lt, ids, islice(ids, 1, None))) else None

    def ids(self, page: Page, above: int = -1) -> list[int]:
        """The ids of a page.

        :param page: of this list.
        :param above: what they must be above.
        :raises UnexpectedAnswerError: if they are not, or do not ascend.
        """
        ids = self.known_ids(page)
        if ids is None or (ids and ids[0] <= above):
            raise UnexpectedAnswerError(
                "A page of the list is not in the order of ids, or has others than were asked for.",
                method="GET",
                path=self.path,
                hint="A cache or a proxy that ignores the query could do so.",
            )
        return ids


def forward(source: Source) -> Iterator[Page]:
    """The pages as they come, one after the other.

    :param source: the list.
    """
    return walk(source.page, page_size=source.size, paged=source.paged, path=source.path)


def by_key(source: Source, window: int) -> Generator[Page]:
    """A list that takes PMQL, by ascending ids.

    :param source: the list.
    :param window: pages to read ahead.
    """
    first = source.page(1)
    if not source.known_ids(first):
        yield from _from(first, source)
        return
    behind = _Behind(source, total=first.total)
    behind.learn((-1, 1, first))
    trusted, last = _trusted(first, source), _last(first)
    yield first
    with closing(behind.pages(window)) as pages:
        try:
            second = next(pages, None)
        except (CallRefusedError, ServerError, UnexpectedAnswerError) as error:
            # The list took the user's query, so what it does not take is the key.
            if error.status not in {None, 400, 422, 500} or not trusted:
                raise
            log.info("The list cannot be asked for what is behind an id, so it is walked by pages. %s", error)
        else:
            if second is not None:
                yield second
                yield from pages
            return
    yield from _counted(source, last, window)


class _Behind:
    """The walk by key behind an id.

    :param source: the list.
    :param total: rows of the whole list, to be told with each page.
    :param reach: ids up to this one are given or lie in a seam.
    """

    def __init__(self, source: Source, *, total: int | None, reach: int = -1) -> None:
        self._source = source
        self._total = total
        self._reach = reach
        #: Rows behind it by the last count; if there is a doubt, 1.
        self._left = 1
        self._flying = 0
        self._seams: list[str] = []
        self._first_seam = reach
        own = quote(source.pmql or "", safe="")
        self._room = max(0, min(SEAMS_QUERY, LONGEST_QUERY - len(own)))

    def pages(self, window: int) -> Generator[Page]:
        """The pages.

        :param window: pages to read ahead.
        """
        with closing(ahead(self._more, window, self.learn)) as pages:
            for page in pages:
                if page.records:
                    yield page
                if sum(map(len, self._seams)) * 2 > self._room:  # spaces and signs take three bytes each
                    yield from self._seamed()
        yield from self._seamed()

    def _more(self) -> Callable[[], tuple[int, int, Page]] | None:
        if self._left <= self._flying * self._source.size:
            return None
        self._flying += 1
        low, number = self._reach, self._flying
        return lambda: (low, number, self._source.behind(low, number))

    def learn(self, read: tuple[int, int, Page]) -> Page:
        """Take a page into account; gives what is new of it.

        :param read: what it is behind, its number there, and the page.
        """
        low, number, page = read
        ids = self._source.ids(page, above=low)
        self._flying = max(0, self._flying - 1)
        self._left = self._rows_behind(page, number)
        if ids and number > 1 and ids[0] > self._reach + 1:
            self._first_seam = self._first_seam if self._seams else self._reach
            self._seams.append(f"(id > {self._reach} AND id < {ids[0]})")
        new = page.records[bisect_left(ids, self._reach + 1) :]
        self._reach = max(self._reach, ids[-1] if ids else -1)
        return replace(page, records=new, total=self._total)

    def _rows_behind(self, page: Page, number: int) -> int:
        """How many rows are behind a page; at least 1 as long as that there is none is not certain."""
        rows, size = len(page.records), self._source.size
        if not rows:
            # Behind the last id nothing; further on it tells nothing, since rows may have moved before it.
            return int(number > 1)
        if page.total is None or page.size not in {None, size} or rows > size:
            return 1
        # The count was taken before the rows: only a page that is not full says for itself that it is the last.
        return max(page.total - (number - 1) * size - rows, int(rows == size))

    def _seamed(self) -> Iterator[Page]:
        """What lies in the seams, and was moved there while two pages were read."""
        if not self._seams:
            return
        clause = " OR ".join(self._seams)
        self._seams = []
        source = replace(self._source, pmql=self._source.with_clause(clause))
        yield from _Behind(source, total=self._total, reach=self._first_seam).pages(1)


def by_pages(source: Source, window: int) -> Generator[Page]:
    """A list that takes no PMQL, by ascending ids, checked at the end.

    :param source: the list.
    :param window: pages to read ahead.
    """
    first = source.page(1)
    if not source.known_ids(first) or not _trusted(first, source):
        yield from _from(first, source)
        return
    more, last = len(first.records) < (first.total or 0), _last(first)
    yield first
    if more:
        yield from _counted(source, last, window)


def _last(page: Page) -> Page:
    """A page with its last row alone, to go on from when the page itself was given."""
    return replace(page, records=page.records[-1:])


def _counted(source: Source, first: Page, window: int) -> Generator[Page]:
    """What is behind the first page.

    :param source: the list.
    :param first: the last row of that page.
    :param window: pages to read ahead.
    """
    # First the highest id, then the count, then all pages: a row that is added in between is counted, though it is not
    # needed, so that at worst we look for a row that was not missed. The other way round one could be.
    newest = source.ids(source.newest())
    if not newest:
        return  # all are gone
    counted = _Counted(source, first, highest=newest[-1])
    page = counted.start(source.page(1))
    if page.records:
        yield page
    with closing(ahead(counted.more, window, counted.learn)) as pages:
        for page in pages:
            if page.records:
                yield page
    yield from counted.missed()


class _Counted:
    """The walk by pages behind the first, with the count of what it gave.

    :param source: the list.
    :param first: the last row of its first page, which was given.
    :param highest: the highest id before the count.
    """

    def __init__(self, source: Source, first: Page, *, highest: int) -> None:
        self._source = source
        self._total = first.total
        self._highest = highest
        self._reach = source.ids(first)[-1]
        self._lacking = 0
        self._next = self._last = 1
        #: Ids between which nothing was given, and the last page on which a row in between can be.
        self._seams: list[tuple[int, int, int]] = []

    def start(self, again: Page) -> Page:
        """Take the count, with the first page read once more; gives what is new of it.

        :param again: the page.
        """
        given = bisect_left(self._source.ids(again), self._reach + 1)
        if again.total is None:
            raise UnexpectedAnswerError(
                "The server no longer tells how many records the list has.", method="GET", path=self._source.path
            )
        self._lacking = again.total - given
        self._last = math.ceil(again.total / self._source.size)
        return self.learn((1, again))

    def more(self) -> Callable[[], tuple[int, Page]] | None:
        """The next page to read."""
        if self._next >= self._last:
            return None
        self._next += 1
        number = self._next
        return lambda: (number, self._source.page(number))

    def learn(self, read: tuple[int, Page]) -> Page:
        """Take a page into account; gives what is new of it.

        :param read: its number, and the page.
        """
        number, page = read
        ids = self._source.ids(page)
        new = bisect_left(ids, self._reach + 1)
        if ids and number > 1 and ids[0] > self._reach + 1:
            self._seams.append((self._reach, ids[0], number - 1))
        self._lacking -= max(0, bisect_left(ids, self._highest + 1) - new)
        self._reach = max(self._reach, ids[-1] if ids else -1)
        return replace(page, records=page.records[new:] if new else page.records, total=self._total)

    def missed(self) -> Iterator[Page]:
        """What was not given though it was there at the start, from the last page to the first, one at a time."""
        if self._reach < self._highest:
            self._seams.append((self._reach, self._highest + 1, self._last))
        if not self._seams:
            return
        number, lowest = self._seams[-1][2], self._highest + 1
        while self._lacking > 0 and number >= 1:
            page = self._source.page(number)
            ids = self._source.ids(page)
            # What is above the lowest of the page before was there, or on a page before that.
            new = [row for id_, row in zip(ids, page.records, strict=True) if id_ < lowest and self._in_seam(id_)]
            self._lacking -= len(new)
            if new:
                yield replace(page, records=new, total=self._total)
            if ids and ids[0] <= self._seams[0][0] + 1:
                return
            lowest = min(lowest, ids[0]) if ids else lowest
            number = min(number - 1, page.last_page or number)

    def _in_seam(self, id_: int) -> bool:
        place = bisect_left(self._seams, (id_,)) - 1
        return place >= 0 and self._seams[place][0] < id_ < self._seams[place][1]


def _from(first: Page, source: Source) -> Iterator[Page]:
    """The plain forward walk of a list whose first page is there already."""
    if first.records:
        log.warning(
            "%s is walked by its plain pages, since its ids or its counts are not as they should be: rows that move "
            "meanwhile may be missed, or come twice.",
            source.path,
        )

    def fetch(number: int) -> Page:
        return first if number == 1 else source.page(number)

    return walk(fetch, page_size=source.size, paged=source.paged, path=source.path)


def _trusted(page: Page, source: Source) -> bool:
    """Tell whether what a first page says of its list fits together; if not, it is no ground for a count."""
    rows, total = len(page.records), page.total
    if total is None or rows > source.size or page.size not in {None, source.size}:
        return False
    return page.last_page == max(1, math.ceil(total / source.size)) and rows == min(total, source.size)
