"""The fault table, second part: what goes wrong while a request is waited for."""

from __future__ import annotations

import signal
import time
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from tests.faults.scenes import Scene

ONE = {"COMPLETED": 1}
OUT = "ProcessMaker cannot be asked"


@pytest.mark.telling
@pytest.mark.case("7", "The worker is killed while it waits")
def test_worker_killed(scene: Scene) -> None:
    scene.ways = ("poke", "poke mapped")
    scene.begin(sensors=True)
    scene.wait_waiting()
    tasks = [*scene.tasks("poke").values(), *scene.tasks("sensor poke").values()]
    for task in tasks:
        task.kill()
    for task in tasks:
        task.wait("running", 2)
    scene.complete()
    scene.end(ONE, said="An earlier attempt has started it; it is (ACTIVE|COMPLETED)", tries=2, ways="poke")
    scene.end(ONE, tries=2, ways="sensor poke")
    scene.end(ONE, ways=("sensor reschedule", "sensor deferred"))


@pytest.mark.case("7b", "The worker is told to end (SIGTERM) while it waits")
def test_worker_terminated(scene: Scene) -> None:
    scene.ways = ("poke", "poke mapped")
    scene.begin()
    scene.wait_waiting()
    for task in scene.tasks().values():
        task.kill(signal.SIGTERM)
    scene.wait_waiting(2)
    scene.complete()
    scene.end({"CANCELED": 1, "COMPLETED": 1}, said="The kill of the last attempt canceled its request", tries=2)


@pytest.mark.case("8", "The scheduler with its workers is killed and started again")
def test_scheduler_killed(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    scene.rig.airflow.restart("scheduler")
    for way, task in scene.tasks("poke").items():
        task.wait("running", 2, seconds=120)
        assert way
    scene.complete()
    scene.end(ONE, ways="poke", said="An earlier attempt has started it; it is (ACTIVE|COMPLETED)", tries=2)
    scene.end(ONE, ways=("deferred", "sensor"))


@pytest.mark.telling
@pytest.mark.case("9", "The triggerer is killed and started again")
def test_triggerer_killed(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    scene.rig.airflow.kill("triggerer")
    scene.complete()
    scene.rig.airflow.start("triggerer")
    scene.end(ONE, tries=1)


@pytest.mark.case("10", "The triggerer is frozen for a minute")
def test_triggerer_frozen(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    scene.rig.airflow.freeze("triggerer")
    time.sleep(30)
    scene.complete()
    time.sleep(30)
    scene.rig.airflow.thaw("triggerer")
    scene.end(ONE, tries=1)


@pytest.mark.case("11", "Airflow's API server is down for a minute")
def test_api_server_down(scene: Scene) -> None:
    # Airflow ends a task that cannot tell it for so long that it lives: a kill like any other, which cancels.
    scene.begin(retries=9, retry_delay="dt.timedelta(seconds=5)", sensors=True)
    scene.wait_waiting()
    scene.rig.airflow.kill("api-server")
    time.sleep(60)
    scene.rig.airflow.start("api-server")
    scene.complete_to_the_end()
    scene.end(ONE, ways="deferred")
    scene.end(ONE, {"CANCELED": 1, "COMPLETED": 1}, ways=("poke", "sensor"))


@pytest.mark.case("12", "Airflow's database is restarted")
def test_database_restarted(scene: Scene) -> None:
    scene.begin(retries=4, retry_delay="dt.timedelta(seconds=5)", sensors=True)
    scene.wait_waiting()
    scene.rig.postgres.restart("fast", 5)
    scene.rig.airflow.revive()
    scene.complete_to_the_end()
    scene.end(ONE, ways="deferred")
    scene.end(ONE, {"CANCELED": 1, "COMPLETED": 1}, ways=("poke", "sensor"))


@pytest.mark.case("14", "ProcessMaker answers 429, then HTML, for a minute")
@pytest.mark.telling
def test_answers_nonsense(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    rule = scene.rig.proxy.throttle(seconds=1)
    time.sleep(20)
    rule.remove()
    rule = scene.rig.proxy.page(502)
    time.sleep(20)
    rule.remove()
    rule = scene.rig.proxy.page(200)
    time.sleep(20)
    rule.remove()
    time.sleep(3)
    scene.complete()
    scene.end(ONE, said=OUT, tries=1)


@pytest.mark.case("27", "The provider is upgraded between defer and resume")
def test_upgraded(scene: Scene) -> None:
    scene.ways = ("deferred", "deferred mapped")
    preamble = """
    from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger

    class OfAnotherVersion(ProcessMakerRequestTrigger):
        def serialize(self):
            path = "airflow_provider_processmaker.triggers.processes.ProcessMakerRequestTrigger"
            return path, {"request_ids": list(self.request_ids), "poll_interval": 1, "of_tomorrow": {"a": 1}}

    class Old(Start):
        def _defer(self, request_id, limit):
            self.defer(
                trigger=OfAnotherVersion([request_id]),
                method_name="execute_complete",
                kwargs={"request_id": request_id, "of_yesterday": True},
            )
    """
    scene.begin(operator="Old", preamble=preamble)
    scene.wait_waiting()
    scene.complete()
    scene.end(ONE, tries=1)


@pytest.mark.telling
@pytest.mark.case("30a", "The request is canceled in ProcessMaker")
def test_canceled(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    scene.each(scene.rig.stand_in.cancel)
    scene.end({"CANCELED": 1}, state="failed", said="RequestFailedError: Request .* is CANCELED", tries=1)


@pytest.mark.case("30b", "The request is deleted in ProcessMaker")
def test_deleted(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    scene.each(scene.rig.stand_in.delete)
    scene.end({}, state="failed", said="RequestGoneError: Request [^\\[]* was deleted", tries=1)


@pytest.mark.case("30c", "The request is put into ERROR and mended within error_grace")
def test_mended(scene: Scene) -> None:
    scene.begin(sensors=True, error_grace=20.0)
    scene.wait_waiting()
    scene.each(scene.rig.stand_in.fail)
    time.sleep(5)
    for row in scene.requests():
        scene.rig.stand_in.resume(row.id)
    time.sleep(3)
    scene.complete()
    scene.end(ONE, said="is ERROR; it counts if that lasts", tries=1)


@pytest.mark.case("30d", "The request is put into ERROR and stays there")
def test_error(scene: Scene) -> None:
    scene.begin(sensors=True)
    scene.wait_waiting()
    scene.each(scene.rig.stand_in.fail)
    scene.end({"ERROR": 1}, state="failed", said="RequestFailedError: Request .* is ERROR: element .*", tries=1)
