"""A process run of a task: begun once, followed to its end. What the operator needs of the client, step by step."""

from __future__ import annotations

import logging
import threading
import time
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.operators.adoption import decide

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient, Settings
    from airflow_provider_processmaker.client.starting import KeyedStart
    from airflow_provider_processmaker.client.waiting import Verdict, Wait
    from airflow_provider_processmaker.operators.adoption import Policy
    from airflow_provider_processmaker.operators.attempts import Attempt, Notes
    from airflow_provider_processmaker.operators.interruption import Interruption

    Row = dict[str, Any]

__all__ = ["begin", "cancel_soon", "confirmed", "follow"]

log = logging.getLogger(__name__)

#: Airflow ends a task that was killed after a while; a cancellation is three calls.
KILL_TIMEOUT, KILL_WAIT = 8.0, 25.0


def begin(start: KeyedStart, attempt: Attempt, notes: Notes, policy: Policy, confirm: Callable[[int], Row]) -> Row:
    """The request of a task: that of an earlier attempt, or a new one.

    :param start: the start, checked.
    :param attempt: the attempt.
    :param notes: of the attempts before it.
    :param policy: what the author of the DAG wants.
    :param confirm: waits until a request's ERROR has lasted or passed, and gives its row.
    """
    from airflow_provider_processmaker.client.starting import generation_of

    rows = start.found()
    noted = notes.of(attempt.generation).get("request_id")
    if noted and all(row["id"] != noted for row in rows):
        rows = sorted([*rows, *_noted(start, noted, policy)], key=lambda row: row["id"])
    decision = decide(rows, attempt, {name: notes.get(name) for name in ("generation", "phase", "request_id")}, policy)
    if rows:
        log.info("%s (%s)", decision.why, ", ".join(f"request {row['id']}: {row['status']}" for row in rows))
    for row in decision.cancel:
        _cancel_earlier(start, row["id"])
    if decision.adopt:
        row = start.oldest(list(decision.adopt))
        if decision.confirm:
            row = confirm(row["id"])
        if not decision.generation or row["status"] != "ERROR":
            _note(notes, attempt, row)
            if generation_of(row).partition("+")[0] != attempt.generation:
                notes.write(resumed_at=time.time())
            return row
    notes.write(generation=attempt.generation, phase="starting", request_id=None, deadline=None, resumed_at=None)
    row = start.start(decision.generation)
    log.info("Started the request %s of the process %s: %s.", row["id"], start.event.process_name, row["status"])
    _note(notes, attempt, row)
    return row


def _noted(start: KeyedStart, request_id: int, policy: Policy) -> list[Row]:
    """The request that an earlier attempt has noted, and that the key does not find."""
    from airflow_provider_processmaker.client.errors import ForbiddenError, NotFoundError, RequestGoneError

    try:
        return [start.api.get_request(request_id, data=True)]
    except (NotFoundError, ForbiddenError) as error:
        if policy.on_error == "restart":
            log.warning("Request %d of an earlier attempt was deleted or is hidden; starting a new one.", request_id)
            return []
        raise RequestGoneError(
            f"Request {request_id}, which this task has started, was deleted or may not be seen any more.",
            server=start.api.settings.base_url,
            hint="Clear the task to start a new one.",
        ) from error


def _note(notes: Notes, attempt: Attempt, row: Row) -> None:
    # What was noted for another generation does not hold for this one: a cleared task has all its time again.
    deadline = notes.of(attempt.generation).get("deadline")
    notes.write(generation=attempt.generation, phase="waiting", request_id=row["id"], deadline=deadline)


def _cancel_earlier(start: KeyedStart, request_id: int) -> None:
    from airflow_provider_processmaker.client.errors import ProcessMakerError

    try:
        start.api.cancel_request(request_id)
    except ProcessMakerError as error:
        log.warning("Request %d of an earlier attempt goes on: it cannot be canceled. %s", request_id, error)


def follow(client: ProcessMakerClient, wait: Wait, interruption: Interruption, poll_interval: float) -> Verdict:
    """Wait in this process.

    :param client: the client.
    :param wait: what for.
    :param interruption: whether the task is killed meanwhile.
    :param poll_interval: seconds between two looks.
    """
    from airflow_provider_processmaker.client.waiting import READ_TIMEOUT, wait_for

    def ask() -> dict[int, str]:
        statuses = client.request_statuses(wait.open, read_timeout=READ_TIMEOUT)
        interruption.check()  # or what the kill has canceled would count as canceled by somebody
        return statuses

    verdict = wait_for(wait, ask, poll_interval=poll_interval, sleep=interruption.sleep)
    if verdict is None:
        raise AssertionError("a wait that is not handed back ends with a verdict")
    return verdict


def confirmed(
    client: ProcessMakerClient, request_id: int, interruption: Interruption, *, error_grace: float, poll_interval: float
) -> Row:
    """A request that is in ERROR, when that has lasted for the grace period or has passed.

    :param client: the client.
    :param request_id: the request.
    :param interruption: whether the task is killed meanwhile.
    :param error_grace: seconds.
    :param poll_interval: seconds between two looks.
    """
    from airflow_provider_processmaker.client.waiting import STATUSES, Wait

    wait = Wait([request_id], STATUSES, error_grace=error_grace)
    follow(client, wait, interruption, min(poll_interval, max(error_grace, 0.01)))
    return client.get_request(request_id)


def cancel_soon(settings: Settings, request_ids: list[int]) -> None:
    """Cancel requests for a task that is being killed.

    It runs in a signal handler, which may have come into the middle of anything: so a thread with a client of its own
    does it, and is not waited for longer than Airflow waits for us.

    :param settings: of the connection.
    :param request_ids: the requests.
    """
    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.client.errors import ProcessMakerError
    from airflow_provider_processmaker.hooks.token_cache import configured_store

    told: list[str] = []
    quick = replace(settings, read_timeout=KILL_TIMEOUT, max_retries=0)
    store = configured_store()

    def cancel() -> None:
        with ProcessMakerClient(quick, token_store=store) as client:
            for request_id in request_ids:
                try:
                    done = client.cancel_request(request_id)
                except ProcessMakerError as error:
                    told.append(f"Request {request_id} is not canceled, or not for certain: {error}")
                else:
                    told.append(f"Request {request_id} was {done.found} and is {done.status}.")

    thread = threading.Thread(target=cancel, name="processmaker-kill", daemon=True)
    thread.start()
    thread.join(KILL_WAIT)
    for line in told:
        log.warning("%s", line)
    if thread.is_alive():
        log.warning("The cancellation of %s is sent and not confirmed.", request_ids[len(told) :])
