"""Triggers run as a triggerer runs them: in an event loop, from what its database kept of them."""

from __future__ import annotations

import asyncio
import json
from importlib import import_module
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger

if TYPE_CHECKING:
    from airflow.triggers.base import BaseTrigger

__all__ = ["NONSENSE", "ended", "kept", "run", "waiting"]

#: What an argument may be in a row that somebody else has written.
NONSENSE: list[Any] = [
    None,
    "x",
    "1, 2",
    -1,
    1.5,
    float("nan"),
    True,
    [],
    {},
    [None],
    object(),
    [["a"]],
    b"x",
    {"a": 1},
]


def waiting(*ids: int, **options: Any) -> ProcessMakerRequestTrigger:
    return ProcessMakerRequestTrigger(ids, **{"poll_interval": 0.1, "outage_budget": 30.0, **options})


def kept(trigger: BaseTrigger) -> Any:
    """The trigger that a triggerer makes of what the database has kept."""
    path, kwargs = trigger.serialize()
    module, _, name = path.rpartition(".")
    return getattr(import_module(module), name)(**json.loads(json.dumps(kwargs)))


def run(*triggers: BaseTrigger, seconds: float = 60) -> list[Any]:
    """How each of some triggers ended, all in one event loop; each with one event."""

    async def events(trigger: BaseTrigger) -> list[Any]:
        return [json.loads(json.dumps(event.payload)) async for event in trigger.run()]

    async def all_of_them() -> list[list[Any]]:
        async with asyncio.timeout(seconds):
            told = await asyncio.gather(*(events(trigger) for trigger in triggers))
            others = asyncio.all_tasks() - {asyncio.current_task()}
            if others:  # the shared pollers close their connections
                await asyncio.wait(others)
            return told

    told = asyncio.run(all_of_them())
    assert [len(each) for each in told] == [1] * len(triggers)
    return [each[0] for each in told]


def ended(*triggers: BaseTrigger, seconds: float = 60) -> list[Any]:
    """The same, for triggers that went through the database."""
    return run(*(kept(trigger) for trigger in triggers), seconds=seconds)
