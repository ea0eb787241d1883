"""What goes wrong on the way between Airflow and ProcessMaker, and with which calls."""

from __future__ import annotations

import fnmatch
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_API = "/api/1.0"
_NO_LINGER = struct.pack("ii", 1, 0)
_PATIENCE = 120.0
Moment = Literal["before", "after"]
Outcome = Literal["pass", "drop", "reset"]


class CutError(Exception):
    """The connection to the client is to end."""


def reset(connection: socket.socket) -> None:
    """Let the end of a connection be a TCP reset."""
    connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)


@dataclass
class Exchange:
    """A call and what became of it.

    :param method: the method.
    :param path: without the query.
    :param query: the query string.
    :param began: when, as ``time.time()`` tells.
    :param body: of the call.
    :param forwarded: whether the server was given it.
    :param answered: the status that the server answered with.
    :param status: the status that the client was sent; ``None`` if it was sent none.
    """

    method: str
    path: str
    query: str
    began: float
    body: bytes = field(default=b"", repr=False)
    forwarded: bool = False
    answered: int | None = None
    status: int | None = None


def matches(exchange: Exchange, method: str | None, path: str | None) -> bool:
    """Whether a call has this method and this path, which may have wildcards and needs no ``/api/1.0``."""
    if method not in {None, exchange.method}:
        return False
    candidates = (exchange.path, exchange.path.removeprefix(_API))
    return path is None or any(fnmatch.fnmatchcase(candidate, path) for candidate in candidates)


@dataclass(eq=False)
class Rule:
    """What goes wrong with which calls. Made by ``FaultProxy.add``, which explains the fields."""

    method: str | None = None
    path: str | None = None
    when: Callable[[Exchange], bool] | None = None
    times: int | None = 1
    after: int = 0
    delay: float = 0.0
    delay_when: Moment = "before"
    status: int | None = None
    body: bytes = b""
    headers: Mapping[str, str] = field(default_factory=dict)
    process: bool = False
    drop: Moment | None = None
    reset: Moment | None = None
    hold: Moment | None = None
    seen: int = 0
    hits: int = 0
    held: int = 0
    _change: threading.Condition = field(default_factory=threading.Condition, repr=False)
    _outcome: Outcome | None = None
    _removed: bool = False

    def wait(self, count: int = 1, seconds: float = _PATIENCE) -> None:
        """Wait until so many calls have come to the hold."""
        with self._change:
            reached = self._change.wait_for(lambda: self.held >= count, seconds)
        assert reached, f"{self.held} of {count} calls came to the hold in {seconds:g} s: {self}"

    def release(self, outcome: Outcome = "pass") -> None:
        """Let the held calls go on, and hold no more.

        :param outcome: ``pass`` as if nothing had been, even if who called is dead by now: it was on its way; ``drop``
            and ``reset`` end the connection.
        """
        with self._change:
            self._outcome = outcome
            self._change.notify_all()

    def remove(self) -> None:
        """Hit no more calls; held ones go on."""
        self._removed = True
        if self._outcome is None:
            self.release()

    def takes(self, exchange: Exchange) -> bool:
        """Whether this very call is hit; counts it."""
        if self._removed or not matches(exchange, self.method, self.path):
            return False
        if self.when is not None and not self.when(exchange):
            return False
        self.seen += 1
        if self.seen <= self.after or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True

    def act(self, moment: Moment, connection: socket.socket, stopping: threading.Event) -> None:
        """Do what is to be done before a call is forwarded, or after.

        :param moment: which of them.
        :param connection: to the client.
        :param stopping: set when nobody has to wait any more.
        """
        if self.delay and self.delay_when == moment:
            stopping.wait(self.delay)
        outcome = self._held() if self.hold == moment else "pass"
        if outcome == "reset" or self.reset == moment:
            reset(connection)
            raise CutError
        if outcome == "drop" or self.drop == moment:
            raise CutError

    def _held(self) -> Outcome | None:
        with self._change:
            self.held += 1
            self._change.notify_all()
            self._change.wait_for(lambda: self._outcome is not None)
            return self._outcome
