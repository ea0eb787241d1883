"""A real triggerer for a test, with tasks in its database that wait."""

from __future__ import annotations

import contextlib
import json
import os
import sqlite3
import subprocess
import sys
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.standalone import stop_group

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

__all__ = ["Triggerer", "triggerer"]

ROOT = Path(__file__).parents[1]


@dataclass
class Triggerer:
    """A triggerer that runs.

    :param home: its ``AIRFLOW_HOME``.
    """

    home: Path
    _process: subprocess.Popen[bytes]

    def check(self) -> None:
        """Fail if it has ended."""
        assert self._process.poll() is None, self.log()[-3000:]

    def log(self) -> str:
        """What it says itself."""
        return (self.home / "triggerer.log").read_text(errors="replace")

    def logs(self) -> dict[int, str]:
        """What the triggers say, each in a log of its own, by their numbers."""
        paths = self.home.glob("logs/**/map_index=*/*.log*")
        return {int(path.parent.name.partition("=")[2]): path.read_text(errors="replace") for path in paths}

    def states(self) -> dict[int, str]:
        """The states of the tasks, by their numbers."""
        with contextlib.closing(sqlite3.connect(self.home / "airflow.db", timeout=60)) as database:
            return dict(database.execute("SELECT map_index, state FROM task_instance").fetchall())


@contextlib.contextmanager
def triggerer(
    home: Path, conn_uri: str, triggers: Sequence[tuple[str, dict[str, Any]]], **environment: str
) -> Iterator[Triggerer]:
    """Start a triggerer in a folder, and end it.

    :param home: an empty folder.
    :param conn_uri: its default connection.
    :param triggers: path of the class and arguments of each.
    :param environment: more variables.
    """
    (home / "dags").mkdir()
    (home / "triggers.json").write_text(json.dumps(triggers), encoding="utf-8")
    variables = os.environ | {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__TRIGGERER__CAPACITY": str(len(triggers) + 100),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": "0",
        "AIRFLOW_CONN_PROCESSMAKER_DEFAULT": conn_uri,
        "PYTHONPATH": str(ROOT),
        **environment,
    }
    with (home / "triggerer.log").open("wb") as log:
        fill = [sys.executable, "-m", "tests.tokens.fill_triggers", str(home / "triggers.json")]
        subprocess.run(fill, env=variables, cwd=ROOT, check=True, stdout=log, stderr=log)
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "triggerer", "--skip-serve-logs"],
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        yield Triggerer(home, process)
    finally:
        stop_group(process)
