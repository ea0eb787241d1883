"""Work done ahead of its consumer, in threads, by a bounded window, its order kept. Standard library only."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from contextvars import copy_context
from typing import TYPE_CHECKING, TypeVar

from airflow_provider_processmaker.client.stopping import Stop

if TYPE_CHECKING:
    from collections.abc import Callable, Generator
    from concurrent.futures import Future

__all__ = ["ahead"]

T = TypeVar("T")
R = TypeVar("R")


def ahead(more: Callable[[], Callable[[], T] | None], window: int, learn: Callable[[T], R]) -> Generator[R]:
    """The results of jobs, in their order, while the next ones are under way.

    A consumer that takes its time holds the work up: never more than ``window`` results lie ready or under way beyond
    the one that it has. The first error, in the order of the jobs, ends it, and once any job has failed no other
    begins. So does closing the generator. Calls that are under way then are given up. No thread outlives it.

    :param more: gives the next job whenever there is room in the window; None: none for now. It ends when there is
        none and nothing is under way.
    :param window: how many at once; 1 means one after the other, without a thread.
    :param learn: is told each result before :code:`more` is asked again, and makes of it what the consumer gets. Like
        ``more`` it is called in the consumer's thread only.
    """
    if window <= 1:
        while (job := more()) is not None:
            yield learn(job())
        return
    pool = ThreadPoolExecutor(max_workers=window, thread_name_prefix="processmaker-pages")
    waiting: deque[Future[T]] = deque()
    stop = Stop()

    def stoppable(job: Callable[[], T]) -> T:
        with stop.in_force():
            return job()

    def fill() -> None:
        while len(waiting) < window and not any(_failed(future) for future in waiting):
            job = more()
            if job is None:
                return
            # What a thread logs belongs to the task whose thread it is.
            waiting.append(pool.submit(copy_context().run, stoppable, job))

    try:
        fill()
        while waiting:
            result = learn(waiting.popleft().result())
            fill()
            yield result
    finally:
        stop.set()
        pool.shutdown(wait=True, cancel_futures=True)


def _failed(future: Future[T]) -> bool:
    return future.done() and not future.cancelled() and future.exception() is not None
