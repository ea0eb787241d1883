from __future__ import annotations

import contextlib
import os
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient, Settings
from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.client.certificates import Authority

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

SECRET = "Client-secret/äöü+%7E-0123456789"
PASSWORD = "admin123"


@pytest.fixture(autouse=True)
def _no_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A developer's own proxy or CA bundle must not decide about a test."""
    for name in list(os.environ):
        if name.lower().endswith("_proxy") or name in {"REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"}:
            monkeypatch.delenv(name)


@pytest.fixture
def server() -> Iterator[ProcessMakerServer]:
    """A small stand-in, fresh for each test."""
    with ProcessMakerServer(users=20, client_secret=SECRET) as started:
        yield started


class Clock:
    """The client's own clock, which may be wrong."""

    def __init__(self) -> None:
        self.offset = 0.0

    def __call__(self) -> float:
        return time.time() + self.offset


def settings_for(server: Any, **changes: Any) -> Settings:
    """Settings for the stand-in as its administrator, with short time-outs; None leaves a value out."""
    values: dict[str, Any] = {
        "base_url": getattr(server, "url", None),
        "username": "admin",
        "password": PASSWORD,
        "client_id": getattr(server, "client_id", "3"),
        "client_secret": getattr(server, "client_secret", SECRET),
        "connect_timeout": 1.0,
        "read_timeout": 1.0,
        "max_retries": 0,
        **changes,
    }
    if values.get("access_token"):
        for name in ("username", "password", "client_id", "client_secret"):
            values.pop(name, None)
    return Settings(**{name: value for name, value in values.items() if value is not None})


@pytest.fixture
def connect() -> Iterator[Callable[..., ProcessMakerClient]]:
    """Makes clients of a server; each has a store of its own unless one is given. All are closed at the end."""
    with contextlib.ExitStack() as stack:

        def make(
            server: Any, *, store: Any = None, clock: Any = time.time, on_token: Any = None, **changes: Any
        ) -> Any:
            client = ProcessMakerClient(
                settings_for(server, **changes),
                token_store=MemoryStore() if store is None else store,
                clock=clock,
                on_token=on_token,
            )
            return stack.enter_context(client)

        yield make


@pytest.fixture
def client(server: ProcessMakerServer, connect: Callable[..., ProcessMakerClient]) -> ProcessMakerClient:
    """A client of the stand-in as its administrator, without retries."""
    return connect(server)


@pytest.fixture
def patient(server: ProcessMakerServer, connect: Callable[..., ProcessMakerClient]) -> ProcessMakerClient:
    """The same for tests in which a slow machine must not look like a slow server."""
    return connect(server, connect_timeout=30.0, read_timeout=30.0)


@pytest.fixture
def process(server: ProcessMakerServer) -> int:
    """A process with one task, so that its requests stay ACTIVE."""
    return server.add_process("Approval", ["Approve"])


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"), "our-authority")


@pytest.fixture(scope="session")
def stranger(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    """An authority that nobody trusts."""
    return Authority(tmp_path_factory.mktemp("stranger"), "stranger")
