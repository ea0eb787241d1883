"""A server of a few lines that says what a test tells it, byte by byte, on a real socket."""

from __future__ import annotations

import contextlib
import itertools
import json
import socket
import struct
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Self

if TYPE_CHECKING:
    import ssl
    from collections.abc import Callable


@dataclass
class Request:
    method: str
    target: str
    headers: dict[str, str]
    body: bytes
    connection: int
    head: bytes = b""

    @property
    def path(self) -> str:
        return self.target.partition("?")[0]


@dataclass
class Wire:
    """One accepted connection, in the hands of an answer that wants more than to send some bytes."""

    sock: Any
    stopping: threading.Event = field(repr=False)

    def drip(self, data: bytes, pause: float) -> None:
        for byte in data:
            if self.stopping.wait(pause):
                return
            self.sock.sendall(bytes([byte]))

    def pour(self, piece: bytes, times: int | None = None) -> None:
        for _ in itertools.count() if times is None else range(times):
            if self.stopping.is_set():
                return
            self.sock.sendall(piece)

    def hang(self) -> None:
        self.stopping.wait(30)

    def reset(self) -> None:
        self.sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


Answer = bytes | tuple[Any, ...] | None


class RawServer:
    """Answers each request with what ``answer`` returns: bytes to send, or None to close.

    ``answer`` is called with the request and the wire. Connections are kept open if ``keep_alive``.
    """

    def __init__(
        self,
        answer: Callable[[Request, Wire], bytes | None] | bytes,
        *,
        tls: ssl.SSLContext | None = None,
        keep_alive: bool = False,
    ) -> None:
        self.answer = answer if callable(answer) else lambda request, wire: answer
        self.tls = tls
        self.keep_alive = keep_alive
        self.requests: list[Request] = []
        self.accepted = 0
        self._stopping = threading.Event()
        self._threads: list[threading.Thread] = []
        self._lock = threading.Lock()

    def __enter__(self) -> Self:
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self.port = self._listener.getsockname()[1]
        self._start(self._accept)
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join(5)
        assert not any(thread.is_alive() for thread in self._threads)

    @property
    def url(self) -> str:
        return f"{'https' if self.tls else 'http'}://127.0.0.1:{self.port}"

    def _start(self, work: Callable[..., None], *args: Any) -> None:
        thread = threading.Thread(target=work, args=args, daemon=True)
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                sock, _ = self._listener.accept()
            except OSError:
                return
            self.accepted += 1
            self._start(self._serve, sock, self.accepted)

    def _serve(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(10)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        plain = sock
        try:
            if self.tls:
                sock = _handshaken(sock, self.tls)
            self._talk(sock, number)
        except OSError:
            pass
        finally:
            sock.close()
            plain.close()

    def _talk(self, sock: socket.socket, number: int) -> None:
        sock.settimeout(0.05)
        buffer = b""
        while not self._stopping.is_set():
            try:
                data = sock.recv(65_536)
            except TimeoutError:
                continue
            if not data:
                return
            buffer += data
            request, buffer = _parse(buffer, number)
            if request is None:
                continue
            with self._lock:
                self.requests.append(request)
            sock.settimeout(10)
            said = self.answer(request, Wire(sock, self._stopping))
            if said is None:
                return
            if not self.keep_alive:
                # Said, so that no client sends its next call into a connection that is about to close.
                sock.sendall(said.replace(b" Whatever\r\n", b" Whatever\r\nConnection: close\r\n", 1))
                return
            sock.sendall(said)
            sock.settimeout(0.05)


def _handshaken(sock: socket.socket, tls: ssl.SSLContext) -> socket.socket:
    """The connection after its handshake; a client that is refused hears why.

    Closed while a call of his is unread, the connection would be reset, and the reason lost now and then.
    """
    with sock.dup() as wire:
        wire.settimeout(5)
        try:
            return tls.wrap_socket(sock, server_side=True)
        except OSError:
            wire.shutdown(socket.SHUT_WR)
            while wire.recv(65_536):
                pass
            raise


def _parse(buffer: bytes, number: int) -> tuple[Request | None, bytes]:
    head, found, rest = buffer.partition(b"\r\n\r\n")
    if not found:
        return None, buffer
    first, *lines = head.decode("latin-1").split("\r\n")
    headers = {name.lower(): value.strip() for name, _, value in (line.partition(":") for line in lines)}
    length = int(headers.get("content-length", 0))
    if len(rest) < length:
        return None, buffer
    method, target, _ = first.split(" ")
    return Request(method, target, headers, rest[:length], number, head), rest[length:]


def http(
    status: int = 200,
    body: Any = b"",
    headers: dict[str, str] | None = None,
    *,
    content_type: str = "application/json",
    length: int | None = -1,
) -> bytes:
    """An answer; a body that is not bytes or text becomes JSON. ``length=None`` leaves Content-Length out."""
    if isinstance(body, str):
        body = body.encode()
    elif not isinstance(body, bytes):
        body = json.dumps(body).encode()
    lines = [f"HTTP/1.1 {status} Whatever", f"Content-Type: {content_type}"]
    if length is not None:
        lines.append(f"Content-Length: {len(body) if length < 0 else length}")
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body
