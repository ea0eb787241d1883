"""The fault table, fourth part: many that wait, and two Airflows on one ProcessMaker."""

from __future__ import annotations

import time
from collections import Counter
from typing import TYPE_CHECKING

import pytest

from tests.faults.scenes import PREAMBLE, Outcome
from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from tests.faults.runs import Run
    from tests.faults.scenes import Scene

MANY = 200
_TASKS = """
Start.partial(task_id="many", process={process}, deferrable=True, poll_interval=2, retries=2,
    retry_delay=dt.timedelta(seconds=1)).expand(data=[{{"number": number}} for number in range({many})])
"""


def _many(scene: Scene) -> Run:
    scene.process_id = scene.rig.stand_in.add_process(scene.dag_id)
    dag = scene.rig.airflow.dag(
        scene.dag_id,
        _TASKS.format(process=scene.process_id, many=MANY),
        preamble=PREAMBLE,
        arguments=f"max_active_tasks={MANY}",
    )
    run = dag.trigger()
    wait_for(
        lambda: Counter(run.states().values())["deferred"] == MANY, 420, lambda: str(Counter(run.states().values()))
    )
    time.sleep(4)
    return run


def _finish(scene: Scene, run: Run, said: str) -> None:
    ids = [row.id for row in scene.requests() if row.status == "ACTIVE"]
    assert len(ids) == MANY
    scene.rig.stand_in.complete(*ids)
    assert run.wait(seconds=420) == "success"
    assert Counter(row.status for row in scene.requests()) == {"COMPLETED": MANY}
    assert {row.data["number"] for row in scene.requests()} == set(range(MANY))
    tries = Counter(task["try_number"] for task in _rows(run))
    scene.outcomes.append(Outcome(f"{MANY} deferred mapped", {"COMPLETED": 1}, "success", max(tries), said))


def _rows(run: Run) -> list[dict[str, int]]:
    found: list[dict[str, int]] = []
    while len(found) < MANY:
        page = run.airflow.call("GET", f"{run.path}/taskInstances", limit=100, offset=len(found))["task_instances"]
        assert page
        found += page
    return found


@pytest.mark.case("13", f"ProcessMaker is down for 2 minutes while {MANY} wait")
def test_down_while_many_wait(scene: Scene) -> None:
    run = _many(scene)
    scene.rig.proxy.down()
    time.sleep(120)
    assert Counter(run.states().values()) == {"deferred": MANY}
    before = len(scene.rig.proxy.exchanges)
    scene.rig.proxy.up()
    time.sleep(10)
    calls = len(scene.rig.proxy.exchanges) - before
    assert calls <= 50, "ten a poll, and no storm"
    log = run.task("many", 7).log_text()
    assert "ProcessMaker cannot be asked" in log
    assert "ProcessMaker answers again" in log
    _finish(scene, run, f"ProcessMaker answers again (calls of all of them in the next 10 s: {calls})")


@pytest.mark.case("15", f"The token is revoked while {MANY} wait")
def test_token_revoked_while_many_wait(scene: Scene) -> None:
    run = _many(scene)
    before = scene.rig.stand_in.token_calls
    scene.rig.stand_in.revoke_all_tokens(refresh=True)
    time.sleep(10)
    logins = scene.rig.stand_in.token_calls - before
    assert Counter(run.states().values()) == {"deferred": MANY}
    assert 1 <= logins <= 2, "a refused refresh and a login serve all"
    _finish(scene, run, f"(calls of the token endpoint of all of them: {logins})")


@pytest.mark.case("29", "The same DAG in two Airflows, with the same run id")
def test_two_airflows(scene: Scene) -> None:
    with scene.rig.another_airflow("airflow_too") as other:
        scene.write()
        scene.start("the_same")
        scene.wait_waiting()
        run = scene.written(other).trigger(run_id="the_same")
        wait_for(lambda: len(scene.requests()) == 2 * scene.count, 120, lambda: str(run.states()))
        time.sleep(5)
        scene.complete()
        assert run.wait() == "success"
        scene.runs = 2
        scene.end({"COMPLETED": 1}, tries=1)
