"""What logins cost a hundred short tasks, and how long it takes to get a token that is there.

``uv run benchmarks/tokens.py``

Each task is a process of its own, forked from one that has everything imported, as Airflow's LocalExecutor does, so
many at a time; it makes a few calls of the API and ends. The ways, in one run, each against a fresh stand-in server:

- *ours*: the client with its file store, empty at first;
- *a login per task*: what a person writes with ``requests``;
- *a cache per hook*: a token kept on the hook object until shortly before its end, as Airflow's Databricks hook keeps
  its own. A task has one hook for its work and one for what comes after it, so that a cache on the object is asked for
  more than one token.

Once with ProcessMaker's limit of 60 token calls a minute, where nobody waits for the limit: a task that meets it has
failed. And once without, for the seconds. Quote counts and ratios.
"""

from __future__ import annotations

import argparse
import multiprocessing
import statistics
import tempfile
import time
from collections import deque
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import requests

from airflow_provider_processmaker.client import (
    FileStore,
    MemoryStore,
    ProcessMakerClient,
    ProcessMakerError,
    Settings,
    Token,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from multiprocessing.connection import Connection

SPAWN = multiprocessing.get_context("spawn")
FORK = multiprocessing.get_context("fork")
#: Calls of the API that a task makes, half of them by each of its hooks.
CALLS = 4


@dataclass(frozen=True)
class Server:
    """Where it is, and who logs in."""

    url: str
    client_id: str
    client_secret: str

    @property
    def form(self) -> dict[str, str]:
        """The form of a password grant."""
        return {
            "grant_type": "password", "client_id": self.client_id, "client_secret": self.client_secret,
            "username": "admin", "password": "admin123",
        }  # fmt: skip

    @property
    def settings(self) -> Settings:
        """The same for our client. No retries: a task that meets the limit is to be counted, not to wait."""
        return Settings(
            base_url=self.url, username="admin", password="admin123", client_id=self.client_id,
            client_secret=self.client_secret, max_retries=0,
        )  # fmt: skip


# -- the ways: each is one task ----------------------------------------------------------------------------------------


def ours(server: Server, folder: Path) -> None:
    """Two clients, as two hooks have them."""
    for _ in range(2):
        with ProcessMakerClient(server.settings, token_store=FileStore(folder)) as client:
            for _ in range(CALLS // 2):
                client.get("users/1")


def login_per_task(server: Server, folder: Path) -> None:
    """Log in, then work."""
    with requests.Session() as session:
        answer = session.post(f"{server.url}/oauth/token", data=server.form, timeout=30)
        answer.raise_for_status()
        session.headers["Authorization"] = f"Bearer {answer.json()['access_token']}"
        for _ in range(CALLS):
            session.get(f"{server.url}/api/1.0/users/1", timeout=30).raise_for_status()


class CachingHook:
    """Keeps its token on itself."""

    def __init__(self, server: Server) -> None:
        self._server = server
        self._tokens: dict[str, tuple[str, float]] = {}

    def get(self, endpoint: str) -> None:
        """Call the API."""
        url = f"{self._server.url}/oauth/token"
        token, ends = self._tokens.get(url, ("", 0.0))
        if ends < time.time() + 120:
            answer = requests.post(url, data=self._server.form, timeout=30)
            answer.raise_for_status()
            body = answer.json()
            token = body["access_token"]
            self._tokens[url] = token, time.time() + body["expires_in"]
        headers = {"Authorization": f"Bearer {token}"}
        requests.get(f"{self._server.url}/api/1.0/{endpoint}", headers=headers, timeout=30).raise_for_status()


def cache_per_hook(server: Server, folder: Path) -> None:
    """Two hooks, each with a cache of its own."""
    for _ in range(2):
        hook = CachingHook(server)
        for _ in range(CALLS // 2):
            hook.get("users/1")


WAYS: dict[str, Callable[[Server, Path], None]] = {
    "ours": ours,
    "a login per task": login_per_task,
    "a cache per hook": cache_per_hook,
}


# -- measuring ---------------------------------------------------------------------------------------------------------


def serve(pipe: Connection, throttle: int | None) -> None:
    """Answer until told to stop; whenever asked, tell how many token calls there were since."""
    from airflow_provider_processmaker.testing import ProcessMakerServer

    with ProcessMakerServer(users=10, throttle=throttle) as server:
        pipe.send(Server(server.url, server.client_id, server.client_secret))
        while pipe.recv():
            calls = server.token_calls
            server.reset_calls()
            pipe.send(calls)


def run(way: str, server: Server, folder: Path, tasks: int, at_once: int) -> tuple[float, int]:
    """Seconds for so many tasks, so many of them at a time, and how many of them failed."""
    running: deque[Any] = deque()
    failed = 0
    begun = time.perf_counter()
    for number in range(tasks + at_once):
        if len(running) == at_once or number >= tasks:
            if running:
                child = running.popleft()
                child.join()
                failed += child.exitcode != 0
            if number >= tasks:
                continue
        child = FORK.Process(target=quietly, args=(WAYS[way], server, folder))
        child.start()
        running.append(child)
    return time.perf_counter() - begun, failed


def quietly(task: Callable[[Server, Path], None], server: Server, folder: Path) -> None:
    """A task whose failure is its exit code."""
    try:
        task(server, folder)
    except (requests.RequestException, ProcessMakerError):
        raise SystemExit(1) from None


def compare(title: str, throttle: int | None, tasks: int, at_once: int) -> None:
    """Each way once, each against a fresh server, and print."""
    from rich.console import Console
    from rich.table import Table

    shown: Any = Table(title=title, title_justify="left")
    shown.add_column("way")
    for heading in ("seconds", "times ours", "token calls", "tasks failed"):
        shown.add_column(heading, justify="right")
    first = 0.0
    for way in WAYS:
        mine, there = SPAWN.Pipe()
        process = SPAWN.Process(target=serve, args=(there, throttle), daemon=True)
        process.start()
        server = mine.recv()
        with tempfile.TemporaryDirectory() as folder:
            seconds, failed = run(way, server, Path(folder), tasks, at_once)
        mine.send("tell")
        calls = mine.recv()
        mine.send(None)
        process.join()
        first = first or seconds
        shown.add_row(way, f"{seconds:.2f}", f"{seconds / first:.2f}", str(calls), f"{failed} of {tasks}")
    console: Any = Console(width=100)
    console.print(shown)


def warm(rounds: int) -> None:
    """Print how long it takes to get a token that is there."""
    from airflow_provider_processmaker.client.token_store import login_of
    from airflow_provider_processmaker.client.tokens import GrantTokens

    settings = Server("http://127.0.0.1:9", "3", "s" * 40).settings
    token = Token("header." + "a" * 900 + ".signature", "def502" + "b" * 700, time.time(), time.time() + 1e6)

    def never(*_: object) -> Token:
        raise SystemExit("a token was asked for though one was there")

    def current(store: MemoryStore | FileStore) -> float:
        tokens = GrantTokens(settings, store, password_grant=never, refresh_grant=never)
        begun = time.perf_counter()
        tokens.current()
        return time.perf_counter() - begun

    def again(store: MemoryStore | FileStore) -> float:
        tokens = GrantTokens(settings, store, password_grant=never, refresh_grant=never)
        tokens.current()
        begun = time.perf_counter()
        for _ in range(100):
            tokens.current()
        return (time.perf_counter() - begun) / 100

    with tempfile.TemporaryDirectory() as folder:
        memory, files = MemoryStore(), FileStore(Path(folder))
        for store in (memory, files):
            store.save(login_of(settings), token)
        for what, times in (
            ("from memory", [again(memory) for _ in range(rounds)]),
            ("from a file that was read before", [again(files) for _ in range(rounds)]),
            ("from a file, read for the first time", [current(FileStore(Path(folder))) for _ in range(rounds)]),
        ):
            print(f"a token {what + ':':40} {1e6 * statistics.median(times):8.1f} µs")


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--tasks", type=int, default=100)
    parser.add_argument("--at-once", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=200)
    options = parser.parse_args()
    compare("No limit of token calls", None, options.tasks, options.at_once)
    compare("60 token calls a minute, as ProcessMaker allows", 60, options.tasks, options.at_once)
    warm(options.rounds)


if __name__ == "__main__":
    main()
