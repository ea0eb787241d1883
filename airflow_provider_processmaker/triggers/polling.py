"""The shared poller: many who wait in one event loop, and one call that asks for all of them.

Airflow's triggerer is one long process with one event loop. All waits of one connection in it share one poller, so that
a thousand of them cost a handful of calls each interval. It knows nothing of what is asked. Standard library only.
"""

from __future__ import annotations

import asyncio
import contextvars
import logging
import math
from collections.abc import Awaitable, Callable, Collection, Hashable, Mapping
from functools import partial
from typing import Any, Generic, Self, TypeAlias, TypeVar
from weakref import WeakKeyDictionary

__all__ = ["Ask", "Poller", "UnansweredError", "Watch", "shared"]

log = logging.getLogger(__name__)

Q = TypeVar("Q", bound=Hashable)
A = TypeVar("A")
#: Is given questions, each once, and tells the answer, or the error, of each.
Ask: TypeAlias = Callable[[Collection[Q]], Awaitable[Mapping[Q, A | Exception]]]

#: Seconds by which moments may differ and still be one: 3 * 0.1 is not 0.3.
SLACK = 0.001
#: Waiters that wake in one turn of the event loop; what each of them does then blocks all others.
SLICE = 50


class UnansweredError(LookupError):
    """No answer came, and no error that would say why."""


class Watch(Generic[Q, A]):
    """Some questions that are asked again and again until it is left; a context manager. Made by :meth:`Poller.watch`.

    :param questions: what to ask.
    :param unsubscribe: is told when the watch is left.
    """

    def __init__(self, questions: Collection[Q], unsubscribe: Callable[[Watch[Q, A]], None]) -> None:
        self.questions = tuple(dict.fromkeys(questions))
        self._unsubscribe = unsubscribe
        self._answers: asyncio.Future[dict[Q, A | Exception]] | None = None
        self._left = False

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.leave()

    async def next(self, timeout: float | None = None) -> Mapping[Q, A | Exception] | None:  # noqa: ASYNC109
        """The answers to these questions by the next poll that ends; one that is already under way counts too.

        Nothing is kept for who does not wait. The errors are shared by all who asked: do not change them.

        :param timeout: seconds to wait for it.
        :return: answers or errors; None if the time passed first.
        :raises RuntimeError: if the watch was left.
        """
        if self._left:
            raise RuntimeError("This watch was left, so no answer will come.")
        if self._answers is None:
            self._answers = asyncio.get_running_loop().create_future()
        answers = self._answers
        await asyncio.wait([answers], timeout=timeout)
        return answers.result() if answers.done() else None

    def deliver(self, outcome: Mapping[Q, A | Exception] | Exception) -> None:
        """For the poller: wake who waits, if anybody does.

        :param outcome: answers to these questions among others, or the error that is the answer to all.
        """
        answers, self._answers = self._answers, None
        if answers is None:
            return
        if isinstance(outcome, Exception):
            answers.set_result(dict.fromkeys(self.questions, outcome))
        else:
            answers.set_result({question: outcome[question] for question in self.questions})

    def leave(self) -> None:
        """Ask no more. It may be called again."""
        if not self._left:
            self._left = True
            self._unsubscribe(self)
            self.deliver(UnansweredError("The watch was left, or the poller was cancelled, before an answer came."))


class _Ring(Generic[Q, A]):
    """The watches of one interval; they are always asked together, at multiples of it on the clock of the loop."""

    def __init__(self, interval: float, now: float) -> None:
        self.interval = interval
        self.watches: dict[Watch[Q, A], None] = {}
        self.number = self._number_after(now)

    def _number_after(self, now: float) -> int:
        return math.floor(now / self.interval) + 1

    @property
    def due(self) -> float:
        return self.number * self.interval

    def point_after(self, now: float) -> float:
        return max(self.number, self._number_after(now)) * self.interval

    def advance(self, now: float) -> None:
        self.number = max(self.number + 1, self._number_after(now))


class Poller(Generic[Q, A]):
    """Asks for all who watch, with one task in the background that lives from the first watch to the last.

    One event loop only. A poll is never cut off because somebody leaves; with nobody left it is the last.

    :param ask: asks all that is due at once, never twice at the same time. What it raises is the answer to each
        question; one that it does not mention is answered by an :class:`UnansweredError`.
    :param close: is awaited when the last watch has left. A later watch asks again, and may close again.
    """

    def __init__(self, ask: Ask[Q, A], *, close: Callable[[], Awaitable[None]] | None = None) -> None:
        self._ask = ask
        self._close = close
        self._rings: dict[float, _Ring[Q, A]] = {}
        self._moment = math.inf
        self._alarm: asyncio.Future[None] | None = None
        self._running = False
        self._task: asyncio.Task[None] | None = None

    def watch(self, questions: Collection[Q], interval: float) -> Watch[Q, A]:
        """Begin to ask; the first time within one interval, unless a poll is under way then.

        :param questions: what to ask.
        :param interval: seconds between two polls, which lie at multiples of it.
        """
        if not 0 < interval < math.inf:
            raise ValueError(f"An interval is a positive number of seconds, not {interval!r}.")
        loop = asyncio.get_running_loop()
        watch: Watch[Q, A] = Watch(questions, partial(self._unsubscribe, interval))
        ring = self._rings.get(interval)
        if ring is None:
            ring = self._rings[interval] = _Ring(interval, loop.time())
        ring.watches[watch] = None
        if ring.due < self._moment:
            self._moment = ring.due
            self._wake()
        if not self._running:
            self._running = True
            # An empty context: in that of the first waiter it would log into his task's log.
            self._task = loop.create_task(self._run(self._task), name="poller", context=contextvars.Context())
        return watch

    def _unsubscribe(self, interval: float, watch: Watch[Q, A]) -> None:
        ring = self._rings[interval]
        del ring.watches[watch]
        if not ring.watches:
            del self._rings[interval]
        if not self._rings:
            self._wake()

    def _wake(self) -> None:
        if self._alarm is not None and not self._alarm.done():
            self._alarm.set_result(None)

    async def _run(self, previous: asyncio.Task[None] | None) -> None:
        try:
            if previous is not None and not previous.done():  # it is still closing
                await asyncio.wait([previous])
            while self._rings:
                await self._turn()
        finally:
            self._running = False
            _forget(self)
            for watch in [watch for ring in self._rings.values() for watch in ring.watches]:
                watch.leave()
            if self._close is not None:
                try:
                    await self._close()
                except Exception:
                    log.exception("A poller could not be closed.")

    async def _turn(self) -> None:
        """Sleep to the next point of any grid, and ask all that is due then."""
        loop = asyncio.get_running_loop()
        self._alarm = loop.create_future()
        changed, _ = await asyncio.wait([self._alarm], timeout=max(0.0, self._moment - loop.time()))
        if changed:
            return
        now = max(self._moment, loop.time())
        due = [ring for ring in self._rings.values() if ring.due <= now + SLACK]
        watches = [watch for ring in due for watch in ring.watches]
        outcome = await self._poll(watches)
        for number, watch in enumerate(watches, 1):
            watch.deliver(outcome)
            if number % SLICE == 0:
                await asyncio.sleep(0)
        now = loop.time()
        for ring in due:
            ring.advance(now)
        # What came due meanwhile waits for this moment too: so it is asked together, and a slow server gets its rest.
        self._moment = min((ring.point_after(now) for ring in self._rings.values()), default=math.inf)

    async def _poll(self, watches: list[Watch[Q, A]]) -> Mapping[Q, A | Exception] | Exception:
        """The answers; any error is one, or who waits would wait for ever."""
        try:
            questions = tuple(dict.fromkeys(question for watch in watches for question in watch.questions))
            told = await self._ask(questions) if questions else {}
            return {one: told[one] if one in told else UnansweredError(f"No answer to {one!r}.") for one in questions}
        except asyncio.CancelledError:
            task = asyncio.current_task()
            if task is not None and task.cancelling():
                raise
            return UnansweredError("The call was cancelled.")  # by others, as a pool that is shut down does
        except Exception as error:  # noqa: BLE001
            return error


_shared: WeakKeyDictionary[asyncio.AbstractEventLoop, dict[Hashable, Poller[Any, Any]]] = WeakKeyDictionary()


def shared(key: Hashable, make: Callable[[], Poller[Q, A]]) -> Poller[Q, A]:
    """The poller of this event loop for a key; watch it before you await anything, or it may have ended.

    :param key: tells what is asked, and of whom.
    :param make: makes the poller if there is none.
    """
    pollers = _shared.setdefault(asyncio.get_running_loop(), {})
    if key not in pollers:
        pollers[key] = make()
    return pollers[key]


def _forget(poller: Poller[Any, Any]) -> None:
    pollers = _shared.get(asyncio.get_running_loop(), {})
    for key in [key for key, other in pollers.items() if other is poller]:
        del pollers[key]
