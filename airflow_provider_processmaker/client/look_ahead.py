"""Work done ahead of its consumer, in threads, by a bounded window, its order kept. Standard library only."""

from __future__ import annotations

from collections import deque
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from concurrent.futures import Future

__all__ = ["ahead"]

T = TypeVar("T")


def ahead(jobs: Iterator[Callable[[], T]], window: int) -> Iterator[T]:
    """The results of jobs, in their order, while the next ones are under way.

    A consumer that takes its time holds the work up: never more than ``window`` results lie ready or under way beyond
    the one that it has. The first error, in the order of the jobs, ends it; what is not begun then never is. So does
    closing the generator. No thread outlives it.

    :param jobs: what to do; each is taken when there is room in the window.
    :param window: how many at once; 1 means one after the other, without a thread.
    """
    if window <= 1:
        for job in jobs:
            yield job()
        return
    pool = ThreadPoolExecutor(max_workers=window, thread_name_prefix="processmaker-pages")
    waiting: deque[Future[T]] = deque()

    def fill() -> None:
        while len(waiting) < window:
            job = next(jobs, None)
            if job is None:
                return
            waiting.append(pool.submit(job))

    try:
        fill()
        while waiting:
            result = waiting.popleft().result()
            fill()
            yield result
    finally:
        pool.shutdown(wait=True, cancel_futures=True)
