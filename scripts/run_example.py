"""Run an example DAG in a real Airflow, in a home of its own that is gone afterwards.

``uv run scripts/run_example.py example_dags/processmaker_list_users.py``

Without ``AIRFLOW_CONN_PROCESSMAKER_DEFAULT`` in the environment it starts the bundled stand-in server and uses that.
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import io
import logging
import os
import shutil
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterator

CONNECTION = "AIRFLOW_CONN_PROCESSMAKER_DEFAULT"
SHOWN = 10


class TokenCalls(logging.Handler):
    """Counts what the client logs about its logins."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record that tells of a grant."""
        self.count += hasattr(record, "processmaker_grant")


class Failures:
    """An Airflow listener that keeps the reason of each failed task."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    @pluggy.HookimplMarker("airflow")
    def on_task_instance_failed(self, error: str | BaseException | None) -> None:
        """Keep the reason."""
        self.reasons.append(str(error))


def main() -> int:
    """Run the DAG and say how it went; 0 only if the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dag_file", type=Path)
    parser.add_argument("--users", type=int, default=520, help="users of the stand-in server (default: 520)")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="airflow-") as home, server(options.users) as where:
        prepare_airflow(Path(home), options.dag_file)
        try:
            return run(options.dag_file, where)
        except Exception as error:  # noqa: BLE001  # whatever it is, its reason is the last line
            print(f"Failed: {type(error).__name__}: {error}", flush=True)
            return 1


@contextlib.contextmanager
def server(users: int) -> Iterator[str]:
    """The server of the connection in the environment, or else a stand-in that lives as long as we do."""
    if os.environ.get(CONNECTION):
        yield f"the server of {CONNECTION}"
        return
    from airflow_provider_processmaker.testing import ProcessMakerServer

    with ProcessMakerServer(users=users) as standin:
        os.environ[CONNECTION] = standin.conn_uri
        yield f"a stand-in server at {standin.url}"


def prepare_airflow(home: Path, dag_file: Path) -> None:
    """Set Airflow up in an empty folder, quietly; must come before it is imported."""
    # dag.test() reads the whole folder: give it one with this file alone.
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(dag_file, dags)
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }
    print("Preparing Airflow ...", flush=True)
    from airflow.utils.db import initdb

    logging.disable(logging.WARNING)
    with contextlib.redirect_stdout(io.StringIO()):
        initdb()
    logging.disable(logging.NOTSET)


def run(dag_file: Path, where: str) -> int:
    """Run the DAG once and print what came of it."""
    from airflow import __version__ as airflow_version
    from airflow.providers.common.compat.sdk import get_listener_manager

    dag = load_dag(dag_file)
    tokens, failures = TokenCalls(), Failures()
    client_log = logging.getLogger("airflow_provider_processmaker")
    client_log.addHandler(tokens)
    client_log.setLevel(logging.INFO)
    get_listener_manager().add_listener(failures)
    print(f"Running {dag.dag_id} in Airflow {airflow_version} against {where} ...", flush=True)
    started = time.monotonic()
    dag_run = dag.test()
    took = time.monotonic() - started
    states = {ti.task_id: str(ti.state) for ti in dag_run.get_task_instances()}
    show(dag_run, took, tokens.count, states)
    if str(dag_run.state) == "success":
        return 0
    failed = ", ".join(task for task, state in states.items() if state == "failed")
    print(f"Failed: {failed}: {failures.reasons[-1] if failures.reasons else 'see the log above'}", flush=True)
    return 1


def load_dag(dag_file: Path) -> Any:
    """The DAG of a file."""
    spec = importlib.util.spec_from_file_location(dag_file.stem, dag_file)
    if spec is None or spec.loader is None:
        raise SystemExit(f"{dag_file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[dag_file.stem] = module
    spec.loader.exec_module(module)
    return module.dag


def show(dag_run: Any, took: float, token_calls: int, states: dict[str, str]) -> None:
    """The result for a person: some of the records, and what it took."""
    from rich.console import Console
    from rich.table import Table

    console = Console(width=None if sys.stdout.isatty() else 110)
    records = listed(dag_run)
    if records:
        table = Table(title=f"{min(SHOWN, len(records))} of {len(records)} records")
        for name in records[0]:
            table.add_column(name)
        for record in records[:SHOWN]:
            table.add_row(*(str(value) for value in record.values()))
        console.print(table)
    summary = Table(show_header=False, box=None)
    summary.add_row("Records", str(len(records)))
    summary.add_row("Seconds", f"{took:.1f}")
    summary.add_row("Token calls", str(token_calls))
    for task, state in states.items():
        summary.add_row(f"Task {task}", state)
    summary.add_row("DAG run", str(dag_run.state))
    console.print(summary)


def listed(dag_run: Any) -> list[dict[str, Any]]:
    """The first result of a task that is a list of records."""
    for ti in dag_run.get_task_instances():
        value = ti.xcom_pull(task_ids=ti.task_id)
        if isinstance(value, list) and value and isinstance(value[0], dict):
            return value
    return []


if __name__ == "__main__":
    sys.exit(main())
