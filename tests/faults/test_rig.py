"""The rig itself: what it kills is dead, what it freezes stands still, and Airflow does what Airflow does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from tests.faults import processes
from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from tests.faults.conftest import Rig
    from tests.faults.runs import Task

PREAMBLE = "from tests.faults.placeholder import WaitForFile"
WAITS = "WaitForFile(task_id='wait', path='{path}', retries=2, retry_delay=dt.timedelta(seconds=1))"
# Its first try sleeps, the next one ends.
SLEEPS = """
@task(retries=2, retry_delay=dt.timedelta(seconds=1))
def sleep(number=0, **context):
    import time
    if context["ti"].try_number == 1:
        time.sleep(600)
    return context["ti"].try_number

"""


class Deferred:
    """A task that waits in the triggerer for a file."""

    def __init__(self, rig: Rig, name: str) -> None:
        self._notes = rig.airflow.home / "notes.txt"
        self._file = rig.airflow.home / f"{name}.file"
        self.name = name
        dag = rig.airflow.dag(name, WAITS.format(path=self._file), preamble=PREAMBLE)
        self.task: Task = dag.trigger().task("wait")
        self.task.wait_deferred()
        self.wait_for_note("1 trigger runs")

    def fire(self) -> None:
        self._file.touch()

    def notes(self) -> list[str]:
        """What its tries and their triggers did, in the order in which they did it."""
        lines = self._notes.read_text(encoding="utf-8").splitlines() if self._notes.exists() else []
        notes = (line.split(" ", 1)[1] for line in lines)
        return [note.removeprefix(f"{self.name} ") for note in notes if note.startswith(f"{self.name} ")]

    def wait_for_note(self, note: str) -> None:
        wait_for(lambda: note in self.notes(), 30, lambda: f"{note!r} in {self.notes()}")


@pytest.fixture
def deferred(rig: Rig, request: pytest.FixtureRequest) -> Deferred:
    return Deferred(rig, f"{request.node.name}_deferred")


@pytest.fixture
def running(rig: Rig, request: pytest.FixtureRequest) -> Task:
    """A task whose first try sleeps."""
    dag = rig.airflow.dag(f"{request.node.name}_running", f"{SLEEPS}sleep()")
    task = dag.trigger().task("sleep")
    task.wait("running")
    task.pid()
    return task


def test_a_run_that_nothing_disturbs(deferred: Deferred) -> None:
    deferred.fire()

    assert deferred.task.run.wait() == "success"
    assert (deferred.task.try_number, deferred.task.xcom(), deferred.task.links()) == (1, "there", {})
    assert deferred.notes() == ["1 executes", "1 trigger runs", "1 resumes"]
    (log,) = deferred.task.logs().values()
    assert "Trigger fired event" in log


def test_tasks_and_supervisors_are_killed(rig: Rig) -> None:
    run = rig.airflow.dag("killed", f"{SLEEPS}sleep.expand(number=[0, 1])").trigger()
    lonely, lost = run.task("sleep", 0), run.task("sleep", 1)
    lost.wait("running")
    lost.kill(supervisor=True)
    lonely.wait("running")
    lonely.kill()

    lonely.wait("success", 2, seconds=30)  # its supervisor tells
    assert lost.fields["try_number"] == 1
    lost.wait("success", 2)  # nobody tells, but for the heartbeats that stay away
    assert [task.xcom() for task in run.tasks("sleep")] == [2, 2]
    assert [each["state"] for each in lost.tries()] == ["failed", "success"]


def test_the_scheduler_is_killed(rig: Rig, running: Task) -> None:
    pids = rig.airflow.pids("scheduler")
    assert {running.pid(), running.supervisor_pid()} < {*pids}
    rig.airflow.restart("scheduler")
    assert not [pid for pid in pids if processes.alive(pid)]

    running.wait("success", 2)


def test_the_triggerer_is_killed(rig: Rig, deferred: Deferred) -> None:
    rig.airflow.restart("triggerer")
    wait_for(lambda: deferred.notes().count("1 trigger runs") == 2, 60, "its trigger runs again")
    deferred.fire()

    deferred.task.wait("success", 1)


def test_the_triggerer_is_frozen(rig: Rig, deferred: Deferred) -> None:
    rig.airflow.freeze("triggerer")
    deferred.fire()
    time.sleep(10)
    assert deferred.task.state == "deferred"
    rig.airflow.thaw("triggerer")

    deferred.task.wait("success", 1)


def test_the_api_server_is_away(rig: Rig, deferred: Deferred) -> None:
    rig.airflow.kill("api-server")
    time.sleep(20)
    rig.airflow.start("api-server")
    deferred.fire()

    deferred.task.wait("success", 1)


def test_the_database_is_restarted(rig: Rig, deferred: Deferred) -> None:
    rig.postgres.restart("fast", 5)
    again = rig.airflow.revive()
    deferred.fire()

    deferred.task.wait("success", 1)
    assert "triggerer" in again  # no component but the API server outlives its database


def test_cleared_while_deferred(deferred: Deferred) -> None:
    deferred.task.clear()
    deferred.wait_for_note("2 trigger runs")
    deferred.wait_for_note("1 trigger killed")
    deferred.fire()

    deferred.task.wait("success", 2)
    notes = deferred.notes()
    assert notes.index("2 executes") < notes.index("1 trigger killed")  # the new try has begun when the old one ends


@pytest.mark.parametrize("state", ["failed", "success"])
def test_marked_while_deferred(state: str, rig: Rig) -> None:
    deferred = Deferred(rig, f"marked_{state}")
    deferred.task.mark(state)
    deferred.wait_for_note("1 trigger killed")

    assert deferred.task.run.wait() == state


def test_cleared_while_running(running: Task) -> None:
    running.clear()

    running.wait("success", 2)
    assert running.fields["max_tries"] == 3


def test_killed_between_the_start_and_its_answer(rig: Rig) -> None:
    """A start without our operator: the rig sees that there are two requests."""
    process_id = rig.stand_in.add_process("Order")
    source = f"""
    @task(retries=1, retry_delay=dt.timedelta(seconds=1))
    def start():
        from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
        ProcessMakerHook().client.post("process_events/{process_id}", params={{"event": "node_1"}}, json={{}})
    start()
    """
    held = rig.proxy.add("POST", "/process_events/*", hold="after")
    task = rig.airflow.dag("naive", source).trigger().task("start")
    held.wait()
    task.kill()
    held.release("drop")

    task.wait("success", 2)
    assert len(rig.stand_in.requests(process_id)) == rig.proxy.count("POST", "/process_events/*") == 2


def test_a_dag_is_edited(rig: Rig) -> None:
    rig.airflow.dag("edited", f"{SLEEPS}sleep()")
    dag = rig.airflow.dag("edited", "@task\ndef other(): return Path(__file__).name\nother()")

    run = dag.trigger()
    assert run.wait() == "success"
    assert {task.task_id: task.xcom() for task in run.tasks()} == {"other": "edited.py"}
