"""What the recordings tell of rows, taken together."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from .compare import members
from .forms import objects

if TYPE_CHECKING:
    from .recordings import Recording


def is_request(value: dict[str, Any]) -> bool:
    """Whether an object is a request."""
    return {"callable_id", "id", "process_id"} <= value.keys()


def is_task(value: dict[str, Any]) -> bool:
    """Whether an object is a task."""
    return {"element_id", "process_request_id", "id"} <= value.keys()


class Knowledge:
    """
    Rows by id, as some answer shows them.

    :param recordings: all of them.
    """

    def __init__(self, recordings: list[Recording]) -> None:
        self.requests: dict[int, dict[str, Any]] = {}
        # Of requests that are first seen by looking at them, how they looked.
        self.first: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        self.processes: dict[int, dict[str, Any]] = {}
        self.scripts: dict[int, dict[str, Any]] = {}
        self.files: dict[int, dict[str, Any]] = {}
        self.contents: dict[int, Any] = {}
        for recording in recordings:
            self._study(recording)

    def _study(self, recording: Recording) -> None:
        body = recording.body
        if isinstance(body, str) and body.startswith("{"):
            # Kept as text, and cut.
            body = dict(members(body))
        for value in objects(body):
            if is_request(value):
                if recording.method == "GET" and value["id"] not in self.requests:
                    self.first[value["id"]] = value
                known = self.requests.setdefault(value["id"], {})
                known.update({name: item for name, item in value.items() if name not in known or name != "data"})
            if is_task(value):
                self.tasks.setdefault(value["id"], value)
            if "start_events" in value and "draft" not in value:
                names = ("description", "status")
                self.processes.setdefault(value["id"], {name: value[name] for name in names})
            if "script_executor_id" in value and len(value) > len(self.scripts.get(value["id"], {})):
                self.scripts[value["id"]] = value
            if "order_column" in value:
                self.files.setdefault(value["id"], value)
        match = re.search(r"/files/(\d+)/contents$", recording.path)
        if match and isinstance(recording.body, str):
            self.contents[int(match.group(1))] = recording.body.encode()
