"""A thousand waits in one real triggerer: what they cost, how soon they end, and what an outage does to them."""

from __future__ import annotations

import datetime as dt
import json
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger
from tests.triggerer import triggerer

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from pathlib import Path

    from tests.triggerer import Triggerer

pytestmark = [pytest.mark.long, pytest.mark.airflow, pytest.mark.xdist_group("standalone")]

COUNT, INTERVAL = 1000, 2.0
#: Seconds that a busy machine may take for what is done at once elsewhere.
PATIENCE = 10.0


def test_a_thousand_waits(tmp_path: Path) -> None:
    with ProcessMakerServer(users=5) as server:
        server.add_process("Order", ["Approve"])
        ids = [request.id for request in server.add_requests("Order", COUNT)]
        triggers = [ProcessMakerRequestTrigger([one], poll_interval=INTERVAL).serialize() for one in ids]
        # Its log tells when the event loop stands still; a busy machine alone may hold it for the usual 0.2 s.
        threshold = {"AIRFLOW__TRIGGERER__BLOCKED_MAIN_THREAD_WARNING_THRESHOLD": "0.6"}
        with triggerer(tmp_path, server.conn_uri, triggers, **threshold) as running:
            wait_until(running, lambda: len(running.logs()) == COUNT, seconds=180)
            time.sleep(2 * INTERVAL)
            begun = len(running.log())
            a_few_calls_an_interval(server)
            a_few_end(server, running, ids)
            an_outage(server, running)
            a_few_calls_an_interval(server)
            assert "blocked" not in running.log()[begun:]
            database = "\n".join(path.read_text("latin-1") for path in tmp_path.glob("airflow.db*"))
            all_end(server, running, ids)
        shown = "\n".join([running.log(), *running.logs().values()])

    assert "Traceback" not in shown
    assert server.token_calls == 1
    assert '"request_ids"' in database  # what is kept of the triggers can be read as it is
    for secret in (*server.issued_tokens, server.client_secret, "admin123"):
        assert secret not in shown
        assert secret not in database


def wait_until(running: Triggerer, is_so: Callable[[], bool], seconds: float = 60) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        running.check()
        assert time.monotonic() < deadline, running.log()[-3000:]
        time.sleep(0.5)


def polls(server: ProcessMakerServer, seconds: float) -> int:
    """How many calls there are in so many seconds."""
    before = len(server.calls)
    time.sleep(seconds)
    return len(server.calls) - before


def a_few_calls_an_interval(server: ProcessMakerServer) -> None:
    """Two batches; a poll may fall on either end of the time."""
    assert 1 <= polls(server, 4 * INTERVAL) <= 2 * 5
    assert {call.query.count("total=true") for call in server.calls[-4:]} == {1}  # counted, no rows read


def fired(logs: Iterable[str]) -> list[float]:
    """When the triggers have fired, by their own logs."""
    lines = [json.loads(line) for log in logs for line in log.splitlines() if "Trigger fired event" in line]
    return [dt.datetime.fromisoformat(line["timestamp"]).timestamp() for line in lines]


def a_few_end(server: ProcessMakerServer, running: Triggerer, ids: list[int]) -> None:
    """Ten of the first batch: each within an interval, and the others go on."""
    chosen = range(0, 500, 50)
    completed = time.time()
    for number in chosen:
        server.complete_request(ids[number])
    wait_until(running, lambda: all(running.states()[number] == "scheduled" for number in chosen))

    logs = running.logs()
    moments = fired(logs[number] for number in chosen)
    assert len(moments) == len(fired(logs.values())) == 10
    assert max(moments) - completed < INTERVAL + PATIENCE


def an_outage(server: ProcessMakerServer, running: Triggerer) -> None:
    """Refused, answered by 503, cut off, answered by a web page: one call an interval, and no more when it ends."""
    for answer in ({"status": 503}, {"reset": "before"}, {"status": 200, "body": "<html>Down</html>"}):
        fault = server.faults.add("GET", "/requests", times=None, **answer)
        assert 1 <= polls(server, 2 * INTERVAL) <= 3
        fault.remove()
    server.stop()
    time.sleep(2 * INTERVAL)
    server.start()
    before = len(server.calls)
    wait_until(running, lambda: len(server.calls) > before)
    assert polls(server, INTERVAL) <= 2 * 2

    wait_until(running, lambda: sum("answers again" in log for log in running.logs().values()) == COUNT - 10)
    for log in running.logs().values():
        assert log.count("ProcessMaker cannot be asked; waiting up to 600 s for it") == log.count("answers again") <= 1
    assert len(fired(running.logs().values())) == 10


def all_end(server: ProcessMakerServer, running: Triggerer, ids: list[int]) -> None:
    for one in ids:
        server.complete_request(one)
    completed, before = time.time(), len(server.calls)
    wait_until(running, lambda: set(running.states().values()) == {"scheduled"})

    moments = fired(running.logs().values())
    assert len(moments) == COUNT
    assert max(moments) - completed < INTERVAL + PATIENCE
    # For each batch: how many are ACTIVE, and the rows of those that are not.
    assert len(server.calls) - before <= 2 * 4
