"""The ways to read a list: ours, and what others write.

Each is a generator of records. Imports stand inside, so that a way pays for its own only.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import AsyncGenerator, Callable, Iterator

Record = dict[str, Any]
PATH = "/api/1.0/users"
HEADERS = {"Accept": "application/json", "Authorization": "Bearer token"}


def query(number: int, size: int) -> dict[str, Any]:
    return {"page": number, "per_page": size, "order_by": "id", "order_direction": "asc"}


def target(number: int, size: int) -> str:
    return f"{PATH}?page={number}&per_page={size}&order_by=id&order_direction=asc"


def one_by_one(get: Callable[[int], Any]) -> Iterator[Record]:
    """The loop that everybody writes around a call."""
    number = 1
    while True:
        body = get(number)
        yield from body["data"]
        if number >= body["meta"]["last_page"]:
            return
        number += 1


# -- ours --------------------------------------------------------------------------------------------------------------


def ours(url: str, size: int, window: int) -> Iterator[Record]:
    from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient, Settings

    settings = Settings(base_url=url, access_token="token")
    with ProcessMakerClient(settings, token_store=MemoryStore()) as client:
        yield from client.iter_records("users", page_size=size, look_ahead=window)


# -- others, one page after the other ----------------------------------------------------------------------------------


def http_hook(url: str, size: int, window: int) -> Iterator[Record]:
    """Airflow's own, as its documentation shows it; the connection comes from the environment."""
    import logging
    import os

    from airflow.providers.http.hooks.http import HttpHook

    logging.getLogger("airflow").setLevel(logging.WARNING)
    os.environ["AIRFLOW_CONN_BENCHMARK"] = json.dumps({"conn_type": "http", "host": url})
    hook = HttpHook(method="GET", http_conn_id="benchmark")
    yield from one_by_one(lambda number: hook.run(PATH, data=query(number, size), headers=HEADERS).json())


def requests_session(url: str, size: int, window: int) -> Iterator[Record]:
    import requests

    with requests.Session() as session:
        session.headers.update(HEADERS)
        yield from one_by_one(lambda number: session.get(url + PATH, params=query(number, size), timeout=30).json())


def requests_tuned(url: str, size: int, window: int) -> Iterator[Record]:
    """All that can be left out of requests: its adapter alone, the raw bytes, msgspec."""
    import msgspec
    import requests
    from requests.adapters import HTTPAdapter

    session = requests.Session()
    session.headers.update(HEADERS)
    session.trust_env = False
    adapter = HTTPAdapter()

    def get(number: int) -> Any:
        call = session.prepare_request(requests.Request("GET", url + PATH, params=query(number, size)))
        response = adapter.send(call, stream=True, timeout=(5, 30), proxies={})
        body = response.raw.read()
        response.raw.release_conn()
        return msgspec.json.decode(body)

    yield from one_by_one(get)
    adapter.close()


def urllib3_msgspec(url: str, size: int, window: int) -> Iterator[Record]:
    import msgspec
    import urllib3

    with urllib3.PoolManager(headers=HEADERS) as pool:
        yield from one_by_one(lambda number: msgspec.json.decode(pool.request("GET", url + target(number, size)).data))


def httpx_client(url: str, size: int, window: int) -> Iterator[Record]:
    import httpx

    with httpx.Client(headers=HEADERS, base_url=url) as client:
        yield from one_by_one(lambda number: client.get(PATH, params=query(number, size)).json())


def raw_socket(url: str, size: int, window: int) -> Iterator[Record]:
    """The limit: bytes asked for and taken from a socket, nothing looked at but the length, decoded by msgspec."""
    import socket
    from urllib.parse import urlsplit

    import msgspec

    address = urlsplit(url)
    with socket.create_connection((address.hostname, address.port)) as connection:
        headers = "".join(f"{name}: {value}\r\n" for name, value in HEADERS.items())

        def get(number: int) -> Any:
            connection.sendall(f"GET {target(number, size)} HTTP/1.1\r\nHost: x\r\n{headers}\r\n".encode())
            data = bytearray(connection.recv(65_536))
            end = data.index(b"\r\n\r\n") + 4
            length = end + int(data[data.index(b"Length: ") + 8 : end].split(b"\r", 1)[0])
            body, have = bytearray(length), len(data)
            body[:have] = data
            view = memoryview(body)
            while have < length:
                have += connection.recv_into(view[have:])
            return msgspec.json.decode(view[end:])

        yield from one_by_one(get)


# -- others, many pages at once ----------------------------------------------------------------------------------------


def requests_threads(url: str, size: int, window: int) -> Iterator[Record]:
    """Threads and a session, the number of pages asked for first."""
    from concurrent.futures import ThreadPoolExecutor

    import requests
    from requests.adapters import HTTPAdapter

    with requests.Session() as session, ThreadPoolExecutor(window) as pool:
        session.headers.update(HEADERS)
        session.mount("http://", HTTPAdapter(pool_maxsize=window))

        def get(number: int) -> Any:
            return session.get(url + PATH, params=query(number, size), timeout=30).json()

        first = get(1)
        yield from first["data"]
        for body in pool.map(get, range(2, first["meta"]["last_page"] + 1)):
            yield from body["data"]


def aiohttp_session(url: str, size: int, window: int) -> Iterator[Record]:
    """aiohttp, so many pages under way, driven from here."""
    import asyncio

    loop = asyncio.new_event_loop()
    pages = _aiohttp_pages(url, size, window)
    try:
        while True:
            yield from loop.run_until_complete(anext(pages))
    except StopAsyncIteration:
        return
    finally:
        loop.run_until_complete(pages.aclose())
        loop.close()


async def _aiohttp_pages(url: str, size: int, window: int) -> AsyncGenerator[list[Record]]:
    import asyncio
    from collections import deque

    import aiohttp

    async with aiohttp.ClientSession(headers=HEADERS) as session:

        async def get(number: int) -> Any:
            async with session.get(url + PATH, params=query(number, size)) as response:
                return await response.json()

        first = await get(1)
        yield first["data"]
        last, number = first["meta"]["last_page"], 2
        waiting: deque[asyncio.Task[Any]] = deque()
        while waiting or number <= last:
            while len(waiting) < window and number <= last:
                waiting.append(asyncio.ensure_future(get(number)))
                number += 1
            yield (await waiting.popleft())["data"]


SEQUENTIAL: dict[str, Any] = {
    "ours": ours,
    "HttpHook loop": http_hook,
    "requests session": requests_session,
    "requests, tuned": requests_tuned,
    "urllib3 + msgspec": urllib3_msgspec,
    "httpx": httpx_client,
    "aiohttp": aiohttp_session,
    "raw socket + msgspec": raw_socket,
}
AT_ONCE: dict[str, Any] = {"ours": ours, "requests in threads": requests_threads, "aiohttp": aiohttp_session}
