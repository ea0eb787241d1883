"""A whole Airflow for a test: scheduler with LocalExecutor, DAG processor, triggerer, API server."""

from __future__ import annotations

import contextlib
import os
import signal
import socket
import subprocess
import sys
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import requests

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

__all__ = ["Standalone", "free_ports", "standalone", "stop_group"]


@dataclass
class Standalone:
    """An Airflow that runs.

    :param url: of its API server.
    :param home: its ``AIRFLOW_HOME``; the DAG folder is ``dags`` in it.
    """

    url: str
    home: Path
    _headers: dict[str, str] = field(default_factory=dict, repr=False)

    def call(self, method: str, path: str, body: Any = None, **params: Any) -> Any:
        """Call its REST API; the database may be busy for a moment."""
        if not self._headers:
            token = requests.get(f"{self.url}/auth/token", timeout=20).json()["access_token"]
            self._headers["Authorization"] = f"Bearer {token}"
        for _ in range(20):
            answer = requests.request(
                method, f"{self.url}/api/v2/{path}", json=body, params=params, headers=self._headers, timeout=30
            )
            if answer.status_code < 500:
                break
            time.sleep(1)
        answer.raise_for_status()
        return answer.json()

    def begin(self, dag_id: str, seconds: float = 120) -> dict[str, Any]:
        """Start a run of a DAG, as soon as it is known; the run as the API tells of it."""
        deadline = time.monotonic() + seconds
        while True:
            try:
                self.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
                break
            except requests.HTTPError:  # not parsed yet
                assert time.monotonic() < deadline, f"{dag_id} was not found in time"
                time.sleep(1)
        return self.call("POST", f"dags/{dag_id}/dagRuns", {"logical_date": None})

    def run(self, dag_id: str, seconds: float = 240) -> dict[str, Any]:
        """Run a DAG to its end; the run as the API tells of it."""
        deadline = time.monotonic() + seconds
        run = self.begin(dag_id)
        while run["state"] not in {"success", "failed"}:
            assert time.monotonic() < deadline, f"{dag_id} did not end in time"
            time.sleep(1)
            run = self.call("GET", f"dags/{dag_id}/dagRuns/{run['dag_run_id']}")
        return run

    def tasks(self, run: dict[str, Any]) -> list[dict[str, Any]]:
        """The task instances of a run."""
        path = f"dags/{run['dag_id']}/dagRuns/{run['dag_run_id']}/taskInstances?limit=100"
        return self.call("GET", path)["task_instances"]

    def logs(self) -> str:
        """What its tasks logged, all in one."""
        return "\n".join(path.read_text(errors="replace") for path in self.home.glob("logs/**/*.log"))


@contextlib.contextmanager
def standalone(home: Path, **environment: str) -> Iterator[Standalone]:
    """Start Airflow in a folder, and end all of it.

    :param home: an empty folder.
    :param environment: more variables, such as ``AIRFLOW_CONN_…``.
    """
    (home / "dags").mkdir(exist_ok=True)
    port, *log_ports = free_ports(3)
    url = f"http://localhost:{port}"
    variables = os.environ | {
        "PATH": f"{os.path.dirname(sys.executable)}{os.pathsep}{os.environ['PATH']}",  # noqa: PTH120  # a link, as it is
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(home / "dags"),
        "AIRFLOW__CORE__PARALLELISM": "4",
        "AIRFLOW__CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
        "AIRFLOW__CORE__TEST_CONNECTION": "Enabled",
        "AIRFLOW__API__PORT": str(port),
        "AIRFLOW__API__BASE_URL": url,
        "AIRFLOW__API__WORKERS": "1",
        "AIRFLOW__LOGGING__WORKER_LOG_SERVER_PORT": str(log_ports[0]),
        "AIRFLOW__LOGGING__TRIGGER_LOG_SERVER_PORT": str(log_ports[1]),
        **environment,
    }
    with (home / "standalone.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "airflow", "standalone"],
            env=variables,
            stdout=log,
            stderr=log,
            start_new_session=True,
        )
    try:
        _wait_until_healthy(url, process, home)
        yield Standalone(url, home)
    finally:
        stop_group(process)  # its parent alone would leave the API server behind


def _wait_until_healthy(url: str, process: subprocess.Popen[bytes], home: Path) -> None:
    deadline = time.monotonic() + 180
    while True:
        assert process.poll() is None, (home / "standalone.log").read_text(errors="replace")[-3000:]
        with contextlib.suppress(requests.RequestException):
            if requests.get(f"{url}/api/v2/monitor/health", timeout=5).text.count('"healthy"') == 4:
                return
        assert time.monotonic() < deadline, "Airflow did not start in time"
        time.sleep(0.5)


def stop_group(process: subprocess.Popen[bytes]) -> None:
    """End a session's processes, all of them."""
    for number, seconds in ((signal.SIGTERM, 20), (signal.SIGKILL, 10)):
        with contextlib.suppress(ProcessLookupError):
            os.killpg(process.pid, number)
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            process.poll()  # or the parent stays in the group as a zombie
            try:
                os.killpg(process.pid, 0)
            except ProcessLookupError:
                return
            time.sleep(0.2)


def free_ports(number: int) -> list[int]:
    """Ports on which nobody listens now."""
    with contextlib.ExitStack() as stack:
        sockets = [stack.enter_context(socket.create_server(("127.0.0.1", 0))) for _ in range(number)]
        return [each.getsockname()[1] for each in sockets]
