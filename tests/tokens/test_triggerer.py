"""A thousand triggers in one real triggerer log in once."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.standalone import stop_group
from tests.tokens.test_swarm import ROOT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("standalone")]

COUNT = 1000


def test_a_thousand_triggers_log_in_once(tmp_path: Path) -> None:
    (tmp_path / "dags").mkdir()
    with ProcessMakerServer(users=5) as server:
        environment = os.environ | {
            "AIRFLOW_HOME": str(tmp_path),
            "AIRFLOW__CORE__DAGS_FOLDER": str(tmp_path / "dags"),
            "AIRFLOW__TRIGGERER__CAPACITY": str(COUNT + 100),
            "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "0",
            "AIRFLOW_CONN_PROCESSMAKER_DEFAULT": server.conn_uri,
            "PYTHONPATH": str(ROOT),
        }
        with (tmp_path / "triggerer.log").open("wb") as log:
            subprocess.run(
                [sys.executable, "-m", "tests.tokens.fill_triggers", str(COUNT)],
                env=environment,
                cwd=ROOT,
                check=True,
                stdout=log,
                stderr=log,
            )
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
                env=environment,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        try:
            deadline = time.monotonic() + 180
            while len([call for call in server.calls if call.path == "/api/1.0/groups"]) < COUNT:
                assert process.poll() is None, (tmp_path / "triggerer.log").read_text(errors="replace")[-3000:]
                assert time.monotonic() < deadline, (tmp_path / "triggerer.log").read_text(errors="replace")[-3000:]
                time.sleep(0.5)
        finally:
            stop_group(process)

        assert server.token_calls == 1
        assert {call.status for call in server.calls} == {200}
