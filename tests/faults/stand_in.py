"""The stand-in ProcessMaker in a process of its own, held by a test: see ``stand_in_server``."""

from __future__ import annotations

import contextlib
import json
import os
import subprocess
import sys
import threading
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from types import TracebackType

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Request:
    """A request as the server has it."""

    id: int
    process_id: int
    status: str
    data: dict[str, Any] = field(repr=False)
    parent_request_id: int | None = None
    created_at: str | None = None


@dataclass(frozen=True)
class Fault:
    """A fault that was scripted in the server."""

    number: int
    _ask: Callable[..., Any] = field(repr=False)

    @property
    def hits(self) -> int:
        """How many calls it hit."""
        return int(self._ask("fault_hits", self.number))

    def remove(self) -> None:
        """Hit no more."""
        self._ask("fault_remove", self.number)


class StandIn:
    """A stand-in ProcessMaker in its own process; a context manager.

    :param folder: its working directory.
    :param settings: of ``ProcessMakerServer``, such as ``throttle=None``.
    """

    def __init__(self, folder: Path, **settings: Any) -> None:
        self._folder = folder
        self._settings = {"users": 5, **settings}
        self._lock = threading.Lock()
        self._facts: dict[str, Any] = {}

    def __enter__(self) -> Self:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.faults.stand_in_server", json.dumps(self._settings)],
            cwd=self._folder,
            env=os.environ | {"PYTHONPATH": str(ROOT)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            start_new_session=True,
        )
        with contextlib.ExitStack() as undo:
            undo.callback(self._end)
            self._facts = self._ask("facts")
            undo.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._end()

    def _end(self) -> None:
        try:
            self._process.communicate(timeout=10)  # the end of its input is its end
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.communicate()

    def _ask(self, name: str, *arguments: Any, **keywords: Any) -> Any:
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        with self._lock:
            self._process.stdin.write(json.dumps([name, arguments, keywords]) + "\n")
            self._process.stdin.flush()
            answer = json.loads(self._process.stdout.readline() or '{"error": "it has ended"}')
        if "error" in answer:
            raise RuntimeError(f"stand-in, {name}: {answer['error']}")
        return answer["result"]

    # -- the server --------------------------------------------------------------------------------------------------

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self._facts["port"])

    @property
    def client_secret(self) -> str:
        """What must be in no log."""
        return str(self._facts["client_secret"])

    def connection_uri(self, port: int | None = None, username: str = "admin", password: str = "admin123") -> str:
        """An Airflow connection to it.

        :param port: of a proxy in front of it.
        :param username: who logs in.
        :param password: his password.
        """
        uri = urlsplit(self._ask("connection_uri", username, password))
        return uri._replace(netloc=uri.netloc.replace(f":{self.port}", f":{port or self.port}")).geturl()

    def stop(self) -> None:
        """Let it be down; it keeps its data."""
        self._ask("stop")

    def start(self) -> None:
        """Let it be up again, on the same port."""
        self._ask("start")

    def advance_clock(self, seconds: float) -> None:
        """Move its clock from where it is now."""
        self._ask("advance_clock", seconds)

    def reset(self) -> None:
        """Let it be up, without faults, with the right time and no calls; processes, requests and tokens stay."""
        self._ask("reset")

    # -- calls and tokens --------------------------------------------------------------------------------------------

    def calls(self, method: str | None = None, path: str | None = None) -> list[dict[str, Any]]:
        """The calls that it got: ``method``, ``path``, ``query``, ``status``, ``time``.

        :param method: only with this method.
        :param path: only those whose path contains this.
        """
        found: list[dict[str, Any]] = self._ask("calls", method, path or "")
        return found

    @property
    def token_calls(self) -> int:
        """How many logins and refreshes there were since the last reset."""
        return int(self._ask("token_calls"))

    @property
    def issued_tokens(self) -> list[str]:
        """All tokens ever issued, which must be in no log."""
        tokens: list[str] = self._ask("issued_tokens")
        return tokens

    def revoke_all_tokens(self, *, refresh: bool = False) -> None:
        """Revoke all access tokens, and on demand the refresh tokens too."""
        self._ask("revoke_all_tokens", refresh=refresh)

    def add_fault(self, method: str | None = None, path: str | None = None, **what: Any) -> Fault:
        """Script a fault, as ``ProcessMakerServer.faults.add`` does, but for its functions."""
        return Fault(self._ask("add_fault", method, path, **what), self._ask)

    def clear_faults(self) -> None:
        """Take all faults away."""
        self._ask("clear_faults")

    # -- processes and requests --------------------------------------------------------------------------------------

    def add_process(self, name: str, steps: Sequence[Any] = ("Task",), **settings: Any) -> int:
        """Add a process; returns its id.

        :param name: its name.
        :param steps: a text is a task for a person, ``{"returns": {...}}`` a script that adds this to the data,
            ``{"raises": "text"}`` one that fails; none, and its requests are COMPLETED at once.
        :param settings: of ``ProcessMakerServer.add_process``; with ``script_seconds`` requests complete by themselves.
        """
        return int(self._ask("add_process", name, list(steps), **settings))

    def requests(self, process_id: int | None = None, status: str | None = None) -> list[Request]:
        """The requests, in their order.

        :param process_id: only of this process.
        :param status: only in this status.
        """
        found = (Request(**row) for row in self._ask("requests", process_id))
        return [row for row in found if status in {None, row.status}]

    def wait_for_requests(
        self, process_id: int, count: int = 1, status: str | None = None, seconds: float = 90
    ) -> list[Request]:
        """Wait until a process has so many requests.

        :param process_id: the process.
        :param count: how many.
        :param status: only in this status.
        :param seconds: how long.
        """

        def enough() -> list[Request] | None:
            found = self.requests(process_id, status)
            return found if len(found) >= count else None

        found = wait_for(enough, seconds, lambda: f"{count} requests; there are {self.requests(process_id)}")
        assert found is not None
        return found

    def start_request(self, process_id: int, data: Mapping[str, Any] | None = None, **options: Any) -> int:
        """Start a request, as somebody else would; returns its id."""
        return int(self._ask("start_request", process_id, data, **options))

    def complete(self, *request_ids: int, data: Mapping[str, Any] | None = None) -> None:
        """Complete requests."""
        for request_id in request_ids:
            self._ask("complete_request", request_id, data)

    def fail(self, request_id: int, message: str = "Something went wrong") -> None:
        """Put a request into ERROR."""
        self._ask("fail_request", request_id, message)

    def resume(self, request_id: int) -> None:
        """Let a request that is in ERROR be ACTIVE again."""
        self._ask("resume_request", request_id)

    def cancel(self, request_id: int) -> None:
        """Cancel a request."""
        self._ask("cancel_request", request_id)

    def delete(self, request_id: int) -> None:
        """Delete a request."""
        self._ask("delete_request", request_id)
