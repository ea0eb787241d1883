"""What it takes for requests to count as ended. It asks nobody and knows no clock but its own."""

from __future__ import annotations

import logging
import time
from dataclasses import asdict, dataclass, field, replace
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import InvalidInputError, ProcessMakerError
from airflow_provider_processmaker.client.outages import OUTAGE_BUDGET, Outages
from airflow_provider_processmaker.client.request_states import GONE, HIDDEN, NOT_TOLD, request_ids_of
from airflow_provider_processmaker.client.settings import check_range
from airflow_provider_processmaker.client.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

__all__ = ["ERROR_GRACE", "STATUSES", "Verdict", "Wait", "checked_statuses", "wait_for"]

log = logging.getLogger(__name__)

STATUSES = ("ACTIVE", "COMPLETED", "ERROR", "CANCELED")

#: Seconds for which an ERROR must last: a retry in ProcessMaker makes the request ACTIVE again.
ERROR_GRACE = 60.0
#: A wait asks often and has time: better a new call than a long one.
READ_TIMEOUT = 20.0

#: These count only if they last.
_ENDS = frozenset({"COMPLETED", "CANCELED"})
_IN_DOUBT = frozenset({"ERROR", GONE, HIDDEN})


@dataclass(frozen=True, slots=True)
class Verdict:
    """How a wait ended.

    :param kind: ``reached``, ``failed`` (another end than the wanted), ``gone``, ``hidden``, ``timeout`` or ``error``.
    :param statuses: the last status of each request.
    :param request_id: the request that decided it, where one did.
    :param error: for ``error``: :meth:`.ProcessMakerError.as_dict`.
    :param why: for ``timeout``: why the server could not be asked at last.
    """

    kind: str
    statuses: dict[int, str] = field(default_factory=dict)
    request_id: int | None = None
    error: dict[str, Any] | None = None
    why: str | None = None

    def as_dict(self) -> dict[str, Any]:
        """The verdict as plain data, for a JSON text."""
        return {**asdict(self), "statuses": {str(one): status for one, status in self.statuses.items()}}

    @classmethod
    def of(cls, data: Mapping[str, Any]) -> Verdict:
        """The verdict that was written down by :meth:`as_dict`.

        :param data: the plain data, perhaps of another version of this package.
        """
        statuses = {int(one): str(status) for one, status in (data.get("statuses") or {}).items()}
        return cls(str(data.get("kind")), statuses, data.get("request_id"), data.get("error"), data.get("why"))


def checked_statuses(statuses: Any) -> frozenset[str]:
    """Statuses of requests.

    :param statuses: one or more.
    :raises InvalidInputError: for one that ProcessMaker does not have; names the nearest.
    """
    given = [statuses] if isinstance(statuses, str) else statuses
    try:
        wanted = [str(status).strip() for status in given]
    except TypeError:
        raise InvalidInputError(f"Statuses must be a list of texts, not a {type(statuses).__name__}.") from None
    for status in wanted:
        if status not in STATUSES:
            raise InvalidInputError(f'A request has no status "{status}".', hint=did_you_mean(status, STATUSES))
    if not wanted:
        raise InvalidInputError("No status is given that should be waited for.")
    return frozenset(wanted)


class Wait:
    """Waits until each of some requests has a wanted status: told what was seen, it says when that is decided.

    :param ids: the requests.
    :param wanted: the statuses, any of which will do.
    :param error_grace: seconds for which ERROR, or being deleted or hidden, must last to count.
    :param outage_budget: seconds for which the server may be out of reach.
    :param deadline: when to give up, in seconds since the epoch; None: never.
    :param clock: seconds of a clock that only goes forward.
    :param wall: seconds since the epoch.
    :raises InvalidInputError: for a value that makes no sense.
    """

    def __init__(
        self,
        ids: Iterable[Any],
        wanted: Iterable[str] = ("COMPLETED",),
        *,
        error_grace: float = ERROR_GRACE,
        outage_budget: float = OUTAGE_BUDGET,
        deadline: float | None = None,
        clock: Callable[[], float] = time.monotonic,
        wall: Callable[[], float] = time.time,
    ) -> None:
        self.ids = request_ids_of(ids)
        self.wanted = checked_statuses(wanted)
        check_range("error_grace", error_grace, 0, 86_400 * 365)
        self.error_grace = error_grace
        self._outages = Outages(outage_budget, clock=clock)
        self.deadline = deadline
        self._clock = clock
        self._wall = wall
        self._last: dict[int, str] = {}
        self._done: set[int] = set()
        self._doubts: dict[tuple[int, str], float] = {}

    @property
    def calm(self) -> bool:
        """Whether nothing is in doubt: the server answers, and no request is in ERROR or missing."""
        return not self._outages.under_way and not self._doubts

    @property
    def open(self) -> list[int]:
        """The requests that are still to be asked for: not those that have come to a wanted end."""
        return [one for one in self.ids if one not in self._done]

    @property
    def remaining(self) -> float | None:
        """Seconds until the deadline; None if there is none."""
        return None if self.deadline is None else max(0.0, self.deadline - self._wall())

    def saw(self, statuses: Mapping[int, str]) -> Verdict | None:
        """Tell what the server said.

        :param statuses: of each request, as :func:`.look` gives them.
        :return: the verdict, or None while there is none.
        """
        now = self._clock()
        self._outages.over()
        told = {one: statuses[one] for one in self.open if statuses.get(one, NOT_TOLD) != NOT_TOLD}
        self._last.update(told)
        for one, status in told.items():
            if not self._lasting(one, status, now) or status in self.wanted:
                continue
            if status in {GONE, HIDDEN}:
                return self._verdict(status.lower(), one)
            if status != "ACTIVE":
                return self._verdict("failed", one)
        reached = {one for one, status in told.items() if status in self.wanted and self._lasting(one, status, now)}
        if reached.issuperset(self.open):
            return self._verdict("reached")
        self._done |= {one for one in reached if told[one] in _ENDS}
        return None

    def failed(self, error: ProcessMakerError) -> Verdict | None:
        """Tell that the server could not be asked.

        :param error: why.
        :return: the verdict; None while the wait goes on.
        """
        final = self._outages.failed(error)
        return None if final is None else Verdict("error", dict(self._last), error=final)

    def expired(self) -> Verdict | None:
        """Tell whether the deadline has passed."""
        if self.remaining != 0:
            return None
        return replace(self._verdict("timeout"), why=self._outages.why)

    def _verdict(self, kind: str, request_id: int | None = None) -> Verdict:
        if request_id is None and len(self.ids) == 1:
            request_id = self.ids[0]
        return Verdict(kind, dict(self._last), request_id)

    def _lasting(self, one: int, status: str, now: float) -> bool:
        """Whether a status counts. What may pass counts only when it has lasted for the grace period."""
        if status not in _IN_DOUBT:
            self._forget(one)
            return True
        if (one, status) not in self._doubts:
            self._forget(one)
            self._doubts[one, status] = now
            if self.error_grace:
                log.warning("Request %d is %s; it counts if that lasts for %.0f s.", one, status, self.error_grace)
        return now - self._doubts[one, status] >= self.error_grace

    def _forget(self, one: int) -> None:
        for doubt in [doubt for doubt in self._doubts if doubt[0] == one]:
            del self._doubts[doubt]


def wait_for(
    wait: Wait,
    ask: Callable[[], Mapping[int, str]],
    *,
    poll_interval: float,
    hand_back: bool = False,
    sleep: Callable[[float], None] = time.sleep,
) -> Verdict | None:
    """Ask until there is a verdict.

    :param wait: what is waited for.
    :param ask: gives the statuses; it may raise a :class:`.ProcessMakerError`.
    :param poll_interval: seconds between two looks.
    :param hand_back: stop after the first look that leaves nothing in doubt.
    :param sleep: waits for some seconds.
    :return: the verdict; None if handed back without one.
    """
    check_range("poll_interval", poll_interval, 0.01, 86_400 * 31)
    while True:
        try:
            verdict = wait.saw(ask())
        except ProcessMakerError as error:
            verdict = wait.failed(error)
        verdict = verdict or wait.expired()
        if verdict or (hand_back and wait.calm):
            return verdict
        remaining = wait.remaining
        sleep(poll_interval if remaining is None else min(poll_interval, remaining))
