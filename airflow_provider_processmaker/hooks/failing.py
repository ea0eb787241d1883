"""What an error of the client means for an Airflow task."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["failing_at_once"]


@contextmanager
def failing_at_once() -> Iterator[None]:
    """Let an error that no retry can mend fail the task at once; leave the others to Airflow's retries.

    :raises AirflowFailException: in place of an error of the client that is not ``retryable``.
    """
    from airflow_provider_processmaker.client.errors import ProcessMakerError

    try:
        yield
    except ProcessMakerError as error:
        if error.retryable:
            raise
        from airflow.providers.common.compat.sdk import AirflowFailException

        raise AirflowFailException(f"{type(error).__name__}: {error}") from error
