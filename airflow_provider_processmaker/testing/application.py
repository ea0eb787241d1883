"""The ASGI application: reads a call, logs it, lets faults at it, and writes the answer."""

from __future__ import annotations

import asyncio
import gzip as gzip_module
import json
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.calls import Call, without_secrets
from airflow_provider_processmaker.testing.http import JSON_TYPE, Request, Response, encode
from airflow_provider_processmaker.testing.pages import redirect_page

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, MutableMapping

    from airflow_provider_processmaker.testing.calls import CallLog
    from airflow_provider_processmaker.testing.clock import Clock
    from airflow_provider_processmaker.testing.dispatch import Dispatcher
    from airflow_provider_processmaker.testing.faults import Fault, Faults, Moment
    from airflow_provider_processmaker.testing.wire import Wires

    Scope = MutableMapping[str, Any]
    Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]
    Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]


class Application:
    """
    The ASGI application.

    :param dispatcher: answers.
    :param faults: what goes wrong.
    :param calls: the log.
    :param clock: for the log and the ``Date`` header.
    :param wires: the connections, for faults below HTTP.
    :param base_url: how the server calls itself.
    :param gzip: whether to compress for those who accept it, as a web server in front may do.
    """

    def __init__(
        self,
        *,
        dispatcher: Dispatcher,
        faults: Faults,
        calls: CallLog,
        clock: Clock,
        wires: Wires,
        base_url: str,
        gzip: bool = False,
    ) -> None:
        self.dispatcher = dispatcher
        self.faults = faults
        self.calls = calls
        self.clock = clock
        self.wires = wires
        self.base_url = base_url
        self.gzip = gzip

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """
        Serve one call.

        :param scope: ASGI's.
        :param receive: ASGI's.
        :param send: ASGI's.
        """
        if scope["type"] != "http":
            return
        request = await self._read(scope, receive)
        if request is None:
            return
        call = Call(
            request.method,
            request.path,
            request.query_string,
            without_secrets(request.headers),
            self.clock.now(),
            tuple(scope["client"]),
        )
        self.calls.add(call)
        faults = self.faults.hitting(call)
        exchange = _Exchange(self, request, call, receive=receive, send=send)
        if not faults:
            await exchange.answer(exchange.process())
        else:
            await exchange.suffer(faults)

    async def _read(self, scope: Scope, receive: Receive) -> Request | None:
        body = bytearray()
        more = True
        while more:
            message = await receive()
            if message["type"] == "http.disconnect":
                # The web server in front waits for the whole body: PHP never hears of half a request.
                return None
            body += message.get("body", b"")
            more = message.get("more_body", False)
        return Request(
            scope["method"],
            scope["path"],
            scope["query_string"].decode("latin-1"),
            ((name.decode("latin-1"), value.decode("latin-1")) for name, value in scope["headers"]),
            bytes(body),
            client=scope["client"][0],
            base_url=self.base_url,
        )


class _Exchange:
    """One call and its answer."""

    def __init__(self, app: Application, request: Request, call: Call, *, receive: Receive, send: Send) -> None:
        self.app = app
        self.request = request
        self.call = call
        self.client = call.client
        self.receive = receive
        self.send = send

    def process(self) -> Response:
        """Let the handler run."""
        response = self.app.dispatcher(self.request)
        self.call.error = self.request.error
        return response

    def _headers(self, response: Response, length: int) -> list[tuple[bytes, bytes]]:
        headers = dict(response.headers)
        if response.cache_control:
            headers["Cache-Control"] = response.cache_control
        headers["Date"] = self.app.clock.http_date()
        if response.tenant:
            headers["x-tenant-id"] = "none"
            headers["x-tenant-name"] = "No tenant"
        if response.status not in {204, 304}:
            headers.setdefault("Content-Length", str(length))
        return [(name.encode("latin-1"), value.encode("latin-1")) for name, value in headers.items()]

    async def answer(self, response: Response) -> None:
        """Send an answer as it is."""
        body = response.body
        accepted = self.request.headers.get("accept-encoding", "")
        if self.app.gzip and "gzip" in accepted and len(body) > 20 and "Content-Encoding" not in response.headers:
            response.headers["Content-Encoding"] = "gzip"
            body = gzip_module.compress(body, 1)
        self.call.status = response.status
        await self._start(response, len(body))
        await self.send({"type": "http.response.body", "body": b"" if self.request.method == "HEAD" else body})

    async def _start(self, response: Response, length: int) -> None:
        headers = self._headers(response, length)
        await self.send({"type": "http.response.start", "status": response.status, "headers": headers})

    async def suffer(self, faults: list[Fault]) -> None:
        """Answer with faults."""
        await self._around(faults, "before")
        fault = next((one for one in faults if _matters(one)), None)
        if fault is not None and fault.hang:
            await self._hang()
            return
        response = None
        if fault is None or fault.processes:
            response = self.process()
        await self._around(faults, "after")
        if fault is None:
            await self.answer(response or Response())
            return
        if fault.drop or fault.reset in {"before", "after"}:
            await self._cut(reset=fault.reset is not None)
            return
        if fault.raw is not None:
            self.app.wires.write(self.client, fault.raw)
            await self._cut(reset=False)
            return
        await self._send_faulty(fault, _altered(fault, response, self.app.base_url))

    async def _around(self, faults: list[Fault], moment: Moment) -> None:
        for fault in faults:
            if fault.delay and fault.delay_when == moment:
                await self.app.wires.pause(fault.delay)
            if fault.then is not None and fault.then_when == moment:
                fault.then()

    async def _send_faulty(self, fault: Fault, response: Response) -> None:
        if fault.gzip is not None:
            response.headers["Content-Encoding"] = "gzip"
            response.body = _compressed(response.body, fault.gzip)
        sent = response.body
        if fault.reset == "body":
            sent = sent[: len(sent) // 2]
        if fault.truncate is not None:
            sent = sent[: fault.truncate]
        if fault.drip is not None:
            await self._drip(response, sent, fault.drip)
        elif sent != response.body:
            self.call.status = response.status
            await self._start(response, len(response.body))
            await self.send({"type": "http.response.body", "body": sent, "more_body": True})
            # Let the bytes reach the client's kernel: a reset takes back what is still on its way.
            await self.app.wires.pause(0.05)
        else:
            await self.answer(response)
        if sent != response.body:
            await self._cut(reset=fault.reset == "body")

    async def _drip(self, response: Response, body: bytes, seconds: float) -> None:
        self.call.status = response.status
        await self._start(response, len(response.body))
        for index in range(len(body)):
            await self.send({"type": "http.response.body", "body": body[index : index + 1], "more_body": True})
            if await self.app.wires.pause(seconds) or self.client not in self.app.wires.transports:
                await self._cut(reset=False)
                return
        if body == response.body:
            await self.send({"type": "http.response.body", "body": b""})

    async def _cut(self, *, reset: bool) -> None:
        self.app.wires.cut(self.client, reset=reset)
        # Only when uvicorn knows of the end may the call return without an answer.
        while (await self.receive())["type"] != "http.disconnect":
            pass

    async def _hang(self) -> None:
        stopping = asyncio.ensure_future(self.app.wires.stopping.wait())
        gone = asyncio.ensure_future(self._gone())
        try:
            await asyncio.wait({stopping, gone}, return_when=asyncio.FIRST_COMPLETED)
        finally:
            stopping.cancel()
            gone.cancel()
        await self._cut(reset=False)

    async def _gone(self) -> None:
        while (await self.receive())["type"] != "http.disconnect":
            pass


def _matters(fault: Fault) -> bool:
    """Whether the fault touches the answer itself; the others only wait or call a hook."""
    marks = (fault.drop, fault.reset, fault.truncate, fault.gzip, fault.drip, fault.change)
    return fault.answers or fault.hang or bool(fault.headers) or any(mark is not None for mark in marks)


def _altered(fault: Fault, response: Response | None, base_url: str) -> Response:
    """The answer with what the fault replaces of it."""
    if fault.redirect is not None:
        url = fault.redirect if "://" in fault.redirect else f"{base_url}{fault.redirect}"
        response = Response.html(redirect_page(url), fault.status or 302)
        response.headers["Location"] = url
    elif fault.answers or response is None:
        response = _made_up(fault)
    if fault.change is not None:
        response.body = encode(fault.change(json.loads(response.body)))
    response.headers.update(fault.headers)
    if fault.content_type is not None:
        response.headers["Content-Type"] = fault.content_type
    return response


def _made_up(fault: Fault) -> Response:
    status = 200 if fault.status is None else fault.status
    body = fault.body
    if body is None:
        body = {"message": "Server Error" if status == 500 else "Fault"} if status >= 400 else b""
    if isinstance(body, bytes):
        return Response(status, body, {"Content-Type": JSON_TYPE})
    if isinstance(body, str):
        return Response(status, body.encode(), {"Content-Type": JSON_TYPE})
    return Response.json(body, status)


def _compressed(body: bytes, kind: str) -> bytes:
    data = gzip_module.compress(body)
    if kind == "truncated":
        return data[: len(data) // 2]
    if kind == "corrupt":
        middle = len(data) // 2
        return data[:middle] + bytes(byte ^ 0xFF for byte in data[middle : middle + 8]) + data[middle + 8 :]
    return data
