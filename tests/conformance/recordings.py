"""Where the recordings are, and how they read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

PROJECT = Path(__file__).resolve().parents[2]


def folder() -> Path:
    """The folder of recordings, whether it is there or not."""
    named = os.environ.get("PROCESSMAKER_RECORDINGS")
    return Path(named) if named else PROJECT.parent / "shared" / "facts" / "recordings"


@dataclass(frozen=True)
class Recording:
    """One exchange with the real server."""

    file: str
    name: str
    request: dict[str, Any]
    response: dict[str, Any]

    @property
    def number(self) -> int:
        """The place in the order in which they were made; numbers that are missing were left out."""
        return int(self.file[:3])

    @property
    def method(self) -> str:
        return self.request["method"]

    @property
    def path(self) -> str:
        return self.request["path"].partition("?")[0]

    @property
    def status(self) -> int:
        return self.response["status"]

    @property
    def body(self) -> Any:
        """The recorded answer."""
        return self.response["body"]


def all_recordings() -> list[Recording]:
    """All recordings in the order in which they were made."""
    recordings = []
    for file in sorted(folder().glob("[0-9]*_*.json")):
        content = json.loads(file.read_text())
        recordings.append(Recording(file.name, content["name"], content["request"], content["response"]))
    return recordings


def index() -> dict[str, Any]:
    """What ``INDEX.json`` says of tokens and clients."""
    file = folder() / "INDEX.json"
    loaded: dict[str, Any] = json.loads(file.read_text()) if file.is_file() else {"tokens": {}, "clients": {}}
    return loaded
