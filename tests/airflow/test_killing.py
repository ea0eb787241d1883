"""Clearing and marking what waits, in a whole Airflow on sqlite: what becomes of the requests.

With sqlite, Airflow uses the ids of triggers again, and never starts one whose id it is just getting rid of. So a
trigger that was begun last, and waits to the end, keeps the newer ids apart from the older ones. What dies by itself is
in ``tests/faults``, on PostgreSQL.
"""

from __future__ import annotations

import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.faults.runs import Run
from tests.standalone import standalone

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.faults.runs import Task
    from tests.standalone import Standalone

pytestmark = [pytest.mark.long, pytest.mark.airflow, pytest.mark.xdist_group("standalone")]

_DAGS = """
import datetime as dt
from airflow.sdk import DAG
from airflow_provider_processmaker.operators.processes import ProcessMakerStartProcessOperator
from airflow_provider_processmaker.sensors.processes import ProcessMakerRequestSensor

BEGUN = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

with DAG("killing", schedule=None, start_date=BEGUN) as dag:
    for name, options in {
        "cleared": {},
        "marked": {},
        "kept": {"cancel_on_kill": False},
        "resumed": {"cancel_on_kill": False},
        "completed": {"poll_interval": 3600},
        "without_right": {"processmaker_conn_id": "bob"},
        "out_of_time": {"execution_timeout": dt.timedelta(seconds=30)},
        "poke_cleared": {"deferrable": False},
        "poke_marked": {"deferrable": False},
        "poke_out_of_time": {"deferrable": False, "execution_timeout": dt.timedelta(seconds=30)},
    }.items():
        ProcessMakerStartProcessOperator(
            task_id=name, data={"task": name}, **dict(process="Order", deferrable=True, poll_interval=0.5) | options
        )
    ProcessMakerStartProcessOperator.partial(
        task_id="mapped", process="Order", deferrable=True, poll_interval=0.5
    ).expand(data=[{"task": "mapped 0"}, {"task": "mapped 1"}])

with DAG("spacer", schedule=None, start_date=BEGUN) as spacer:
    ProcessMakerRequestSensor(task_id="spacer", request_ids=1, deferrable=True)
"""

DEFERRED = ("cleared", "marked", "kept", "resumed", "completed", "without_right", "mapped 0", "mapped 1")
WAITING = (*DEFERRED, "poke_cleared", "poke_marked")


@dataclass
class Scene:
    """A DAG run whose tasks all wait for their requests.

    :param server: the ProcessMaker.
    :param run: the run.
    """

    server: ProcessMakerServer
    run: Run

    def task(self, name: str) -> Task:
        """A task instance, by its name and the number of a mapped one."""
        task_id, _, number = name.partition(" ")
        return self.run.task(task_id, int(number or -1))

    @property
    def log(self) -> Path:
        """The log of all components of Airflow."""
        return self.run.airflow.home / "standalone.log"

    def requests(self, name: str) -> list[Any]:
        """The requests of a task, oldest first."""
        return [request for request in self.server.requests if request.data.get("task") == name]

    def statuses(self, name: str) -> list[str]:
        """The same, their statuses."""
        return [request.status for request in self.requests(name)]

    def said(self, name: str) -> str:
        """What a task and its triggers have logged."""
        task = self.task(name)
        folder = self.run.airflow.home / "logs" / f"dag_id={self.run.dag_id}" / f"run_id={self.run.run_id}"
        paths = folder.glob(f"task_id={task.task_id}/{f'map_index={task.map_index}/' * (task.map_index >= 0)}attempt=*")
        return "\n".join(path.read_text(errors="replace") for path in paths)

    def notes(self, name: str) -> dict[str, Any]:
        """What a task has kept for its next attempts."""
        task = self.task(name)
        path = f"{self.run.path}/taskInstances/{task.task_id}/state-store"
        (kept,) = self.run.airflow.call("GET", path, map_index=task.map_index)["task_state_store"]
        return dict(kept["value"])

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 60) -> None:
        """Wait for something."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {what}: {self.run.states()}"
            time.sleep(0.3)

    def until_deferred(self, name: str, try_number: int = 1) -> None:
        """Wait until a task is deferred, and the scheduler has heard of it; a trigger that fires before costs a try."""
        task = self.task(name)
        task.wait("deferred", try_number)
        key = (
            f"TaskInstanceKey(dag_id={self.run.dag_id!r}, task_id={task.task_id!r}, run_id={self.run.run_id!r}, "
            f"try_number={try_number}, map_index={task.map_index})"
        )
        heard = f"Received executor event with state success for task instance {key}"
        self.until(lambda: heard in self.log.read_text(errors="replace"), f"heard of {key}")

    def until_canceled(self, name: str) -> None:
        """Wait until the first request of a task is canceled."""
        self.until(lambda: self.statuses(name)[0] == "CANCELED", f"request of {name} canceled")

    def puts(self, name: str) -> int:
        """How often the server was asked to cancel requests of a task."""
        paths = {f"/api/1.0/requests/{request.id}" for request in self.requests(name)}
        return sum(call.method == "PUT" and call.path in paths for call in self.server.calls)


@pytest.fixture(scope="module")
def scene(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Scene]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "killing.py").write_text(_DAGS, encoding="utf-8")
    with ProcessMakerServer(users=5) as server:
        server.add_process("Order", ["Approve"], start_users=["bob"])
        server.start_request("Order", {"task": "spacer"})
        with standalone(
            home,
            AIRFLOW_CONN_PROCESSMAKER_DEFAULT=server.conn_uri,
            AIRFLOW_CONN_BOB=server.connection_uri("bob", "Bob-pass1!"),
            AIRFLOW__WORKERS__MIN_HEARTBEAT_INTERVAL="2",
            AIRFLOW__SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME="0.5",
        ) as airflow:
            found = Scene(server, begun(airflow, "killing"))
            for name in DEFERRED:
                found.until_deferred(name)
            for name in WAITING:
                found.until(partial(found.requests, name), f"{name} started")
            begun(airflow, "spacer").task("spacer").wait("deferred")
            time.sleep(2)  # the pokes have noted their requests
            yield found


def begun(airflow: Standalone, dag_id: str) -> Run:
    return Run(airflow, dag_id, airflow.begin(dag_id)["dag_run_id"])


def test_the_link_is_there_while_it_waits(scene: Scene) -> None:
    for name in WAITING:
        (request,) = scene.requests(name)
        url = f"{scene.server.url}/cases/{request.case_number}"
        assert scene.task(name).links() == {"ProcessMaker": url}, name


def test_intent_and_request_are_kept_while_it_waits(scene: Scene) -> None:
    for name, phase in [(name, "deferred") for name in DEFERRED] + [("poke_cleared", "waiting")]:
        (request,) = scene.requests(name)
        notes = scene.notes(name)
        assert notes["request_id"] == request.id, name
        assert notes["generation"] == request.data["airflow_generation"], name
        assert notes["phase"] == phase, name


@pytest.mark.parametrize("name", ["marked", "mapped 1", "poke_marked"])
def test_marked_failed(scene: Scene, name: str) -> None:
    scene.task(name).mark("failed")

    scene.until_canceled(name)
    assert scene.statuses(name) == ["CANCELED"]
    assert scene.puts(name) == 1
    if name.startswith("mapped"):
        assert scene.statuses("mapped 0") == ["ACTIVE"]
    request_id = scene.requests(name)[0].id
    says = f"Request {request_id} was ACTIVE and is CANCELED"
    scene.until(lambda: says in scene.said(name), f"{name} says so")


@pytest.mark.parametrize("name", ["cleared", "poke_cleared"])
def test_cleared(scene: Scene, name: str) -> None:
    """The on_kill of the old trigger comes after the new attempt has begun, that of the old task before it."""
    scene.task(name).clear()

    scene.until(lambda: len(scene.requests(name)) == 2, f"{name} started again")
    scene.until_canceled(name)
    old, new = scene.requests(name)
    assert new.status == "ACTIVE"
    assert old.data["airflow_key"] == new.data["airflow_key"]
    assert old.data["airflow_generation"] != new.data["airflow_generation"]
    if name == "cleared":
        scene.until_deferred(name, 2)
    scene.server.complete_request(new.id)
    assert scene.task(name).wait() == "success"
    assert scene.task(name).xcom()["request_id"] == new.id
    assert scene.statuses(name) == ["CANCELED", "COMPLETED"]
    assert scene.task(name).links() == {"ProcessMaker": scene.task(name).xcom()["url"]}


def test_cleared_with_cancel_on_kill_off(scene: Scene) -> None:
    """The new attempt goes on with the request."""
    scene.task("resumed").clear()

    scene.until_deferred("resumed", 2)
    time.sleep(4)  # the on_kill of the old trigger would come late
    scene.server.complete_request(scene.requests("resumed")[0].id)
    assert scene.task("resumed").wait() == "success"
    assert scene.statuses("resumed") == ["COMPLETED"]
    assert scene.puts("resumed") == 0


def test_marked_failed_with_cancel_on_kill_off(scene: Scene) -> None:
    scene.task("kept").mark("failed")
    scene.until(lambda: "Trigger cancelled by user action" in scene.said("kept"), "on_kill was called")

    assert scene.statuses("kept") == ["ACTIVE"]
    assert scene.puts("kept") == 0


def test_what_has_completed_is_not_canceled(scene: Scene) -> None:
    """The trigger has not seen it yet."""
    (request,) = scene.requests("completed")
    scene.server.complete_request(request.id)

    scene.task("completed").mark("failed")

    says = f"Request {request.id} was COMPLETED and is COMPLETED."
    scene.until(lambda: says in scene.said("completed"), "it says so")
    assert scene.puts("completed") == 0


def test_a_missing_right_to_cancel_is_said(scene: Scene) -> None:
    scene.task("without_right").mark("failed")

    (request,) = scene.requests("without_right")
    says = f"Request {request.id} is not canceled, or not for certain: "
    scene.until(lambda: says in scene.said("without_right"), "it says so")
    assert "Cancel Request" in scene.said("without_right")
    assert request.status == "ACTIVE"
    assert scene.task("without_right").state == "failed"


@pytest.mark.parametrize("name", ["out_of_time", "poke_out_of_time"])
def test_the_execution_timeout_cancels(scene: Scene, name: str) -> None:
    assert scene.task(name).wait() == "failed"

    scene.until_canceled(name)
    assert scene.statuses(name) == ["CANCELED"]
    assert "AirflowTaskTimeout" in scene.said(name)
