"""A server that costs next to nothing: it answers pages of user-like records, made once for each page.

What is to be measured is the client, so the server is a bare protocol on uvloop, on a core of its own.
"""

from __future__ import annotations

import asyncio
import functools
import json
import math
import os
import re
from typing import TYPE_CHECKING

import uvloop

if TYPE_CHECKING:
    from multiprocessing.connection import Connection

#: Bytes of one record, and the comma behind it: a page of 100 has 75 kB.
RECORD_BYTES = 748

#: The first id. All ids have as many digits, so that all pages are of one size.
FIRST_ID = 1_000_001

_TARGET = re.compile(rb"^GET (\S+) HTTP/1\.1\r\n")
_NUMBER = re.compile(r"[?&](page|per_page)=(\d+)")


def _template() -> str:
    """A record, its id left open."""
    record = {
        "id": "@", "uuid": "9f2d5f7c-6a6b-4d0e-a6a4-3b8a6e1c2d10", "username": "ada.byron", "firstname": "Ada",
        "lastname": "Byron", "email": "ada.byron@example.com", "status": "ACTIVE", "address": "12 St James's Square",
        "city": "London", "state": None, "postal": "SW1Y 4JH", "country": "GB",
        "phone": "+44 20 7946 0991", "fax": None,
        "cell": None, "title": "Analyst", "birthdate": "1815-12-10", "timezone": "Europe/London",
        "datetime_format": "m/d/Y H:i", "language": "en", "is_administrator": False, "expires_at": None,
        "loggedin_at": "2026-11-24T20:08:56+00:00", "created_at": "2026-11-24T20:08:56+00:00",
        "updated_at": "2026-11-24T20:08:56+00:00", "deleted_at": None, "fullname": "Ada Byron", "avatar": None,
        "meta": {"cost centre": 4711, "manager": None}, "notes": "",
    }  # fmt: skip
    text = json.dumps(record).replace('"@"', "%d")
    room = RECORD_BYTES - 1 - len(text % FIRST_ID)
    return text.replace('"notes": ""', f'"notes": "{"x" * room}"') + ","


class Pages:
    """The answers, made when first asked for.

    :param total: records of the list.
    :param kept: answers to keep.
    """

    def __init__(self, total: int, kept: int) -> None:
        self.total = total
        self._template = _template()
        self.answer = functools.lru_cache(kept)(self._answer)

    def _answer(self, number: int, size: int, newest_first: bool) -> bytes:
        first = (number - 1) * size
        ids = range(FIRST_ID + first, FIRST_ID + min(first + size, self.total))
        if newest_first:
            ids = range(FIRST_ID + self.total - 1 - first, FIRST_ID + max(self.total - first - size, 0) - 1, -1)
        rows = "".join([self._template % id_ for id_ in ids]).rstrip(",")
        last = math.ceil(self.total / size)
        meta = {"filter": "", "sort_by": "id", "sort_order": "asc", "count": len(ids), "total_pages": last,
                "current_page": number, "last_page": last, "per_page": size, "total": self.total}  # fmt: skip
        body = f'{{"data": [{rows}], "meta": {json.dumps(meta)}}}'.encode()
        head = f"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: {len(body)}\r\n\r\n"
        return head.encode() + body


class _Protocol(asyncio.Protocol):
    def __init__(self, pages: Pages, pause: float) -> None:
        self._pages, self._pause, self._head = pages, pause, b""
        self._transport: asyncio.WriteTransport

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = transport  # type: ignore[assignment]

    def data_received(self, data: bytes) -> None:
        self._head += data
        if not self._head.endswith(b"\r\n\r\n"):
            return
        found = _TARGET.match(self._head)
        self._head = b""
        target = found[1].decode() if found else ""
        numbers = {name: int(value) for name, value in _NUMBER.findall(target)}
        answer = self._pages.answer(numbers["page"], numbers["per_page"], "order_direction=desc" in target)
        if self._pause:
            asyncio.get_running_loop().call_later(self._pause, self._transport.write, answer)
        else:
            self._transport.write(answer)


def serve(pipe: Connection, total: int, sizes: tuple[int, ...], pause: float, core: int | None) -> None:
    """Answer for ever, on a free port that is told through the pipe."""
    if core is not None:
        os.sched_setaffinity(0, {core})
    pages = Pages(total, kept=4096 if sizes else 8)
    # Or who comes first would wait until they are made.
    for size in sizes:
        for number in range(1, math.ceil(total / size) + 1):
            pages.answer(number, size, False)

    async def run() -> None:
        loop = asyncio.get_running_loop()
        server = await loop.create_server(lambda: _Protocol(pages, pause), "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    uvloop.run(run())
