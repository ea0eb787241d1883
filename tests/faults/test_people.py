"""The fault table, third part: what people do in Airflow, and what time does."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.scenes import Scene

ONE = {"COMPLETED": 1}
ANOTHER = {"CANCELED": 1, "COMPLETED": 1}
POKE, DEFERRED, STARTS = ("poke", "poke mapped"), ("deferred", "deferred mapped"), ("poke", "deferred")


@pytest.mark.telling
@pytest.mark.case("16", "An exception after the request is COMPLETED, and the automatic retry")
def test_exception_afterwards(scene: Scene) -> None:
    scene.begin(operator="FailsAfterwards")
    scene.wait_waiting()
    scene.complete()
    scene.end(ONE, said="An earlier attempt has started it; it is COMPLETED", tries=2)


@pytest.mark.case("17", "A person clears the task while it runs")
def test_cleared_while_running(scene: Scene) -> None:
    scene.ways = POKE
    scene.begin(sensors=True)
    scene.wait_waiting()
    assert scene.run is not None
    scene.run.clear(*scene.tasks().values())
    # With several at once Airflow keeps max_tries for all but one: they look like automatic retries.
    scene.wait_waiting(2)
    scene.complete()
    scene.end(ANOTHER, tries=2, ways="poke")
    scene.end(ONE, tries=2, ways="sensor")


@pytest.mark.telling
@pytest.mark.case("18", "A person clears the task while it is deferred")
def test_cleared_while_deferred(scene: Scene) -> None:
    scene.ways = DEFERRED
    scene.begin(sensors=True)
    scene.wait_waiting()
    assert scene.run is not None
    scene.run.clear(*scene.tasks().values())
    scene.wait_waiting(2)
    scene.complete()
    said = "The task was cleared; its last request is (ACTIVE|CANCELED)"
    scene.end(ANOTHER, said=said, tries=2, ways="deferred")
    scene.end(ONE, tries=2, ways="sensor")


@pytest.mark.case("18b", "A person clears the task while it is deferred, with cancel_on_kill=False")
def test_cleared_while_deferred_and_kept(scene: Scene) -> None:
    scene.ways = DEFERRED
    scene.begin(cancel_on_kill=False)
    scene.wait_waiting()
    assert scene.run is not None
    scene.run.clear(*scene.tasks().values())
    for task in scene.tasks().values():
        task.wait("deferred", 2)
    time.sleep(5)  # the on_kill of the old triggers comes late
    scene.complete()
    scene.end(ONE, said="its request is ACTIVE, and on_clear is resume", tries=2)


@pytest.mark.case("19", "A person clears the task after its failure")
def test_cleared_after_failure(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    scene.each(scene.rig.stand_in.fail)
    for task in scene.tasks().values():
        task.wait("failed")
    assert scene.run is not None
    scene.run.wait("failed")
    for row in scene.requests():
        if row.data["way"].startswith("sensor"):
            scene.rig.stand_in.resume(row.id)  # somebody has mended it
    scene.run.clear()
    scene.wait_waiting(2)
    scene.complete()
    said = "its last request is ERROR, and on_clear is resume"
    scene.end({"ERROR": 1, "COMPLETED": 1}, said=said, tries=2, ways=STARTS)
    scene.end(ONE, tries=2, ways="sensor")


@pytest.mark.telling
@pytest.mark.case("20", "A person clears the task after its success")
def test_cleared_after_success(scene: Scene) -> None:
    _succeed(scene, sensors=True)
    assert scene.run is not None
    scene.run.clear(*scene.tasks().values())
    scene.end(ONE, said="its request is COMPLETED, and on_clear is resume", tries=2, ways=STARTS)
    scene.end(ONE, tries=2, ways="sensor")


@pytest.mark.case("20b", "The same, with on_clear=restart")
def test_cleared_to_restart(scene: Scene) -> None:
    _succeed(scene, on_clear="'restart'")
    assert scene.run is not None
    scene.run.clear(*scene.tasks().values())
    scene.wait_waiting(2)
    scene.complete()
    scene.end({"COMPLETED": 2}, said="on_clear is restart", tries=2)


@pytest.mark.case("21", "A person clears the whole run")
def test_run_cleared(scene: Scene) -> None:
    _succeed(scene, sensors=True)
    assert scene.run is not None
    scene.run.clear()
    scene.end(ONE, said="its request is COMPLETED, and on_clear is resume", tries=2, ways=STARTS)
    scene.end(ONE, tries=2, ways="sensor")


@pytest.mark.telling
@pytest.mark.case("22", "A person marks the task failed while it is deferred")
def test_marked_failed(scene: Scene) -> None:
    scene.ways = DEFERRED
    scene.begin(sensors=True)
    scene.wait_waiting()
    for task in scene.tasks().values():
        task.mark("failed")
    scene.end({"CANCELED": 1}, state="failed", said="was ACTIVE and is CANCELED", tries=1, ways="deferred")
    scene.end({"ACTIVE": 1}, state="failed", tries=1, ways="sensor")  # what others started is not a sensor's to cancel


@pytest.mark.case("23", "A person marks the task success while it is deferred")
def test_marked_success(scene: Scene) -> None:
    scene.ways = DEFERRED
    scene.begin(sensors=True)
    scene.wait_waiting()
    for task in scene.tasks().values():
        task.mark("success")
    scene.end({"CANCELED": 1}, state="success", said="was ACTIVE and is CANCELED", tries=1, ways="deferred")
    scene.end({"ACTIVE": 1}, state="success", tries=1, ways="sensor")  # what others started is not a sensor's to cancel


@pytest.mark.case("24", "A person fails the DAG run")
def test_run_failed(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    assert scene.run is not None
    scene.run.mark("failed")
    scene.end({"CANCELED": 1}, state="failed", said="was ACTIVE and is CANCELED", tries=1, ways=STARTS)
    # Airflow skips a sensor that it has not yet sent to its next look.
    scene.end({"ACTIVE": 1}, state="failed", tries=1, ways=("sensor poke", "sensor deferred"))


@pytest.mark.case("25", "execution_timeout passes")
def test_execution_timeout(scene: Scene) -> None:
    scene.begin(execution_timeout="dt.timedelta(seconds=20)", retries=0)
    scene.wait_waiting()
    scene.end({"CANCELED": 1}, state="failed", said="was ACTIVE and is CANCELED", tries=1)


@pytest.mark.case("25b", "execution_timeout passes, and there are retries")
def test_execution_timeout_with_retries(scene: Scene) -> None:
    scene.begin(execution_timeout="dt.timedelta(seconds=30)", retries=1)
    scene.wait_waiting()
    scene.wait_waiting(2)
    scene.complete()
    scene.end(ANOTHER, said="The kill of the last attempt canceled its request", tries=2)


@pytest.mark.case("26", "retries is edited in the DAG file between two tries")
def test_retries_edited(scene: Scene) -> None:
    scene.begin(operator="FailsAfterwards", retries=3, retry_delay="dt.timedelta(seconds=25)")
    scene.wait_waiting()
    scene.complete()
    for task in scene.tasks().values():
        task.wait("up_for_retry", 1)
    scene.write(operator="FailsAfterwards", retries=5, retry_delay="dt.timedelta(seconds=25)")
    scene.end(ONE, said="An earlier attempt has started it; it is COMPLETED", tries=2)


@pytest.mark.telling
@pytest.mark.case("28", "Two runs of the DAG at once")
def test_two_runs(scene: Scene) -> None:
    scene.write()
    first, second = scene.start("one"), scene.start("two")
    for scene.run in (first, second):
        scene.wait_waiting(2)
    scene.complete()
    scene.runs = 2
    for scene.run in (first, second):
        scene.end(ONE, tries=1)


def _succeed(scene: Scene, **arguments: object) -> None:
    scene.begin(**arguments)
    scene.wait_waiting()
    scene.complete()
    assert scene.run is not None
    assert scene.run.wait() == "success"
