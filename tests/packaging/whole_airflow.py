"""Scheduler, triggerer and what else a whole Airflow of any version needs, for a test."""

from __future__ import annotations

import contextlib
import sqlite3
import subprocess
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from tests.standalone import free_ports, stop_group

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from tests.packaging.environments import Installed

__all__ = ["WholeAirflow", "whole_airflow"]


@dataclass
class WholeAirflow:
    """An Airflow that runs.

    :param installed: which.
    :param home: its ``AIRFLOW_HOME``.
    :param settings: its environment variables.
    """

    installed: Installed
    home: Path
    settings: dict[str, str]

    def run(self, *command: str | Path) -> None:
        """Run a program of its environment to its end."""
        done = self.installed.run(*command, settings=self.settings)
        assert done.returncode == 0, done.stderr

    def rows(self, query: str) -> list[tuple[Any, ...]]:
        """Ask its database; each version has an API of its own, but the same tables."""
        with contextlib.closing(sqlite3.connect(f"file:{self.home}/airflow.db", uri=True, timeout=30)) as database:
            found = database.execute(query).fetchall()
            database.commit()
            return found

    def until(self, condition: Callable[[], bool], what: str, seconds: float = 120) -> None:
        """Wait for something; if it does not come, its log tells."""
        deadline = time.monotonic() + seconds
        while not condition():
            assert time.monotonic() < deadline, f"not in time: {what}\n{self.log[-5000:]}"
            time.sleep(0.25)

    @property
    def log(self) -> str:
        """What its components printed."""
        return (self.home / "components.log").read_text(errors="replace")

    @property
    def logs(self) -> str:
        """What it logged anywhere."""
        files = self.home.glob("logs/**/*.log")
        return "\n".join([self.log, *(path.read_text(errors="replace") for path in files)])


@contextlib.contextmanager
def whole_airflow(installed: Installed, home: Path, dags: str, **settings: str) -> Iterator[WholeAirflow]:
    """Start one in a folder, and end all of it.

    :param installed: which.
    :param home: an empty folder.
    :param dags: source of its DAGs.
    :param settings: more environment variables.
    """
    (home / "dags").mkdir()
    (home / "dags" / "dags.py").write_text(dags, encoding="utf-8")
    port, *log_ports = free_ports(3)
    variables = {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__EXECUTION_API_SERVER_URL": f"http://localhost:{port}/execution/",
        "AIRFLOW__CORE__PARALLELISM": "2",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__WORKERS": "1",
        # It has just begun, on a busy machine.
        "AIRFLOW__WORKERS__EXECUTION_API_TIMEOUT": "60",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
        **settings,
    }
    running = WholeAirflow(installed, home, variables)
    running.run("airflow", "db", "migrate")
    components = ["scheduler", "triggerer"]
    if installed.version != "2.11":
        components += ["api-server", "dag-processor"]
    script = " & ".join(f'"{installed.python.parent}/airflow" {component}' for component in components)
    with (home / "components.log").open("wb") as log:
        process = subprocess.Popen(
            ["sh", "-c", f"{script} & wait"],
            env=installed.environment(variables),
            cwd=home,
            stdin=subprocess.DEVNULL,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield running
    finally:
        stop_group(process)
