"""Cancelling a request: look first, for the server cancels even a completed one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, NamedTuple

from airflow_provider_processmaker.client.errors import (
    ForbiddenError,
    ServerError,
    TransportError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
)

if TYPE_CHECKING:
    from collections.abc import Collection

    from airflow_provider_processmaker.client.process_runs import ProcessRuns

__all__ = ["Cancellation", "cancel", "send", "unconfirmed"]

log = logging.getLogger(__name__)


class Cancellation(NamedTuple):
    """What became of a wish to cancel a request.

    :param found: its status before.
    :param status: its status now.
    """

    found: str
    status: str

    @property
    def cancelled(self) -> bool:
        """Whether this call canceled it."""
        return self.status == "CANCELED" != self.found


def cancel(
    api: ProcessRuns, request_id: int, *, only: Collection[str], read_timeout: float | None = None
) -> Cancellation:
    """Cancel a request if it has one of some statuses, and look whether it is done.

    ``GET /requests/{id}``, ``PUT /requests/{id}``, ``GET /requests/{id}``. The server waits up to 60 s for its own lock
    and then answers as if it had canceled. Between the first two calls a request may complete; it is canceled then,
    which the server does not refuse.

    :param api: the client.
    :param request_id: the request.
    :param only: statuses in which it may be canceled.
    :param read_timeout: seconds to wait for an answer.
    :raises UnknownOutcomeError: if it is not canceled although the server did not refuse; a later try can help.
    """
    found = str(api.get_request(request_id, read_timeout=read_timeout)["status"])
    if found not in only or found == "CANCELED":
        return Cancellation(found, found)
    lost = send(api, request_id, read_timeout=read_timeout)
    try:
        status = str(api.get_request(request_id, read_timeout=read_timeout)["status"])
    except (TransportError, UnexpectedAnswerError, ServerError) as problem:
        raise unconfirmed(api, request_id, f"it cannot be looked at: {problem.what}", lost) from None
    if status in only and status != "CANCELED":
        raise unconfirmed(api, request_id, f"it is still {status}.", lost)
    log.info("Request %d was %s and is %s now.", request_id, found, status)
    return Cancellation(found, status)


def send(api: ProcessRuns, request_id: int, *, read_timeout: float | None = None) -> UnknownOutcomeError | None:
    """Ask the server to cancel a request (``PUT /requests/{id}``), whatever its status.

    :param api: the client.
    :param request_id: the request.
    :param read_timeout: seconds to wait for an answer.
    :return: why nobody knows whether it did; None if it says that it did.
    :raises ForbiddenError: if the user has no right to cancel.
    """
    try:
        api.put(f"requests/{request_id}", {"status": "CANCELED"}, read_timeout=read_timeout)
    except ForbiddenError as refused:
        refused.hint = "Who may cancel its requests stands in the configuration of the process: Cancel Request."
        raise
    except UnknownOutcomeError as problem:
        return problem
    return None


def unconfirmed(
    api: ProcessRuns, request_id: int, why: str, lost: UnknownOutcomeError | None = None
) -> UnknownOutcomeError:
    """The error for a cancellation that was sent, and the request is not canceled.

    :param api: the client.
    :param request_id: the request.
    :param why: what was seen of it instead, a sentence.
    :param lost: why the answer is not known.
    """
    path = f"/api/1.0/requests/{request_id}"
    error = lost or UnknownOutcomeError("", method="PUT", path=path, server=api.settings.base_url)
    error.what = f"The cancellation of request {request_id} was sent and is not confirmed: {why}"
    error.hint = "Another process of the server holds it, perhaps. A later try looks first."
    error.retryable = True
    return error
