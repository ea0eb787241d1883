"""A real Airflow whose components are processes of ours, and its REST API."""

from __future__ import annotations

import os
import secrets
import socket
import textwrap
import time
from base64 import urlsafe_b64encode
from datetime import datetime
from typing import TYPE_CHECKING, Any, Self

import requests

from tests.faults.components import COMPONENTS, SETTINGS, Components
from tests.faults.runs import Dag
from tests.faults.stand_in import ROOT
from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path
    from types import TracebackType

_PREAMBLE = """\
import datetime as dt
from pathlib import Path

from airflow.sdk import DAG, task
"""
_DAG = """
START = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)

with DAG(dag_id=Path(__file__).stem, schedule=None, start_date=START{arguments}) as dag:
"""


class Airflow(Components):
    """An Airflow of a test; a context manager.

    :param home: its ``AIRFLOW_HOME``, which it makes.
    :param database: the address of an empty database.
    :param environment: more variables, such as ``AIRFLOW_CONN_…``.
    """

    def __init__(self, home: Path, database: str, environment: Mapping[str, str]) -> None:
        with socket.create_server(("127.0.0.1", 0)) as free:
            port = free.getsockname()[1]
        url = f"http://localhost:{port}"
        self.dags = home / "dags"
        self.modules = home / "modules"
        self._headers: dict[str, str] = {}
        self._written: list[Dag] = []
        variables = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW_")} | {
            "AIRFLOW_HOME": str(home),
            # Modules of a test go first, so that they may stand in for others.
            "PYTHONPATH": os.pathsep.join([str(self.modules), str(ROOT)]),
            "AIRFLOW__CORE__DAGS_FOLDER": str(self.dags),
            "AIRFLOW__CORE__FERNET_KEY": urlsafe_b64encode(secrets.token_bytes(32)).decode(),
            "AIRFLOW__DATABASE__SQL_ALCHEMY_CONN": database,
            "AIRFLOW__API__HOST": "127.0.0.1",
            "AIRFLOW__API__PORT": f"{port}",
            "AIRFLOW__API__BASE_URL": url,
            "AIRFLOW__API__SECRET_KEY": secrets.token_hex(16),
            "AIRFLOW__API_AUTH__JWT_SECRET": secrets.token_hex(32),
            **{f"AIRFLOW__{name}": value for name, value in SETTINGS.items()},
            **environment,
        }
        super().__init__(home, url, variables)

    def __enter__(self) -> Self:
        for folder in (self.home, self.dags, self.modules):
            folder.mkdir(mode=0o700)
        try:
            self.command("db", "migrate")
            for name in COMPONENTS:
                self.start(name, wait=False)
            self.wait_healthy()
        except BaseException:
            self.end()
            raise
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.end()

    def recover(self) -> None:
        """Let all run as at the start, whatever a test did: no run is left active, no DAG file and no module."""
        self.heal()
        for dag in self._written:
            dag.end()
        self._written.clear()
        for path in self.modules.glob("*.py"):
            path.unlink()

    def call(self, method: str, path: str, body: Any = None, *, patience: float = 20, **query: Any) -> Any:
        """Call its REST API; the answer, ``None`` if that is empty.

        :param method: the method.
        :param path: what follows ``/api/v2/``.
        :param body: is sent as JSON.
        :param patience: how many seconds to try again where the server is away or fails.
        :param query: of the address.
        """
        deadline = time.monotonic() + patience
        while True:
            last = time.monotonic() > deadline
            try:
                answer = self._request(method, path, body, query)
            except requests.ConnectionError:
                if last:
                    raise
            else:
                if answer.status_code < 500 or last:
                    break
            time.sleep(0.5)
        if not answer.ok:
            raise requests.HTTPError(f"{method} {path}: {answer.status_code} {answer.text[:500]}", response=answer)
        return answer.json() if answer.content else None

    def _request(self, method: str, path: str, body: Any, query: dict[str, Any]) -> requests.Response:
        if not self._headers:
            token = requests.get(f"{self.url}/auth/token", timeout=20).json()["access_token"]
            self._headers = {"Authorization": f"Bearer {token}", "Accept": "application/json"}
        url = f"{self.url}/api/v2/{path}"
        return requests.request(method, url, json=body, params=query, headers=self._headers, timeout=60)

    # -- DAGs --------------------------------------------------------------------------------------------------------

    def write_module(self, name: str, source: str) -> None:
        """Write a module that DAGs and components can import; who runs already keeps what he has imported."""
        (self.modules / f"{name}.py").write_text(textwrap.dedent(source), encoding="utf-8")

    def dag(self, dag_id: str, tasks: str, *, preamble: str = "", arguments: str = "", seconds: float = 60) -> Dag:
        """Write a DAG and wait until Airflow has read it; if it is there already, its new version. It is not paused.

        :param dag_id: its id; the file has its name.
        :param tasks: the body of ``with DAG(...) as dag:``; ``dt``, ``Path``, ``DAG`` and ``task`` are imported.
        :param preamble: what stands before that, such as more imports.
        :param arguments: of the DAG, such as ``max_active_runs=1``.
        :param seconds: how long to wait.
        """
        head = _PREAMBLE + textwrap.dedent(preamble) + _DAG.format(arguments=f", {arguments}" if arguments else "")
        path = self.dags / f"{dag_id}.py"
        new = path.with_suffix(".new")
        new.write_text(head + textwrap.indent(textwrap.dedent(tasks), "    "), encoding="utf-8")
        written = time.time()
        new.replace(path)  # or half of it may be read
        wait_for(lambda: self._has_read(dag_id, written), seconds, lambda: f"{dag_id} read. {self._errors(dag_id)}")
        self.call("PATCH", f"dags/{dag_id}", {"is_paused": False})
        dag = Dag(self, dag_id)
        if dag not in self._written:
            self._written.append(dag)
        return dag

    def _has_read(self, dag_id: str, written: float) -> bool:
        try:
            dag = self.call("GET", f"dags/{dag_id}")
        except requests.HTTPError:
            errors = self._errors(dag_id)
            assert not errors, errors
            return False
        # It may have been opened before it was replaced; reading takes less than a second.
        return not dag["is_stale"] and datetime.fromisoformat(dag["last_parsed_time"]).timestamp() > written + 1

    def _errors(self, dag_id: str) -> str:
        errors = self.call("GET", "importErrors")["import_errors"]
        return "\n".join(each["stack_trace"] for each in errors if each["filename"].endswith(f"{dag_id}.py"))

    def all_text(self) -> dict[str, str]:
        """Every file in its home, logs above all, by name."""
        files = (path for path in self.home.rglob("*") if path.is_file())
        return {str(path.relative_to(self.home)): path.read_text(errors="replace") for path in files}
