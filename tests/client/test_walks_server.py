"""The walks against the stand-in, while rows of every kind come and go."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from airflow_provider_processmaker.client import (
    RESOURCES,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.records import Page
from airflow_provider_processmaker.client.walks import Source, by_key
from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.client.conftest import settings_for
from tests.client.raw_server import RawServer, http
from tests.client.test_walks import CHURN, FIXED, SIZES, WINDOWS, Table, ids_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_processmaker.client import ProcessMakerClient
    from tests.client.raw_server import Request, Wire

    Connect = Callable[..., ProcessMakerClient]


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
