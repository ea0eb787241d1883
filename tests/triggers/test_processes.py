"""The trigger for requests: it never raises, ends with one event, and cancels only what it should."""

from __future__ import annotations

import asyncio
import time
from functools import partial
from typing import Any

import pytest

from airflow_provider_processmaker.client.errors import error_from
from airflow_provider_processmaker.client.waiting import Verdict
from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger
from tests.triggers.waits import NONSENSE, ended, kept, run, waiting

pytestmark = pytest.mark.airflow

ARGUMENTS = (
    "request_ids",
    "statuses",
    "poll_interval",
    "deadline",
    "error_grace",
    "outage_budget",
    "cancel_on_kill",
    "processmaker_conn_id",
)


def error_of(event: dict[str, Any]) -> str:
    assert event["kind"] == "error"
    return str(error_from(event["error"]))


# -- how it is made --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: type(value).__name__)
def test_it_can_be_made_of_anything(value: Any) -> None:
    """An exception there would end the whole triggerer."""
    for name in ARGUMENTS:
        ProcessMakerRequestTrigger(**{name: value})
    ProcessMakerRequestTrigger(value, statuses=value, poll_interval=value, deadline=value, later_argument=value)


def test_it_is_kept_as_plain_data_without_secrets(server: Any) -> None:
    trigger = ProcessMakerRequestTrigger(
        (3, 4),
        statuses={"COMPLETED", "CANCELED"},
        poll_interval=7,
        deadline=1_800_000_000.5,
        error_grace=1,
        outage_budget=2,
        cancel_on_kill=True,
        processmaker_conn_id="other",
    )

    path, kwargs = trigger.serialize()

    assert path == "airflow_provider_processmaker.triggers.processes.ProcessMakerRequestTrigger"
    assert kwargs == {
        "request_ids": [3, 4],
        "statuses": ["CANCELED", "COMPLETED"],
        "poll_interval": 7,
        "deadline": 1_800_000_000.5,
        "error_grace": 1,
        "outage_budget": 2,
        "cancel_on_kill": True,
        "processmaker_conn_id": "other",
    }
    assert set(kwargs) == set(ARGUMENTS)
    assert kept(trigger).serialize() == trigger.serialize()
    assert kept(kept(trigger)).serialize() == trigger.serialize()


@pytest.mark.parametrize("kwargs", [{}, {"later": 1, "mode": ["x"], "request_id": 9}], ids=["fewer", "more"])
def test_one_of_another_version_goes_on(server: Any, ids: list[int], kwargs: dict[str, Any]) -> None:
    server.complete_request(ids[0])

    (event,) = run(ProcessMakerRequestTrigger(request_ids=[ids[0]], poll_interval=0.1, **kwargs))

    assert event["kind"] == "reached"


# -- how it ends -----------------------------------------------------------------------------------------------------


def test_it_tells_how_the_wait_ended(server: Any, ids: list[int]) -> None:
    completed, failed, canceled, deleted, active = ids
    server.after(0.3, partial(server.complete_request, completed))
    server.after(0.3, partial(server.fail_request, failed))
    server.after(0.3, partial(server.cancel_request, canceled))
    server.after(0.3, partial(server.delete_request, deleted))

    events = ended(
        waiting(completed),
        waiting(failed, error_grace=0.3),
        waiting(canceled),
        waiting(deleted, error_grace=0.3),
        waiting(active, deadline=time.time() + 6),
        waiting(completed, canceled, statuses=["COMPLETED", "CANCELED"]),
        waiting(completed, active, canceled),
    )

    verdicts = [Verdict.of(event) for event in events]
    assert [(verdict.kind, verdict.request_id) for verdict in verdicts] == [
        ("reached", completed),
        ("failed", failed),
        ("failed", canceled),
        ("gone", deleted),
        ("timeout", active),
        ("reached", None),
        ("failed", canceled),
    ]
    assert verdicts[4].statuses == {active: "ACTIVE"}
    assert verdicts[5].statuses == {completed: "COMPLETED", canceled: "CANCELED"}


def test_what_its_user_may_not_see_any_more(server: Any, ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_BOB", server.connection_uri("bob", "Bob-pass1!"))

    (event,) = ended(waiting(ids[0], error_grace=0.3, processmaker_conn_id="bob"))

    assert (event["kind"], event["request_id"]) == ("hidden", ids[0])


def test_all_share_the_calls(server: Any, ids: list[int]) -> None:
    server.reset_calls()
    for one in ids:
        server.after(1.0, partial(server.complete_request, one))

    begun = time.monotonic()
    events = ended(*(waiting(one, poll_interval=0.25) for one in ids * 20))

    polls = (time.monotonic() - begun) / 0.25 + 2
    assert [event["kind"] for event in events] == ["reached"] * 100
    assert server.token_calls == 1
    # Two where some have ended; no more if all are done by then.
    assert len(server.calls) - 1 <= 2 * polls


NO_WAIT = {
    "request_ids": [None, [], ["x"], [0], [True], 1.5, [[1]]],
    "statuses": [None, [], ["DONE"], 5, [None]],
    "poll_interval": [0, -1, "x", None, float("nan"), float("inf")],
    "deadline": ["soon", [], {}],
    "error_grace": [None, -1, "x"],
    "outage_budget": [None, -1, "x"],
}


def test_nonsense_is_told_as_an_event(server: Any, ids: list[int], caplog: pytest.LogCaptureFixture) -> None:
    triggers = [
        ProcessMakerRequestTrigger(**{"request_ids": [1], "poll_interval": 0.1, "outage_budget": 0, name: value})
        for name, values in NO_WAIT.items()
        for value in values
    ]

    events = run(*triggers)

    assert {event["kind"] for event in events} == {"error"}
    assert all(str(error_from(event["error"])) for event in events)


@pytest.mark.parametrize(
    ("stored", "words"),
    [
        (None, 'There is no connection "broken"'),
        ("processmaker://", 'no "ProcessMaker URL"'),
        ("processmaker://admin:admin123@pm.test/ftp?client_id=1", "ftp"),
        ('{"conn_type": "processm', 'There is no connection "broken"'),  # so Airflow says
    ],
    ids=["missing", "empty", "wrong", "unreadable"],
)
def test_a_connection_that_cannot_be_used(
    server: Any, monkeypatch: pytest.MonkeyPatch, stored: str | None, words: str
) -> None:
    if stored is not None:
        monkeypatch.setenv("AIRFLOW_CONN_BROKEN", stored)

    (event,) = ended(waiting(1, outage_budget=0, processmaker_conn_id="broken"))

    assert words in error_of(event)
    assert not error_from(event["error"]).retryable
    assert server.calls == []


def test_a_wrong_password_is_asked_for_once(server: Any, ids: list[int], monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("admin", "wrong-pass1!"))

    events = ended(*(waiting(one) for one in ids * 10))

    assert all("refuses the user name or the password" in error_of(event) for event in events)
    assert not any(error_from(event["error"]).retryable for event in events)
    assert [(call.path, call.status) for call in server.calls] == [("/oauth/token", 400)]


def test_a_server_that_is_down(server: Any, ids: list[int], caplog: pytest.LogCaptureFixture) -> None:
    server.stop()

    (event,) = ended(waiting(ids[0], outage_budget=0.5))

    assert "ProcessMaker could not be asked (outage_budget)" in error_of(event)
    assert error_from(event["error"]).retryable
    assert "ProcessMaker cannot be asked; waiting up to 0 s for it" in caplog.text


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 503},
        {"status": 500},
        {"status": 429, "headers": {"Retry-After": "1"}},
        {"reset": "before"},
        {"status": 200, "body": "<html>Down for maintenance</html>", "content_type": "text/html"},
        {"truncate": 10},
    ],
    ids=["503", "500", "429", "reset", "HTML", "cut"],
)
def test_an_outage_is_waited_out(
    server: Any, ids: list[int], caplog: pytest.LogCaptureFixture, answer: dict[str, Any]
) -> None:
    server.faults.add("GET", "/requests*", times=3, **answer)
    server.after(0.1, partial(server.complete_request, ids[0]))

    (event,) = ended(waiting(ids[0]))

    assert event["kind"] == "reached"
    assert caplog.text.count("ProcessMaker cannot be asked; waiting up to 30 s for it.") == 1
    assert "ProcessMaker answers again" in caplog.text
    assert len(server.calls) <= 6


# -- until when ------------------------------------------------------------------------------------------------------


def test_the_deadline_is_absolute(server: Any, ids: list[int]) -> None:
    """As when the triggerer is restarted: what is left of the time counts."""
    trigger = waiting(ids[0], deadline=time.time() + 4)

    async def begin() -> None:
        async def forever() -> None:
            async for _ in trigger.run():
                raise AssertionError("it ended early")

        with pytest.raises(TimeoutError):
            await asyncio.wait_for(forever(), 1)

    asyncio.run(begin())
    (event,) = ended(trigger)

    assert event["kind"] == "timeout"
    assert trigger.deadline is not None
    assert 0 <= time.time() - trigger.deadline < 1 + PATIENCE


def test_the_deadline_holds_while_the_server_hangs(server: Any, ids: list[int]) -> None:
    server.faults.add("GET", hang=True, times=None)
    deadline = time.time() + 1

    (event,) = run_and_leave(waiting(ids[0], deadline=deadline))

    assert (event["kind"], event["request_id"]) == ("timeout", ids[0])
    assert time.time() - deadline < PATIENCE


def test_a_deadline_that_has_passed(server: Any, ids: list[int]) -> None:
    (event,) = ended(waiting(ids[0], deadline=1.0, poll_interval=3600))

    assert event["kind"] == "timeout"


def run_and_leave(trigger: ProcessMakerRequestTrigger) -> list[Any]:
    """Its events; the poll that is under way is left alone, as a triggerer leaves it."""

    async def events() -> list[Any]:
        return [event.payload async for event in trigger.run()]

    return asyncio.run(events())


#: Seconds that a slow machine may take.
PATIENCE = 8.0
