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

#: Each mode, as arguments.
MODES = ["mode='poke'", "mode='reschedule'", "deferrable=True"]


@pytest.mark.parametrize("mode", MODES)
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
            {mode}, poke_interval=0.2, timeout=60,
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
        f"""
        for number, options in enumerate(({", ".join(f"dict({mode})" for mode in MODES)})):
            ProcessMakerRecordsSensor(
                task_id=f"t{{number}}", resource="users", at_least=10_000, poke_interval=0.2, timeout=1, **options
            )
        """
    )

    assert set(outcome.states.values()) == {"failed"}
    assert {type(error).__name__ for error in outcome.errors} == {"AirflowSensorTimeout"}
    (text,) = {str(error) for error in outcome.errors}
    assert text.endswith("timed out after 1 s (timeout). users had 504 records.")


def test_a_last_look_when_the_time_is_up(server: Any, run_dag: RunDag) -> None:
    """No triggerer may have run until then."""
    server.faults.add("GET", "/users", after=1, then=lambda: server.add_users(1))

    outcome = run_dag(
        """
        ProcessMakerRecordsSensor(
            task_id="t", resource="users", at_least=505, poke_interval=60, timeout=0, deferrable=True
        )
        """
    )

    assert (outcome.states["t"], outcome.results["t"]) == ("success", 505)


@pytest.mark.parametrize("arguments", ["timeout=0.5, at_least=10_000", "query={'pmql': 'not valid =='}"])
def test_soft_fail(server: Any, run_dag: RunDag, arguments: str) -> None:
    outcome = run_dag(
        f"""
        for number, options in enumerate(({", ".join(f"dict({mode})" for mode in MODES)})):
            ProcessMakerRecordsSensor(
                task_id=f"t{{number}}", resource="requests", poke_interval=0.2, soft_fail=True,
                **dict({arguments}), **options
            )
        """
    )

    assert outcome.states == dict.fromkeys(["t0", "t1", "t2"], "skipped")


@pytest.mark.parametrize("mode", MODES)
def test_an_outage_is_waited_out(
    server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, mode: str
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("admin", "admin123", max_retries="0"))
    for answer in ({"status": 503}, {"reset": "before"}, {"status": 429}, {"status": 200, "body": "<html></html>"}):
        server.faults.add("GET", "/users", after=1, **answer)
    server.faults.add("GET", "/users", after=5, then=lambda: server.add_users(1))

    outcome = run_dag(
        f"ProcessMakerRecordsSensor(task_id='t', resource='users', at_least=505, poke_interval=0.2, retries=0, {mode})"
    )

    assert (outcome.states["t"], outcome.results["t"]) == ("success", 505)
    assert "ProcessMaker cannot be asked; waiting up to 600 s for it" in caplog.text
    assert "ProcessMaker answers again" in caplog.text


def test_an_outage_that_lasts_too_long(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("admin", "admin123", max_retries="0"))
    server.faults.add("GET", "/users", times=None, status=503)

    outcome = run_dag(
        f"""
        for number, options in enumerate(({", ".join(f"dict({mode})" for mode in MODES)})):
            ProcessMakerRecordsSensor(
                task_id=f"t{{number}}", resource="users", at_least=10_000, poke_interval=0.2, outage_budget=0.3,
                **options
            )
        """
    )

    assert set(outcome.states.values()) == {"failed"}
    assert {type(error).__name__ for error in outcome.errors} == {"ServerError"}  # a retry may help
    assert all("could not be asked (outage_budget)" in str(error) for error in outcome.errors)
