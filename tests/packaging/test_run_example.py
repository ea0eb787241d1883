"""The README's first command, as a person runs it: a process of its own, with that person's environment."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

ROOT = Path(__file__).resolve().parents[2]
SCRIPT = ROOT / "scripts" / "run_example.py"
EXAMPLE = ROOT / "example_dags" / "processmaker_list_users.py"
SECRET = "s3cr3t/of+this:test"
pytestmark = pytest.mark.airflow


@dataclass(frozen=True)
class Place:
    """An empty home folder, an empty working directory and an empty folder for temporary files."""

    home: Path
    work: Path
    temp: Path

    @classmethod
    def make(cls, folder: Path) -> Place:
        place = cls(folder / "home", folder / "work", folder / "temp")
        for path in (place.home, place.work, place.temp):
            path.mkdir()
        return place

    def options(self, **environment: str) -> dict[str, Any]:
        """How to start the script here, with more in its environment."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
        places = {"HOME": str(self.home), "TMPDIR": str(self.temp), "PYTHONDONTWRITEBYTECODE": "1"}
        return {
            "cwd": self.work,
            "env": kept | places | environment,
            "stdin": subprocess.DEVNULL,
            "stdout": subprocess.PIPE,
            "stderr": subprocess.STDOUT,
            "text": True,
        }

    def run(self, *arguments: str | Path, **environment: str) -> subprocess.CompletedProcess[str]:
        command = [sys.executable, SCRIPT, *arguments]
        return subprocess.run(command, timeout=120, check=False, **self.options(**environment))

    @property
    def left(self) -> list[str]:
        """What lies here now, apart from the places themselves."""
        return [str(path) for folder in (self.home, self.work, self.temp) for path in folder.rglob("*")]


@pytest.fixture
def place(tmp_path: Path) -> Place:
    return Place.make(tmp_path)


@pytest.fixture(scope="module")
def successful(tmp_path_factory: pytest.TempPathFactory) -> tuple[Place, Any, Path]:
    """One good run without a connection, by someone who has an Airflow of his own; several tests look at it."""
    folder = tmp_path_factory.mktemp("run")
    own = folder / "own"
    own.mkdir()
    place = Place.make(folder)
    done = place.run(
        EXAMPLE,
        AIRFLOW_HOME=str(own),
        AIRFLOW_CONFIG=str(own / "airflow.cfg"),
        AIRFLOW__CORE__DAGS_FOLDER=str(own / "dags"),
        AIRFLOW__CORE__EXECUTOR="NoSuchExecutor",
        AIRFLOW__DATABASE__SQL_ALCHEMY_CONN=f"sqlite:///{own / 'own.db'}",
        AIRFLOW__LOGGING__BASE_LOG_FOLDER=str(own / "logs"),
    )
    return place, done, own


def test_it_ends_with_a_table_and_a_summary(successful: tuple[Place, Any, Path]) -> None:
    _, done, _ = successful
    assert done.returncode == 0, done.stdout
    assert "Bob Plain" in done.stdout
    summary = {" ".join(line.split()[:-1]): line.split()[-1] for line in done.stdout.splitlines()[-6:]}
    seconds = summary.pop("Seconds")
    assert 0 < float(seconds) < 120
    assert summary == {
        "Records": "524",
        "Token calls": "1",
        "Task list_users": "success",
        "Task count_by_status": "success",
        "DAG run": "success",
    }


def test_it_leaves_nothing_and_touches_no_other_airflow(successful: tuple[Place, Any, Path]) -> None:
    place, done, own = successful
    assert done.returncode == 0, done.stdout
    assert place.left == []
    assert list(own.iterdir()) == []


def check_failed(place: Place, uri: str, reason: str, *secrets: str) -> None:
    done = place.run(EXAMPLE, AIRFLOW_CONN_PROCESSMAKER_DEFAULT=uri)
    assert done.returncode == 1, done.stdout
    last = done.stdout.splitlines()[-1]
    assert last.startswith("Failed: ")
    assert reason in last
    assert [secret for secret in secrets if secret in done.stdout] == []
    assert place.left == []


def test_a_wrong_password_is_the_last_line(place: Place, processmaker_server: ProcessMakerServer) -> None:
    uri = processmaker_server.connection_uri("admin", SECRET)
    secrets = (SECRET, quote(SECRET, safe=""), processmaker_server.client_secret)
    check_failed(place, uri, "LoginError: ProcessMaker refuses the user name or the password", *secrets)
    assert {call.path for call in processmaker_server.calls} == {"/oauth/token"}


@pytest.mark.parametrize(
    "broken",
    [
        f'{{"conn_type": "processmaker", "host": "https://pm.test", "password": "{SECRET}"',
        f"processmaker://admin:{SECRET}@pm.test/https",
        f"admin {SECRET}",
    ],
)
def test_an_invalid_connection_is_the_last_line(broken: str, place: Place) -> None:
    check_failed(place, broken, "AIRFLOW_CONN_PROCESSMAKER_DEFAULT is neither a JSON object nor a URI", "s3cr3t")


def test_a_broken_dag_file_is_the_last_line(place: Place, tmp_path: Path) -> None:
    dag = tmp_path / "broken.py"
    dag.write_text("dag = (\n", encoding="utf-8")
    done = place.run(dag)
    assert done.returncode == 1
    assert done.stdout.splitlines()[-1].startswith("Failed: SyntaxError: '(' was never closed (broken.py, line 1)")
    assert place.left == []


def test_a_file_that_is_not_there_is_said_at_once(place: Place) -> None:
    done = place.run("nothing.py")
    assert (done.returncode, done.stdout) == (1, "Failed: there is no file nothing.py\n")
    assert place.left == []


def test_an_interrupt_ends_it_cleanly(place: Place) -> None:
    process = subprocess.Popen([sys.executable, SCRIPT, EXAMPLE], **place.options())
    assert process.stdout is not None
    shown = []
    for line in process.stdout:
        shown.append(line)
        if line.startswith("Running"):
            break
    time.sleep(0.5)
    process.send_signal(signal.SIGINT)
    rest, _ = process.communicate(timeout=60)
    assert process.returncode == 130, rest
    assert rest.splitlines()[-1] == "Interrupted."
    assert place.left == []
