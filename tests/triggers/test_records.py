"""The trigger for lists: it never raises, ends with one event, and shares its calls."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client.errors import error_from
from airflow_provider_processmaker.triggers.records import ProcessMakerRecordsTrigger
from tests.triggers.waits import NONSENSE, ended, kept, run

if TYPE_CHECKING:
    from collections.abc import Callable

pytestmark = pytest.mark.airflow

ARGUMENTS = (
    "resource",
    "query",
    "at_least",
    "poll_interval",
    "deadline",
    "outage_budget",
    "processmaker_conn_id",
)


def waiting(resource: str = "users", **options: Any) -> ProcessMakerRecordsTrigger:
    return ProcessMakerRecordsTrigger(resource, **{"poll_interval": 0.1, "outage_budget": 30.0, **options})


@pytest.mark.parametrize("value", NONSENSE, ids=lambda value: type(value).__name__)
def test_it_can_be_made_of_anything(value: Any) -> None:
    """An exception there would end the whole triggerer."""
    for name in ARGUMENTS:
        ProcessMakerRecordsTrigger(**{name: value})
    ProcessMakerRecordsTrigger(value, query=value, at_least=value, poll_interval=value, later_argument=value)


def test_it_is_kept_as_plain_data_without_secrets(server: Any) -> None:
    trigger = ProcessMakerRecordsTrigger(
        "requests",
        query={"pmql": 'status = "Completed"'},
        at_least=3,
        poll_interval=7,
        deadline=1_800_000_000.5,
        outage_budget=2,
        processmaker_conn_id="other",
    )

    path, kwargs = trigger.serialize()

    assert path == "airflow_provider_processmaker.triggers.records.ProcessMakerRecordsTrigger"
    assert kwargs == {
        "resource": "requests",
        "query": {"pmql": 'status = "Completed"'},
        "at_least": 3,
        "poll_interval": 7,
        "deadline": 1_800_000_000.5,
        "outage_budget": 2,
        "processmaker_conn_id": "other",
    }
    assert set(kwargs) == set(ARGUMENTS)
    assert kept(kept(trigger)).serialize() == trigger.serialize()


@pytest.mark.parametrize("kwargs", [{}, {"later": 1, "mode": ["x"], "count": 9}], ids=["fewer", "more"])
def test_one_of_another_version_goes_on(server: Any, kwargs: dict[str, Any]) -> None:
    (event,) = run(ProcessMakerRecordsTrigger(resource="users", poll_interval=0.1, **kwargs))

    assert event == {"kind": "reached", "count": 504}


def test_it_waits_until_there_are_enough(server: Any, shown: Callable[[], str]) -> None:
    server.faults.add("GET", "/users", after=2, then=lambda: server.add_users(2))

    (event,) = ended(waiting(at_least=506))

    assert event == {"kind": "reached", "count": 506}
    looks = [call for call in server.calls if call.path == "/api/1.0/users"]
    assert len(looks) == 3
    assert all("per_page=1" in call.query for call in looks)
    assert shown().count("users: 504 records of the 506 waited for.") == 2


def test_those_that_ask_the_same_share_the_call(server: Any) -> None:
    server.faults.add("GET", "/users", after=3, when=lambda call: "ina" not in call.query, then=server.add_users)

    events = ended(
        *(waiting(at_least=504 + number % 2) for number in range(100)),
        waiting(query={"filter": "ina"}),
        waiting(query={"filter": "ina"}, at_least=1),
    )

    assert [event["kind"] for event in events] == ["reached"] * 102
    assert [event["count"] for event in events[:100]] == [504, 505] * 50
    assert server.token_calls == 1
    asked = [call for call in server.calls if call.path == "/api/1.0/users"]
    assert len([call for call in asked if "ina" in call.query]) == 1
    assert len(asked) <= 7


def test_a_query_that_is_refused_ends_its_own_wait_only(server: Any) -> None:
    server.faults.add("GET", "/users", after=3, then=server.add_users)

    refused, unknown, other = ended(
        waiting("requests", query={"pmql": "not valid =="}), waiting("user"), waiting(at_least=505)
    )

    assert "does not understand the query" in str(error_from(refused["error"]))
    assert 'Did you mean "users"?' in str(error_from(unknown["error"]))
    assert not error_from(refused["error"]).retryable
    assert other == {"kind": "reached", "count": 505}


def test_the_deadline_is_absolute(server: Any) -> None:
    late, never, at_once = ended(
        waiting(at_least=10_000, deadline=time.time() + 6),
        waiting(at_least=10_000, deadline=1.0, poll_interval=3600),
        waiting(at_least=504, deadline=time.time() + 30),
    )

    assert late == {"kind": "timeout", "count": 504}
    assert never == {"kind": "timeout", "count": None}
    assert at_once == {"kind": "reached", "count": 504}


@pytest.mark.parametrize(
    "answer",
    [{"status": 503}, {"status": 429}, {"reset": "before"}, {"status": 200, "body": "<html>"}, {"truncate": 10}],
    ids=["503", "429", "reset", "HTML", "cut"],
)
def test_an_outage_is_waited_out(server: Any, shown: Callable[[], str], answer: dict[str, Any]) -> None:
    server.faults.add("GET", "/users", times=3, **answer)

    (event,) = ended(waiting())

    assert event == {"kind": "reached", "count": 504}
    log = shown()
    assert log.count("ProcessMaker cannot be asked; waiting up to 30 s for it.") == 1
    assert "ProcessMaker answers again" in log


def test_a_server_that_is_down(server: Any) -> None:
    server.stop()

    (event,) = ended(waiting(outage_budget=0.5))

    assert "ProcessMaker could not be asked (outage_budget)" in str(error_from(event["error"]))
    assert error_from(event["error"]).retryable


def test_a_wrong_password_and_a_missing_connection(server: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_WRONG", server.connection_uri("admin", "wrong-pass1!"))

    events = ended(*(waiting(processmaker_conn_id=name) for name in ["wrong"] * 10 + ["missing"] * 10))

    texts = [str(error_from(event["error"])) for event in events]
    assert all("refuses the user name or the password" in text for text in texts[:10])
    assert all('There is no connection "missing"' in text for text in texts[10:])
    assert [(call.path, call.status) for call in server.calls] == [("/oauth/token", 400)]


NO_WAIT = {
    "resource": [None, 5, [], "nothing", ""],
    "query": ["x", 5, [1], {"nothing": 1}, {"pmql": object}],
    "at_least": ["x", None, []],
    "poll_interval": [0, -1, "x", None, float("nan")],
    "deadline": ["soon", [], {}],
    "outage_budget": [None, -1, "x"],
}


def test_nonsense_is_told_as_an_event(server: Any) -> None:
    triggers = [
        ProcessMakerRecordsTrigger(**{"resource": "users", "poll_interval": 0.1, "outage_budget": 0, name: value})
        for name, values in NO_WAIT.items()
        for value in values
    ]

    events = run(*triggers)

    assert {event["kind"] for event in events} == {"error"}
    assert all(str(error_from(event["error"])) for event in events)
