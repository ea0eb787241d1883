"""Below HTTP: the open connections, so that faults can cut them, and the thread in which uvicorn serves them."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import struct
import threading
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable
    from ssl import SSLContext

_BACKLOG = 1024
_NO_LINGER = struct.pack("ii", 1, 0)


class Wires:
    """The connections by the address of their other end, and the bell that ends all waiting."""

    def __init__(self) -> None:
        self.transports: dict[tuple[str, int], asyncio.Transport] = {}
        self.stopping = asyncio.Event()

    async def pause(self, seconds: float) -> bool:
        """
        Wait; true if the server stops meanwhile.

        :param seconds: how long.
        """
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self.stopping.wait(), seconds)
        return self.stopping.is_set()

    def write(self, client: tuple[str, int], data: bytes) -> None:
        """
        Write bytes past HTTP.

        :param client: the other end.
        :param data: the bytes.
        """
        transport = self.transports.get(client)
        if transport is not None:
            transport.write(data)

    def cut(self, client: tuple[str, int], *, reset: bool) -> None:
        """
        Close a connection.

        :param client: the other end.
        :param reset: with RST instead of FIN.
        """
        transport = self.transports.get(client)
        if transport is None:
            return
        if not reset:
            transport.close()
            return
        transport.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _NO_LINGER)
        transport.abort()


def _protocol(config: Any, state: Any, wires: Wires) -> asyncio.Protocol:
    from uvicorn.protocols.http.h11_impl import H11Protocol

    class Protocol(H11Protocol):
        """uvicorn's, which also tells of its connection."""

        def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]
            super().connection_made(transport)
            # Headers and body are two writes: without this the second waits 40 ms for the client's ACK.
            transport.get_extra_info("socket").setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
            self.peer: tuple[str, int] = tuple(transport.get_extra_info("peername")[:2])
            wires.transports[self.peer] = transport

        def connection_lost(self, exc: Exception | None) -> None:
            wires.transports.pop(self.peer, None)
            super().connection_lost(exc)

    return Protocol(config=config, server_state=state, app_state={})


class ServerThread:
    """
    A thread with an event loop that serves an application on a socket.

    :param listener: bound already, so that its port is known before anything runs.
    :param make_app: makes the application, in the loop.
    :param ssl_context: for https.
    """

    def __init__(
        self, listener: socket.socket, make_app: Callable[[Wires], Any], ssl_context: SSLContext | None = None
    ) -> None:
        self._listener = listener
        self._make_app = make_app
        self._ssl = ssl_context
        self._ready = threading.Event()
        self._error: BaseException | None = None
        self._loop: asyncio.AbstractEventLoop | None = None
        self._wires: Wires | None = None
        self._thread = threading.Thread(target=self._run, name="processmaker-stand-in", daemon=True)

    def start(self) -> None:
        """Start, and wait until calls are answered."""
        self._thread.start()
        self._ready.wait()
        if self._error is not None:
            self._thread.join()
            raise self._error

    def stop(self) -> None:
        """Cut all connections, end the thread, close the socket."""
        if threading.current_thread() is self._thread:
            raise RuntimeError("a server cannot be stopped from its own thread, as from a fault's hook")
        if self._loop is not None and self._wires is not None:
            with contextlib.suppress(RuntimeError):
                self._loop.call_soon_threadsafe(self._wires.stopping.set)
        self._thread.join()

    def _run(self) -> None:
        try:
            asyncio.run(self._serve())
        except BaseException as error:  # noqa: BLE001 - carried over to the thread that waits for the start
            self._error = error
        finally:
            self._listener.close()
            self._ready.set()

    async def _serve(self) -> None:
        from uvicorn import Config
        from uvicorn.server import ServerState

        wires = Wires()
        config = Config(
            self._make_app(wires),
            log_config=None,
            access_log=False,
            proxy_headers=False,
            server_header=False,
            date_header=False,
            lifespan="off",
            ws="none",
            # As nginx: a client's pool must not meet a connection that died a moment ago.
            timeout_keep_alive=75,
        )
        config.load()
        state = ServerState()
        loop = asyncio.get_running_loop()
        server = await loop.create_server(
            lambda: _protocol(config, state, wires), sock=self._listener, backlog=_BACKLOG, ssl=self._ssl
        )
        self._loop, self._wires = loop, wires
        self._ready.set()
        await wires.stopping.wait()
        server.close()
        # A moment for calls that are being answered; whoever waits in a fault has heard the bell.
        if state.tasks:
            await asyncio.wait(state.tasks, timeout=0.5)
        for transport in list(wires.transports.values()):
            transport.abort()
        await asyncio.sleep(0)
        await server.wait_closed()
