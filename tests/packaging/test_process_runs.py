"""Process runs in Airflow 2.11, 3.1 and 3.3: the same results, the same words for what went wrong, in every mode.

One version alone: ``PROCESSMAKER_TEST_VERSIONS=1 uv run pytest tests/packaging/test_process_runs.py -k 2.11``.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from airflow_provider_processmaker.testing.state import hash_password
from tests.packaging.environments import ROOT, only_if_asked_for
from tests.packaging.whole_airflow import whole_airflow

if TYPE_CHECKING:
    from pathlib import Path

    from tests.packaging.environments import Installed
    from tests.packaging.whole_airflow import WholeAirflow

pytestmark = only_if_asked_for

HERE = ROOT / "tests" / "packaging"
CONNECTION = "[connection processmaker_default]"
FAILED = "AirflowFailException: RequestFailedError: Request N of the process"
#: How a wait for a request ends, whoever waits and how.
ERRORS = {
    "completed": None,
    "error": f'{FAILED} "error", case N is ERROR: element "Sum" (node_2): Division by zero. '
    f"Mend it and retry it in ProcessMaker. <server>/cases/N {CONNECTION}",
    "canceled": f'{FAILED} "canceled", case N is CANCELED. '
    f"Somebody canceled it in ProcessMaker, or a kill of its task did. <server>/cases/N {CONNECTION}",
    "deleted": f"AirflowFailException: RequestGoneError: Request N is not there any more: it was deleted. {CONNECTION}",
}
LATE = "The time is up: request N is still ACTIVE. <server>/cases/N"
LATE_START = f"AirflowFailException: WaitTimeoutError: {LATE} {CONNECTION}"
TIMED_OUT = "AirflowSensorTimeout: Sensor has timed out after 1 s (timeout)."
COMPLETED = {
    "request_id": "N",
    "process_id": "N",
    "name": "completed",
    "case_number": "N",
    "status": "COMPLETED",
    "url": "<server>/cases/N",
}
MISSING = (
    "AirflowFailException: NotFoundError: There is no such record or endpoint. "
    '(GET /api/1.0/requests/N at <server> answered 404) The server says: "Not Found". '
    f"Check the id and the path. {CONNECTION}"
)

#: Of a thousand triggers one would see no more; these would already spoil a channel that is not treated well.
WAITING = 200
DAGS = f"""
import datetime as dt
from airflow.providers.common.compat.sdk import DAG, BaseOperator
from airflow_provider_processmaker.operators.processes import ProcessMakerStartProcessOperator
from airflow_provider_processmaker.sensors.processes import ProcessMakerRequestSensor

try:
    from airflow.providers.standard.triggers.file import FileTrigger
except ImportError:
    from airflow.triggers.file import FileTrigger

# Waits in the triggerer for something that is not ours.
class Foreign(BaseOperator):
    def execute(self, context):
        self.defer(trigger=FileTrigger(filepath="{{ripe}}", poke_interval=0.5), method_name="ripened")

    def ripened(self, context, event):
        return "ripe"

options = {{"schedule": "@once", "start_date": dt.datetime(2026, 1, 1, tzinfo=dt.UTC)}}

# Nobody runs these, since the pool is not there: they are made to wait, and are left when their triggers have fired.
with DAG("waiting", is_paused_upon_creation=False, **options) as waiting:
    for number in range({WAITING}):
        ProcessMakerRequestSensor(task_id=f"wait_{{number}}", request_ids=1, deferrable=True, pool="nowhere")

start = {{"poll_interval": 1, "error_grace": 1, "return_data": True, "priority_weight": 9}}
with DAG("flow", is_paused_upon_creation=True, **options) as flow:
    for name in ("Approve", "Fail"):
        ProcessMakerStartProcessOperator(task_id=name, process=name, deferrable=True, **start)

with DAG("foreign", is_paused_upon_creation=True, **options) as foreign:
    Foreign(task_id="wait", priority_weight=9)

with DAG("killed", is_paused_upon_creation=True, **options) as killed:
    ProcessMakerStartProcessOperator(task_id="Linger", process="Linger", **start)
"""


@pytest.fixture(scope="module")
def ended(installed: Installed) -> dict[str, Any]:
    """What came of every task of ``process_runs.py`` by ``dag.test()``."""
    done = installed.run("python", HERE / "process_runs.py")
    assert done.returncode == 0, done.stderr[-5000:]
    return json.loads(done.stdout.splitlines()[-1])  # type: ignore[no-any-return]


@pytest.mark.parametrize("way", ["waiting", "deferred"])
@pytest.mark.parametrize("ending", [*ERRORS, "late"])
def test_starting(ended: dict[str, Any], way: str, ending: str) -> None:
    task = ended["tasks"][f"start_{way}_{ending}"]
    assert task["error"] == (ERRORS | {"late": LATE_START})[ending]
    assert task["state"] == ("success" if ending == "completed" else "failed")
    assert task["link"] == "<server>/cases/N"
    if ending == "completed":
        data = task["result"].pop("data")
        assert data.keys() == {"amount", "answer", "airflow_key", "airflow_generation"}
        assert task["result"] == COMPLETED


@pytest.mark.parametrize("way", ["poke", "reschedule", "deferred"])
@pytest.mark.parametrize("ending", [*ERRORS, "late"])
def test_sensing(ended: dict[str, Any], way: str, ending: str) -> None:
    task = ended["tasks"][f"sense_{way}_{ending}"]
    assert task["error"] == (ERRORS | {"late": f"{TIMED_OUT} {LATE}"})[ending]
    assert task["state"] == ("success" if ending == "completed" else "failed")
    assert task["link"] == ("<server>/cases/N" if ending == "completed" else "<server>/requests/N")
    if ending == "completed":
        assert task["result"] == COMPLETED | {"data": {"amount": 3, "answer": "yes"}}


def test_sensing_records(ended: dict[str, Any]) -> None:
    reached, late = ended["tasks"]["records_reached"], ended["tasks"]["records_late"]
    assert (reached["state"], reached["result"]) == ("success", 16)
    assert (late["state"], late["error"]) == ("failed", f"{TIMED_OUT} process_categories had 1 records.")


def test_cancelling(ended: dict[str, Any]) -> None:
    tasks = {name: ended["tasks"][f"cancel_{name}"] for name in ("active", "completed", "missing")}
    done = {"request_id": "N", "found": "ACTIVE", "status": "CANCELED", "cancelled": True}
    left = {"request_id": "N", "found": "COMPLETED", "status": "COMPLETED", "cancelled": False}
    assert (tasks["active"]["result"], tasks["completed"]["result"]) == (done, left)
    assert (tasks["missing"]["state"], tasks["missing"]["error"]) == ("failed", MISSING)


def test_an_automatic_retry_finds_what_was_started(ended: dict[str, Any]) -> None:
    task = ended["tasks"]["again"]
    assert (task["state"], task["tries"], task["result"]["status"]) == ("success", 2, "COMPLETED")
    assert ended["started_again"] == 1


def test_what_was_deferred_was_waited_for_by_a_trigger_with_one_login(ended: dict[str, Any]) -> None:
    assert ended["triggers"] == {"ProcessMakerRequestTrigger": 10, "ProcessMakerRecordsTrigger": 2}
    assert ended["token_calls"] == 1


def test_nothing_that_we_use_is_deprecated(ended: dict[str, Any]) -> None:
    assert ended["warnings"] == []


def test_a_real_triggerer_with_many_waits(installed: Installed, tmp_path: Path) -> None:
    """Two hundred share one poller, also over a new login and while its token is refreshed in our threads.

    What is started and killed meanwhile is not disturbed, nor is a trigger that is not ours.
    """
    if installed.version == "3.3":
        pytest.skip("tests/faults does that, and much more")
    with ProcessMakerServer(users=5) as server:
        for name in ("Wait", "Approve", "Fail", "Linger"):
            server.add_process(name)
        ids = [request.id for request in server.add_requests("Wait", WAITING)]
        settings = {"AIRFLOW_CONN_PROCESSMAKER_DEFAULT": server.conn_uri}
        ripe = tmp_path / "ripe"
        (home := tmp_path / "home").mkdir()
        with whole_airflow(installed, home, DAGS.replace("{ripe}", str(ripe)), **settings) as airflow:
            _let_them_wait(airflow, ids)
            # From now on the triggerer must log in again, and have the new token masked.
            server.oauth.access_token_seconds = 20
            server.revoke_all_tokens(refresh=True)
            server.reset_calls()
            time.sleep(5)
            assert server.token_calls == 1
            assert len(server.calls) <= 20, "one poll asks for all of them"
            _let_tokens_be_refreshed(airflow, server)
            ripe.touch()
            done = "select 1 from dag_run where dag_id = 'foreign' and state = 'success'"
            airflow.until(lambda: airflow.rows(done), "the trigger that is not ours has fired")
            for request in server.requests:
                if request.name == "Fail":
                    server.fail_request(request.id, "No luck")
                else:
                    server.complete_request(request.id, {"answer": "yes"})
            airflow.until(lambda: not airflow.rows("select * from trigger"), "all triggers have fired")
            airflow.until(lambda: airflow.rows("select 1 from dag_run where dag_id = 'flow' and end_date > 0"), "flow")
            _kill_a_waiting_task(airflow, server)
        _check(airflow, server)


def _let_tokens_be_refreshed(airflow: WholeAirflow, server: ProcessMakerServer) -> None:
    """Twice, in the threads of our client: the password is not right any more."""
    server.user("admin").password = hash_password("set by someone else")
    before = server.token_calls
    airflow.until(lambda: server.token_calls >= before + 2, "the token is refreshed")
    assert {call.status for call in server.calls if call.path == "/oauth/token"} == {200}


def _let_them_wait(airflow: WholeAirflow, ids: list[int]) -> None:
    ready = "select 1 from task_instance where dag_id = 'waiting' and state = 'scheduled'"
    airflow.until(lambda: len(airflow.rows(ready)) == WAITING, "the tasks that wait are scheduled")
    airflow.run("python", HERE / "park.py", "1", *map(str, ids))
    airflow.rows("update dag set is_paused = 0 where dag_id in ('flow', 'foreign')")
    deferred = "select 1 from task_instance where state = 'deferred'"
    airflow.until(lambda: len(airflow.rows(deferred)) == WAITING + 3, "all are deferred")
    unassigned = "select 1 from trigger where triggerer_id is null"
    airflow.until(lambda: not airflow.rows(unassigned), "the triggerer has taken them all")


def _kill_a_waiting_task(airflow: WholeAirflow, server: ProcessMakerServer) -> None:
    """As a person who marks it failed while it runs."""
    airflow.rows("update dag set is_paused = 0 where dag_id = 'killed'")
    airflow.until(lambda: any(request.name == "Linger" for request in server.requests), "a process is started")
    airflow.rows("update task_instance set state = 'failed' where dag_id = 'killed'")
    airflow.until(lambda: server.requests[-1].status == "CANCELED", "the request of the killed task is canceled")


def _check(airflow: WholeAirflow, server: ProcessMakerServer) -> None:
    states = dict(airflow.rows("select task_id, state from task_instance where dag_id = 'flow'"))
    assert states == {"Approve": "success", "Fail": "failed"}
    result = "select value from xcom where task_id = 'Approve' and key = 'return_value'"
    ((value,),) = airflow.rows(result)
    assert json.loads(value)["data"]["answer"] == "yes"
    told = "select next_kwargs from task_instance where dag_id = 'waiting' and state = 'scheduled'"
    assert ['"reached"' in text for (text,) in airflow.rows(told)] == [True] * WAITING
    logs = airflow.logs
    assert "(node_2): No luck." in logs
    for trouble in ("out of order", "DeadlockImminent", "Trigger failure", "exited with error", "failed to inflate"):
        assert trouble not in logs
    assert len(server.issued_tokens) >= 8
    for secret in (*server.issued_tokens, server.client_secret):
        assert secret not in logs
    for name in ("DeprecationWarning", "RemovedInAirflow"):
        assert not [line for line in logs.splitlines() if name in line and "airflow_provider_processmaker" in line]
