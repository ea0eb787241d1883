"""The server that the flows run against: the stand-in, or a real one given by PROCESSMAKER_LIVE_CONN."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_provider_processmaker.client import CallRefusedError, MemoryStore, NotFoundError, ProcessMakerClient
from airflow_provider_processmaker.connection import parse

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import Settings

VARIABLE = "PROCESSMAKER_LIVE_CONN"
#: Start, a task for whoever starts it, end: written as ProcessMaker's modeler does.
DIAGRAM = Path(__file__).with_name("process.bpmn")


def settings_of(connection: str) -> Settings:
    """Settings from an Airflow connection as URI or JSON, without Airflow."""
    if connection.lstrip().startswith("{"):
        stored = json.loads(connection)
        extra = stored.get("extra") or {}
        parts = {name: stored.get(name) for name in ("host", "login", "password", "port", "schema")}
        return parse(**parts, extra=json.loads(extra) if isinstance(extra, str) else extra)
    uri = urlsplit(connection)
    login, _, host = uri.netloc.rpartition("@")
    host, colon, port = host.rpartition(":") if not host.endswith("]") else (host, "", "")
    username, _, password = login.partition(":")
    query = dict(parse_qsl(uri.query))
    extra = json.loads(query.pop("__extra__", "{}"))
    return parse(
        host=unquote(host if colon else port),
        login=unquote(username),
        password=unquote(password),
        port=int(port) if colon else None,
        schema=unquote(uri.path.strip("/")),
        extra={**query, **extra},
    )


@dataclass
class Target:
    """A server, the settings of an administrator there, and what has to be deleted again."""

    settings: Settings
    store: MemoryStore = field(default_factory=MemoryStore)
    clients: list[ProcessMakerClient] = field(default_factory=list)
    leftovers: list[str] = field(default_factory=list)
    processes: list[int] = field(default_factory=list)

    @property
    def admin(self) -> ProcessMakerClient:
        """The administrator; all flows share one login, since a server allows sixty token calls a minute."""
        return self.client(store=self.store)

    def client(
        self, *, store: MemoryStore | None = None, clock: Callable[[], float] | None = None, **changes: Any
    ) -> Any:
        """A client with a login of its own unless it shares a store."""
        options = {} if clock is None else {"clock": clock}
        made = ProcessMakerClient(
            replace(self.settings, **changes), token_store=MemoryStore() if store is None else store, **options
        )
        self.clients.append(made)
        return made

    def with_token(self, access_token: str) -> ProcessMakerClient:
        """A client that uses this token and nothing else."""
        nothing = dict.fromkeys(("username", "password", "client_id", "client_secret"))
        return self.client(access_token=access_token, **nothing)  # type: ignore[no-any-return]

    @property
    def token_calls(self) -> int:
        return sum(client.token_calls for client in self.clients)

    def create_group(self) -> dict[str, Any]:
        name = f"airflow-live-{secrets.token_hex(6)}"
        group = self.admin.post("groups", {"name": name, "description": "made by a test", "status": "ACTIVE"})
        self.leftovers.append(f"groups/{group['id']}")
        return dict(group)

    def create_user(self) -> tuple[dict[str, Any], str]:
        """A plain user and his password."""
        name, password = f"airflow-live-{secrets.token_hex(6)}", f"Live-{secrets.token_hex(8)}-pass1!"
        user = self.admin.post(
            "users",
            {
                "username": name,
                "password": password,
                "firstname": "Live",
                "lastname": "Test",
                "email": f"{name}@example.com",
                "status": "ACTIVE",
            },
        )
        self.leftovers.append(f"users/{user['id']}")
        return dict(user), password

    def create_process(self) -> dict[str, Any]:
        """A process with one task, which the administrator may start."""
        name = f"airflow-live-{secrets.token_hex(6)}"
        body = {
            "name": name,
            "description": "made by a test",
            "status": "ACTIVE",
            "process_category_id": self._category(),
            "bpmn": DIAGRAM.read_text(encoding="utf-8"),
        }
        process = self.admin.post("processes", body)
        self.processes.append(process["id"])
        return dict(process)

    def _category(self) -> int:
        """A category that shows what is in it; the server's own if it has one."""
        for category in self.admin.iter_records("process_categories"):
            if category["status"] == "ACTIVE":
                return int(category["id"])
        made = self.admin.post("process_categories", {"name": "airflow-live", "status": "ACTIVE"})
        self.leftovers.append(f"process_categories/{made['id']}")
        return int(made["id"])

    def task_of(self, request_id: int) -> dict[str, Any]:
        """The one task that a request waits for."""
        (task,) = self.admin.iter_records("tasks", process_request_id=request_id, status="ACTIVE")
        return task

    def complete(self, request_id: int, data: dict[str, Any]) -> None:
        """Do the task of a request, as a person does with its form."""
        task = self.task_of(request_id)
        done = self.admin.put(f"tasks/{task['id']}", {"status": "COMPLETED", "data": data})
        assert done["status"] == "CLOSED"

    def clean_up(self) -> None:
        """Delete what a flow made and did not delete, also after a failure; the last first.

        A process cannot be deleted, only archived.
        """
        while self.processes:
            process_id = self.processes.pop()
            for request in list(self.admin.iter_records("requests", pmql=f"process_id = {process_id}")):
                with contextlib.suppress(NotFoundError):
                    self.admin.delete(f"requests/{request['id']}", idempotent=True)
            self.admin.delete(f"processes/{process_id}", idempotent=True)
        while self.leftovers:
            # A category that still has an archived process cannot be deleted.
            with contextlib.suppress(NotFoundError, CallRefusedError):
                self.admin.delete(self.leftovers.pop(), idempotent=True)

    def close(self) -> None:
        for client in self.clients:
            client.close()
