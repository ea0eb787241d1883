"""Who finds whose token: by what is the same in their connections, and by their clocks."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import FileStore, MemoryStore
from airflow_provider_processmaker.client.retrying import Attempts
from airflow_provider_processmaker.client.token_store import Login
from tests.tokens.inside import Process, Server

if TYPE_CHECKING:
    from pathlib import Path


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "https://pm.example.com/workflow"},
        {"base_url": "https://pm.example.com/api/1.0"},
        {"base_url": "https://pm.example.com:443"},
        {"read_timeout": 20},
        {"connect_timeout": 1},
        {"max_retries": 0},
        {"page_size": 7},
        {"verify_tls": False},
        {"headers": {"X-Gateway-Key": "1234567"}},
    ],
    ids=str,
)
def test_what_does_not_matter(tmp_path: Path, changes: dict[str, Any]) -> None:
    server = Server()
    Process(server, FileStore(tmp_path)).call()
    Process(server, FileStore(tmp_path), **changes).call()
    assert server.outcomes() == ["200"]


@pytest.mark.parametrize(
    "changes",
    [
        {"base_url": "https://other.example.com"},
        {"base_url": "https://pm.example.com:8443"},
        {"base_url": "http://pm.example.com", "allow_http": True},
        {"client_id": "1"},
        {"client_secret": "another secret of the client"},
        {"username": "bob"},
        {"password": "another"},
    ],
    ids=str,
)
def test_what_makes_another_login(tmp_path: Path, changes: dict[str, Any]) -> None:
    server = Server()
    Process(server, FileStore(tmp_path)).call()
    other = Process(server, FileStore(tmp_path), **changes)
    assert other.tokens.latest() is None
    with pytest.raises(KeyError):
        _ = {path.stem: path for path in tmp_path.glob("*/*")}[other.tokens._login.name]


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_between_two_calls(tmp_path: Path, hours: int) -> None:
    """There and back again, with tokens of half an hour."""
    server = Server(access_token_seconds=1800)
    offset = 0.0

    def call() -> list[str]:
        Process(server, FileStore(tmp_path), clock=lambda: server.clock.now() + offset).call()
        return server.outcomes()

    assert call() == ["200"]
    offset = hours * 3600.0
    # An hour ahead the token looks old and is renewed; an hour behind it looks young, and it is.
    assert call() == (["200"] if hours > 0 else [])
    assert call() == []
    offset = 0.0
    assert call() == []
    # What was renewed by a clock that was ahead seems to live longer than it does: the server tells.
    server.clock.advance(1801)
    server.used.clear()
    assert call() == ["200"]
    assert [status for _, status in server.used] == ([401, 401, 200] if hours > 0 else [200])
    assert call() == []
    assert len(server.alive()) == 1


def test_more_logins_than_a_store_remembers_do_not_lose_a_lock_that_is_held() -> None:
    store = MemoryStore(size=2)
    first = Login("first", b"k", "first")
    with store.lock(first):
        held = store._locks["first"]
        for number in range(10):
            with store.lock(Login(str(number), b"k", str(number))):
                pass
        assert store._locks["first"] is held
        assert len(store._locks) == 1, "the others are not kept"
    del held
    assert len(store._locks) == 0


@pytest.mark.parametrize("asked", [3, 20, 60])
def test_waits_are_spread(asked: int) -> None:
    """A hundred pods that were told the same do not come back in the same moment."""
    pauses = [Attempts(3).pause(asked) for _ in range(100)]
    assert all(pause is not None and asked <= pause <= 1.1 * asked for pause in pauses)
    assert len(set(pauses)) > 90
    assert max(pauses, key=float) - min(pauses, key=float) > 0.05 * asked  # type: ignore[arg-type, operator]


def test_three_windows_are_waited_for_and_no_more() -> None:
    attempts = Attempts(3)
    assert [attempts.pause(60) is not None for _ in range(4)] == [True, True, True, False]
    assert Attempts(3).pause(61) is None
