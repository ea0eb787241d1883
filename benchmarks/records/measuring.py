"""One run of one way, in a process of its own on a core of its own."""

from __future__ import annotations

import contextlib
import multiprocessing
import os
import resource
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from server import FIRST_ID, serve
from ways import AT_ONCE, SEQUENTIAL

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from multiprocessing.connection import Connection

SPAWN = multiprocessing.get_context("spawn")


@dataclass(frozen=True)
class Run:
    """What one run took: seconds, seconds of CPU, bytes by which the memory grew at its highest."""

    seconds: float
    cpu: float
    grown: int


def cores() -> tuple[int | None, int | None]:
    """A core for the client and another for the server; None where that cannot be chosen."""
    if not hasattr(os, "sched_getaffinity") or len(os.sched_getaffinity(0)) < 2:
        return None, None
    mine, other, *_ = sorted(os.sched_getaffinity(0))
    return mine, other


@contextlib.contextmanager
def served(total: int, sizes: tuple[int, ...], pause: float) -> Iterator[str]:
    """The address of a server of so many records, the pages of these sizes made before."""
    here, there = SPAWN.Pipe()
    process = SPAWN.Process(target=serve, args=(there, total, sizes, pause, cores()[1]), daemon=True)
    process.start()
    try:
        yield f"http://127.0.0.1:{here.recv()}"
    finally:
        process.terminate()
        process.join()


@dataclass(frozen=True)
class Job:
    """What is to be read: from where, in pages of which size, so many at once if more than one, and how much it is."""

    url: str
    size: int
    window: int
    total: int

    def ways(self) -> dict[str, Any]:
        """The ways that can do it."""
        return SEQUENTIAL if self.window == 1 else AT_ONCE


def run(way: str, job: Job, report: Connection) -> None:
    """In a process of its own: read once a little, then all, and report."""
    core = cores()[0]
    if core is not None:
        os.sched_setaffinity(0, {core})
    read, url, size, window = job.ways()[way], job.url, job.size, job.window
    # Imports, the first connection and the like are not what is measured.
    warm = read(url, size, window)
    next(warm)
    warm.close()
    before = highest()
    cpu, begun = time.process_time(), time.perf_counter()
    expected = FIRST_ID
    for record in read(url, size, window):
        if record["id"] != expected:
            raise SystemExit(f"{way}: record {record['id']} came where {expected} was due")
        expected += 1
    took, cpu = time.perf_counter() - begun, time.process_time() - cpu
    if expected - FIRST_ID != job.total:
        raise SystemExit(f"{way}: {expected - FIRST_ID} records instead of {job.total}")
    report.send(Run(took, cpu, highest() - before))


def highest() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def measured(job: Job, runs: int, ways: Iterable[str] = ()) -> dict[str, list[Run]]:
    """Some ways, or all, each so often, in turn."""
    ways = list(ways or job.ways())
    found: dict[str, list[Run]] = {way: [] for way in ways}
    for _ in range(runs):
        for way in ways:
            mine, report = SPAWN.Pipe()
            child = SPAWN.Process(target=run, args=(way, job, report), daemon=True)
            child.start()
            report.close()
            try:
                found[way].append(mine.recv())
            except EOFError:
                raise SystemExit(f"{way}: failed") from None
            child.join()
    return found


def median(runs: list[Run], what: str) -> float:
    return statistics.median(getattr(one, what) for one in runs)
