"""The demo against a server that the environment names: what it tells, and that no secret is in what it leaves."""

from __future__ import annotations

import os
import re
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.airflow.keeper import add_keeper, assert_no_secret, connection

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.airflow

ROOT = Path(__file__).resolve().parents[2]
#: Runs a script, and keeps a copy of each temporary folder that it clears away: Airflow's home is one.
_KEEPING = """
import os, runpy, shutil, sys, tempfile

class Kept(tempfile.TemporaryDirectory):
    def cleanup(self):
        shutil.copytree(self.name, os.environ["KEPT"], dirs_exist_ok=True)
        super().cleanup()

tempfile.TemporaryDirectory = Kept
sys.argv = sys.argv[1:]
runpy.run_path(sys.argv[0], run_name="__main__")
"""


@dataclass(frozen=True)
class Demo:
    """A run of the demo: its server, its exit code, its output, and a copy of the home of its Airflow."""

    server: ProcessMakerServer
    code: int
    text: str
    home: Path

    @property
    def summary(self) -> dict[str, str]:
        """What the table at the end says, by the name of its line."""
        lines = [line.split() for line in self.text.splitlines()]
        return {" ".join(words[:-1]): words[-1] for words in lines if words}

    @property
    def files(self) -> str:
        """All that its Airflow has kept, as one text."""
        return "\n".join(path.read_text("latin-1") for path in sorted(self.home.rglob("*")) if path.is_file())


def run_demo(server: ProcessMakerServer, stored: str, kept: Path, **environment: str) -> Demo:
    """Run the README's first command with a connection."""
    variables = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    variables |= {"KEPT": str(kept), "AIRFLOW_CONN_PROCESSMAKER_DEFAULT": stored, **environment}
    script, example = ROOT / "scripts" / "run_example.py", ROOT / "example_dags" / "processmaker_list_users.py"
    done = subprocess.run(
        [sys.executable, "-c", _KEEPING, script, example],
        env=variables,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        timeout=120,
        check=False,
    )
    return Demo(server, done.returncode, done.stdout, kept)


@pytest.fixture(scope="module")
def demo(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Demo]:
    """A good run at debug level, whose first login meets a server in maintenance."""
    with ProcessMakerServer(users=19) as server:
        add_keeper(server)
        server.faults.add("POST", "/oauth/token", status=503, times=1)
        kept = tmp_path_factory.mktemp("demo")
        yield run_demo(server, connection(server), kept, AIRFLOW__LOGGING__LOGGING_LEVEL="DEBUG")


@pytest.mark.long
def test_it_uses_the_server_of_the_environment(demo: Demo) -> None:
    assert demo.code == 0, demo.text
    assert demo.summary["Records"] == "24"  # 19, the four that each server has, and the keeper
    assert demo.summary["DAG run"] == "success"
    assert {call.status for call in demo.server.calls if call.path == "/api/1.0/users"} == {200}


def test_it_counts_each_call_for_a_token(demo: Demo) -> None:
    assert [call.status for call in demo.server.calls if call.path == "/oauth/token"] == [503, 200]
    assert demo.summary["Token calls"] == "2"


@pytest.mark.long
def test_a_refused_login_is_counted_and_told_without_a_secret(tmp_path: Path) -> None:
    wrong = "Wrong-horse-battery-2!"
    with ProcessMakerServer(users=1) as server:
        add_keeper(server)

        demo = run_demo(server, connection(server, wrong), tmp_path)

    assert demo.code == 1
    assert server.token_calls == 1
    assert demo.summary["Token calls"] == "1"
    assert_no_secret(demo.text + demo.files, server, wrong)


def test_no_secret_is_in_its_log_at_debug_level(demo: Demo) -> None:
    sent = re.findall(r"Sending request .*supervisor\.py:\d+ msg=(.*)", demo.text)
    assert [line for line in sent if line.startswith("SetXCom(")]  # such a line shows what it sends
    assert [line for line in sent if "MaskSecret" in line]  # and of this one only that it was sent
    assert "POST /oauth/token" in demo.text
    assert_no_secret(demo.text, demo.server)


def test_no_secret_is_in_what_airflow_keeps(demo: Demo) -> None:
    database = sqlite3.connect(demo.home / "airflow.db")
    (users,) = database.execute("select value from xcom where task_id = 'list_users'").fetchone()
    (rendered,) = database.execute(
        "select rendered_fields from rendered_task_instance_fields where task_id = 'list_users'"
    ).fetchone()
    database.close()
    assert "keeper" in users
    assert "processmaker_default" in rendered
    assert list(demo.home.glob("processmaker_tokens/**/*.token"))
    assert_no_secret(users + rendered + demo.files, demo.server)
