"""The sensors, in a DAG run of a real Airflow against the stand-in server."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow


@pytest.mark.parametrize("mode", ["poke", "reschedule"])
def test_records_sensor_waits_until_there_are_enough(server: Any, run_dag: RunDag, mode: str) -> None:
    seen = threading.Event()

    def third_call() -> None:
        seen.set()
        server.add_users(2)

    server.faults.add("GET", "/users", after=2, then=third_call)

    outcome = run_dag(
        f"""
        ProcessMakerRecordsSensor(
            task_id="t", resource="users", query={{"filter": "{{{{ params.text }}}}"}}, at_least="{{{{ 500 + 2 }}}}",
            mode={mode!r}, poke_interval=0.2, timeout=60,
        )
        """,
        "params={'text': 'user0'}",
    )

    assert outcome.states["t"] == "success"
    assert outcome.results["t"] == 502
    assert seen.is_set()
    looks = [call for call in server.calls if call.path == "/api/1.0/users"]
    assert len(looks) == 3
    assert all("per_page=1" in call.query for call in looks)


def test_requests_are_counted_without_making_a_row(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag("ProcessMakerRecordsSensor(task_id='t', resource='requests', at_least=0)")

    assert outcome.states["t"] == "success"
    (look,) = [call for call in server.calls if call.path == "/api/1.0/requests"]
    assert "total=true" in look.query


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        ("resource='user'", 'Did you mean "users"?'),
        ("resource='users', query={'pmql': 'id = 1'}", 'has no parameter "pmql"'),
        ("resource='users', at_least='many'", "whole number from 0"),
        ("resource='users', at_least=True", "whole number from 0"),
    ],
)
def test_what_cannot_come_true_fails_at_once(server: Any, run_dag: RunDag, arguments: str, words: str) -> None:
    outcome = run_dag(f"ProcessMakerRecordsSensor(task_id='t', retries=3, poke_interval=0.1, {arguments})")

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert words in str(outcome.errors[0])
    assert server.calls == []


def test_a_wrong_query_fails_at_once(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        ProcessMakerRecordsSensor(
            task_id="t", resource="requests", query={"pmql": "this is not valid =="}, poke_interval=0.1, retries=2
        )
        """
    )

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert "does not understand the query" in str(outcome.errors[0])


def test_the_time_out_is_that_of_every_sensor(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        "ProcessMakerRecordsSensor(task_id='t', resource='users', at_least=10_000, poke_interval=0.2, timeout=1)"
    )

    assert outcome.states["t"] == "failed"
    assert type(outcome.errors[0]).__name__ == "AirflowSensorTimeout"
