"""How a trigger ends: with an event, whatever happened."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Awaitable

__all__ = ["told_as_event"]


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
