"""How a trigger ends: with an event, whatever happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from airflow_provider_processmaker.client import ProcessMakerError

__all__ = ["as_client_error", "told_as_event"]


async def told_as_event(wait: Awaitable[dict[str, Any]], log: Any) -> dict[str, Any]:
    """What a wait gives, or the error that broke it off, as the data of an event.

    Raised in a trigger, an error would reach the task as "Trigger failure" alone, without its cause.

    :param wait: the wait.
    :param log: log of the trigger.
    """
    from airflow_provider_processmaker.client.errors import ProcessMakerError

    try:
        return await wait
    except ProcessMakerError as error:
        return {"kind": "error", "error": error.as_dict()}
    except Exception as error:
        log.exception("The wait broke off.")
        what = f"The wait in the triggerer broke off: {type(error).__name__}: {error}"
        return {"kind": "error", "error": {**ProcessMakerError(what).as_dict(), "retryable": True}}


def as_client_error(answer: Exception) -> ProcessMakerError:
    """An answer of the shared poller that is an error, as the client's own.

    What is none of those came from the poll itself, such as a thread pool that is being shut down: the next one may do
    better, as after an outage.

    :param answer: the error.
    """
    from airflow_provider_processmaker.client.errors import ProcessMakerError, TransportError

    if isinstance(answer, ProcessMakerError):
        return answer
    return TransportError(f"The poll of the triggerer gave no answer ({type(answer).__name__}: {answer}).")
