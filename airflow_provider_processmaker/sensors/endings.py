"""How a sensor ends, in the ways that Airflow's own sensors know."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import (
    AirflowFailException,
    AirflowSensorTimeout,
    AirflowSkipException,
    AirflowTaskTimeout,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["is_airflows_own", "skipping_softly", "timed_out"]

_OURS = "Sensor has timed out after "


def timed_out(sensor: Any, why: str) -> Exception:
    """The error for a sensor whose time is up; Airflow does not retry it.

    :param sensor: the sensor.
    :param why: what it has waited for.
    """
    return AirflowSensorTimeout(f"{_OURS}{sensor.timeout:g} s (timeout). {why}")


def is_airflows_own(timeout: Exception) -> bool:
    """Whether Airflow's sensor has raised it: in the modes ``poke`` and ``reschedule``, with less to tell.

    :param timeout: the error.
    """
    return not str(timeout).startswith(_OURS)


@contextmanager
def skipping_softly(sensor: Any) -> Iterator[None]:
    """For what a sensor does outside of ``poke``: ``soft_fail`` and ``never_fail`` skip where they do in there.

    :param sensor: the sensor.
    :raises AirflowSkipException: instead of a failure.
    """
    try:
        yield
    except (AirflowSensorTimeout, AirflowFailException, AirflowTaskTimeout) as error:
        for name in ("soft_fail", "never_fail"):
            if getattr(sensor, name, False):
                raise AirflowSkipException(f"Skipping due to {name} is set to True. {error}") from error
        raise
    except AirflowSkipException:
        raise
    except Exception as error:
        if getattr(sensor, "never_fail", False):
            raise AirflowSkipException(f"Skipping due to never_fail is set to True. {error}") from error
        raise
