"""How long a server may be out of reach before that ends a wait; on clocks that the test moves."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    ForbiddenError,
    InvalidInputError,
    LoginError,
    RateLimitedError,
    ServerError,
    TlsError,
    TransportError,
    UnauthenticatedError,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.errors import error_from
from airflow_provider_processmaker.client.outages import Outages, patiently
from tests.client.runs import Seconds, wait

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import ProcessMakerError

OUT = TransportError("No connection.", method="GET", path="/api/1.0/requests")


@pytest.fixture
def clock() -> Seconds:
    return Seconds()


class TestOutages:
    @pytest.mark.parametrize(
        "error",
        [
            OUT,
            ServerError("Failed.", status=503),
            ServerError("Failed.", status=500),
            RateLimitedError("Too many.", status=429),
            UnexpectedAnswerError("A web page."),
            UnexpectedAnswerError("Cut off.", retryable=True),
            TlsError("No handshake."),
        ],
    )
    def test_shorter_than_the_budget(
        self, clock: Seconds, error: ProcessMakerError, caplog: pytest.LogCaptureFixture
    ) -> None:
        caplog.set_level("INFO")
        one = wait(clock, outage_budget=600)
        assert one.saw({1: "ACTIVE"}) is None
        for _ in range(6):
            assert one.failed(error) is None
            assert not one.calm
            clock.now += 99
        assert one.saw({1: "ACTIVE"}) is None
        assert one.calm
        assert caplog.text.count("ProcessMaker cannot be asked; waiting up to 600 s for it.") == 1
        assert caplog.text.count("ProcessMaker answers again, after 594 s.") == 1

    def test_longer_than_the_budget(self, clock: Seconds) -> None:
        one = wait(clock, outage_budget=600)
        assert one.saw({1: "ACTIVE"}) is None
        assert one.failed(OUT) is None
        clock.now += 600
        verdict = one.failed(OUT)
        assert verdict is not None
        assert (verdict.kind, verdict.statuses) == ("error", {1: "ACTIVE"})
        error = error_from(verdict.error or {})
        assert isinstance(error, TransportError)
        assert error.retryable
        assert str(error).startswith("For 600 s ProcessMaker could not be asked (outage_budget). No connection.")
        assert OUT.what == "No connection.", "the error may be shared with other waits"

    def test_each_outage_has_the_whole_budget(self, clock: Seconds) -> None:
        one = wait(clock, outage_budget=600)
        for _ in range(5):
            assert one.failed(OUT) is None
            clock.now += 599
            assert one.failed(OUT) is None
            assert one.saw({1: "ACTIVE"}) is None

    def test_without_a_budget_the_first_failure_ends_it(self, clock: Seconds) -> None:
        verdict = wait(clock, outage_budget=0).failed(OUT)
        assert verdict is not None
        assert verdict.kind == "error"

    @pytest.mark.parametrize(
        "error",
        [
            ForbiddenError("No.", status=403),
            UnauthenticatedError("No.", status=401),
            LoginError("No.", status=400),
            InvalidInputError("No."),
        ],
    )
    def test_what_processmaker_itself_says_is_for_good(self, clock: Seconds, error: ProcessMakerError) -> None:
        verdict = wait(clock).failed(error)
        assert verdict is not None
        assert verdict.error is not None
        assert verdict.error == error.as_dict()
        assert type(error_from(verdict.error)) is type(error)

    def test_an_outage_does_not_end_a_doubt(self, clock: Seconds) -> None:
        one = wait(clock, error_grace=60)
        assert one.saw({1: "ERROR"}) is None
        assert one.failed(OUT) is None
        clock.now += 60
        assert one.saw({1: "ERROR"}) is not None

    def test_patience_for_anything_else(self, clock: Seconds) -> None:
        said: list[Any] = [OUT, OUT, "rows"]

        def job() -> Any:
            answer = said.pop(0)
            if isinstance(answer, Exception):
                raise answer
            return answer

        outages = Outages(20, clock=clock)
        assert patiently(job, outages, pause=9, sleep=clock.sleep) == "rows"
        assert clock.slept == [9, 9]
        assert not outages.under_way
        said = [OUT] * 9
        with pytest.raises(TransportError, match="For 27 s"):
            patiently(job, outages, pause=9, sleep=clock.sleep)
        said = [ForbiddenError("No.", status=403)]
        with pytest.raises(ForbiddenError):
            patiently(job, outages, pause=9, sleep=clock.sleep)
