"""A bound on how long an answer may take and how large it may grow.

A read time-out bounds each piece of an answer, not the whole: a server that sends a byte a second never meets it.
So the sockets of our connections are read through a clock. No thread is needed for it: before each read the
socket's own time-out is cut to what is left.
"""

from __future__ import annotations

import functools
import http.client
import io
import ssl
import time
from email.errors import FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect
from typing import TYPE_CHECKING, Any

from requests.adapters import HTTPAdapter
from urllib3.exceptions import ConnectTimeoutError, NewConnectionError

from airflow_provider_processmaker.client.stopping import current_stop

if TYPE_CHECKING:
    from collections.abc import Callable
    from socket import SocketIO

__all__ = ["LARGEST_ANSWER", "AnswerTooLargeError", "PacedAdapter"]

#: Bytes a second below which a body that takes longer than the read time-out is given up.
SLOWEST = 4_000

#: A body that comes fast enough may take so many read time-outs, and no more.
LONGEST_BODY = 20

#: Bytes of an answer, packed or unpacked, beyond which it is no answer any more.
LARGEST_ANSWER = 256 * 1024 * 1024

_NO_HEADERS = (FirstHeaderLineIsContinuationDefect, MissingHeaderBodySeparatorDefect)


class AnswerTooLargeError(OSError):
    """An answer is beyond :data:`LARGEST_ANSWER`, and may have no end."""


class _PacedReader(io.RawIOBase):
    """Reads a socket until its time is up: for the head one time-out in all, for the body as above.

    :param sock: the socket; its time-out is the read time-out.
    """

    def __init__(self, sock: Any) -> None:
        super().__init__()
        self._sock = sock
        self._raw: SocketIO = sock.makefile("rb", buffering=0)
        self._set_timeout: Callable[[float], None] = sock.settimeout
        self._timeout: float = sock.gettimeout() or 60.0
        self._stop = current_stop()
        if self._stop is not None:
            self._stop.watch(sock)
        self._started = time.monotonic()
        self._size = 0
        self._in_body = False
        #: Whether the server has closed the connection.
        self.at_end = False

    def begin_body(self) -> None:
        """The head is complete: the time of the body begins."""
        self._started, self._size, self._in_body = time.monotonic(), 0, True

    def _time_left(self) -> float:
        allowed = self._timeout
        if self._in_body:
            allowed += min(self._size / SLOWEST, LONGEST_BODY * self._timeout)
        return self._started + allowed - time.monotonic()

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._time_left()
        if left <= 0:
            raise TimeoutError("the answer comes too slowly")
        self._set_timeout(min(left, self._timeout))
        size = self._raw.readinto(buffer)
        self.at_end = size == 0
        self._size += size or 0
        if self._size > LARGEST_ANSWER:
            raise AnswerTooLargeError
        return size

    def close(self) -> None:
        if self._stop is not None:
            self._stop.forget(self._sock)
        self._raw.close()
        super().close()


class _PacedSocket:
    """What ``http.client`` needs of a socket: something to read from."""

    def __init__(self, sock: Any) -> None:
        self.reader = _PacedReader(sock)

    def makefile(self, mode: str) -> io.BufferedReader:
        del mode  # http.client asks for "rb"
        return io.BufferedReader(self.reader)


class _PacedResponse(http.client.HTTPResponse):
    """An answer that is read against the clock; the read time-out is that of its socket."""

    def __init__(self, sock: Any, *args: Any, **kwargs: Any) -> None:
        self._paced = _PacedSocket(sock)
        super().__init__(self._paced, *args, **kwargs)  # type: ignore[arg-type]

    def begin(self) -> None:
        super().begin()
        if self._paced.reader.at_end:
            # http.client takes an answer that was cut off in its head for one without a body.
            raise http.client.IncompleteRead(b"")
        if any(isinstance(defect, _NO_HEADERS) for defect in self.msg.defects):
            # urllib3 would log what it cannot read, whatever that is, and go on.
            raise http.client.HTTPException("no headers")
        self._paced.reader.begin_body()


@functools.cache
def _paced(connection_class: type) -> type:
    """The same kind of connection (plain, TLS, SOCKS), reading against the clock.

    :param connection_class: of urllib3.
    """

    class Paced(connection_class):  # type: ignore[misc]
        response_class = _PacedResponse

        def connect(self) -> None:
            try:
                super().connect()
            except TimeoutError as error:  # urllib3 takes a handshake that hangs for an answer that does not come
                raise ConnectTimeoutError(self, "the handshake timed out") from error
            except OSError as error:  # likewise one that breaks off, or a tunnel that a proxy refuses
                if isinstance(error, ssl.SSLError) and not isinstance(error, ssl.SSLEOFError):
                    raise
                raise NewConnectionError(self, "the handshake failed") from error

    return Paced


class PacedAdapter(HTTPAdapter):
    """The adapter of ``requests`` with paced connections."""

    def get_connection_with_tls_context(self, *args: Any, **kwargs: Any) -> Any:
        """The pool for a call, as the base class finds it."""
        pool: Any = super().get_connection_with_tls_context(*args, **kwargs)
        if not issubclass(pool.ConnectionCls.response_class, _PacedResponse):
            pool.ConnectionCls = _paced(pool.ConnectionCls)
        return pool

    def close(self) -> None:
        """Close every pooled connection.

        Left to urllib3, they are closed once nothing refers to their pool any more, and the exception of a call that
        failed does until it is collected.
        """
        for manager in (self.poolmanager, *self.proxy_manager.values()):
            for key in manager.pools.keys():  # noqa: SIM118  # it cannot be iterated
                pool = manager.pools.get(key)
                if pool is not None:
                    pool.close()
        super().close()
