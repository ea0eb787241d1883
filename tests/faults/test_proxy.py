"""The proxy, the stand-in in its own process, and the reaper: without an Airflow, so always run."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
import requests

from tests.faults import processes
from tests.faults.proxy import FaultProxy
from tests.faults.stand_in import ROOT, StandIn
from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

START = ("POST", "/process_events/*")


@pytest.fixture(scope="module")
def stand_in(tmp_path_factory: pytest.TempPathFactory) -> Iterator[StandIn]:
    with StandIn(tmp_path_factory.mktemp("stand-in"), throttle=None) as server:
        yield server


@pytest.fixture
def proxy(stand_in: StandIn) -> Iterator[FaultProxy]:
    with FaultProxy(stand_in.port) as proxy:
        yield proxy


@pytest.fixture
def client(stand_in: StandIn, proxy: FaultProxy) -> Iterator[requests.Session]:
    uri = stand_in.connection_uri()
    secret = {"client_id": uri.split("client_id=")[1].split("&")[0], "client_secret": stand_in.client_secret}
    body = {"grant_type": "password", "username": "admin", "password": "admin123", **secret}
    with requests.Session() as client:
        token = client.post(f"http://127.0.0.1:{proxy.port}/oauth/token", json=body, timeout=10).json()["access_token"]
        client.headers["Authorization"] = f"Bearer {token}"
        proxy.reset()
        yield client


class Starter:
    """Starts requests of one process, through the proxy."""

    def __init__(self, client: requests.Session, stand_in: StandIn, proxy: FaultProxy) -> None:
        self.process_id = stand_in.add_process("Order")
        self._stand_in = stand_in
        self._client = client
        self.url = f"http://127.0.0.1:{proxy.port}/api/1.0/process_events/{self.process_id}?event=node_1"

    def __call__(self) -> int:
        return self._client.post(self.url, json={"a": 1}, timeout=10).status_code

    @property
    def started(self) -> int:
        return len(self._stand_in.requests(self.process_id))


@pytest.fixture
def start(client: requests.Session, stand_in: StandIn, proxy: FaultProxy) -> Starter:
    return Starter(client, stand_in, proxy)


def test_what_passes_is_counted(start: Starter, proxy: FaultProxy) -> None:
    assert (start(), start()) == (201, 201)

    assert start.started == proxy.count(*START) == proxy.count("POST", forwarded=True) == 2
    assert [(each.answered, each.status) for each in proxy.exchanges] == [(201, 201)] * 2


def test_down_refuses_and_up_is_as_before(start: Starter, proxy: FaultProxy) -> None:
    start()
    proxy.down()
    with pytest.raises(requests.ConnectionError):  # the open connection is reset
        start()
    with pytest.raises(requests.ConnectionError, match="refused"):
        start()
    proxy.up()

    assert start() == 201
    # The call on the open connection may have passed before it was reset.
    assert start.started in {2, 3}


@pytest.mark.parametrize(("cut", "started"), [("before", 0), ("after", 1)])
@pytest.mark.parametrize("how", ["drop", "reset"])
def test_a_cut_ends_the_connection(how: str, cut: str, started: int, start: Starter, proxy: FaultProxy) -> None:
    rule = proxy.add(*START, **{how: cut})
    reason = "reset by peer" if how == "reset" else "without response"
    with pytest.raises(requests.ConnectionError, match=reason):
        start()

    assert (start.started, rule.hits) == (started, 1)
    assert start() == 201


def test_answers_stand_in_for_the_server(client: requests.Session, start: Starter, proxy: FaultProxy) -> None:
    proxy.throttle(seconds=7, times=1)
    throttled = client.post(start.url, json={}, timeout=10)
    page = proxy.page(502, method="POST")
    assert (start(), start()) == (502, 502)
    page.remove()
    proxy.add(*START, status=500, process=True)

    assert (throttled.status_code, throttled.headers["Retry-After"]) == (429, "7")
    assert start() == 500
    assert start.started == proxy.count(forwarded=True) == 1


@pytest.mark.parametrize(("moment", "started"), [("before", 0), ("after", 1)])
def test_a_call_is_held_until_released(moment: str, started: int, start: Starter, proxy: FaultProxy) -> None:
    rule = proxy.add(*START, hold=moment)
    caller = threading.Thread(target=start)
    caller.start()
    rule.wait()
    assert start.started == started
    assert caller.is_alive()
    rule.release()
    caller.join(10)

    assert proxy.exchanges[-1].status == 201
    assert start.started == 1


def test_some_calls_only(start: Starter, proxy: FaultProxy) -> None:
    rule = proxy.add(*START, after=1, times=2, status=503, when=lambda call: b'"a"' in call.body)

    assert [start() for _ in range(4)] == [201, 503, 503, 201]
    assert (rule.seen, rule.hits) == (4, 2)


def test_a_delay(start: Starter, proxy: FaultProxy) -> None:
    proxy.add(*START, delay=0.3)
    began = time.monotonic()
    start()

    assert 0.3 < time.monotonic() - began < 5


def test_the_stand_in_does_as_told(stand_in: StandIn, start: Starter) -> None:
    fault = stand_in.add_fault(*START, status=500, process=True)
    assert [start() for _ in range(5)] == [500, *[201] * 4]
    assert fault.hits == 1
    first, second, third, fourth, _ = (row.id for row in stand_in.requests(start.process_id))
    stand_in.complete(first, data={"b": 2})
    stand_in.fail(second)
    stand_in.resume(second)
    stand_in.cancel(third)
    stand_in.delete(fourth)

    rows = stand_in.requests(start.process_id)
    assert [row.status for row in rows] == ["COMPLETED", "ACTIVE", "CANCELED", "ACTIVE"]
    assert rows[0].data["b"] == 2
    assert len(stand_in.calls("POST", f"/process_events/{start.process_id}")) == 5
    assert stand_in.token_calls >= 1
    assert stand_in.issued_tokens
    with pytest.raises(RuntimeError, match="KeyError"):
        stand_in.complete(first + 1_000_000)


def test_a_request_that_completes_by_itself(stand_in: StandIn) -> None:
    process_id = stand_in.add_process("Alone", [{"returns": {"done": True}}], script_seconds=1)
    stand_in.start_request(process_id)
    assert [row.status for row in stand_in.requests(process_id)] == ["ACTIVE"]
    stand_in.advance_clock(2)

    assert [(row.status, row.data["done"]) for row in stand_in.requests(process_id)] == [("COMPLETED", True)]
    stand_in.revoke_all_tokens()
    stand_in.reset()
    assert stand_in.calls() == []


def test_nothing_remains_of_a_rig_that_is_killed() -> None:
    """The reaper of a folder outlives who started it, and leaves no process and no folder."""
    source = """
import pathlib, subprocess, sys, tempfile, time
from tests.faults.processes import reaped
folder = pathlib.Path(tempfile.mkdtemp(prefix="processmaker-faults-"))
with reaped(folder):
    child = subprocess.Popen(["setsid", "sleep", "600"], cwd=folder)
    print(folder, child.pid, flush=True)
    time.sleep(600)
"""
    killed = subprocess.Popen([sys.executable, "-c", source], cwd=ROOT, stdout=subprocess.PIPE, text=True)
    assert killed.stdout is not None
    folder, pid = killed.stdout.readline().split()
    wait_for(lambda: "sleep" in processes.title(int(pid)), 10, "a child")
    killed.kill()
    killed.communicate()

    wait_for(lambda: not Path(folder).exists(), 20, "the folder gone")
    assert not processes.alive(int(pid))


def test_processes_are_found_by_session_title_and_folder() -> None:
    with tempfile.TemporaryDirectory() as folder:
        child = subprocess.Popen(["sleep", "600"], cwd=folder, start_new_session=True)
        try:
            assert wait_for(lambda: processes.titled("sleep 600"), 10, "started")
            assert processes.session(child.pid) == processes.under(Path(folder)) == [child.pid]
            processes.send([child.pid], signal.SIGKILL)
            processes.wait_gone([child.pid])  # though nobody has waited for it
        finally:
            child.kill()
            child.wait()
        assert processes.under(Path(folder)) == []
        assert os.getpid() not in processes.under(Path.cwd())
