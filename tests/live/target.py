"""The server that the flows run against: the stand-in, or a real one given by PROCESSMAKER_LIVE_CONN."""

from __future__ import annotations

import contextlib
import json
import secrets
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl, unquote, urlsplit

from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient
from airflow_provider_processmaker.connection import parse
from tests.live.leftovers import Leftovers, new_name

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def __post_init__(self) -> None:
        self.leftovers = Leftovers(lambda: self.admin)

    @property
    def has_login(self) -> bool:
        """Whether the connection logs in; otherwise it has a personal access token, and there is no password."""
        return not self.settings.access_token

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

    def as_user(self, user: dict[str, Any], password: str) -> ProcessMakerClient:
        """A client of a plain user; by a token of his own where the connection knows no OAuth client."""
        if self.has_login:
            return self.client(username=user["username"], password=password)  # type: ignore[no-any-return]
        return self.with_token(self.create_token(user["id"])[1])

    def create_token(self, user_id: int) -> tuple[str, str]:
        """A personal access token: its endpoint and its text."""
        one = self.leftovers.expect("user_tokens", new_name(), user_id=user_id)
        made = self.admin.post(one.endpoint, {"name": one.name})
        one.id = made["token"]["id"]
        return f"{one.endpoint}/{one.id}", made["accessToken"]

    def create_group(self) -> dict[str, Any]:
        return self.leftovers.create(
            "groups", {"name": new_name(), "description": "made by a test", "status": "ACTIVE"}
        )

    def create_user(self) -> tuple[dict[str, Any], str]:
        """A plain user and his password."""
        name, password = new_name(), f"Live-{secrets.token_hex(8)}-pass1!"
        body = {
            "username": name,
            "password": password,
            "firstname": "Live",
            "lastname": "Test",
            "email": f"{name}@example.com",
            "status": "ACTIVE",
        }
        return self.leftovers.create("users", body), password

    def create_process(self) -> dict[str, Any]:
        """A process with one task, which the administrator may start."""
        body = {
            "name": new_name(),
            "description": "made by a test",
            "status": "ACTIVE",
            "process_category_id": self._category(),
            "bpmn": DIAGRAM.read_text(encoding="utf-8"),
        }
        return self.leftovers.create("processes", body)

    def _category(self) -> int:
        """A category that shows what is in it; the server's own if it has one."""
        for category in self.admin.iter_records("process_categories"):
            if category["status"] == "ACTIVE":
                return int(category["id"])
        made = self.leftovers.create("process_categories", {"name": new_name(), "status": "ACTIVE"})
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

    def close(self) -> None:
        for client in self.clients:
            client.close()


@contextlib.contextmanager
def counted(target: Target, resource: str) -> Iterator[list[int]]:
    """How many records a list may have had inside: as many as before, as afterwards, or between the two.

    Others may work on the server meanwhile.
    """
    numbers: list[int] = []
    before = target.admin.count(resource)
    yield numbers
    after = target.admin.count(resource)
    numbers += range(min(before, after), max(before, after) + 1)
