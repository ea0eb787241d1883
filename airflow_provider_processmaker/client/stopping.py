"""Calls that nobody waits for any more: they end at once instead of being waited for. Standard library only."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from contextvars import ContextVar
from typing import TYPE_CHECKING
from weakref import WeakSet

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["Stop", "StoppedError", "current_stop", "pause"]


class StoppedError(OSError):
    """A call was given up by those who made it. It never reaches a caller."""


class Stop:
    """Ends the calls that are made under it, from another thread: those that read as well as those that pause."""

    def __init__(self) -> None:
        self._event = threading.Event()
        self._lock = threading.Lock()
        self._sockets: WeakSet[socket.socket] = WeakSet()

    @contextlib.contextmanager
    def in_force(self) -> Iterator[None]:
        """Calls made here, in this thread, are under it."""
        token = _current.set(self)
        try:
            yield
        finally:
            _current.reset(token)

    def watch(self, sock: socket.socket) -> None:
        """Remember a socket on which an answer is due.

        :param sock: the socket.
        """
        with self._lock:
            self._sockets.add(sock)
        if self._event.is_set():
            self.set()

    def forget(self, sock: socket.socket) -> None:
        """The answer is complete: the socket may serve another call, which is none of ours.

        :param sock: the socket.
        """
        with self._lock:
            self._sockets.discard(sock)

    def set(self) -> None:
        """End all calls, and those that are yet to begin."""
        self._event.set()
        with self._lock:
            for sock in self._sockets:
                # Not the method of a TLS socket, which would take it apart while another thread reads from it.
                with contextlib.suppress(OSError):
                    socket.socket.shutdown(sock, socket.SHUT_RDWR)

    def sleep(self, seconds: float) -> None:
        """Wait, unless it is set meanwhile.

        :param seconds: how long.
        :raises StoppedError: if it is set.
        """
        if self._event.wait(seconds):
            raise StoppedError


_current: ContextVar[Stop | None] = ContextVar("processmaker_stop", default=None)


def current_stop() -> Stop | None:
    """What ends the calls of this thread; None if nothing does."""
    return _current.get()


def pause(seconds: float) -> None:
    """Wait between two attempts of a call.

    :param seconds: how long.
    :raises StoppedError: if nobody waits for the call any more.
    """
    stop = current_stop()
    if stop is None:
        time.sleep(seconds)
    else:
        stop.sleep(seconds)
