"""The shared poller.

Most tests run in an event loop whose clock leaps to the next timer instead of waiting for it: they are exact, and don't
depend on how fast the machine is. What must hold with a true clock counts, and waits for what must come.
"""

from __future__ import annotations

import asyncio
import contextvars
import gc
import math
import selectors
from itertools import pairwise
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.triggers import polling
from airflow_provider_processmaker.triggers.polling import Poller, UnansweredError, shared

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Coroutine, Iterator, Mapping

INTERVAL = 0.05
#: Only a hang takes that long.
PATIENCE = 30.0

VARIABLE: contextvars.ContextVar[str] = contextvars.ContextVar("VARIABLE", default="nothing")


@pytest.fixture(autouse=True)
def _asyncio_has_nothing_to_complain_of(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """No task destroyed while pending, no exception that nobody retrieved; and nothing stays registered."""
    yield
    gc.collect()
    assert [record.getMessage() for record in caplog.get_records("call") if record.name == "asyncio"] == []
    assert not any(polling._shared.values())


class LeapingSelector(selectors.DefaultSelector):
    """Lets time pass instead of waiting."""

    now = 12_345.678

    def select(self, timeout: float | None = None) -> list[Any]:
        events = super().select(0 if timeout else timeout)
        if not events and timeout:
            self.now += timeout
        return events


class LeapingLoop(asyncio.SelectorEventLoop):
    def __init__(self) -> None:
        self.leaping = LeapingSelector()
        super().__init__(self.leaping)

    def time(self) -> float:
        return self.leaping.now


def run(
    main: Coroutine[Any, Any, None],
    *,
    patience: float = PATIENCE,
    loop: Callable[[], asyncio.AbstractEventLoop] = LeapingLoop,
) -> None:
    async def with_patience() -> None:
        async with asyncio.timeout(patience):
            await main

    with asyncio.Runner(loop_factory=loop) as runner:
        runner.run(with_patience())


def run_with_a_true_clock(main: Coroutine[Any, Any, None]) -> None:
    run(main, loop=asyncio.new_event_loop)


def now() -> float:
    return asyncio.get_running_loop().time()


async def until(condition: Callable[[], bool]) -> None:
    while not condition():  # noqa: ASYNC110
        await asyncio.sleep(INTERVAL / 8)


def points(server: Server, interval: float) -> list[int]:
    """The points of a grid at which a server was asked; also a slow machine is late at one, never early."""
    return [math.floor((moment + polling.SLACK) / interval) for moment in server.times]


class Server:
    """Answers each question by the number of the poll, and notes what it was asked, and when."""

    def __init__(self, answer: Callable[[Collection[Any]], Any] | None = None) -> None:
        self.asked: list[list[Any]] = []
        self.times: list[float] = []
        self.closed = 0
        self.under_way = self.most_under_way = 0
        self.open = asyncio.Event()
        self.open.set()
        self.seconds = 0.0
        self._answer = answer
        self.poller: Poller[Any, Any] = Poller(self.ask, close=self.close)

    async def ask(self, questions: Collection[Any]) -> Mapping[Any, Any]:
        self.asked.append(list(questions))
        self.times.append(now())
        self.under_way += 1
        self.most_under_way = max(self.most_under_way, self.under_way)
        try:
            await self.open.wait()
            if self.seconds:
                await asyncio.sleep(self.seconds)
            if self._answer is None:
                return dict.fromkeys(questions, len(self.asked))
            return self._answer(questions)
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        self.closed += 1

    async def polls(self, more: int) -> None:
        """Until so many more polls have begun."""
        wanted = len(self.asked) + more
        await until(lambda: len(self.asked) >= wanted)

    async def at_work(self) -> None:
        """Until a poll is under way that does not end."""
        self.open.clear()
        await until(lambda: self.under_way > 0)


def test_a_watch_is_told_the_answers_to_its_own_questions() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch(["a", "b", "a"], INTERVAL) as one, server.poller.watch(["b", "c"], INTERVAL) as other:
            assert await asyncio.gather(one.next(), other.next()) == [{"a": 1, "b": 1}, {"b": 1, "c": 1}]
            assert server.asked == [["a", "b", "c"]]
            assert await other.next() == {"b": 2, "c": 2}

    run_with_a_true_clock(main())


def test_watches_of_one_interval_are_asked_together_whenever_they_came() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], INTERVAL) as first:
            await first.next()
            await asyncio.sleep(INTERVAL / 3)
            before = len(server.asked)
            with server.poller.watch([2], INTERVAL) as second, server.poller.watch([3], INTERVAL):
                await second.next()
                await server.polls(3)
                assert all(asked == [1, 2, 3] for asked in server.asked[before:])

    run(main())


@pytest.mark.parametrize("interval", [INTERVAL, 0.1, 1 / 3, 7, 30.0, 86_400])
def test_polls_lie_on_the_grid_and_the_first_comes_within_one_interval(interval: float) -> None:
    async def main() -> None:
        server = Server()
        begun = now()
        with server.poller.watch([1], interval):
            await asyncio.sleep(interval * 100)
        assert begun < server.times[0] <= begun + interval
        assert len(server.times) == 100
        assert [moment / interval for moment in server.times] == pytest.approx(points(server, interval), abs=1e-6)
        assert all(later - earlier == 1 for earlier, later in pairwise(points(server, interval)))

    run(main(), patience=math.inf)


def test_a_true_clock_that_is_late_is_never_early_and_never_twice_at_a_point() -> None:
    async def main() -> None:
        server = Server()
        begun = math.floor(now() / INTERVAL)
        with server.poller.watch([1], INTERVAL):
            await server.polls(5)
        found = [begun, *points(server, INTERVAL)]
        assert found == sorted(set(found))

    run_with_a_true_clock(main())


def test_a_shorter_interval_that_comes_later_is_not_held_up_by_a_long_one() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch(["slow"], 10_000.0):
            await asyncio.sleep(INTERVAL)
            with server.poller.watch(["fast"], INTERVAL) as fast:
                assert await fast.next() == {"fast": 1}

    run_with_a_true_clock(main())


def test_different_intervals_that_are_due_together_are_asked_together() -> None:
    async def main() -> None:
        server = Server()
        # Three times 0.1 is not 0.3 in floating point.
        with server.poller.watch(["short"], 0.1), server.poller.watch(["long"], 0.3):
            await asyncio.sleep(300)
        assert len(server.asked) == pytest.approx(3000, abs=2)
        assert server.asked.count(["short", "long"]) == pytest.approx(1000, abs=1)
        assert server.asked.count(["long"]) == 0

    run(main(), patience=math.inf)


def test_a_slow_server_is_never_asked_twice_at_once_and_has_its_rest() -> None:
    async def main() -> None:
        server = Server()
        server.seconds = 2.5
        first = math.floor(now()) + 1
        with server.poller.watch(["a"], 1), server.poller.watch(["b"], 3):
            await asyncio.sleep(24)
        assert server.most_under_way == 1
        # A poll takes 2.5 s, and the next point of any grid is 0.5 s later. Nothing piles up, and nobody starves.
        assert server.times == pytest.approx([first + 3 * number for number in range(len(server.times))])
        assert all("a" in asked for asked in server.asked)
        assert all("b" in [*one, *other] for one, other in pairwise(server.asked))

    run(main())


def test_points_that_were_missed_are_not_made_up_for() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch(["a"], 1), server.poller.watch(["b"], 4):
            await server.at_work()
            await asyncio.sleep(10.2)
            stalled = len(server.asked)
            server.open.set()
            await asyncio.sleep(8)
        assert server.asked[stalled - 1] == ["a"]
        assert server.asked[stalled] == ["a", "b"]
        assert sum("b" in asked for asked in server.asked[stalled + 1 :]) <= 2
        assert len(server.asked) - stalled == 8

    run(main())


def test_who_does_not_wait_gets_nothing_and_never_an_old_answer() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], INTERVAL) as watch:
            await watch.next()
            await server.polls(3)
            before = len(server.asked)
            answers = await watch.next()
            assert answers is not None
            assert answers[1] > before

    run(main())


def test_a_time_out_is_none_and_the_answer_comes_to_the_next_call() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], INTERVAL) as watch:
            await server.at_work()
            assert await watch.next(timeout=0) is None
            assert await watch.next(timeout=INTERVAL) is None
            server.open.set()
            assert await watch.next(timeout=PATIENCE) == {1: 1}

    run(main())


def test_who_comes_while_a_poll_is_under_way_is_asked_for_by_the_next() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], INTERVAL) as first:
            await server.at_work()
            with server.poller.watch([1, 2], INTERVAL) as second:
                both = asyncio.gather(first.next(), second.next())
                await asyncio.sleep(0)
                server.open.set()
                assert await both == [{1: 1}, {1: 2, 2: 2}]

    run(main())


def test_an_error_is_the_answer_to_each_question_and_the_polls_go_on() -> None:
    trouble = [OSError("no"), ValueError("neither")]

    def answer(questions: Collection[int]) -> dict[int, str]:
        if trouble:
            raise trouble.pop(0)
        return dict.fromkeys(questions, "yes")

    async def main() -> None:
        first, second = trouble
        server = Server(answer)
        with server.poller.watch([1, 2], INTERVAL) as one, server.poller.watch([2], INTERVAL) as other:
            assert await asyncio.gather(one.next(), other.next()) == [{1: first, 2: first}, {2: first}]
            assert await asyncio.gather(one.next(), other.next()) == [{1: second, 2: second}, {2: second}]
            assert await asyncio.gather(one.next(), other.next()) == [{1: "yes", 2: "yes"}, {2: "yes"}]

    run(main())


def test_an_error_of_one_question_is_its_answer_alone() -> None:
    problem = OSError("no")

    async def main() -> None:
        server = Server(lambda _: {"a": problem, "b": "yes"})
        with server.poller.watch(["a", "b"], INTERVAL) as one, server.poller.watch(["a"], INTERVAL) as other:
            assert await asyncio.gather(one.next(), other.next()) == [{"a": problem, "b": "yes"}, {"a": problem}]

    run(main())


def test_what_is_not_answered_is_said() -> None:
    async def main() -> None:
        server = Server(lambda _: {"a": None})
        with server.poller.watch(["a", "b"], INTERVAL) as watch:
            answers = await watch.next()
            assert answers is not None
            assert answers["a"] is None
            assert isinstance(answers["b"], UnansweredError)
            assert "'b'" in str(answers["b"])

    run(main())


class Treacherous(dict[int, str]):
    def __contains__(self, key: object) -> bool:
        raise ZeroDivisionError


@pytest.mark.parametrize("nonsense", [None, Treacherous({1: "yes"}), 7])
def test_an_error_of_the_poller_itself_is_an_answer_too(nonsense: Any) -> None:
    replies = [nonsense, {1: "yes"}]

    async def main() -> None:
        server = Server(lambda _: replies.pop(0))
        with server.poller.watch([1], INTERVAL) as watch:
            answers = await watch.next()
            assert answers is not None
            assert isinstance(answers[1], Exception)
            assert await watch.next() == {1: "yes"}

    run(main())


def test_a_call_that_others_cancel_does_not_end_the_poller() -> None:
    async def main() -> None:
        def answer(questions: Collection[int]) -> dict[int, str]:
            if len(server.asked) == 1:
                raise asyncio.CancelledError
            return dict.fromkeys(questions, "yes")

        server = Server(answer)
        with server.poller.watch([1], INTERVAL) as watch:
            answers = await watch.next()
            assert answers is not None
            assert isinstance(answers[1], UnansweredError)
            assert await watch.next() == {1: "yes"}

    run(main())


def test_who_has_left_is_not_asked_for() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], INTERVAL) as stays:
            with server.poller.watch([2], INTERVAL) as leaves:
                await leaves.next()
            before = len(server.asked)
            await stays.next()
            assert server.asked[before:] == [[1]]
            leaves.leave()
            with pytest.raises(RuntimeError, match="was left"):
                await leaves.next()

    run(main())


def test_leaving_wakes_another_task_that_waits() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], 10_000.0) as watch:
            waiting = asyncio.create_task(watch.next())
            await asyncio.sleep(0)
        answers = await waiting
        assert answers is not None
        assert isinstance(answers[1], UnansweredError)

    run(main())


def test_it_ends_with_the_last_watch_and_starts_anew_with_the_next() -> None:
    async def main() -> None:
        server = Server()
        alone = asyncio.all_tasks()
        for round_number in (1, 2):
            with server.poller.watch([1], INTERVAL) as watch:
                assert len(asyncio.all_tasks() - alone) == 1
                await watch.next()
                assert server.closed == round_number - 1
            await until(lambda: asyncio.all_tasks() == alone)
            assert server.closed == round_number
            before = len(server.asked)
            await asyncio.sleep(INTERVAL * 3)
            assert len(server.asked) == before

    run_with_a_true_clock(main())


def test_it_ends_at_once_when_nobody_is_left() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], 10_000.0):
            await asyncio.sleep(1)
        await until(lambda: server.closed == 1)

    run(main())


def test_a_poll_under_way_is_not_cut_off_by_the_last_who_leaves_and_serves_who_comes_then() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([1], INTERVAL):
            await server.at_work()
        await asyncio.sleep(INTERVAL)
        assert (server.under_way, server.closed) == (1, 0)
        with server.poller.watch([2], INTERVAL) as watch:
            server.open.set()
            assert await watch.next() == {2: 2}
            assert (server.most_under_way, server.closed) == (1, 0)
        await until(lambda: server.closed == 1)

    run_with_a_true_clock(main())


def test_who_comes_while_it_closes_waits_for_that() -> None:
    async def main() -> None:
        may_close, closing, events = asyncio.Event(), asyncio.Event(), []

        async def ask(questions: Collection[int]) -> dict[int, int]:
            events.append("ask")
            return dict.fromkeys(questions, 1)

        async def close() -> None:
            events.append("close")
            closing.set()
            await may_close.wait()
            events.append("closed")

        poller = Poller(ask, close=close)
        with poller.watch([1], INTERVAL) as watch:
            await watch.next()
        await closing.wait()
        with poller.watch([1], INTERVAL) as watch:
            assert await watch.next(INTERVAL * 3) is None
            may_close.set()
            assert await watch.next() == {1: 1}
        assert events == ["ask", "close", "closed", "ask"]

    run(main())


def test_what_closing_raises_is_logged(caplog: pytest.LogCaptureFixture) -> None:
    async def main() -> None:
        alone = asyncio.all_tasks()

        async def ask(questions: Collection[int]) -> dict[int, int]:
            return dict.fromkeys(questions, 1)

        async def close() -> None:
            raise OSError("stuck")

        poller = Poller(ask, close=close)
        with poller.watch([1], INTERVAL) as watch:
            await watch.next()
        await until(lambda: asyncio.all_tasks() == alone)

    run(main())
    assert "could not be closed" in caplog.text
    assert "stuck" in caplog.text


def test_the_poller_does_not_run_in_the_context_of_who_came_first() -> None:
    seen = []

    def answer(questions: Collection[int]) -> dict[int, int]:
        seen.append(VARIABLE.get())
        return dict.fromkeys(questions, 1)

    async def main() -> None:
        VARIABLE.set("the first waiter's")
        server = Server(answer)
        with server.poller.watch([1], INTERVAL) as watch:
            await watch.next()
            assert VARIABLE.get() == "the first waiter's"

    run(main())
    assert set(seen) == {"nothing"}


def test_cancelling_a_waiter_disturbs_neither_the_others_nor_the_poll() -> None:
    async def main() -> None:
        server = Server()

        async def wait() -> Mapping[int, int] | None:
            with server.poller.watch([1], INTERVAL) as watch:
                return await watch.next()

        waiters = [asyncio.create_task(wait()) for _ in range(3)]
        await server.at_work()
        waiters[0].cancel()
        await asyncio.wait(waiters[:1])
        assert waiters[0].cancelled()
        assert server.under_way == 1
        server.open.set()
        assert await asyncio.gather(*waiters[1:]) == [{1: 1}] * 2
        assert len(server.asked) == 1

    run_with_a_true_clock(main())


@pytest.mark.parametrize("when", ["not begun", "asleep", "under way"])
def test_the_end_of_the_loop_ends_it_without_a_word(when: str) -> None:
    ends = []

    async def main() -> None:
        server = Server()
        ends.append(server)
        poller = shared("key", lambda: server.poller)
        # Held and waited for by tasks that nobody ends, as a triggerer that is stopped leaves them.
        watch = poller.watch([1], INTERVAL if when == "under way" else 10_000.0)
        ends.append(asyncio.create_task(watch.next()))
        if when == "asleep":
            await asyncio.sleep(INTERVAL)
        elif when == "under way":
            await server.at_work()

    run_with_a_true_clock(main())
    server, waiter = ends
    assert waiter.cancelled()
    assert server.closed == 1


def test_cancelling_the_poller_alone_leaves_nobody_hanging() -> None:
    async def main() -> None:
        server = Server()
        alone = asyncio.all_tasks()
        watch = server.poller.watch([1], 10_000.0)
        waiter = asyncio.create_task(watch.next())
        (task,) = asyncio.all_tasks() - alone - {waiter}
        await asyncio.sleep(0)
        task.cancel()
        answers = await waiter
        assert answers is not None
        assert isinstance(answers[1], UnansweredError)
        with pytest.raises(RuntimeError, match="was left"):
            await watch.next()
        with server.poller.watch([1], INTERVAL) as again:
            assert await again.next() == {1: 1}

    run(main())


def test_one_loop_shares_a_poller_by_key_and_forgets_it_at_its_end() -> None:
    async def main() -> None:
        servers: list[Server] = []

        def make() -> Poller[Any, Any]:
            servers.append(Server())
            return servers[-1].poller

        poller = shared("key", make)
        with poller.watch([1], INTERVAL) as watch:
            assert shared("key", make) is poller
            with shared("other", make).watch([1], INTERVAL):
                assert len(servers) == 2
            await watch.next()
        await until(lambda: servers[0].closed == servers[1].closed == 1)
        anew = shared("key", make)
        assert anew is not poller
        with anew.watch([1], INTERVAL):
            await servers[2].polls(1)

    run(main())


def test_two_loops_have_two_pollers() -> None:
    found = []

    async def main() -> None:
        poller = shared("key", lambda: Server().poller)
        with poller.watch([1], INTERVAL) as watch:
            assert await watch.next() == {1: 1}
        found.append(poller)

    run_with_a_true_clock(main())
    run_with_a_true_clock(main())
    assert found[0] is not found[1]


def test_a_thousand_waiters_are_woken_in_slices() -> None:
    async def main() -> None:
        server = Server()
        turns, woken = 0, []

        async def wait(number: int) -> None:
            with server.poller.watch([number], INTERVAL * 10) as watch:
                assert await watch.next() == {number: 1}
                woken.append(turns)

        async def count_turns() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        waiters = [asyncio.create_task(wait(number)) for number in range(1000)]
        await server.at_work()
        counter = asyncio.create_task(count_turns())
        server.open.set()
        await asyncio.gather(*waiters)
        counter.cancel()
        assert len(server.asked) == 1
        assert max(woken.count(turn) for turn in set(woken)) <= 100

    run(main())


def test_nothing_to_ask_is_not_asked() -> None:
    async def main() -> None:
        server = Server()
        with server.poller.watch([], INTERVAL) as watch:
            assert await watch.next() == {}
        assert server.asked == []

    run(main())


@pytest.mark.parametrize("interval", [0, -1, math.inf, math.nan])
def test_an_interval_that_makes_no_sense_is_refused(interval: float) -> None:
    async def main() -> None:
        server = Server()
        with pytest.raises(ValueError, match="positive number"):
            server.poller.watch([1], interval)

    run(main())
