"""The DAG flow against the stand-in and, if its connection is given, against a real ProcessMaker."""

from __future__ import annotations

import json
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

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
    outcome = run_file(EXAMPLES / "processmaker_list_users.py")

    assert outcome.state == "success", outcome.errors
    users = outcome.results["list_users"]
    assert len({user["id"] for user in users}) == len(users) == connected.admin.count("users")
    assert sum(outcome.results["count_by_status"].values()) == len(users)


def test_operators_sensor_and_errors(connected: Target, run_dag: Callable[..., Any]) -> None:
    outcome = run_dag(
        """
        me = ProcessMakerApiOperator(
            task_id="me", endpoint="users", query={"per_page": 1}, response_filter=lambda page: page["meta"]["total"]
        )
        ProcessMakerListUsersOperator(task_id="count", count_only=True)
        ProcessMakerRecordsSensor(task_id="enough", resource="users", at_least=1, poke_interval=1, timeout=60)
        ProcessMakerApiOperator(task_id="missing", endpoint="users/2000000000", retries=2, retry_delay=1)
        """
    )

    assert outcome.results["me"] == outcome.results["count"] == outcome.results["enough"]
    assert (outcome.states["missing"], outcome.tries["missing"]) == ("failed", 1)
    assert "answered 404" in str(outcome.errors[0])
