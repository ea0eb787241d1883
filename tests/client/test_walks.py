"""Every record that is there throughout comes exactly once, whatever comes and goes while a list is walked."""

from __future__ import annotations

import dataclasses
import random
import re
import threading
import tracemalloc
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_processmaker.client import (
    walks,
)
from airflow_provider_processmaker.client.look_ahead import ahead
from airflow_provider_processmaker.client.records import Page
from airflow_provider_processmaker.client.walks import Source, by_key, by_pages
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from airflow_provider_processmaker.client import ProcessMakerClient
    from tests.client.raw_server import Request, Wire

    Connect = Callable[..., ProcessMakerClient]

FIXED = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck))
#: What happens before a call: rows that come, and the places of those that go.
CHURN = st.lists(st.tuples(st.integers(0, 3), st.lists(st.integers(0, 40), max_size=3)), min_size=1, max_size=30)
SIZES = st.integers(1, 7)
WINDOWS = st.integers(1, 4)


class Table:
    """A table without a server: COUNT and SELECT as two steps, and a script of changes before each."""

    def __init__(
        self, ids: list[int], script: list[tuple[int, list[int]]], *, step: int = 1, returning: Sequence[int] = ()
    ) -> None:
        self.ids = ids
        self.script = list(script)
        self.step = step
        self.throughout = set(ids)
        self.ever = set(ids)
        self.highest = max([*ids, *returning], default=0)
        self.returning = list(returning)
        self.calls = 0
        self.lock = threading.Lock()

    def change(self) -> None:
        if not self.script:
            return
        come, go = self.script.pop(0)
        for place in go:
            if self.ids:
                gone = self.ids.pop(place % len(self.ids))
                self.throughout.discard(gone)
        for _ in range(come):
            self.highest += self.step
            self.ids.append(self.highest)
            self.ever.add(self.highest)
        for id_ in self.returning[:1]:
            self.returning.remove(id_)
            self.ids = sorted({*self.ids, id_})
            self.ever.add(id_)

    def matching(self, pmql: str | None) -> list[int]:
        if not pmql:
            return list(self.ids)
        python = pmql.replace("AND", "and").replace("OR", "or")
        assert re.fullmatch(r"[()id<>=0-9 andor]*", python), python
        code = compile(python, "pmql", "eval")
        return [id_ for id_ in self.ids if eval(code, {"id": id_})]

    def fetch(self, number: int, size: int, more: dict[str, Any]) -> Page:
        with self.lock:
            self.calls += 1
            self.change()
            total = len(self.matching(more.get("pmql")))
            self.change()
            found = self.matching(more.get("pmql"))
            if more.get("order_direction") == "desc":
                found.reverse()
            rows = [{"id": id_} for id_ in found[(number - 1) * size : number * size]]
            return Page(rows if total else [], total, max(1, -(-total // size)), size)

    def source(self, size: int, pmql: str | None = None) -> Source:
        def fetch(number: int, rows: int, more: dict[str, Any]) -> Page:
            return self.fetch(number, rows, {"pmql": pmql, **more})

        return Source(fetch, size, "/things", pmql=pmql)


def out_of_step(jobs: Callable[[], Callable[[], Any] | None], window: int, learn: Callable[[Any], Any]) -> Any:
    """``ahead`` in one thread: the jobs of a window run in an order that chance decides, the same each time."""
    chance = random.Random(window)
    waiting: list[list[Any]] = []
    while True:
        while len(waiting) < window and (job := jobs()) is not None:
            waiting.append([job, None])
        if not waiting:
            return
        # Any of them may have run before the first is done.
        for slot in chance.sample(waiting, chance.randint(0, len(waiting))):
            slot[1] = slot[1] or slot[0]()
        job, result = waiting.pop(0)
        yield learn(result or job())


def ids_of(pages: Iterator[Page]) -> list[int]:
    """Takes the rows out of each page, as the client does: no walk may look at a page that it gave."""
    ids = []
    for page in pages:
        ids += [record["id"] for record in page.records]
        page.records.clear()
    return ids


def check(table: Table, ids: list[int]) -> None:
    assert len(ids) == len(set(ids)), "none comes twice"
    assert table.throughout <= set(ids), "none is missed"
    assert set(ids) <= table.ever


class TestAgainstATable:
    """Thousands of walks, in which changes also fall between the server's count and its rows."""

    @pytest.fixture(autouse=True)
    def _chance(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walks, "ahead", out_of_step)

    @settings(FIXED, max_examples=700)
    @given(
        ids=st.sets(st.one_of(st.integers(1, 60), st.integers(2**31, 2**53)), max_size=60),
        size=SIZES, window=WINDOWS, script=CHURN, room=st.sampled_from([0, 150, 3000]),
        back=st.lists(st.integers(1, 60), max_size=4),
    )  # fmt: skip
    def test_by_key(self, ids: set[int], size: int, window: int, script: Any, room: int, back: list[int]) -> None:
        """Rows that come back do no harm."""
        table = Table(sorted(ids), script, returning=[id_ for id_ in back if id_ not in ids])
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(walks, "SEAMS_QUERY", room)
            found = ids_of(by_key(table.source(size), window))
        check(table, found)
        if window == 1:
            assert found == sorted(found)

    @settings(FIXED, max_examples=700)
    @given(
        ids=st.sets(st.one_of(st.integers(1, 60), st.integers(2**31, 2**53)), max_size=60),
        size=SIZES, window=WINDOWS, script=CHURN,
    )  # fmt: skip
    def test_by_pages(self, ids: set[int], size: int, window: int, script: Any) -> None:
        table = Table(sorted(ids), script)
        healed: list[Any] = []
        with pytest.MonkeyPatch.context() as patch:
            missed = walks._Counted.missed
            patch.setattr(walks._Counted, "missed", lambda self: healed.append(0) or missed(self))
            given = [(len(healed), ids_of(iter([page]))) for page in by_pages(table.source(size), window)]
        check(table, [id_ for _, ids in given for id_ in ids])
        before_healing = [id_ for healing, ids in given for id_ in ids if not healing]
        assert before_healing == sorted(before_healing)

    @settings(FIXED, max_examples=300)
    @given(
        count=st.integers(1, 120), gap=st.sampled_from([1, 3, 1_000_003]), size=SIZES, window=WINDOWS,
        way=st.sampled_from([by_key, by_pages]), more=st.lists(st.integers(0, 2), max_size=9),
    )  # fmt: skip
    def test_only_what_came_late_changes_nothing(
        self, count: int, gap: int, size: int, window: int, way: Any, more: list[int]
    ) -> None:
        """Without deletions all is ascending, and no call is made in vain."""
        table = Table([1 + gap * number for number in range(count)], [(number, []) for number in more], step=gap)
        found = ids_of(way(table.source(size), window))
        check(table, found)
        assert found == sorted(found)
        pages = -(-len(table.ids) // size)
        if way is by_pages:
            # The highest id, and the first page once more. A row that came just then may make it look again.
            spare = 2 if not any(more) or gap == 1 else 2 + pages
        else:
            # The proof that nothing follows, and the seams: a call for each 50 or so.
            spare = 1 + (gap > 1 and window > 1) * -(-pages // 40)
            spare += window if any(more) else 0
        assert table.calls <= pages + spare

    @pytest.mark.parametrize("window", [1, 4, 16])
    @pytest.mark.parametrize("size", [1, 7, 100])
    def test_calls_over_gaps_and_clusters(self, size: int, window: int) -> None:
        chance = random.Random(size)
        shapes = {
            "dense": list(range(1, 301)),
            "sparse": sorted(chance.sample(range(10**9), 300)),
            "clusters": sorted({start + step for start in range(1, 10**9, 10**8) for step in range(30)}),
            "one gap of millions": [*range(1, 151), *range(9_000_000, 9_000_150)],
            "beyond 31 bits": list(range(2**31 - 150, 2**31 + 150)),
        }
        for shape, ids in shapes.items():
            table = Table(ids, [])
            assert ids_of(by_key(table.source(size), window)) == ids
            pages = -(-len(ids) // size)
            assert table.calls <= pages * 1.05 + 2, shape

    def test_few_rows_of_a_wide_table(self) -> None:
        table = Table(list(range(1, 2001)), [])
        pmql = "id < 4 OR id > 1998"
        assert ids_of(by_key(table.source(2, pmql), 4)) == [1, 2, 3, 1999, 2000]
        assert table.calls <= 4

    def test_one_comes_back_between_the_count_and_the_rows_of_the_last_page(self) -> None:
        """It pushes the last row off a page that was full by the count."""
        ids = [1, 2, 3, 4, 5, 6, 8, 9, 10, 11]
        table = Table(ids, [(0, [])] * 9, returning=[1, 1, 1, 7])
        assert ids_of(by_key(table.source(5), 1)) == list(range(1, 12))

    @pytest.mark.parametrize("way", [by_key, by_pages])
    def test_churn_that_does_not_end(self, way: Any) -> None:
        """Rows go also while what was missed is looked for."""
        chance = random.Random(2)
        for size in (1, 2, 3) * 60:
            ids = sorted(chance.sample(range(1, 200), 40))
            script = [(0, [0] * chance.choice([0, 0, 1, size])) for _ in range(200)]
            table = Table(ids, script)
            check(table, ids_of(way(table.source(size), chance.randint(1, 4))))

    @pytest.mark.parametrize("way", [by_key, by_pages])
    @pytest.mark.parametrize("window", [1, 4])
    def test_all_go(self, way: Any, window: int) -> None:
        for after in range(5):
            table = Table(list(range(1, 30)), [(0, [])] * after + [(0, [0] * 40)])
            check(table, ids_of(way(table.source(3), window)))

    @pytest.mark.parametrize("window", [1, 4])
    def test_the_highest_goes_each_time(self, window: int) -> None:
        for way in (by_key, by_pages):
            table = Table(list(range(1, 40)), [(1, [-1])] * 30)
            check(table, ids_of(way(table.source(3), window)))

    @pytest.mark.parametrize("way", [by_key, by_pages])
    def test_one_deletion_costs_few_calls(self, way: Any) -> None:
        """Where all ids are taken, the hole shows, and only the pages around it are read again."""
        ids = list(range(1, 1001))
        table = Table(list(ids), [(0, [])] * 100 + [(0, [0])])
        check(table, ids_of(way(table.source(7), 4)))
        assert table.calls <= -(-len(ids) // 7) + 8


class TestTheProofHasTeeth:
    """Take a mechanism away, and rows are missed."""

    def missed(self, way: Any) -> bool:
        chance = random.Random(1)
        for _ in range(400):
            ids = sorted(chance.sample(range(1, 100), 30))
            script = []
            for _ in range(40):
                gone = [chance.randint(0, 12) for _ in range(chance.choice([0, 1, 1, 5]))]
                script.append((chance.randint(0, 1), gone))
            table = Table(ids, script)
            found = set(ids_of(way(table.source(3), 3)))
            if not table.throughout <= found:
                return True
        return False

    @pytest.fixture(autouse=True)
    def _chance(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walks, "ahead", out_of_step)

    def test_with_all_of_them(self) -> None:
        assert not self.missed(by_key)
        assert not self.missed(by_pages)

    def test_by_key_without_the_seams(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walks._Behind, "_seamed", lambda self: iter(()))
        assert self.missed(by_key)

    def test_by_key_that_ends_at_the_first_empty_page(self, monkeypatch: pytest.MonkeyPatch) -> None:
        right = walks._Behind._rows_behind
        monkeypatch.setattr(
            walks._Behind, "_rows_behind", lambda self, page, number: right(self, page, number) if page.records else 0
        )
        assert self.missed(by_key)

    def test_by_pages_without_healing(self, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(walks._Counted, "missed", lambda self: iter(()))
        assert self.missed(by_pages)

    def test_forward_alone(self) -> None:
        assert self.missed(lambda source, window: walks.forward(source))

    def test_the_count_before_the_highest_id(self) -> None:
        """A row that is added between the two would make up for one that is missed."""

        def other_way_round(source: Source, window: int) -> Iterator[Page]:
            again = source.page(1)

            def fetch(number: int, size: int, more: dict[str, Any]) -> Page:
                page = source.fetch(number, size, more)
                if not more and fetched == [1]:
                    page = dataclasses.replace(page, total=again.total)
                fetched.extend([number] if not more else [])
                return page

            fetched: list[int] = []
            return by_pages(dataclasses.replace(source, fetch=fetch), window)

        def walked(way: Any) -> bool:
            table = Table(list(range(1, 91, 3)), [(1, []), (0, [])] * 3 + [(0, [])] * 8 + [(0, [0])])
            return table.throughout <= set(ids_of(way(table.source(3), 1)))

        assert walked(by_pages)
        assert not walked(other_way_round)


class TestMemory:
    """A list is never held: the peak does not grow with it."""

    PAYLOAD = "x" * 200

    def peak(self, connect: Connect, name: str, rows: int) -> int:
        def answer(request: Request, wire: Wire) -> bytes:
            query = {key: values[0] for key, values in parse_qs(request.target.partition("?")[2]).items()}
            found = re.search(r"id > (\d+)", query.get("pmql", ""))
            ids = range(int(found[1]) + 1 if found else 1, rows + 1)
            if query["order_direction"] == "desc":
                ids = ids[::-1]
            page, size = int(query["page"]), int(query["per_page"])
            data = [{"id": id_, "text": self.PAYLOAD} for id_ in ids[(page - 1) * size : page * size]]
            meta = {"total": len(ids), "last_page": max(1, -(-len(ids) // size)), "per_page": size}
            return http(200, {"data": data, "meta": meta})

        with RawServer(answer, keep_alive=True) as server:
            client = connect(server, access_token="t", read_timeout=20.0)
            tracemalloc.start()
            try:
                count = sum(1 for _ in client.iter_records(name, page_size=200, look_ahead=4))
                assert count == rows
                return tracemalloc.get_traced_memory()[1]
            finally:
                tracemalloc.stop()

    @pytest.mark.parametrize("name", ["users", "requests"])
    def test_it_is_flat(self, connect: Connect, name: str) -> None:
        self.peak(connect, name, 2_000)
        small, large = self.peak(connect, name, 2_000), self.peak(connect, name, 20_000)
        # Of four pages that may be under way at once, by chance more or fewer are. All rows would be some 12 MB.
        assert large < small * 1.5 + 1_000_000
        assert large < 20_000 * 200


def test_the_order_of_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table above is walked with the real look-ahead too."""
    assert walks.ahead is ahead
    for way in (by_key, by_pages):
        table = Table(list(range(1, 300, 2)), [(1, [3, 5])] * 20)
        check(table, ids_of(way(table.source(4), 4)))
