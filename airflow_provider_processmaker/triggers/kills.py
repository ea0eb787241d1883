"""Cancelling the requests of triggers that were killed, many at once."""

from __future__ import annotations

import functools
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

from airflow_provider_processmaker.hooks.asynchronous import LoopClient
from airflow_provider_processmaker.triggers.polling import Poller, shared

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    from airflow_provider_processmaker.client import ProcessMakerClient, ProcessMakerError
    from airflow_provider_processmaker.client.cancelling import Cancellation

__all__ = ["killer"]

#: Airflow gives ``on_kill`` 30 s, in which each request is looked at, canceled and looked at again.
KILL_TIMEOUT = 8.0
#: Cancellations at a time.
AT_ONCE = 8


def killer(conn_id: str) -> Poller[int, Cancellation]:
    """Cancels requests of a connection that are still ACTIVE; those that come at the same time go together.

    :param conn_id: id of the connection.
    """
    return shared(("kills", conn_id), lambda: _made(conn_id))


def _made(conn_id: str) -> Poller[int, Cancellation]:
    client = LoopClient(conn_id, read_timeout=KILL_TIMEOUT)

    async def ask(ids: Collection[int]) -> Mapping[int, Cancellation | Exception]:
        return await client.call(functools.partial(_cancel_all, ids=ids))

    return Poller(ask, close=client.close)


def _cancel_all(client: ProcessMakerClient, ids: Collection[int]) -> dict[int, Cancellation | Exception]:
    """Look at all, cancel each that is ACTIVE, look again."""
    from airflow_provider_processmaker.client.cancelling import Cancellation, unconfirmed
    from airflow_provider_processmaker.client.errors import UnknownOutcomeError

    found = _statuses(client, ids)
    told: dict[int, Cancellation | Exception] = {one: _told(status) for one, status in found.items()}
    running = [one for one, status in found.items() if status == "ACTIVE"]
    with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="processmaker-kill") as threads:
        refused = dict(zip(running, threads.map(functools.partial(_put, client), running), strict=True))
    for one, status in _statuses(client, running).items():
        error = refused[one]
        if status != "ACTIVE":
            told[one] = Cancellation("ACTIVE", status)
        elif error is None or isinstance(error, UnknownOutcomeError):
            told[one] = unconfirmed(client, one, f"it is still {status}.", error)
        else:
            told[one] = error
    return told


def _told(status: str) -> Cancellation | Exception:
    from airflow_provider_processmaker.client.cancelling import Cancellation
    from airflow_provider_processmaker.client.errors import RequestGoneError
    from airflow_provider_processmaker.client.request_states import GONE, HIDDEN, NOT_TOLD

    if status in {GONE, HIDDEN, NOT_TOLD}:
        return RequestGoneError("It was deleted, or may not be seen.")
    return Cancellation(status, status)


def _statuses(client: ProcessMakerClient, ids: Collection[int]) -> dict[int, str]:
    return client.request_statuses(ids) if ids else {}


def _put(client: ProcessMakerClient, request_id: int) -> ProcessMakerError | None:
    from airflow_provider_processmaker.client.cancelling import send
    from airflow_provider_processmaker.client.errors import ProcessMakerError

    try:
        return send(client, request_id)
    except ProcessMakerError as error:
        return error
