"""When a wait is decided: by what was seen and when, on clocks that the test moves."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    ForbiddenError,
    InvalidInputError,
    ServerError,
    TransportError,
)
from airflow_provider_processmaker.client.request_states import GONE, HIDDEN, NOT_TOLD
from airflow_provider_processmaker.client.waiting import Verdict, checked_statuses, wait_for
from tests.client.runs import EPOCH, Seconds, wait

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.waiting import Wait

OUT = TransportError("No connection.", method="GET", path="/api/1.0/requests")


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


class TestOneRequest:
    def test_it_comes_to_its_end(self, clock: Seconds) -> None:
        one = wait(clock)
        assert one.saw({1: "ACTIVE"}) is None
        assert one.calm
        assert one.saw({1: "COMPLETED"}) == Verdict("reached", {1: "COMPLETED"}, 1)

    @pytest.mark.parametrize("status", ["CANCELED", "DRAFT", "SOMETHING NEW"])
    def test_another_end_counts_at_once(self, clock: Seconds, status: str) -> None:
        """A status that this version does not know is told, not waited out."""
        assert wait(clock).saw({1: status}) == Verdict("failed", {1: status}, 1)

    @pytest.mark.parametrize(("status", "kind"), [("ERROR", "failed"), (GONE, "gone"), (HIDDEN, "hidden")])
    def test_what_may_pass_counts_when_it_has_lasted(self, clock: Seconds, status: str, kind: str) -> None:
        one = wait(clock, error_grace=60)
        for _ in range(6):
            assert one.saw({1: status}) is None
            assert not one.calm
            clock.now += 10
        assert one.saw({1: status}) == Verdict(kind, {1: status}, 1)

    @pytest.mark.parametrize("status", ["ERROR", GONE, HIDDEN])
    def test_without_grace_it_counts_at_once(self, clock: Seconds, status: str) -> None:
        verdict = wait(clock, error_grace=0).saw({1: status})
        assert verdict is not None
        assert verdict.statuses == {1: status}

    @pytest.mark.parametrize("status", ["ERROR", GONE, HIDDEN])
    def test_what_has_passed_begins_anew(self, clock: Seconds, status: str) -> None:
        """As when ProcessMaker retries a script: ERROR, ACTIVE, ERROR."""
        one = wait(clock, error_grace=60)
        for _ in range(10):
            assert one.saw({1: status}) is None
            clock.now += 50
            assert one.saw({1: "ACTIVE"}) is None
            assert one.calm
            clock.now += 50
        assert one.saw({1: status}) is None
        clock.now += 60
        assert one.saw({1: status}) is not None

    def test_one_doubt_does_not_prolong_another(self, clock: Seconds) -> None:
        one = wait(clock, error_grace=60)
        assert one.saw({1: "ERROR"}) is None
        clock.now += 50
        assert one.saw({1: GONE}) is None
        clock.now += 50
        assert one.saw({1: GONE}) is None
        clock.now += 10
        assert one.saw({1: GONE}) == Verdict("gone", {1: GONE}, 1)

    def test_a_doubt_that_comes_back_begins_anew(self, clock: Seconds) -> None:
        one = wait(clock, error_grace=60)
        for status in ["ERROR", HIDDEN, "ERROR"]:
            assert one.saw({1: status}) is None
            clock.now += 30
        assert one.saw({1: "ERROR"}) is None
        clock.now += 30
        assert one.saw({1: "ERROR"}) == Verdict("failed", {1: "ERROR"}, 1)

    @pytest.mark.parametrize("end", ["COMPLETED", "CANCELED"])
    def test_an_end_ends_the_doubt(self, clock: Seconds, end: str) -> None:
        one = wait(clock, error_grace=60)
        assert one.saw({1: "ERROR"}) is None
        verdict = one.saw({1: end})
        assert verdict is not None
        assert verdict.kind == ("reached" if end == "COMPLETED" else "failed")

    def test_an_error_that_is_wanted_must_last_too(self, clock: Seconds) -> None:
        one = wait(clock, wanted=["ERROR"], error_grace=60)
        assert one.saw({1: "ERROR"}) is None
        clock.now += 60
        assert one.saw({1: "ERROR"}) == Verdict("reached", {1: "ERROR"}, 1)

    @pytest.mark.parametrize("status", ["COMPLETED", "CANCELED"])
    def test_any_of_several_ends(self, clock: Seconds, status: str) -> None:
        one = wait(clock, wanted=["COMPLETED", "CANCELED"])
        assert one.saw({1: status}) == Verdict("reached", {1: status}, 1)

    def test_a_wait_for_the_beginning(self, clock: Seconds) -> None:
        one = wait(clock, wanted="ACTIVE", error_grace=0)
        assert one.saw({1: "ERROR"}) == Verdict("failed", {1: "ERROR"}, 1)
        assert wait(clock, wanted="ACTIVE").saw({1: "ACTIVE"}) == Verdict("reached", {1: "ACTIVE"}, 1)

    def test_nothing_told_decides_nothing(self, clock: Seconds) -> None:
        one = wait(clock, error_grace=0)
        assert one.saw({1: NOT_TOLD}) is None
        assert one.saw({}) is None
        assert one.saw({2: "COMPLETED"}) is None
        assert one.calm

    def test_the_log_says_once_what_is_in_doubt(self, clock: Seconds, caplog: pytest.LogCaptureFixture) -> None:
        one = wait(clock, error_grace=60)
        for _ in range(3):
            one.saw({1: "ERROR"})
        assert caplog.text.count("Request 1 is ERROR; it counts if that lasts for 60 s.") == 1


class TestSeveralRequests:
    def test_all_must_come_to_it(self, clock: Seconds) -> None:
        some = wait(clock, [3, 1, 2])
        assert some.saw({1: "COMPLETED", 2: "ACTIVE", 3: "COMPLETED"}) is None
        assert some.saw({1: "COMPLETED", 2: "COMPLETED", 3: "COMPLETED"}) == Verdict(
            "reached", {1: "COMPLETED", 2: "COMPLETED", 3: "COMPLETED"}
        )

    def test_one_that_fails_decides(self, clock: Seconds) -> None:
        some = wait(clock, [1, 2, 3])
        seen = {1: "COMPLETED", 2: "CANCELED", 3: "ACTIVE"}
        assert some.saw(seen) == Verdict("failed", seen, 2)

    def test_one_that_is_not_told_is_awaited(self, clock: Seconds) -> None:
        some = wait(clock, [1, 2], error_grace=0)
        assert some.saw({1: "COMPLETED", 2: NOT_TOLD}) is None
        assert some.saw({1: "COMPLETED", 2: "COMPLETED"}) is not None

    def test_each_has_its_own_grace(self, clock: Seconds) -> None:
        some = wait(clock, [1, 2], error_grace=60)
        assert some.saw({1: "ERROR", 2: "ACTIVE"}) is None
        clock.now += 40
        assert some.saw({1: "ERROR", 2: "ERROR"}) is None
        clock.now += 20
        assert some.saw({1: "ACTIVE", 2: "ERROR"}) is None
        clock.now += 39
        assert some.saw({1: "ERROR", 2: "ERROR"}) is None
        clock.now += 1
        assert some.saw({1: "ERROR", 2: "ERROR"}) == Verdict("failed", {1: "ERROR", 2: "ERROR"}, 2)

    def test_not_being_told_is_no_recovery(self, clock: Seconds) -> None:
        """Of many that are missing only some are looked up each time."""
        some = wait(clock, [1, 2], error_grace=60)
        assert some.saw({1: GONE, 2: "ACTIVE"}) is None
        clock.now += 30
        assert some.saw({1: NOT_TOLD, 2: "ACTIVE"}) is None
        clock.now += 30
        assert some.saw({1: GONE, 2: "ACTIVE"}) == Verdict("gone", {1: GONE, 2: "ACTIVE"}, 1)

    @pytest.mark.parametrize("ids", [[2, 1, 2, "1"], ["2", " 1 "], (2, 1), iter([2, 1])])
    def test_each_id_once(self, clock: Seconds, ids: Any) -> None:
        assert wait(clock, ids).ids == [2, 1]

    @pytest.mark.parametrize("ids", [17, "17", " 17 ", [17]])
    def test_a_single_id(self, clock: Seconds, ids: Any) -> None:
        """A template makes a text of it, and that is no list of digits."""
        assert wait(clock, ids).ids == [17]

    @pytest.mark.parametrize(
        "ids", [[], "", None, [None], [0], [-1], [True], True, [1.0], 1.5, ["x"], "1,2", b"12", [2**63], [[1]], {}, "²"]
    )
    def test_what_is_no_id(self, clock: Seconds, ids: Any) -> None:
        with pytest.raises(InvalidInputError):
            wait(clock, ids)


class TestArguments:
    @pytest.mark.parametrize("wanted", ["COMPLETED", [" COMPLETED "], ("COMPLETED",), {"COMPLETED"}])
    def test_statuses(self, wanted: Any) -> None:
        assert checked_statuses(wanted) == {"COMPLETED"}

    @pytest.mark.parametrize(
        ("wanted", "said"),
        [
            ("COMPLETE", 'Did you mean "COMPLETED"?'),
            (["CANCELLED"], 'Did you mean "CANCELED"?'),
            (["completed"], 'Did you mean "COMPLETED"?'),
            (["GONE"], "Known: ACTIVE, CANCELED, COMPLETED, ERROR."),
            ([], "No status is given"),
            (None, "must be a list of texts, not a NoneType"),
            (5, "must be a list of texts, not a int"),
        ],
    )
    def test_statuses_that_are_none(self, clock: Seconds, wanted: Any, said: str) -> None:
        with pytest.raises(InvalidInputError) as caught:
            wait(clock, wanted=wanted)
        assert said in str(caught.value)

    @pytest.mark.parametrize("name", ["error_grace", "outage_budget"])
    @pytest.mark.parametrize("value", [-1, float("nan"), "60", None, 1e12])
    def test_seconds_that_make_no_sense(self, clock: Seconds, name: str, value: Any) -> None:
        with pytest.raises(InvalidInputError, match=name):
            wait(clock, **{name: value})

    @pytest.mark.parametrize("value", [0, -1, float("nan"), "10", EPOCH])
    def test_intervals_that_make_no_sense(self, clock: Seconds, value: Any) -> None:
        with pytest.raises(InvalidInputError, match="poll_interval"):
            wait_for(wait(clock), dict, poll_interval=value)


class TestDeadline:
    def test_it_is_a_moment_of_the_wall_clock(self, clock: Seconds) -> None:
        one = wait(clock, deadline=EPOCH + 1100)
        assert one.remaining == 100
        assert one.expired() is None
        clock.now += 99
        assert one.expired() is None
        clock.now += 2
        assert one.remaining == 0
        assert one.expired() == Verdict("timeout", {}, 1)

    def test_it_tells_what_was_seen_last(self, clock: Seconds) -> None:
        some = wait(clock, [1, 2], deadline=0)
        some.saw({1: "COMPLETED", 2: "ACTIVE"})
        some.failed(OUT)
        assert some.expired() == Verdict("timeout", {1: "COMPLETED", 2: "ACTIVE"}, why=str(OUT))

    def test_none(self, clock: Seconds) -> None:
        assert wait(clock).remaining is None
        assert wait(clock).expired() is None


@pytest.mark.parametrize(
    "verdict",
    [
        Verdict("reached", {1: "COMPLETED", 2: "CANCELED"}),
        Verdict("failed", {17: "ERROR"}, 17),
        Verdict("timeout"),
        Verdict("error", {1: "ACTIVE"}, None, ServerError("Failed.", status=503, details={"a": ["b"]}).as_dict()),
    ],
)
def test_a_verdict_survives_json(verdict: Verdict) -> None:
    assert Verdict.of(json.loads(json.dumps(verdict.as_dict()))) == verdict


def test_a_verdict_of_another_version() -> None:
    assert Verdict.of({"kind": "reached", "more": 1}) == Verdict("reached")
    assert Verdict.of({"kind": "new", "statuses": None}) == Verdict("new")


class TestTheLoop:
    def run(self, clock: Seconds, one: Wait, *said: Any, **options: Any) -> Verdict | None:
        """Wait, with these answers and errors one after the other; the last one for ever."""
        self.asked = 0

        def ask() -> dict[int, str]:
            answer = said[min(self.asked, len(said) - 1)]
            self.asked += 1
            if isinstance(answer, Exception):
                raise answer
            return {1: answer}

        return wait_for(one, ask, sleep=clock.sleep, **{"poll_interval": 10, **options})

    def test_until_it_is_decided(self, clock: Seconds) -> None:
        verdict = self.run(clock, wait(clock), "ACTIVE", OUT, "ACTIVE", "COMPLETED")
        assert verdict == Verdict("reached", {1: "COMPLETED"}, 1)
        assert clock.slept == [10, 10, 10]

    def test_it_ends_at_the_deadline_and_not_an_interval_later(self, clock: Seconds) -> None:
        one = wait(clock, deadline=EPOCH + 1025)
        assert self.run(clock, one, "ACTIVE") == Verdict("timeout", {1: "ACTIVE"}, 1)
        assert clock.slept == [10, 10, 5]
        assert self.asked == 4

    def test_the_last_look_may_still_find_it_done(self, clock: Seconds) -> None:
        one = wait(clock, deadline=EPOCH + 1010)
        assert self.run(clock, one, "ACTIVE", "COMPLETED") == Verdict("reached", {1: "COMPLETED"}, 1)

    def test_a_deadline_in_the_past_still_allows_a_look(self, clock: Seconds) -> None:
        assert self.run(clock, wait(clock, deadline=5), "COMPLETED") == Verdict("reached", {1: "COMPLETED"}, 1)
        assert self.run(clock, wait(clock, deadline=5), "ACTIVE") == Verdict("timeout", {1: "ACTIVE"}, 1)
        assert clock.slept == []

    def test_it_ends_in_an_outage_too(self, clock: Seconds) -> None:
        one = wait(clock, deadline=EPOCH + 1015)
        assert self.run(clock, one, OUT) == Verdict("timeout", {}, 1, why=str(OUT))

    def test_a_definite_error_ends_it_at_once(self, clock: Seconds) -> None:
        verdict = self.run(clock, wait(clock), "ACTIVE", ForbiddenError("No.", status=403))
        assert verdict is not None
        assert verdict.kind == "error"
        assert self.asked == 2

    def test_an_outage_is_asked_no_oftener(self, clock: Seconds) -> None:
        verdict = self.run(clock, wait(clock, outage_budget=600), OUT)
        assert verdict is not None
        assert verdict.kind == "error"
        assert self.asked == 61

    def test_handed_back_when_calm(self, clock: Seconds) -> None:
        assert self.run(clock, wait(clock), "ACTIVE", hand_back=True) is None
        assert (self.asked, clock.slept) == (1, [])

    def test_handed_back_only_without_doubt(self, clock: Seconds) -> None:
        """What is in doubt must be followed in one go: who is handed back forgets since when."""
        assert self.run(clock, wait(clock), "ERROR", "ERROR", OUT, "ERROR", "ACTIVE", hand_back=True) is None
        assert self.asked == 5
        verdict = self.run(clock, wait(clock), "ERROR", hand_back=True)
        assert verdict == Verdict("failed", {1: "ERROR"}, 1)
        assert self.asked == 7

    def test_a_verdict_is_not_held_back(self, clock: Seconds) -> None:
        assert self.run(clock, wait(clock), "COMPLETED", hand_back=True) == Verdict("reached", {1: "COMPLETED"}, 1)
        assert self.run(clock, wait(clock, deadline=0), "ACTIVE", hand_back=True) == Verdict(
            "timeout", {1: "ACTIVE"}, 1
        )

    def test_other_errors_pass(self, clock: Seconds) -> None:
        with pytest.raises(ZeroDivisionError):
            self.run(clock, wait(clock), ZeroDivisionError())
