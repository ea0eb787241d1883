"""The DAG flow against the stand-in and, if its connection is given, against a real ProcessMaker."""

from __future__ import annotations

import contextlib
import json
import threading
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client.pmql import field
from tests.live.target import counted

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.live.target import Target

pytestmark = pytest.mark.airflow

EXAMPLES = Path(__file__).parents[2] / "example_dags"


def connection_of(target: Target) -> str:
    """The target's settings as an Airflow connection."""
    settings = target.settings
    extra = {
        "client_id": settings.client_id,
        "client_secret": settings.client_secret,
        "access_token": settings.access_token,
        "verify_tls": settings.verify_tls,
        "ca_bundle": settings.ca_bundle,
        "client_cert": settings.client_cert,
        "proxy": settings.proxy,
        "headers": dict(settings.headers),
        "allow_http": settings.allow_http,
        "read_timeout": settings.read_timeout,
    }
    return json.dumps(
        {
            "conn_type": "processmaker",
            "host": settings.base_url,
            "login": settings.username,
            "password": settings.password,
            "extra": {name: value for name, value in extra.items() if value not in (None, {})},
        }
    )


@pytest.fixture
def connected(target: Target, monkeypatch: pytest.MonkeyPatch) -> Target:
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", connection_of(target))
    return target


def test_the_example_lists_all_users(connected: Target, run_file: Callable[..., Any]) -> None:
    with counted(connected, "users") as numbers:
        outcome = run_file(EXAMPLES / "processmaker_list_users.py")

    assert outcome.state == "success", outcome.errors
    users = outcome.results["list_users"]
    assert len({user["id"] for user in users}) == len(users)
    assert len(users) in numbers
    assert sum(outcome.results["count_by_status"].values()) == len(users)


def test_operators_sensor_and_errors(connected: Target, run_dag: Callable[..., Any]) -> None:
    with counted(connected, "users") as numbers:
        outcome = run_dag(
            """
            me = ProcessMakerApiOperator(
                task_id="me",
                endpoint="users",
                query={"per_page": 1},
                response_filter=lambda page: page["meta"]["total"],
            )
            ProcessMakerListUsersOperator(task_id="count", count_only=True)
            ProcessMakerRecordsSensor(task_id="enough", resource="users", at_least=1, poke_interval=1, timeout=60)
            ProcessMakerApiOperator(task_id="missing", endpoint="users/2000000000", retries=2, retry_delay=1)
            """
        )

    assert {outcome.results[name] for name in ("me", "count", "enough")} <= set(numbers)
    assert (outcome.states["missing"], outcome.tries["missing"]) == ("failed", 1)
    assert "answered 404" in str(outcome.errors[0])


@contextlib.contextmanager
def somebody_who_approves(target: Target, process: dict[str, Any]) -> Iterator[None]:
    """Does the tasks of a process as they come, in ProcessMaker."""
    client, over = target.client(store=target.store), threading.Event()

    def work() -> None:
        while not over.wait(0.5):
            running = (field("process_id") == process["id"]) & (field("status") == "ACTIVE")
            for request in client.iter_records("requests", pmql=running, fields=["id"]):
                target.complete(request["id"], {"approved": True})

    person = threading.Thread(target=work)
    person.start()
    try:
        yield
    finally:
        over.set()
        person.join()


def test_process_runs(connected: Target, run_dag: Callable[..., Any]) -> None:
    approval, other = connected.create_process(), connected.create_process()
    with somebody_who_approves(connected, approval):
        outcome = run_dag(
            f"""
            start = {{"poll_interval": 1, "timeout": 120, "data": {{"order": "{{{{ ts_nodash }}}}"}}}}
            request = "{{{{{{{{ ti.xcom_pull('{{}}')['request_id'] }}}}}}}}"

            for name, deferrable in (("waiting", False), ("deferred", True)):
                ProcessMakerStartProcessOperator(
                    task_id=name, process="{approval["name"]}", deferrable=deferrable, return_data=True, **start
                )
            begun = ProcessMakerStartProcessOperator(
                task_id="begun", process={approval["id"]}, start_event="Begin", wait_for_completion=False, **start
            )
            seen = ProcessMakerRequestSensor(
                task_id="seen", request_ids=request.format("begun"), poke_interval=1, timeout=120, deferrable=True
            )
            left = ProcessMakerCancelRequestOperator(task_id="left", request_id=request.format("begun"))
            begun >> seen >> left

            held = ProcessMakerStartProcessOperator(
                task_id="held", process="{other["name"]}", wait_for_completion=False, **start
            )
            cancel = ProcessMakerCancelRequestOperator(task_id="cancel", request_id=request.format("held"))
            failed = ProcessMakerRequestSensor(
                task_id="failed", request_ids=request.format("held"), poke_interval=1, timeout=120
            )
            held >> cancel >> failed
            """
        )

    results = outcome.results
    assert {name for name, state in outcome.states.items() if state != "success"} == {"failed"}, outcome.errors
    for name in ("waiting", "deferred", "seen"):
        assert (results[name]["status"], results[name]["name"]) == ("COMPLETED", approval["name"])
        assert results[name]["url"].startswith(connected.settings.base_url)
    for name in ("waiting", "deferred"):
        assert results[name]["data"]["approved"] is True
        assert results[name]["data"]["order"]
    assert (results["left"]["found"], results["left"]["cancelled"]) == ("COMPLETED", False)
    assert (results["cancel"]["found"], results["cancel"]["status"]) == ("ACTIVE", "CANCELED")
    assert "is CANCELED" in str(outcome.errors[0])
    runs = {results[name]["request_id"] for name in ("waiting", "deferred", "begun")}
    found = connected.admin.iter_records("requests", pmql=field("process_id") == approval["id"], fields=["id"])
    assert {row["id"] for row in found} == runs, "each task has started one, and none was started twice"
