"""One login serves all tasks of a real Airflow: scheduler, LocalExecutor, forty mapped tasks."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.standalone import standalone

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.standalone import Standalone

pytestmark = [pytest.mark.long, pytest.mark.airflow, pytest.mark.xdist_group("standalone")]

_DAGS = """
import datetime as dt
from airflow.sdk import DAG
from airflow_provider_processmaker.operators.api import ProcessMakerApiOperator

for name in ("right", "wrong"):
    with DAG(f"forty_{name}", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
        ProcessMakerApiOperator.partial(
            task_id="call", query={"per_page": 1}, response_filter=lambda page: page["meta"]["total"],
            processmaker_conn_id=name, retries=3, retry_delay=1,
        ).expand(endpoint=["groups", "users"] * 20)
    globals()[name] = dag
"""


@pytest.fixture(scope="module")
def server() -> Iterator[ProcessMakerServer]:
    with ProcessMakerServer(users=10) as started:
        yield started


@pytest.fixture(scope="module")
def airflow(server: ProcessMakerServer, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Standalone]:
    home = tmp_path_factory.mktemp("airflow")
    (home / "dags").mkdir()
    (home / "dags" / "forty.py").write_text(_DAGS, encoding="utf-8")
    with standalone(
        home,
        AIRFLOW_CONN_RIGHT=server.conn_uri,
        AIRFLOW_CONN_WRONG=server.connection_uri("admin", "wrong-pass1!"),
        AIRFLOW__PROCESSMAKER__BRAKE_WINDOW="600",
    ) as started:
        yield started


def test_forty_mapped_tasks_log_in_once(airflow: Standalone, server: ProcessMakerServer) -> None:
    server.reset_calls()

    run = airflow.run("forty_right")

    assert run["state"] == "success"
    assert len([call for call in server.calls if call.path.startswith("/api/1.0/")]) == 40
    assert server.token_calls == 1
    log = airflow.logs()
    assert "Logged in" in log
    for secret in (*server.issued_tokens, server.client_secret, "admin123"):
        assert secret not in log


def test_forty_mapped_tasks_with_a_wrong_password_ask_once(airflow: Standalone, server: ProcessMakerServer) -> None:
    server.reset_calls()

    run = airflow.run("forty_wrong")

    tasks = airflow.tasks(run)
    assert len(tasks) == 40
    assert {(task["state"], task["try_number"]) for task in tasks} == {("failed", 1)}
    assert [(call.path, call.status) for call in server.calls] == [("/oauth/token", 400)]
    assert airflow.logs().count("refuses the user name or the password") >= 40


def test_a_thousand_hooks_on_one_loop_log_in_once(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Any
) -> None:
    """As in a triggerer: one process, one event loop, a hook for each wait, the calls in threads."""
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.conn_uri)
    monkeypatch.setenv("AIRFLOW__PROCESSMAKER__TOKEN_CACHE_DIR", str(tmp_path))
    server.reset_calls()

    def look() -> int:
        with ProcessMakerHook().client as client:
            return client.count("groups")

    async def wait() -> int:
        return await asyncio.to_thread(look)

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(wait() for _ in range(1000)))

    counts = asyncio.run(all_of_them())

    assert len(counts) == 1000
    assert len(set(counts)) == 1
    assert server.token_calls == 1
