"""A list that is streamed in a task: pages read ahead, left early, and an error on the way."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow

TASK = """
@task
def stream(most, look_ahead):
    import itertools, threading
    left = lambda: [one.name for one in threading.enumerate() if one.name.startswith('processmaker-pages')]
    with ProcessMakerHook().client as client:
        records = client.iter_records('users', page_size=5, look_ahead=look_ahead)
        ids = [row['id'] for row in itertools.islice(records, most)]
        at_work = len(left())
        records.close()
        return [ids, at_work, left()]
stream({most}, {look_ahead})
"""


def listed(server: Any) -> int:
    return sum(call.path == "/api/1.0/users" for call in server.calls)


@pytest.mark.parametrize("look_ahead", [1, 4])
def test_all(server: Any, run_dag: RunDag, look_ahead: int) -> None:
    outcome = run_dag(TASK.format(most=None, look_ahead=look_ahead))
    ids, _, left = outcome.results["stream"]
    assert ids == sorted(server.user_ids)
    assert left == []


def test_left_early(server: Any, run_dag: RunDag) -> None:
    outcome = run_dag(TASK.format(most=7, look_ahead=4))
    ids, at_work, left = outcome.results["stream"]
    assert ids == sorted(server.user_ids)[:7]
    assert at_work > 0
    assert left == []
    assert listed(server) <= 3 + 1 + 4, "the first, two for the count, the second, and a window"


def test_an_error_on_the_way(server: Any, run_dag: RunDag) -> None:
    server.faults.add("GET", "/users", after=4, status=403, body={"message": "no more"}, times=None)
    outcome = run_dag(TASK.format(most=None, look_ahead=4))
    assert outcome.states["stream"] == "failed"
    assert "no more" in str(outcome.error_of["stream"])
    assert listed(server) <= 4 + 4
