"""A proxy between Airflow and ProcessMaker, in which what goes wrong on the way can be scripted."""

from __future__ import annotations

import contextlib
import http.client
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import urlsplit

from tests.faults.rules import CutError, Exchange, Rule, matches, reset

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from types import TracebackType

    from tests.faults.rules import Moment

_HOST = "127.0.0.1"
_HOP_BY_HOP = frozenset({"connection", "keep-alive", "transfer-encoding", "content-length"})


class FaultProxy:
    """A proxy on a port of this machine, from where all goes to another port; a context manager.

    :param target: the port of the server.
    """

    def __init__(self, target: int) -> None:
        self.target = target
        self.stopping = threading.Event()
        self._lock = threading.Lock()
        self._rules: list[Rule] = []
        self._exchanges: list[Exchange] = []
        self._server: _Server | None = None
        # Bound, but never listening: keeps the port ours while the proxy is down.
        self._holder = socket.socket()
        self._holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        self._holder.bind((_HOST, 0))
        self.port: int = self._holder.getsockname()[1]

    def __enter__(self) -> Self:
        self.up()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stopping.set()
        self.reset()
        self.down()
        self._holder.close()

    def up(self) -> None:
        """Listen."""
        if self._server is None:
            self._server = _Server(self)

    def down(self) -> None:
        """Refuse connections, and reset those that are open."""
        if self._server is not None:
            self._server.end()
            self._server = None

    def reset(self) -> None:
        """Let all pass again, and forget the calls so far."""
        with self._lock:
            rules, self._rules, self._exchanges = self._rules, [], []
        for rule in rules:
            rule.remove()

    def add(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        when: Callable[[Exchange], bool] | None = None,
        times: int | None = 1,
        after: int = 0,
        delay: float = 0.0,
        delay_when: Moment = "before",
        status: int | None = None,
        body: str = "",
        headers: Mapping[str, str] | None = None,
        process: bool = False,
        drop: Moment | None = None,
        reset: Moment | None = None,
        hold: Moment | None = None,
    ) -> Rule:
        """Script what goes wrong; returns it, with ``hits`` counting, ``remove()``, ``wait()`` and ``release()``.

        If several hit one call, their delays and holds add up; for the rest the first one counts.

        :param method: only calls with this method.
        :param path: only calls with this path: ``/process_events/*``, ``/oauth/token``; without ``/api/1.0``.
        :param when: only calls for which this is true.
        :param times: how many calls are hit, ``None`` for all.
        :param after: let this many calls of the kind pass first.
        :param delay: wait so many seconds, before it is forwarded or before the answer goes out.
        :param delay_when: which of them.
        :param status: answer this instead of forwarding.
        :param body: of that answer.
        :param headers: of that answer.
        :param process: forward it nevertheless.
        :param drop: close the connection, before it is forwarded or after the server has answered.
        :param reset: the same with a TCP reset.
        :param hold: wait until released, before it is forwarded or after the server has answered.
        """
        rule = Rule(
            method=method, path=path, when=when, times=times, after=after, delay=delay, delay_when=delay_when,
            status=status, body=body.encode(), headers=headers or {}, process=process, drop=drop, reset=reset,
            hold=hold,
        )  # fmt: skip
        with self._lock:
            self._rules.append(rule)
        return rule

    def throttle(self, seconds: int = 1, **where: Any) -> Rule:
        """Answer all with 429 and a ``Retry-After``, until removed.

        :param seconds: of the ``Retry-After``.
        :param where: which calls, and how many, as in :meth:`add`.
        """
        headers = {"Retry-After": f"{seconds}", "Content-Type": "application/json"}
        body = '{"message": "Too Many Attempts."}'
        return self.add(**{"times": None, **where}, status=429, headers=headers, body=body)

    def page(self, status: int = 502, **where: Any) -> Rule:
        """Answer all with a page for people, as a load balancer does, until removed.

        :param status: of the answer; some say 200.
        :param where: which calls, and how many, as in :meth:`add`.
        """
        body = "<html><head><title>Maintenance</title></head><body><h1>We are back soon</h1></body></html>"
        return self.add(**{"times": None, **where}, status=status, headers={"Content-Type": "text/html"}, body=body)

    @property
    def exchanges(self) -> list[Exchange]:
        """The calls so far, also those that are under way."""
        with self._lock:
            return list(self._exchanges)

    def count(self, method: str | None = None, path: str | None = None, *, forwarded: bool | None = None) -> int:
        """How many calls there were.

        :param method: only with this method.
        :param path: only with this path, as in :meth:`add`.
        :param forwarded: only those that the server was given, or only those that it was not.
        """
        found = (each for each in self.exchanges if matches(each, method, path))
        return sum(forwarded in {None, each.forwarded} for each in found)

    def note(self, exchange: Exchange) -> list[Rule]:
        """Note a call; the rules that hit it."""
        with self._lock:
            self._exchanges.append(exchange)
            return [rule for rule in self._rules if rule.takes(exchange)]


class _Handler(BaseHTTPRequestHandler):
    """One connection of a client."""

    protocol_version = "HTTP/1.1"
    server: _Server

    def handle(self) -> None:
        with contextlib.suppress(OSError, CutError):
            super().handle()

    def log_message(self, *arguments: Any) -> None:
        """Say nothing."""

    def _pass(self) -> None:
        assert "Transfer-Encoding" not in self.headers, "no client of ours sends chunks"
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        url = urlsplit(self.path)
        exchange = Exchange(self.command, url.path, url.query, time.time(), body)
        proxy = self.server.proxy
        rules = proxy.note(exchange)
        for rule in rules:
            rule.act("before", self.connection, proxy.stopping)
        standing_in = next((rule for rule in rules if rule.status is not None), None)
        answer, whole = b"", True
        if standing_in is None or standing_in.process:
            answer, whole = self._forward(exchange)
        for rule in rules:
            rule.act("after", self.connection, proxy.stopping)
        if standing_in is not None and standing_in.status is not None:
            answer, whole = _answer(standing_in.status, "", standing_in.headers.items(), standing_in.body), True
        if self.server.ended:
            raise CutError
        exchange.status = exchange.answered if standing_in is None else standing_in.status
        self.connection.sendall(answer)
        if not whole:
            raise CutError

    do_GET = do_POST = do_PUT = do_PATCH = do_DELETE = do_HEAD = _pass  # noqa: N815

    def _forward(self, exchange: Exchange) -> tuple[bytes, bool]:
        """The server's answer, and whether it is whole."""
        server = http.client.HTTPConnection(_HOST, self.server.proxy.target)
        try:
            server.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
            for name, value in self.headers.items():
                if name.lower() not in _HOP_BY_HOP:
                    server.putheader(name, value)
            server.putheader("Content-Length", str(len(exchange.body)))
            server.putheader("Connection", "close")
            exchange.forwarded = True
            server.endheaders(exchange.body)
            response = server.getresponse()
            exchange.answered = response.status
            length = response.getheader("Content-Length") if self.command == "HEAD" else None
            try:
                body, whole = response.read(), True
            except http.client.IncompleteRead as error:
                body, whole, length = error.partial, False, response.getheader("Content-Length")
            return _answer(response.status, response.reason, response.getheaders(), body, length), whole
        except (OSError, http.client.HTTPException) as error:
            raise CutError from error  # what the server does to us, we do to the client
        finally:
            server.close()


def _answer(
    status: int, reason: str, headers: Iterable[tuple[str, str]], body: bytes, length: str | None = None
) -> bytes:
    lines = [f"HTTP/1.1 {status} {reason or http.client.responses.get(status, '')}"]
    lines += [f"{name}: {value}" for name, value in headers if name.lower() not in _HOP_BY_HOP]
    if status != 204:
        lines.append(f"Content-Length: {length or len(body)}")
    return "\r\n".join([*lines, "", ""]).encode("latin-1") + body


class _Server(ThreadingHTTPServer):
    """The proxy while it listens; a thread for each connection."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, proxy: FaultProxy) -> None:
        self.proxy = proxy
        self.ended = False
        self._connections: set[socket.socket] = set()
        self._guard = threading.Lock()
        super().__init__((_HOST, proxy.port), _Handler)
        self._thread = threading.Thread(target=self.serve_forever, args=(0.05,), name="fault-proxy", daemon=True)
        self._thread.start()

    def get_request(self) -> tuple[socket.socket, Any]:
        connection, address = super().get_request()
        connection.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        with self._guard:
            self._connections.add(connection)
        return connection, address

    def shutdown_request(self, request: Any) -> None:
        """Only close it: the polite way sends a FIN first, also where there is to be a reset."""
        with self._guard:
            self._connections.discard(request)
            request.close()

    def end(self) -> None:
        self.ended = True
        self.shutdown()
        self._thread.join()
        self.server_close()
        with self._guard:
            for connection in self._connections:
                with contextlib.suppress(OSError):
                    reset(connection)
                    connection.shutdown(socket.SHUT_RD)  # wakes the thread that reads, which closes it
