"""How fast a list is read, beside a plain ``requests`` loop in the same run.

``uv run benchmarks/listing.py``

A server in a process of its own answers fixed pages of 100 users after a pause that stands for the network. The loop is
what a person writes: one session, one page after the other, ``response.json()``. Quote the ratios, not the seconds.
"""

from __future__ import annotations

import argparse
import asyncio
import json
import multiprocessing
import statistics
import time
import tracemalloc
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

import requests

from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient, Settings

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from multiprocessing.connection import Connection

PAGE = 100


def page(number: int, size: int, total: int, *, descending: bool) -> bytes:
    """The body of one page of users."""
    first = (number - 1) * size
    ids = range(first + 1, min(first + size, total) + 1)
    if descending:
        ids = range(total - first, max(total - first - size, 0), -1)
    rows = [
        {"id": i, "username": f"user{i:06}", "firstname": "Ada", "lastname": "Byron", "status": "ACTIVE",
         "email": f"user{i:06}@example.com", "meta": None, "timezone": "UTC", "created_at": "2026-11-24T20:08:56+00:00",
         "address": None, "city": None, "fullname": "Ada Byron", "is_administrator": False, "avatar": None}
        for i in ids
    ]  # fmt: skip
    last = -(-total // size)
    meta = {"total": total, "last_page": last, "per_page": size, "current_page": number, "count": len(rows)}
    return json.dumps({"data": rows, "meta": meta}).encode()


def serve(pipe: Connection, total: int, pause: float) -> None:
    """Answer for ever, on a free port that is told through the pipe."""
    pages: dict[tuple[int, int, bool], bytes] = {}

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while head := await reader.readuntil(b"\r\n\r\n"):
            query = parse_qs(urlsplit(head.split(b" ", 2)[1].decode()).query)
            key = int(query["page"][0]), int(query["per_page"][0]), query.get("order_direction") == ["desc"]
            if key not in pages:
                pages[key] = page(key[0], key[1], total, descending=key[2])
            await asyncio.sleep(pause)
            body = pages[key]
            writer.write(
                b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: %d\r\n\r\n" % len(body) + body
            )

    async def quietly(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            await answer(reader, writer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    async def run() -> None:
        server = await asyncio.start_server(quietly, "127.0.0.1", 0)
        pipe.send(server.sockets[0].getsockname()[1])
        await server.serve_forever()

    asyncio.run(run())


def plain_loop(url: str) -> Iterator[dict[str, Any]]:
    """What everybody writes."""
    session, number = requests.Session(), 1
    while True:
        query = {"page": number, "per_page": PAGE, "order_by": "id"}
        body = session.get(f"{url}/api/1.0/users", params=query, timeout=30).json()
        yield from body["data"]
        if number >= body["meta"]["last_page"]:
            session.close()
            return
        number += 1


def ours(url: str, window: int) -> Iterator[dict[str, Any]]:
    """Our client."""
    settings = Settings(base_url=url, access_token="token")
    with ProcessMakerClient(settings, token_store=MemoryStore()) as client:
        yield from client.iter_records("users", page_size=PAGE, look_ahead=window)


def measure(read: Callable[[], Iterator[dict[str, Any]]], total: int) -> float:
    """Seconds to read the list; it must be whole."""
    started = time.perf_counter()
    count = sum(1 for _ in read())
    if count != total:
        raise SystemExit(f"{count} records instead of {total}")
    return time.perf_counter() - started


def main() -> None:
    """Measure each way in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    print(f"{'pause':>8} {'way':24} {'median s':>9} {'records/s':>10} {'times the loop':>15}")
    for pause in (0.0, 0.02):
        here, there = multiprocessing.Pipe()
        server = multiprocessing.get_context("spawn").Process(
            target=serve, args=(there, options.records, pause), daemon=True
        )
        server.start()
        url = f"http://127.0.0.1:{here.recv()}"
        ways: dict[str, Callable[[], Iterator[dict[str, Any]]]] = {
            "requests loop": lambda url=url: plain_loop(url),
            **{f"ours, window {window}": lambda url=url, window=window: ours(url, window) for window in (1, 4, 8)},
        }
        times: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(options.runs):
            for name, read in ways.items():
                times[name].append(measure(read, options.records))
        loop = statistics.median(times["requests loop"])
        for name, values in times.items():
            median = statistics.median(values)
            print(
                f"{pause * 1e3:5.0f} ms {name:24} {median:9.2f} {options.records / median:10,.0f} {loop / median:15.1f}"
            )
        if pause == 0:
            tracemalloc.start()
            measure(lambda url=url: ours(url, 4), options.records)
            print(f"         peak of memory, window 4: {tracemalloc.get_traced_memory()[1] / 1e6:.1f} MB")
            tracemalloc.stop()
        server.terminate()
        server.join()


if __name__ == "__main__":
    main()
