"""The log of calls that a test reads. It holds no secrets."""

from __future__ import annotations

import threading
from dataclasses import dataclass, field

_SECRET_HEADERS = frozenset({"authorization", "proxy-authorization", "cookie", "x-api-key"})


@dataclass
class Call:
    """
    One call.

    :param method: the method.
    :param path: the path, without the query string.
    :param query: the query string.
    :param headers: the headers by lower-case name; those that carry secrets say ``***``.
    :param time: the server's time at which it came.
    :param client: the caller's address and port.
    :param status: of the answer; ``None`` while there is none, or where a fault let none out.
    :param error: what was raised where a handler's uncaught error makes a 500, as a client's bad input may.
    """

    method: str
    path: str
    query: str = ""
    headers: dict[str, str] = field(default_factory=dict)
    time: float = 0.0
    client: tuple[str, int] = ("", 0)
    status: int | None = None
    error: Exception | None = None


def without_secrets(headers: dict[str, str]) -> dict[str, str]:
    """
    Blank the headers that carry secrets.

    :param headers: by lower-case name.
    """
    return {name: "***" if name in _SECRET_HEADERS else value for name, value in headers.items()}


class CallLog:
    """All calls in the order in which they came."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._calls: list[Call] = []

    def add(self, call: Call) -> None:
        """
        Note a call.

        :param call: without its status yet.
        """
        with self._lock:
            self._calls.append(call)

    def snapshot(self) -> list[Call]:
        """The calls so far."""
        with self._lock:
            return list(self._calls)

    def clear(self) -> None:
        """Forget the calls so far."""
        with self._lock:
            self._calls.clear()
