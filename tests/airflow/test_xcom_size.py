"""What fits into an XCom, measured as Airflow's database holds it; and what Airflow cannot keep at all."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow

USERS = "ProcessMakerListUsersOperator(task_id='t', filter='user000', fields=['id', 'fullname'], {limit})"
ONE = "ProcessMakerApiOperator(task_id='t', endpoint='users/{number}', {limit})"


def stored_bytes() -> int:
    """Bytes of the youngest result in Airflow's database."""
    from airflow.utils.session import create_session
    from sqlalchemy import text

    with create_session() as session:
        newest = (
            "select length(cast(value as blob)) from xcom where key = 'return_value' order by timestamp desc limit 1"
        )
        return session.execute(text(newest)).scalar_one()


@pytest.mark.parametrize("task", [USERS, ONE], ids=["list", "answer"])
def test_the_limit_is_on_the_bytes_that_airflow_stores(server: Any, run_dag: RunDag, task: str) -> None:
    """Airflow writes a character beyond ASCII in six bytes, one beyond the first 65,536 in twelve."""
    server.add_user("user0009z", "Some-pass1!", firstname="Zoë", lastname="日本 😀")
    number = server.user("user0009z").id

    given = run_dag(task.format(number=number, limit=""))
    size = stored_bytes()
    fits = run_dag(task.format(number=number, limit=f"max_bytes={size}"))
    exceeds = run_dag(task.format(number=number, limit=f"max_bytes={size - 1}"))

    assert "Zoë 日本 😀" in str(given.results["t"])
    assert fits.results == given.results
    assert exceeds.states == {"t": "failed"}
    assert "(max_bytes)" in str(exceeds.errors[0])


@pytest.mark.parametrize("task", [USERS, ONE], ids=["list", "answer"])
def test_half_a_character_is_an_error_that_no_retry_mends(server: Any, run_dag: RunDag, task: str) -> None:
    """JSON can hold one; neither what carries an XCom to Airflow's database nor PostgreSQL takes it."""
    server.faults.add(path="/api/1.0/users*", change=lambda body: replaced(body, "fullname", "half \ud83d"), times=None)

    outcome = run_dag(task.format(number=3, limit="retries=2, retry_delay=0.1"))

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert "half a character" in str(outcome.errors[0])


def replaced(body: Any, name: str, value: str) -> Any:
    """An answer with another value in each of its records."""
    records = body.get("data", [body])
    for record in records:
        record[name] = value
    return body


@pytest.mark.parametrize("made", ["{(1, 2): 3}", "(lambda l: l.append(l) or l)([])"])
def test_what_is_no_json_is_an_error_that_no_retry_mends(server: Any, run_dag: RunDag, made: str) -> None:
    outcome = run_dag(
        f"ProcessMakerApiOperator(task_id='t', endpoint='users/1', retries=2, retry_delay=0.1, "
        f"response_filter=lambda _: {made})"
    )

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert "cannot be written as JSON" in str(outcome.errors[0])
