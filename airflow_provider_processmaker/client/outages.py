"""How long a server may be out of reach for something that has time."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING, Any, TypeVar

from airflow_provider_processmaker.client.errors import (
    ProcessMakerError,
    TransportError,
    UnexpectedAnswerError,
    error_from,
)
from airflow_provider_processmaker.client.settings import check_range

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["OUTAGE_BUDGET", "Outages", "patiently"]

log = logging.getLogger(__name__)

T = TypeVar("T")

#: Seconds.
OUTAGE_BUDGET = 600.0


class Outages:
    """Told of each answer and each failure, it says when a failure is to be taken for good.

    :param budget: seconds for which the server may be out of reach at a stretch.
    :param clock: seconds of a clock that only goes forward.
    :raises InvalidInputError: for a budget that makes no sense.
    """

    def __init__(self, budget: float = OUTAGE_BUDGET, *, clock: Callable[[], float] = time.monotonic) -> None:
        check_range("outage_budget", budget, 0, 86_400 * 365)
        self.budget = budget
        self._clock = clock
        self._since: float | None = None
        self._why: str | None = None

    @property
    def under_way(self) -> bool:
        """Whether the server was out of reach when it was last asked."""
        return self._since is not None

    @property
    def why(self) -> str | None:
        """Why the server could not be asked when it was last tried; None if it could."""
        return self._why if self.under_way else None

    def over(self) -> None:
        """Tell that the server has answered."""
        if self._since is not None:
            log.info("ProcessMaker answers again, after %.0f s.", self._clock() - self._since)
            self._since = None

    def failed(self, error: ProcessMakerError) -> dict[str, Any] | None:
        """Tell that the server could not be asked.

        What is no answer of ProcessMaker's (a refused connection, 5xx, 429, HTML) may pass; what it says itself, such
        as that the user lacks a right, is for good.

        :param error: why; it may be shared with others, and is left as it is.
        :return: the error to end with, as :meth:`.ProcessMakerError.as_dict` tells it; None to go on.
        """
        if not (error.retryable or isinstance(error, TransportError | UnexpectedAnswerError)):
            return error.as_dict()
        now = self._clock()
        self._why = str(error)
        if self._since is None:
            self._since = now
            log.warning("ProcessMaker cannot be asked; waiting up to %.0f s for it. %s", self.budget, error)
        out = now - self._since
        if out < self.budget:
            return None
        what = f"For {out:.0f} s ProcessMaker could not be asked (outage_budget). {error.what}"
        return {**error.as_dict(), "what": what, "retryable": True}


def patiently(job: Callable[[], T], outages: Outages, *, pause: float, sleep: Callable[[float], None]) -> T:
    """What a job returns, once the server is there to let it.

    :param job: only reads.
    :param outages: for how long to try.
    :param pause: seconds between two tries.
    :param sleep: waits for some seconds.
    :raises ProcessMakerError: what the job raises, if it is for good or lasts too long.
    """
    while True:
        try:
            result = job()
        except ProcessMakerError as error:
            final = outages.failed(error)
            if final is not None:
                raise error_from(final) from None
        else:
            outages.over()
            return result
        sleep(pause)
