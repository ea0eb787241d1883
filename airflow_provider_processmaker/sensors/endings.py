"""How a sensor ends, in the ways that Airflow's own sensors know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, AirflowSkipException, AirflowTaskTimeout

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["skipping_softly", "timed_out"]


def timed_out(sensor: Any, why: str) -> Exception:
    """The error for a sensor whose time is up; Airflow does not retry it.

    :param sensor: the sensor.
    :param why: what it has waited for.
    """
    from airflow.providers.common.compat.sdk import AirflowSensorTimeout

    return AirflowSensorTimeout(f"Sensor has timed out after {sensor.timeout:g} s (timeout). {why}")


@contextmanager
def skipping_softly(sensor: Any) -> Iterator[None]:
    """For what a sensor does outside of ``poke``: ``soft_fail`` and ``never_fail`` skip where they do in there.

    :param sensor: the sensor.
    :raises AirflowSkipException: instead of a failure.
    """
    from airflow.providers.common.compat.sdk import AirflowSensorTimeout

    try:
        yield
    except (AirflowSensorTimeout, AirflowFailException, AirflowTaskTimeout) as error:
        for name in ("soft_fail", "never_fail"):
            if getattr(sensor, name, False):
                raise AirflowSkipException(f"Skipping due to {name} is set to True. {error}") from error
        raise
