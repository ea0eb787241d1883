"""A trigger that makes one call as our triggers do: connection read on the loop, client in a thread."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.connection import get_async_connection, get_async_extra_dejson
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


class ProbeTrigger(BaseTrigger):
    """Ask for one group, and end."""

    def __init__(self, number: int, **_: Any) -> None:
        super().__init__()
        self.number = number

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return "tests.tokens.probe_trigger.ProbeTrigger", {"number": self.number}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        from airflow_provider_processmaker.client import ProcessMakerClient
        from airflow_provider_processmaker.connection import parse
        from airflow_provider_processmaker.hooks.token_cache import configured_store

        connection = await get_async_connection("processmaker_default")
        settings = parse(
            host=connection.host,
            login=connection.login,
            password=connection.password,
            port=connection.port,
            schema=connection.schema,
            extra=await get_async_extra_dejson(connection),
        )
        with ProcessMakerClient(settings, token_store=configured_store()) as client:
            await asyncio.to_thread(client.get, "groups", {"per_page": 1})
        yield TriggerEvent(self.number)
