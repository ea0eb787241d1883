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
    RESOURCES,
    InvalidInputError,
    InvalidQueryError,
    ServerError,
    UnexpectedAnswerError,
    walks,
)
from airflow_provider_processmaker.client.look_ahead import ahead
from airflow_provider_processmaker.client.pmql import field, split_in
from airflow_provider_processmaker.client.records import Page
from airflow_provider_processmaker.client.walks import Source, by_key, by_pages
from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.client.conftest import settings_for
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
    return [record["id"] for page in pages for record in page.records]


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
            pages = [(len(healed), page) for page in by_pages(table.source(size), window)]
        found = ids_of(page for _, page in pages)
        before_healing = ids_of(page for healing, page in pages if not healing)
        check(table, found)
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


@pytest.fixture(scope="module")
def running() -> Iterator[tuple[ProcessMakerServer, ProcessMakerClient]]:
    from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient

    with (
        ProcessMakerServer(users=0) as server,
        ProcessMakerClient(settings_for(server, read_timeout=20.0), token_store=MemoryStore()) as client,
    ):
        server.add_process("Churned", steps=("Wait",))
        client.log_in()
        yield server, client


Running = tuple["ProcessMakerServer", "ProcessMakerClient"]


class World:
    """Rows of the stand-in, with a script of changes run before each call of a walk."""

    def __init__(self, server: ProcessMakerServer, kind: str, count: int, script: list[tuple[int, list[int]]]) -> None:
        self.server, self.script = server, list(script)
        self.kind = KINDS[kind]
        for request in server.requests:
            server.delete_request(request.id)
        for id_ in self.ids():
            self.delete(id_)
        self.add(count)
        self.throughout, self.ever = set(self.ids()), set(self.ids())
        server.faults.clear()
        server.reset_calls()
        server.faults.add("GET", f"/{RESOURCES[self.kind.name].path.rpartition('/')[2]}", then=self.change, times=None)

    def ids(self) -> list[int]:
        return self.kind.ids(self.server)

    def add(self, count: int) -> None:
        self.kind.add(self.server, count)

    def delete(self, id_: int) -> None:
        self.kind.delete(self.server, id_)

    def change(self) -> None:
        if not self.script:
            return
        come, go = self.script.pop(0)
        for place in go:
            ids = self.ids()
            if ids:
                gone = ids[place % len(ids)]
                self.throughout.discard(gone)
                self.delete(gone)
        self.add(come)
        self.ever.update(self.ids())


@dataclasses.dataclass(frozen=True)
class Kind:
    """A list, how its rows come and go, and what it is asked for."""

    name: str
    ids: Callable[[ProcessMakerServer], list[int]]
    add: Callable[[ProcessMakerServer, int], object]
    delete: Callable[[ProcessMakerServer, int], object]
    query: dict[str, Any] = dataclasses.field(default_factory=dict)


def users_of(server: ProcessMakerServer) -> list[int]:
    return [id_ for id_ in sorted(server.user_ids) if id_ != 1]


def requests_of(server: ProcessMakerServer) -> list[int]:
    return [request.id for request in server.requests if request.status == "ACTIVE"]


def processes_of(server: ProcessMakerServer) -> list[int]:
    return [process.id for process in server.state.workflow.processes if process.name != "Churned"]


def add_requests(server: ProcessMakerServer, count: int) -> None:
    server.add_requests("Churned", count)


def add_processes(server: ProcessMakerServer, count: int) -> None:
    for _ in range(count):
        server.add_process("Another")


def remove_process(server: ProcessMakerServer, id_: int) -> None:
    with server.state.lock:
        server.state.workflow.processes.remove(id_)


def delete_by(what: str) -> Callable[[ProcessMakerServer, int], None]:
    """Delete the request that something belongs to."""

    def delete(server: ProcessMakerServer, id_: int) -> None:
        rows = server.tasks if what == "tasks" else server.requests
        for row in rows:
            if what == "tasks" and row.id == id_:
                server.delete_request(row.request.id)
            elif what == "cases" and row.case_number == id_:
                server.delete_request(row.id)

    return delete


KINDS = {
    "users": Kind("users", users_of, ProcessMakerServer.add_users, ProcessMakerServer.delete_user),
    "users, some": Kind(
        "users", users_of, ProcessMakerServer.add_users, ProcessMakerServer.delete_user, {"filter": "user"}
    ),
    "requests": Kind("requests", requests_of, add_requests, ProcessMakerServer.delete_request),
    # Those that have ended match no longer: the rows stay, and the pages move.
    "requests, some": Kind(
        "requests",
        requests_of,
        add_requests,
        ProcessMakerServer.complete_request,
        {"pmql": 'status = "In Progress" OR status = "In Progress"'},
    ),
    "tasks": Kind("tasks", lambda server: [task.id for task in server.tasks], add_requests, delete_by("tasks")),
    # Lists that the server cuts into pages after it has loaded them all.
    "processes": Kind("processes", processes_of, add_processes, remove_process),
    "start_processes": Kind("start_processes", processes_of, add_processes, remove_process),
}


@settings(FIXED, max_examples=250)
@given(kind=st.sampled_from(sorted(KINDS)), count=st.integers(0, 30), size=SIZES, window=WINDOWS, script=CHURN)
def test_exactly_once_against_the_server(
    running: Running, kind: str, count: int, size: int, window: int, script: Any
) -> None:
    """By pages and by key, with and without a query, one after the other and ahead."""
    server, client = running
    world = World(server, kind, count, script)
    name = world.kind.name
    found = [row["id"] for row in client.iter_records(name, page_size=size, look_ahead=window, **world.kind.query)]
    assert len(found) == len(set(found))
    assert world.throughout <= set(found)
    # The administrator, and the process whose requests come and go.
    assert set(found) - {1, server.process("Churned").id} <= world.ever
    if window == 1 and RESOURCES[name].pmql:
        assert found == sorted(found)
    pages = -(-(count + sum(come for come, _ in script) + 1) // size)
    assert len(server.calls) <= 3 * pages + 6


@settings(FIXED, max_examples=30)
@given(count=st.integers(0, 30), size=SIZES, comes=st.lists(st.integers(0, 3), max_size=30))
def test_forward_what_only_comes_at_the_end_does_no_harm(
    running: Running, count: int, size: int, comes: list[int]
) -> None:
    """All that is promised of plain pages: rows that keep their places come once."""
    server, client = running
    world = World(server, "requests", count, [(come, []) for come in comes])
    rows = client.iter_records("requests", page_size=size, order_by="created_at", look_ahead=4)
    found = [row["id"] for row in rows]
    assert len(found) == len(set(found))
    assert world.throughout <= set(found) <= world.ever


def test_another_filter_stays_in_force(running: Running) -> None:
    server, client = running
    world = World(server, "requests", 12, [])
    ended = world.ids()[::2]
    for id_ in ended:
        server.complete_request(id_)
    done = [row["id"] for row in client.iter_records("requests", page_size=2, pmql='status = "Completed"')]
    assert done == ended


def test_a_server_that_heeds_no_order_is_warned_of(connect: Connect, caplog: pytest.LogCaptureFixture) -> None:
    """The plain pages promise less, so that goes into the log; an empty list promises all."""

    def answer(request: Request, wire: Wire) -> bytes:
        rows = [] if "empty" in request.target else [{"id": 2}, {"id": 1}]
        return http(200, {"data": rows, "meta": {"total": len(rows), "last_page": 1, "per_page": 500}})

    with RawServer(answer) as server, connect(server, access_token="t") as client:
        assert list(client.iter_records("users", filter="empty")) == []
        assert "plain pages" not in caplog.text
        assert len(list(client.iter_records("users"))) == 2
        assert "/api/1.0/users is walked by its plain pages" in caplog.text


class TestWithoutAKey:
    """Lists that turn out not to know ``id > n``, or not to heed it."""

    @pytest.mark.parametrize("window", [1, 4])
    @pytest.mark.parametrize("kind", ["refused", "failed", "ignored"])
    def test_are_walked_by_pages(self, connect: Connect, kind: str, window: int) -> None:
        def answer(request: Request, wire: Wire) -> bytes:
            query = {name: values[0] for name, values in parse_qs(request.target.partition("?")[2]).items()}
            if "id >" in query.get("pmql", "") and kind != "ignored":
                return http(400 if kind == "refused" else 500, {"error": "PMQL error"})
            ids = list(range(1, 24))
            if query["order_direction"] == "desc":
                ids.reverse()
            page, size = int(query["page"]), int(query["per_page"])
            meta = {"total": 23, "last_page": -(-23 // size), "per_page": size}
            return http(200, {"data": [{"id": id_} for id_ in ids[(page - 1) * size : page * size]], "meta": meta})

        with RawServer(answer, keep_alive=True) as server:
            stream = connect(server, access_token="t").iter_records("settings", page_size=5, look_ahead=window)
            assert [row["id"] for row in stream] == list(range(1, 24))

    def test_one_that_forgets_it_on_the_way(self) -> None:
        table = Table(list(range(1, 40)), [])

        def fetch(number: int, size: int, more: dict[str, Any]) -> Page:
            return table.fetch(number, size, {} if table.calls > 4 else more)

        with pytest.raises(UnexpectedAnswerError, match="not in the order of ids"):
            ids_of(by_key(Source(fetch, 3, "/things"), 1))

    def test_without_meta_it_goes_on_until_nothing_comes(self) -> None:
        table = Table(list(range(1, 40, 3)), [])

        def fetch(number: int, size: int, more: dict[str, Any]) -> Page:
            return Page(table.fetch(number, 2, more).records)

        assert ids_of(by_key(Source(fetch, 5, "/things"), 4)) == table.ids


#: Lists with PMQL that a community server has.
PMQL_LISTS = sorted(name for name, one in RESOURCES.items() if one.pmql and name != "collection_records")


class TestQueries:
    @pytest.fixture
    def filled(self, server: ProcessMakerServer) -> ProcessMakerServer:
        server.add_process("Filled", steps=("Wait",))
        server.add_requests("Filled", 12, [{"n": number} for number in range(12)])
        server.reset_calls()
        return server

    def queries(self, server: ProcessMakerServer) -> list[str]:
        return [parse_qs(call.query).get("pmql", [""])[0] for call in server.calls if "per_page" in call.query]

    @pytest.mark.parametrize("window", [1, 3])
    def test_an_or_does_not_escape(self, filled: ProcessMakerServer, client: ProcessMakerClient, window: int) -> None:
        ids = [request.id for request in filled.requests]
        low, high = ids[4], ids[8]
        expected = [id_ for id_ in ids if id_ < low or id_ > high]
        for pmql in (f"id < {low} OR id > {high}", (field("id") < low) | (field("id") > high)):
            found = [row["id"] for row in client.iter_records("requests", page_size=2, look_ahead=window, pmql=pmql)]
            assert found == expected
        queries = self.queries(filled)
        assert queries[0] == f"id < {low} OR id > {high}"
        assert queries[1] == f"(id < {low} OR id > {high}) AND (id > {ids[1]})"

    @pytest.mark.parametrize("pmql", ["id > 1) OR (id > 0", 'name = "x', "", "  ", "(id > 1", 5, ["id > 1"]])
    def test_what_could_reach_out_is_refused_here(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, pmql: Any
    ) -> None:
        with pytest.raises(InvalidInputError):
            list(client.iter_records("requests", pmql=pmql))
        with pytest.raises(InvalidInputError):
            client.count("requests", pmql=pmql)
        assert filled.calls == []

    def test_what_looks_like_a_tag(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        """Most lists would cut it out of the query, and find something else without a word."""
        filled.add_security_logs(12)
        ids = [request.id for request in filled.requests]
        low, high = ids[4], ids[8]
        found = [row["id"] for row in client.iter_records("requests", pmql=f"id <{low} OR id >{high}")]
        assert found == [id_ for id_ in ids if id_ < low or id_ > high]
        filled.reset_calls()
        with pytest.raises(InvalidInputError, match="tag"):
            list(client.iter_records("security_logs", pmql="id <5 OR id >= 9"))
        with pytest.raises(InvalidInputError, match="tag"):
            client.count("security_logs", pmql="id <5 OR id >= 9")
        assert filled.calls == []
        spaced = [row["id"] for row in client.iter_records("security_logs", pmql="id < 5 OR id >= 9")]
        assert spaced == [id_ for id_ in sorted(spaced) if id_ < 5 or id_ >= 9]
        assert len(spaced) == client.count("security_logs") - 4

    def test_one_that_no_url_holds(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        with pytest.raises(InvalidInputError, match=r"too long for a URL.*split_in"):
            list(client.iter_records("requests", pmql=field("id").is_in(range(1, 2000))))
        assert filled.calls == []
        batches = split_in("id", range(1, 2000))
        assert len(batches) > 1
        assert sum(client.count("requests", pmql=batch) for batch in batches) == 12

    @pytest.mark.parametrize("pmql", ["this is not valid ==", 'nosuch = "1"'])
    @pytest.mark.parametrize("name", PMQL_LISTS)
    @pytest.mark.parametrize("count", [False, True])
    def test_a_wrong_one_is_one_error(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, name: str, pmql: str, count: bool
    ) -> None:
        """400, 422 or 500, by list and by mistake."""
        with pytest.raises(InvalidQueryError) as caught:
            client.count(name, pmql=pmql) if count else list(client.iter_records(name, pmql=pmql))
        assert caught.value.what == "ProcessMaker does not understand the query."
        assert caught.value.status in {400, 422, 500}
        assert caught.value.path == f"/api/1.0/{RESOURCES[name].path}"
        assert not caught.value.retryable

    @pytest.mark.parametrize("name", ["requests", "tasks", "processes"])
    def test_a_failure_that_is_not_its_fault(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, name: str
    ) -> None:
        filled.faults.add("GET", f"/{name}", status=500, times=None)
        with pytest.raises(ServerError):
            list(client.iter_records(name, pmql="id > 0"))

    def test_a_stumble_is_got_over(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        filled.faults.add("GET", "/requests", status=500)
        assert len(list(client.iter_records("requests", pmql="id > 0"))) == 12

    def test_a_failure_on_the_way(self, filled: ProcessMakerServer, client: ProcessMakerClient) -> None:
        """The query was answered before, so it is not to blame."""
        filled.faults.add("GET", "/requests", status=500, after=3, times=None)
        stream = client.iter_records("requests", pmql="id > 0", page_size=3, look_ahead=1)
        assert len([next(stream) for _ in range(9)]) == 9
        with pytest.raises(ServerError):
            next(stream)

    @pytest.mark.parametrize(
        ("name", "query"),
        [
            ("users", {"pmql": "id > 1"}),
            ("requests", {"status": "ACTIVE"}),
            ("groups", {"page": 2}),
            ("tasks", {"per_page": 5}),
            ("users", {"filtre": "x"}),
        ],
    )
    def test_what_a_list_does_not_know_is_an_error(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, name: str, query: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidInputError):
            list(client.iter_records(name, **query))
        assert filled.calls == []

    @pytest.mark.parametrize("order", [{"order_by": "id"}, {"order_by": "id", "order_direction": "ASC"}])
    def test_an_order_by_id_of_ones_own_is_ours(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, order: dict[str, str]
    ) -> None:
        list(client.iter_records("requests", page_size=5, **order))
        assert any("id >" in query for query in self.queries(filled))

    @pytest.mark.parametrize("order", [{"order_by": "name"}, {"order_direction": "desc"}])
    def test_another_order_is_the_weaker_walk(
        self, filled: ProcessMakerServer, client: ProcessMakerClient, order: dict[str, str]
    ) -> None:
        assert len(list(client.iter_records("requests", page_size=5, **order))) == 12
        assert self.queries(filled) == [""] * 3


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
        assert large < small * 1.5 + 200_000
        assert large < 20_000 * 200


def test_the_order_of_the_words(monkeypatch: pytest.MonkeyPatch) -> None:
    """The table above is walked with the real look-ahead too."""
    assert walks.ahead is ahead
    for way in (by_key, by_pages):
        table = Table(list(range(1, 300, 2)), [(1, [3, 5])] * 20)
        check(table, ids_of(way(table.source(4), 4)))
