"""What a thousand waits in one event loop cost: by the shared poller, and by a call for each of them.

``uv run --group benchmarks benchmarks/waiting.py``

The stand-in server, in a process of its own, has so many ACTIVE requests, and each is waited for by a task of its own
that wants to know its status once an interval. Each way runs in a fresh process, one after the other, against the same
server; what happens until every task was answered once is not measured. The stand-in may be slower than a real server,
so look at how many polls each way came to, and quote the ratios.
"""

from __future__ import annotations

import argparse
import asyncio
import functools
import multiprocessing
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import psutil

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Collection
    from multiprocessing.connection import Connection

    from airflow_provider_processmaker.client import ProcessMakerClient

SPAWN = multiprocessing.get_context("spawn")
#: Seconds that the lag of the loop is sampled by.
TICK = 0.01
#: Seconds after which a server that answers nobody is given up.
PATIENCE = 120
ACTIVE = "ACTIVE"


@dataclass(frozen=True)
class Work:
    url: str
    token: str
    ids: list[int]
    interval: float
    seconds: float
    #: How often each task was answered.
    answered: list[int] = field(default_factory=list)

    def answer(self, index: int, status: object) -> None:
        if status != ACTIVE:
            raise SystemExit(f"{self.ids[index]} is {status}")
        self.answered[index] += 1


@dataclass(frozen=True)
class Result:
    calls: float
    polls: float
    cpu: float
    server_cpu: float
    lags: list[float]
    rss: float

    def lag(self, share: float) -> float:
        """Milliseconds by which so many of the ticks were late at most."""
        ordered = sorted(self.lags)
        return 1e3 * ordered[min(len(ordered) - 1, int(share * len(ordered)))]

    @property
    def cpu_per_thousand(self) -> float:
        """Milliseconds of CPU for a thousand answers, which also compares ways that came to fewer of them."""
        return 1e6 * self.cpu / self.polls


def serve(pipe: Connection, jobs: int) -> None:
    """Answer for ever; whenever asked, tell how many calls there were since, how many failed, and our CPU seconds."""
    from airflow_provider_processmaker.testing import ProcessMakerServer

    with ProcessMakerServer(users=10) as server:
        server.add_process("Order", ["Approve"])
        ids = [request.id for request in server.add_requests("Order", jobs)]
        pipe.send((server.url, server.issue_token("admin", personal=True), ids))
        while pipe.recv():
            calls = server.calls
            server.reset_calls()
            pipe.send((len(calls), sum(call.status != 200 for call in calls), time.process_time()))


# -- the ways: each answers for every task again and again, and never returns ------------------------------------------


async def shared_poller(work: Work) -> None:
    """Ours."""
    from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient, Settings
    from airflow_provider_processmaker.triggers.polling import Poller, shared

    settings = Settings(base_url=work.url, access_token=work.token)
    pool = ThreadPoolExecutor(4)

    async def ask(ids: Collection[int]) -> dict[int, str | Exception]:
        return await asyncio.get_running_loop().run_in_executor(pool, statuses, client, ids)

    async def wait(index: int) -> None:
        poller = shared("requests", lambda: Poller(ask))
        request_id = work.ids[index]
        with poller.watch([request_id], work.interval) as watch:
            while answers := await watch.next():
                work.answer(index, answers[request_id])

    with ProcessMakerClient(settings, token_store=MemoryStore()) as client:
        await each(wait, work)


def statuses(client: ProcessMakerClient, ids: Collection[int]) -> dict[int, str | Exception]:
    from airflow_provider_processmaker.client.pmql import LONGEST_QUERY, field, split_in

    active = field("status") == ACTIVE
    batches = split_in("id", ids, longest=LONGEST_QUERY - 60)
    if sum(client.count("requests", pmql=batch & active) for batch in batches) != len(ids):
        raise SystemExit("one of them has ended")
    return dict.fromkeys(ids, ACTIVE)


async def aiohttp_each(work: Work) -> None:
    """A call for each task, with aiohttp."""
    import aiohttp

    async with aiohttp.ClientSession(headers={"Authorization": f"Bearer {work.token}"}) as session:

        async def look(request_id: int) -> str:
            async with session.get(f"{work.url}/api/1.0/requests/{request_id}") as response:
                response.raise_for_status()
                return str((await response.json())["status"])

        await each(functools.partial(by_itself, work, look), work)


async def threads_each(work: Work) -> None:
    """A call for each task, with requests in 32 threads."""
    import requests

    pool, mine = ThreadPoolExecutor(32), threading.local()

    def look_in_thread(request_id: int) -> str:
        if not hasattr(mine, "session"):
            mine.session = requests.Session()
            mine.session.headers["Authorization"] = f"Bearer {work.token}"
        response = mine.session.get(f"{work.url}/api/1.0/requests/{request_id}", timeout=60)
        response.raise_for_status()
        return str(response.json()["status"])

    async def look(request_id: int) -> str:
        return await asyncio.get_running_loop().run_in_executor(pool, look_in_thread, request_id)

    try:
        await each(functools.partial(by_itself, work, look), work)
    finally:
        pool.shutdown(cancel_futures=True)


async def each(wait: Callable[[int], Awaitable[None]], work: Work) -> None:
    await asyncio.gather(*(wait(index) for index in range(len(work.ids))))


async def by_itself(work: Work, look: Callable[[int], Awaitable[str]], index: int) -> None:
    """Look once an interval. The tasks begin spread over the first, which is kinder to the loop than all at once."""
    loop = asyncio.get_running_loop()
    await asyncio.sleep(work.interval * index / len(work.ids))
    while True:
        begun = loop.time()
        work.answer(index, await look(work.ids[index]))
        await asyncio.sleep(max(0.0, begun + work.interval - loop.time()))


WAYS: dict[str, Callable[[Work], Awaitable[None]]] = {
    "ours: one poller": shared_poller,
    "aiohttp, a call each": aiohttp_each,
    "32 threads, a call each": threads_each,
}
PEER = "aiohttp, a call each"


# -- measuring ---------------------------------------------------------------------------------------------------------


def run_way(name: str, work: Work, server: Connection, report: Connection) -> None:
    """In a process of its own, since memory is never given back."""
    report.send(asyncio.run(measured(WAYS[name], work, server)))


async def measured(way: Callable[[Work], Awaitable[None]], work: Work, server: Connection) -> Result:
    work.answered.extend([0] * len(work.ids))
    waiting = asyncio.ensure_future(way(work))

    async def let_pass(seconds: float) -> None:
        await asyncio.wait([waiting], timeout=seconds)
        if waiting.done():
            raise SystemExit(f"it ended: {waiting.exception()}")

    def told() -> tuple[int, int, float]:
        server.send("tell")
        return server.recv()

    given_up = time.monotonic() + PATIENCE
    while not all(work.answered):
        await let_pass(0.1)
        if time.monotonic() > given_up:
            raise SystemExit(f"after {PATIENCE} s {work.answered.count(0)} tasks were never answered")
    _, _, server_before = told()
    answered, cpu, begun = sum(work.answered), time.process_time(), time.perf_counter()
    lags: list[float] = []
    ticking = asyncio.ensure_future(tick(lags))
    await let_pass(work.seconds)
    ticking.cancel()
    took = time.perf_counter() - begun
    cpu = time.process_time() - cpu
    polls = sum(work.answered) - answered
    calls, failed, server_after = told()
    if failed:
        raise SystemExit(f"{failed} of {calls} calls failed")
    rss = psutil.Process().memory_info().rss / 1e6
    waiting.cancel()
    await asyncio.wait([waiting])
    return Result(calls / took, polls / took, cpu / took, (server_after - server_before) / took, lags, rss)


async def tick(lags: list[float]) -> None:
    """Note how late a short sleep ends."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(TICK)
        lags.append(time.perf_counter() - begun - TICK)


def show(results: dict[str, Result], jobs: int, interval: float) -> None:
    from rich.console import Console
    from rich.table import Table

    table = Table(title=f"{jobs} waits, each to be polled every {interval:g} s")
    table.add_column("way")
    for heading in ("calls/s", "polls a job\nin an interval", "CPU %", "server's\nCPU %", "CPU ms per\n1,000 answers",
                    "lag ms p50", "p99", "max", "RSS MB"):  # fmt: skip
        table.add_column(heading, justify="right")
    for name, result in results.items():
        table.add_row(
            name, f"{result.calls:.1f}", f"{result.polls / jobs * interval:.2f}", f"{100 * result.cpu:.1f}",
            f"{100 * result.server_cpu:.0f}", f"{result.cpu_per_thousand:.1f}", f"{result.lag(0.5):.1f}",
            f"{result.lag(0.99):.1f}", f"{result.lag(1):.1f}", f"{result.rss:.0f}",
        )  # fmt: skip
    peer = results[PEER]
    ratios = Table(title=f'times that of "{PEER}"')
    ratios.add_column("way")
    measures: dict[str, Callable[[Result], float]] = {
        "calls/s": lambda result: result.calls,
        "CPU": lambda result: result.cpu,
        "CPU per answer": lambda result: result.cpu_per_thousand,
        "lag p99": lambda result: result.lag(0.99),
        "RSS": lambda result: result.rss,
    }
    for heading in measures:
        ratios.add_column(heading, justify="right")
    for name, result in results.items():
        ratios.add_row(name, *(f"{measure(result) / measure(peer):.3f}" for measure in measures.values()))
    console: Any = Console(width=140)
    console.print(table)
    console.print(ratios)


def main() -> None:
    """Measure each way in turn, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--jobs", type=int, default=1000)
    parser.add_argument("--seconds", type=float, default=10)
    parser.add_argument("--interval", type=float, default=1)
    options = parser.parse_args()
    server, there = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(there, options.jobs), daemon=True)
    process.start()
    work = Work(*server.recv(), options.interval, options.seconds)
    results = {}
    for name in WAYS:
        mine, report = SPAWN.Pipe()
        child = SPAWN.Process(target=run_way, args=(name, work, server, report), daemon=True)
        child.start()
        report.close()
        try:
            results[name] = mine.recv()
        except EOFError:
            raise SystemExit(f"{name}: failed") from None
        child.join()
    server.send(None)
    process.join()
    show(results, options.jobs, options.interval)


if __name__ == "__main__":
    main()
