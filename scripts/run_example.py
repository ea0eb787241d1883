"""Run an example DAG in a real Airflow, in a home of its own that is gone afterwards.

``uv run scripts/run_example.py example_dags/processmaker_list_users.py``

Without ``AIRFLOW_CONN_PROCESSMAKER_DEFAULT`` in the environment it starts the bundled stand-in server and uses that.
With ``--processes`` the stand-in has the processes of the other examples, and people who do their tasks in a second:

``uv run scripts/run_example.py example_dags/processmaker_approval.py --processes``
``uv run scripts/run_example.py example_dags/processmaker_fan_out.py --processes``
``uv run scripts/run_example.py example_dags/processmaker_wait_for_request.py --processes --conf '{"request_id": 1}'``
"""

from __future__ import annotations

import argparse
import contextlib
import importlib.util
import json
import logging
import os
import shutil
import signal
import sys
import tempfile
import time
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

import pluggy

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_processmaker.testing import ProcessMakerServer

CONNECTION = "AIRFLOW_CONN_PROCESSMAKER_DEFAULT"
SHOWN = 10
#: Settings of the caller's environment that hold here too: the provider's own, and how much is logged.
KEPT = ("AIRFLOW__PROCESSMAKER__", "AIRFLOW__LOGGING__LOGGING_LEVEL", "AIRFLOW__LOGGING__NAMESPACE_LEVELS")
#: Airflow's own chatter is of no use here; what the provider and its tasks say is.
LOGGING = {
    "AIRFLOW__LOGGING__LOGGING_LEVEL": "WARNING",
    "AIRFLOW__LOGGING__NAMESPACE_LEVELS": "airflow_provider_processmaker=INFO airflow.task=INFO",
}


#: With ``--processes``: each process, its task, and what somebody fills in.
PROCESSES = {
    "Expense Approval": ("Approve expense", {"approved": True}),
    "Vendor Review": ("Review vendor", {"rating": "good"}),
}
#: Seconds that somebody takes for a task there, and between two looks at it.
SOON = 1.0

#: Not empty once somebody wanted an end.
interrupts: list[bool] = []


class TokenCalls(logging.Handler):
    """Counts the calls of the token endpoint, refused and repeated ones too: the client logs each attempt."""

    def __init__(self) -> None:
        super().__init__()
        self.count = 0

    def emit(self, record: logging.LogRecord) -> None:
        """Count a record that tells of an attempt."""
        self.count += hasattr(record, "processmaker_token_call")


class Failures:
    """An Airflow listener that keeps the reason of each failed task."""

    def __init__(self) -> None:
        self.reasons: list[str] = []

    @pluggy.HookimplMarker("airflow")
    def on_task_instance_failed(self, error: str | BaseException | None) -> None:
        """Keep the reason."""
        self.reasons.append(str(error))


class Failed(Exception):  # noqa: N818  # not an error of ours: what the run came to
    """The run did not succeed; its text is the last line that we print."""


def main() -> int:
    """Run the DAG and say how it went; 0 only if the run succeeded."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("dag_file", type=Path)
    parser.add_argument("--users", type=int, default=520, help="users of the stand-in server (default: 520)")
    parser.add_argument("--processes", action="store_true", help="the stand-in has the processes of the examples")
    parser.add_argument("--conf", type=json.loads, help="configuration of the run, as JSON: its params")
    options = parser.parse_args()
    signal.signal(signal.SIGTERM, interrupt)
    signal.signal(signal.SIGINT, interrupt)
    try:
        folder = tempfile.TemporaryDirectory(prefix="airflow-", ignore_cleanup_errors=True)
        with folder as home, server(options.users, processes=options.processes) as where:
            prepare_airflow(Path(home), options.dag_file)
            run(options.dag_file, where, options.conf, soon=options.processes)
    except KeyboardInterrupt:
        return last_line("Interrupted.", 130)
    except Exception as error:  # noqa: BLE001  # whatever it is, its reason is the last line
        if interrupts:
            return last_line("Interrupted.", 130)
        name = "" if isinstance(error, Failed) else f"{type(error).__name__}: "
        return last_line(f"Failed: {name}{error}", 1)
    return 0


def interrupt(*_: object) -> None:
    """End so that everything is cleared away; remembered, since Airflow swallows it where it runs a task."""
    interrupts.append(True)
    raise KeyboardInterrupt


def last_line(text: str, code: int) -> int:
    """Print one line after which nothing comes, whatever Airflow still wants to log at the exit."""
    logging.disable(logging.CRITICAL)
    sys.stderr.flush()
    print(" ".join(text.split()), flush=True)
    return code


@contextlib.contextmanager
def server(users: int, *, processes: bool) -> Iterator[str]:
    """The server of the connection in the environment, or else a stand-in that lives as long as we do."""
    if given := os.environ.get(CONNECTION):
        if processes:
            raise Failed(f"--processes is for the stand-in server, and {CONNECTION} names another one")
        check_readable(given)
        yield f"the server of {CONNECTION}"
        return
    from airflow_provider_processmaker.testing import ProcessMakerServer

    with ProcessMakerServer(users=users) as standin:
        os.environ[CONNECTION] = standin.conn_uri
        if processes:
            add_processes(standin)
        yield f"a stand-in server at {standin.url}"


def add_processes(standin: ProcessMakerServer) -> None:
    """Processes whose tasks somebody does, and a request (1) that was started elsewhere."""
    for name, (task, answer) in PROCESSES.items():
        standin.add_process(name, [task])
        standin.on_task(task, answer, seconds=SOON)
    standin.start_request(next(iter(PROCESSES)), {"employee": "Ina Active", "amount": 80}, username="bob")


def check_readable(connection: str) -> None:
    """Airflow would only say that there is no such connection; and the details here could be a part of the password."""
    try:
        if connection.lstrip().startswith("{"):
            readable = isinstance(json.loads(connection), dict)
        else:
            parts = urlsplit(connection)
            readable = bool(parts.scheme and (parts.port is None or parts.port))
    except ValueError:
        readable = False
    if not readable:
        raise Failed(
            f"{CONNECTION} is neither a JSON object nor a URI. "
            "In a URI, user name, password and values must be percent-encoded: / is %2F, @ is %40."
        )


def prepare_airflow(home: Path, dag_file: Path) -> None:
    """Set Airflow up in an empty folder, quietly; must come before it is imported."""
    if not dag_file.is_file():
        raise Failed(f"there is no file {dag_file}")
    # dag.test() reads the whole folder: give it one with this file alone.
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(dag_file, dags)
    for name in list(os.environ):
        # What the caller set for an Airflow of his own (its database!) is not for this one.
        if name == "AIRFLOW_CONFIG" or (name.startswith("AIRFLOW__") and not name.startswith(KEPT)):
            del os.environ[name]
    if not any(name in os.environ for name in LOGGING):
        os.environ |= LOGGING
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
        "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
        "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": f"sqlite:///{home / 'airflow.db'}",
        "AIRFLOW__LOGGING__BASE_LOG_FOLDER": str(home / "logs"),
    }
    print("Preparing Airflow ...", flush=True)
    # Its import and its first database tell much that is of no use here.
    logging.disable(logging.WARNING)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from airflow.utils.db import initdb

        initdb()
    logging.disable(logging.NOTSET)


def run(dag_file: Path, where: str, conf: dict[str, Any] | None, *, soon: bool) -> None:
    """Run the DAG once and print what came of it.

    :param soon: look at what is waited for each second, whatever the DAG says.
    :raises Failed: if it did not succeed.
    """
    from airflow import __version__ as airflow_version
    from airflow.providers.common.compat.sdk import get_listener_manager

    dag = load_dag(dag_file)
    if soon:
        look_soon(dag)
    tokens, failures = TokenCalls(), Failures()
    client_log = logging.getLogger("airflow_provider_processmaker")
    client_log.addHandler(tokens)
    client_log.setLevel(min(logging.INFO, client_log.getEffectiveLevel()))  # or nothing is logged that can be counted
    hide_what_is_to_be_masked()
    get_listener_manager().add_listener(failures)
    print(f"Running {dag.dag_id} in Airflow {airflow_version} against {where} ...", flush=True)
    started = time.monotonic()
    dag_run = dag.test(run_conf=conf)
    if interrupts:
        raise KeyboardInterrupt
    took = time.monotonic() - started
    states = states_of(dag_run)
    show(dag_run, took, tokens.count, states)
    if str(dag_run.state) != "success":
        failed = ", ".join(dict.fromkeys(ti.task_id for ti in dag_run.get_task_instances() if ti.state == "failed"))
        reason = failures.reasons[-1] if failures.reasons else "see the log above"
        raise Failed(f"{failed or dag_run.state}: {reason}")


def hide_what_is_to_be_masked() -> None:
    """Keep one secret out of the log at debug level that Airflow puts there itself.

    In ``dag.test()`` alone its supervisor logs each request of a task, also the one to mask a value, with the value.
    Elsewhere Airflow leaves it out of its log, as we do here; all other lines stay as they are.
    """
    if "structlog" not in sys.modules:  # Airflow 2, whose tasks have no supervisor
        return
    import structlog

    def without_value(_: Any, __: str, event: Any) -> Any:
        told = event.get("msg")
        return {**event, "msg": type(told)} if type(told).__name__ == "MaskSecret" else event

    structlog.configure(processors=[without_value, *structlog.get_config()["processors"]])


def load_dag(dag_file: Path) -> Any:
    """The DAG of a file."""
    spec = importlib.util.spec_from_file_location(dag_file.stem, dag_file)
    if spec is None or spec.loader is None:
        raise Failed(f"{dag_file} is no Python file")
    module = importlib.util.module_from_spec(spec)
    sys.modules[dag_file.stem] = module
    spec.loader.exec_module(module)
    return module.dag


def look_soon(dag: Any) -> None:
    """Shorten what the tasks wait between two looks."""
    for task in dag.tasks:
        arguments = getattr(task, "partial_kwargs", None) or vars(task)
        for name in ("poll_interval", "poke_interval"):
            if name in arguments:
                arguments[name] = SOON


def states_of(dag_run: Any) -> dict[str, str]:
    """The state of each task; of a mapped one how many of its instances have which."""
    states: dict[str, Counter[str]] = {}
    mapped: set[str] = set()
    for ti in dag_run.get_task_instances():
        states.setdefault(ti.task_id, Counter())[str(ti.state)] += 1
        if ti.map_index >= 0:
            mapped.add(ti.task_id)
    return {
        task: ", ".join(f"{number} {state}" if task in mapped else state for state, number in counted.items())
        for task, counted in states.items()
    }


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
