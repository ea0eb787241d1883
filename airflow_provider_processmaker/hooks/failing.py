"""What an error of the client means for an Airflow task."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["failing_at_once"]


@contextmanager
def failing_at_once(conn_id: str | None = None) -> Iterator[None]:
    """Let an error that no retry can mend fail the task at once; leave the others to Airflow's retries.

    The operators and sensors do so by themselves. In a ``@task`` that uses the client, put it around the calls::

        with failing_at_once(), ProcessMakerHook().client as client:
            client.post("groups", {"name": "Auditors", "status": "ACTIVE"})

    :param conn_id: id of the connection, to be named in the error.
    :raises AirflowFailException: in place of an error of the client that is not ``retryable``.
    """
    from airflow_provider_processmaker.client.errors import ProcessMakerError

    try:
        yield
    except ProcessMakerError as error:
        connection = f" [connection {conn_id}]" if conn_id else ""
        if error.retryable:
            if conn_id and error.hint and connection not in error.hint:
                error.hint = f"{error.hint}{connection}"
            raise
        from airflow.providers.common.compat.sdk import AirflowFailException

        raise AirflowFailException(f"{type(error).__name__}: {error}{connection}") from error
