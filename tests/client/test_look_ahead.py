"""Pages read ahead of their consumer: in order, by a bounded window, and nothing is left behind."""

from __future__ import annotations

import contextvars
import logging
import subprocess
import sys
import textwrap
import threading
import time
from contextlib import closing
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import psutil
import pytest

from airflow_provider_processmaker.client import ServerError
from airflow_provider_processmaker.client.look_ahead import ahead
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from tests.client.raw_server import Request, Wire

    Connect = Callable[..., ProcessMakerClient]

#: One list that is walked by pages, one that is walked by key.
LISTS = ["users", "requests"]


def workers() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name.startswith("processmaker-pages")]


def open_sockets(port: int) -> int:
    connections = psutil.Process().net_connections("tcp")
    return sum(one.raddr != () and one.raddr.port == port and one.status == "ESTABLISHED" for one in connections)


@pytest.fixture(autouse=True)
def _no_thread_left() -> Iterator[None]:
    yield
    assert workers() == []


class Busy(RawServer):
    """Serves a list of rows, and knows how many calls it has at once."""

    def __init__(self, rows: int = 60, *, seconds: float = 0.0, fails: int | None = None) -> None:
        super().__init__(self._answer, keep_alive=True)
        self.rows, self.seconds, self.fails = rows, seconds, fails
        self.now = self.most = self.begun = 0
        self._count = threading.Lock()

    def _answer(self, request: Request, wire: Wire) -> bytes:
        with self._count:
            self.now += 1
            self.begun += 1
            self.most = max(self.most, self.now)
            mine = self.begun
        try:
            wire.stopping.wait(self.seconds)
            if mine == self.fails:
                return http(500, {"message": "Server Error"})
            return self._page(request)
        finally:
            with self._count:
                self.now -= 1

    def _page(self, request: Request) -> bytes:
        query = {name: values[0] for name, values in parse_qs(request.target.partition("?")[2]).items()}
        low = int(query["pmql"].partition("id > ")[2].rstrip(")")) if "pmql" in query else 0
        ids = list(range(low + 1, self.rows + 1))
        if query["order_direction"] == "desc":
            ids.reverse()
        page, size = int(query["page"]), int(query["per_page"])
        meta = {"total": len(ids), "last_page": max(1, -(-len(ids) // size)), "per_page": size}
        return http(200, {"data": [{"id": id_} for id_ in ids[(page - 1) * size : page * size]], "meta": meta})


def client_of(connect: Connect, server: RawServer) -> ProcessMakerClient:
    return connect(server, access_token="t", read_timeout=10.0)


@pytest.mark.parametrize("name", LISTS)
class TestAgainstAServer:
    @pytest.mark.parametrize("window", [1, 2, 4, 7])
    def test_in_order_and_so_many_at_once(self, connect: Connect, name: str, window: int) -> None:
        with Busy(seconds=0.02) as server:
            stream = client_of(connect, server).iter_records(name, page_size=3, look_ahead=window)
            assert [row["id"] for row in stream] == list(range(1, 61))
            assert server.most == window

    @pytest.mark.parametrize(("setting", "window"), [(None, 4), (1, 1), (3, 3)])
    def test_as_the_settings_say(self, connect: Connect, name: str, setting: int | None, window: int) -> None:
        options = {} if setting is None else {"look_ahead": setting}
        with Busy(seconds=0.02) as server:
            client = connect(server, access_token="t", read_timeout=10.0, **options)
            assert len(list(client.iter_records(name, page_size=3))) == 60
            assert server.most == window
            server.most = 0
            list(client.iter_records(name, page_size=3, look_ahead=2))
            assert server.most == 2, "an argument comes first"

    @pytest.mark.parametrize("window", [1, 2, 4])
    def test_a_slow_consumer_holds_it_up(self, connect: Connect, name: str, window: int) -> None:
        with Busy() as server:
            stream = client_of(connect, server).iter_pages(name, page_size=3, look_ahead=window)
            spare = 2 if name == "users" else 0
            with closing(stream):
                for taken, page in enumerate(stream, start=1):
                    assert page.records
                    time.sleep(0.03)
                    assert server.begun <= spare + taken + (window if window > 1 else 0)
                    if taken == 8:
                        break

    def test_the_first_page_alone_is_one_call(self, connect: Connect, name: str) -> None:
        with Busy() as server:
            with closing(client_of(connect, server).iter_records(name, page_size=3)) as stream:
                assert [next(stream)["id"] for _ in range(3)] == [1, 2, 3]
            assert server.begun == 1

    @pytest.mark.parametrize("fails", [6, 9, 14])
    def test_the_first_error_wins_and_stops_the_rest(self, connect: Connect, name: str, fails: int) -> None:
        with Busy(fails=fails, seconds=0.01) as server:
            stream = client_of(connect, server).iter_records(name, page_size=3, look_ahead=4)
            taken = []
            with pytest.raises(ServerError):
                taken.extend(row["id"] for row in stream)
            begun = server.begun
            # Three pages beyond the one that failed; and its call may have come as the last of the four of its window.
            assert begun <= fails + 3 + 3, "those that were under way, and no other"
            assert workers() == []
            time.sleep(0.05)
            assert server.begun == begun

    @pytest.mark.parametrize("way", ["close", "del", "error", "throw"])
    def test_left_early(self, connect: Connect, name: str, way: str) -> None:
        with Busy(seconds=0.01) as server:
            client = client_of(connect, server)
            stream = client.iter_records(name, page_size=3, look_ahead=4)
            leave(stream, way)
            if way == "del":
                del stream
            assert workers() == []
            time.sleep(0.1)  # the server may yet have to see what was sent a moment ago
            begun = server.begun
            time.sleep(0.1)
            assert server.begun == begun
            assert open_sockets(server.port) <= 5, "one for each thread, in the pool"
            client.close()
            assert open_sockets(server.port) == 0

    def test_in_a_loop_that_is_left(self, connect: Connect, name: str) -> None:
        with Busy() as server:
            for row in client_of(connect, server).iter_records(name, page_size=3):
                if row["id"] == 10:
                    break
            assert workers() == []

    def test_in_a_thread(self, connect: Connect, name: str) -> None:
        with Busy() as server:
            client = client_of(connect, server)
            found: list[list[int]] = []

            def work() -> None:
                found.append([row["id"] for row in client.iter_records(name, page_size=3)])

            threads = [threading.Thread(target=work) for _ in range(3)]
            for thread in threads:
                thread.start()
            for thread in threads:
                thread.join()
            assert found == [list(range(1, 61))] * 3

    def test_two_streams_of_one_client_side_by_side(self, connect: Connect, name: str) -> None:
        with Busy() as server:
            client = client_of(connect, server)
            pairs = zip(client.iter_records(name, page_size=3), client.iter_records(name, page_size=7), strict=True)
            assert all(one == other for one, other in pairs)


def leave(stream: Any, way: str) -> None:
    for row in stream:
        if row["id"] < 8:
            continue
        if way == "close":
            stream.close()
        elif way == "throw":
            with pytest.raises(KeyError):
                stream.throw(KeyError("the consumer's"))
        elif way == "error":
            with pytest.raises(ValueError, match="consumer"), closing(stream):
                raise ValueError("the consumer's")
        break


@pytest.mark.parametrize("ending", ["all", "break", "forget"])
def test_in_a_plain_script(server: ProcessMakerServer, ending: str) -> None:
    """The process ends at once, also with a stream left open."""
    script = f"""
        from airflow_provider_processmaker.client import ProcessMakerClient, Settings
        client = ProcessMakerClient(Settings(base_url={server.url!r}, access_token={server.issue_token()!r}))
        stream = client.iter_records("users", page_size=3, look_ahead=4)
        for count, row in enumerate(stream, start=1):
            if {ending!r} != "all" and count == 7:
                break
        if {ending!r} == "break":
            stream.close()
        print(count)
    """
    done = subprocess.run(
        [sys.executable, "-W", "error", "-c", textwrap.dedent(script)],
        capture_output=True, text=True, timeout=20, check=True,
    )  # fmt: skip
    assert done.stdout == ("24\n" if ending == "all" else "7\n")
    assert not done.stderr


class TestItself:
    @staticmethod
    def jobs(*jobs: Callable[[], Any]) -> Callable[[], Callable[[], Any] | None]:
        left = iter(jobs)
        return lambda: next(left, None)

    @pytest.mark.parametrize("window", [1, 3])
    def test_no_jobs(self, window: int) -> None:
        assert list(ahead(self.jobs(), window, lambda value: value)) == []

    @pytest.mark.parametrize("window", [1, 3])
    def test_what_is_learnt_makes_new_jobs(self, window: int) -> None:
        """Jobs may run out for a while: it ends when there is none and nothing is under way."""
        todo: list[int] = [3]

        def more() -> Callable[[], int] | None:
            if not todo:
                return None
            number = todo.pop()
            return lambda: number

        def learn(number: int) -> int:
            todo.extend([number - 1] if number else [])
            return number

        assert list(ahead(more, window, learn)) == [3, 2, 1, 0]

    def test_no_job_begins_after_one_has_failed(self) -> None:
        """Though one before it is still under way, and its result is given yet."""
        failed, begun = threading.Event(), []

        def slow() -> str:
            assert failed.wait(5)
            time.sleep(0.1)
            return "slow"

        def failing() -> str:
            failed.set()
            raise KeyError("the first")

        def late() -> str:
            begun.append(1)
            assert failed.wait(5)
            raise KeyError("a later one")

        stream = ahead(self.jobs(slow, failing, late, late, late, late), 4, str)
        assert next(stream) == "slow"
        with pytest.raises(KeyError, match="the first"):
            next(stream)
        assert len(begun) <= 2, "what was under way already"
        assert next(stream, None) is None

    @pytest.mark.parametrize("window", [1, 3])
    def test_an_error_in_learning_ends_it(self, window: int) -> None:
        stream = ahead(self.jobs(*[lambda: 0] * 5), window, lambda value: 1 // value)
        with pytest.raises(ZeroDivisionError):
            list(stream)

    def test_a_log_line_of_a_thread_belongs_to_the_task(self, caplog: pytest.LogCaptureFixture) -> None:
        """As Airflow tells by context variables whose line it is."""
        whose = contextvars.ContextVar("whose", default="nobody's")

        def work() -> str:
            logging.getLogger("test").warning("%s", whose.get())
            return whose.get()

        whose.set("mine")
        assert list(ahead(self.jobs(work, work, work), 2, str)) == ["mine"] * 3
        assert {record.getMessage() for record in caplog.records} == {"mine"}


class TestGivenUp:
    """Closing does not wait for what nobody wants any more, and nothing of it is sent again."""

    @pytest.mark.parametrize("name", LISTS)
    @pytest.mark.parametrize("how", ["asks to wait", "hangs", "hangs in the middle"])
    def test_at_once(self, connect: Connect, name: str, how: str) -> None:
        class Slow(Busy):
            def _answer(self, request: Request, wire: Wire) -> bytes | None:
                with self._count:
                    self.begun += 1
                page = self._page(request)
                first = int(page.partition(b'[{"id": ')[2].partition(b"}")[0])
                if not 20 < first < self.rows:  # two pages, and the one that tells the highest id
                    return page
                if how == "asks to wait":
                    return http(503, {"message": "Service Unavailable"}, {"Retry-After": "20"})
                if how == "hangs in the middle":
                    wire.sock.sendall(page[:-5])
                wire.stopping.wait(20)
                return None

        with Slow(rows=200) as server, connect(server, access_token="t", max_retries=3, read_timeout=15) as client:
            records = client.iter_records(name, page_size=10, look_ahead=4)
            for _ in range(15):
                next(records)
            while server.begun < 6:
                time.sleep(0.01)
            time.sleep(0.2)
            began = time.monotonic()
            records.close()
            assert time.monotonic() - began < 5
            assert workers() == []
            time.sleep(0.1)
            calls = server.begun
            time.sleep(0.5)
            assert server.begun == calls

    def test_another_call_on_the_same_connection_goes_on(self, connect: Connect) -> None:
        """A connection that was used by a walk and is back in the pool is nobody's to end."""
        with Busy(rows=60) as server, connect(server, access_token="t") as client:
            records = client.iter_records("users", page_size=10, look_ahead=4)
            next(records)
            time.sleep(0.3)
            server.seconds = 0.5
            found: list[Any] = []
            reader = threading.Thread(
                target=lambda: found.append(client.get("users", {"page": 1, "per_page": 10, "order_direction": "asc"}))
            )
            reader.start()
            time.sleep(0.2)
            records.close()
            reader.join()
            assert len(found[0]["data"]) == 10
