"""What a trigger does when a person clears or marks its task: cancel what it should, and say what it could not."""

from __future__ import annotations

import asyncio
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.triggers import kills, processes
from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger
from tests.triggers.waits import NONSENSE, kept, waiting

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.airflow


def kill(trigger: Any) -> float:
    """Kill it; the seconds that it took. Airflow gives it 30."""
    begun = time.monotonic()
    asyncio.run(trigger.on_kill())
    return time.monotonic() - begun


def test_a_kill_cancels_what_is_active_and_nothing_else(server: Any, ids: list[int], shown: Callable[[], str]) -> None:
    active, completed, failed, canceled, bystander = ids
    server.complete_request(completed)
    server.fail_request(failed)
    server.cancel_request(canceled)

    kill(kept(waiting(active, completed, failed, canceled, 999, cancel_on_kill=True)))

    statuses = [server.request(one).status for one in ids]
    assert statuses == ["CANCELED", "COMPLETED", "ERROR", "CANCELED", "ACTIVE"]
    assert bystander == ids[-1]
    log = shown()
    for words in (
        f"Request {active} was ACTIVE and is CANCELED.",
        f"Request {completed} was COMPLETED and is COMPLETED.",
        "Request 999 is not canceled",
    ):
        assert words in log
    assert [call.path for call in server.calls if call.method == "PUT"] == [f"/api/1.0/requests/{active}"]


def test_a_kill_leaves_it_where_that_is_wanted(server: Any, ids: list[int]) -> None:
    kill(kept(waiting(*ids)))

    assert {server.request(one).status for one in ids} == {"ACTIVE"}
    assert server.calls == []


def test_a_kill_says_that_the_right_is_missing(
    server: Any, ids: list[int], monkeypatch: pytest.MonkeyPatch, shown: Callable[[], str]
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BOB", server.connection_uri("bob", "Bob-pass1!"))
    (own,) = server.add_requests("Order", 1, username="bob")

    kill(kept(waiting(own.id, cancel_on_kill=True, processmaker_conn_id="bob")))

    assert server.request(own.id).status == "ACTIVE"
    log = shown()
    assert f"Request {own.id} is not canceled, or not for certain: " in log
    assert "Cancel Request" in log


@pytest.mark.parametrize(
    ("prepare", "words"),
    [
        (lambda server: server.stop(), "is not canceled, or not for certain"),
        (lambda server: server.faults.add("PUT", times=None, status=500), "is not canceled, or not for certain"),
        (lambda server: server.faults.add("PUT", times=None, drop="before"), "is not confirmed"),
        (lambda server: server.faults.add("PUT", times=None, drop="after"), "was ACTIVE and is CANCELED"),
        (lambda server: server.faults.add("GET", times=None, status=200, body="<html>"), "is not canceled"),
    ],
    ids=["down", "500", "lost", "lost, but done", "HTML"],
)
def test_a_kill_says_what_it_could_not_do(
    server: Any, ids: list[int], shown: Callable[[], str], prepare: Callable[[Any], object], words: str
) -> None:
    prepare(server)

    kill(kept(waiting(ids[0], cancel_on_kill=True)))

    assert words in shown()


def test_a_kill_ends_in_time_when_the_server_hangs(
    server: Any, ids: list[int], shown: Callable[[], str], monkeypatch: pytest.MonkeyPatch
) -> None:
    assert kills.KILL_TIMEOUT < processes.KILL_WAIT < 30
    server.faults.add("PUT", times=None, hang=True)

    seconds = kill(kept(waiting(ids[0], cancel_on_kill=True)))

    assert seconds < processes.KILL_WAIT
    assert f"Request {ids[0]} is not canceled, or not for certain: The cancellation of request {ids[0]} was sent" in (
        shown()
    )
    monkeypatch.setattr(processes, "KILL_WAIT", 2.0)  # the seconds for all, which nobody wants to wait for here

    seconds = kill(kept(waiting(ids[0], ids[1], cancel_on_kill=True)))

    assert seconds < kills.KILL_TIMEOUT
    told = shown()
    for one in ids[:2]:
        assert f"The cancellation of the request {one} is not confirmed: the time is up." in told


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: type(value).__name__)
def test_a_kill_never_raises(server: Any, value: Any) -> None:
    kill(ProcessMakerRequestTrigger(value, cancel_on_kill=True))
    kill(ProcessMakerRequestTrigger([value], cancel_on_kill=True))
    kill(ProcessMakerRequestTrigger([1], cancel_on_kill=True, processmaker_conn_id=value))


def test_two_hundred_at_once(server: Any) -> None:
    """A person who marks a big fan-out kills all its triggers in one moment."""
    process = server.add_process("Order", ["Approve"])
    ids = [request.id for request in server.add_requests(process, 200)]
    triggers = [ProcessMakerRequestTrigger([one], cancel_on_kill=True) for one in ids]

    async def all_at_once() -> None:
        await asyncio.gather(*(trigger.on_kill() for trigger in triggers))

    server.reset_calls()
    asyncio.run(all_at_once())
    assert {request.status for request in server.requests} == {"CANCELED"}
    methods = Counter(call.method for call in server.calls)
    assert methods["PUT"] == 200
    assert methods["GET"] <= 20
