"""A deferrable task that waits for a file, for the tests of the rig itself. It notes what happens to it."""

from __future__ import annotations

import asyncio
import os
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow.sdk import BaseOperator
from airflow.triggers.base import BaseTrigger, TriggerEvent

if TYPE_CHECKING:
    from collections.abc import AsyncIterator


def note(text: str) -> None:
    """Add a line to ``notes.txt`` in Airflow's home."""
    with Path(os.environ["AIRFLOW_HOME"], "notes.txt").open("a", encoding="utf-8") as file:
        file.write(f"{time.time():.1f} {text}\n")


class FileTrigger(BaseTrigger):
    """Fires when a file is there."""

    def __init__(self, path: str, name: str) -> None:
        super().__init__()
        self.path = path
        self.name = name

    def serialize(self) -> tuple[str, dict[str, Any]]:
        return f"{__name__}.FileTrigger", {"path": self.path, "name": self.name}

    async def run(self) -> AsyncIterator[TriggerEvent]:
        note(f"{self.name} trigger runs")
        while not Path(self.path).exists():  # noqa: ASYNC110, ASYNC240
            await asyncio.sleep(0.2)
        yield TriggerEvent("there")

    async def on_kill(self) -> None:
        note(f"{self.name} trigger killed")


class WaitForFile(BaseOperator):
    """Waits for a file."""

    def __init__(self, path: str, **keywords: Any) -> None:
        super().__init__(**keywords)
        self.path = path

    def execute(self, context: Any) -> None:
        name = f"{self.dag_id} {context['ti'].try_number}"
        note(f"{name} executes")
        self.defer(trigger=FileTrigger(self.path, name), method_name="resume")

    def resume(self, context: Any, event: Any) -> str:
        note(f"{self.dag_id} {context['ti'].try_number} resumes")
        return str(event)
