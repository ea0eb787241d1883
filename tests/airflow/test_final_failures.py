"""Which failures end a task at once, and which are left to Airflow's retries: each in a DAG run of a real Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow


def calls(server: Any, path: str) -> list[Any]:
    """The calls of a path below the API's root."""
    return [call for call in server.calls if call.path == f"/api/1.0/{path}"]


@pytest.mark.parametrize(
    ("endpoint", "arguments", "status", "words"),
    [
        ("users/99999", "", 404, "no such record"),
        ("users", "method='POST', json={'username': 'x'}", 422, "The Email field is required"),
        ("users", "method='PUT', json={}", 405, "does not know this method"),
        ("users/99999/groups", "method='PUT', json={'groups': []}", 404, "no such record"),
    ],
)
def test_a_definite_failure_burns_no_retries(
    server: Any, run_dag: RunDag, endpoint: str, arguments: str, status: int, words: str
) -> None:
    outcome = run_dag(
        f"ProcessMakerApiOperator(task_id='t', endpoint={endpoint!r}, retries=3, retry_delay=1, {arguments})"
    )

    assert outcome.states["t"] == "failed"
    assert outcome.tries["t"] == 1
    assert [call.status for call in calls(server, endpoint)] == [status]
    assert words in str(outcome.errors[0])
    assert f"answered {status}" in str(outcome.errors[0])


@pytest.mark.parametrize("status", [400, 403, 410, 413, 414, 423])
def test_a_refusal_burns_no_retries(server: Any, run_dag: RunDag, status: int) -> None:
    server.faults.add(path="/api/1.0/groups", status=status, body={"message": "No."}, times=None)

    outcome = run_dag("ProcessMakerApiOperator(task_id='t', endpoint='groups', retries=2, retry_delay=0.1)")

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert len(calls(server, "groups")) == 1


def test_a_401_to_a_good_token_burns_no_retries(server: Any, run_dag: RunDag) -> None:
    """The probe shows that the token is good, so that no login would help."""
    server.faults.add(path="/api/1.0/groups", status=401, body={"error": "Unauthenticated."}, times=None)

    outcome = run_dag("ProcessMakerApiOperator(task_id='t', endpoint='groups', retries=2, retry_delay=0.1)")

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert [call.status for call in calls(server, "users/1")] == [200]
    assert server.token_calls == 1


@pytest.mark.parametrize(
    "answer",
    [
        {"status": 408, "body": {"message": "Request Timeout"}},
        {"status": 409, "body": {"message": "Conflict"}},
        {"status": 425, "body": {"message": "Too Early"}},
        {"status": 302, "redirect": "https://pm.example.com/maintenance"},
        {"status": 200, "body": "<html><title>Back soon</title></html>"},
    ],
    ids=lambda answer: str(answer["status"]),
)
def test_what_may_pass_is_left_to_the_retries_of_airflow(server: Any, run_dag: RunDag, answer: dict[str, Any]) -> None:
    server.faults.add(path="/api/1.0/groups", times=1, **answer)

    outcome = run_dag("ProcessMakerApiOperator(task_id='t', endpoint='groups', retries=1, retry_delay=0.1)")

    assert (outcome.states["t"], outcome.tries["t"]) == ("success", 2)
    assert [call.status for call in calls(server, "groups")] == [answer["status"], 200]


def test_a_missing_permission_burns_no_retries(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = server.conn_uri.replace("admin:admin123", "bob:Bob-pass1!")
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", uri)

    outcome = run_dag("ProcessMakerListUsersOperator(task_id='t', retries=3, retry_delay=1)")

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert "Not authorized to view users" in str(outcome.errors[0])
    assert "permission" in str(outcome.errors[0])


def test_a_wrong_password_burns_no_retries(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    uri = server.conn_uri.replace("admin:admin123", "admin:wrong-pass1!")
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", uri)

    outcome = run_dag("ProcessMakerListUsersOperator(task_id='t', retries=3, retry_delay=1)")

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert "refuses the user name or the password" in str(outcome.errors[0])
    assert server.token_calls == 1


def test_a_server_failure_is_left_to_the_retries_of_airflow(server: Any, run_dag: RunDag) -> None:
    server.faults.add(path="/api/1.0/users", status=500, times=1)

    outcome = run_dag("ProcessMakerListUsersOperator(task_id='t', retries=1, retry_delay=0.1)")

    assert (outcome.states["t"], outcome.tries["t"]) == ("success", 2)
    assert [call.status for call in calls(server, "users")][:2] == [500, 200]


def test_a_write_that_may_have_been_done_is_not_sent_again(server: Any, run_dag: RunDag) -> None:
    server.faults.add(method="POST", path="/api/1.0/groups", drop="after", times=1)

    outcome = run_dag(
        """
        ProcessMakerApiOperator(
            task_id="t", method="POST", endpoint="groups", json={"name": "Once", "status": "ACTIVE"},
            retries=3, retry_delay=0.1,
        )
        """
    )

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert len([call for call in calls(server, "groups") if call.method == "POST"]) == 1
    assert "may or may not have been done" in str(outcome.errors[0])


@pytest.mark.parametrize(
    ("result", "words"),
    [
        ("response_filter=lambda group: group['nope']", "KeyError"),
        ("response_filter=lambda group: {1: object()}", "was done, but its result"),
        ("max_bytes=1", "max_bytes"),
    ],
)
def test_a_write_that_was_done_is_not_done_again_for_its_result(
    server: Any, run_dag: RunDag, result: str, words: str
) -> None:
    outcome = run_dag(
        f"""
        ProcessMakerApiOperator(
            task_id="t", method="POST", endpoint="groups", json={{"name": "Once", "status": "ACTIVE"}},
            retries=3, retry_delay=0.1, {result},
        )
        """
    )

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert len(calls(server, "groups")) == 1
    assert "POST groups was done" in str(outcome.errors[0])
    assert words in str(outcome.errors[0])


def test_in_a_task_the_errors_can_fail_at_once_too(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(
        """
        from airflow_provider_processmaker.hooks.failing import failing_at_once

        @task(retries=3, retry_delay=dt.timedelta(seconds=0.1))
        def look():
            with failing_at_once(), ProcessMakerHook().client as client:
                client.get("groups/99999")

        look()
        """
    )

    assert (outcome.states["look"], outcome.tries["look"]) == ("failed", 1)
