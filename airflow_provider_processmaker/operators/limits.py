"""Until when a task waits."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from datetime import timedelta
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["NET", "Limit", "check_choice", "limit_of", "seconds_of"]

#: Seconds after the limit at which Airflow itself ends a deferral, should the triggerer be gone.
NET = 3600.0
#: Airflow before 3 ends a deferral at the execution time-out by itself; ours comes first, since it can cancel.
_EARLIER = 30.0


@dataclass(frozen=True, slots=True)
class Limit:
    """Until when a task waits, in seconds since the epoch: absolute, so that no restart moves it.

    :param own: by the operator's ``timeout``; None: for ever.
    :param execution: by Airflow's ``execution_timeout`` of this attempt; None: for ever.
    """

    own: float | None = None
    execution: float | None = None

    @property
    def at(self) -> float | None:
        """The earlier of the two."""
        return min((moment for moment in (self.own, self.execution) if moment is not None), default=None)

    @property
    def is_execution_timeout(self) -> bool:
        """Whether ``execution_timeout`` is the earlier one."""
        return self.execution is not None and self.at == self.execution

    def as_dict(self) -> dict[str, float | None]:
        """The limit as plain data."""
        return asdict(self)

    @classmethod
    def of(cls, data: Any) -> Limit:
        """The limit that was written down by :meth:`as_dict`.

        :param data: the plain data, perhaps of another version of this package.
        """
        known = data if isinstance(data, dict) else {}
        return cls(known.get("own"), known.get("execution"))

    @staticmethod
    def exceeded(why: str) -> BaseException:
        """Airflow's own error for an exceeded ``execution_timeout``, which it retries.

        :param why: the rest of the story.
        """
        from airflow.providers.common.compat.sdk import AirflowTaskTimeout

        return AirflowTaskTimeout(f"execution_timeout: {why}")


def limit_of(context: Context, operator: Any, kept: float | None) -> Limit:
    """Until when an operator waits.

    :param context: Airflow's context.
    :param operator: has ``timeout`` and ``execution_timeout``.
    :param kept: the moment by ``timeout`` that an earlier attempt has noted.
    """
    seconds = seconds_of("timeout", operator.timeout)
    own = None if seconds is None else kept or time.time() + seconds
    if operator.execution_timeout is None or not operator.deferrable:
        return Limit(own)
    allowed = operator.execution_timeout.total_seconds()
    begun = context["ti"].start_date
    since = time.time() if begun is None else begun.timestamp()
    return Limit(own, since + allowed - min(_EARLIER, allowed / 10))


def seconds_of(name: str, value: Any) -> float | None:
    """Seconds, from what a DAG gives.

    :param name: of the argument.
    :param value: seconds, a timedelta, or None.
    :raises InvalidInputError: for anything else.
    """
    from airflow_provider_processmaker.client.settings import check_range

    if value is None:
        return None
    seconds = value.total_seconds() if isinstance(value, timedelta) else value
    check_range(name, seconds, 0, 86_400 * 365 * 10)
    return float(seconds)


def check_choice(name: str, value: Any, known: Any) -> None:
    """Refuse a word that means nothing.

    :param name: of the argument.
    :param value: the word.
    :param known: those that mean something.
    :raises InvalidInputError: names the nearest.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError
    from airflow_provider_processmaker.client.suggest import did_you_mean

    if value not in known:
        raise InvalidInputError(f"{name} cannot be {value!r}.", hint=did_you_mean(str(value), known))
