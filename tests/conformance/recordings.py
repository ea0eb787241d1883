"""Where the recordings are, and how they read."""

from __future__ import annotations

import json
import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

INDEX = "INDEX.json"
PROJECT = Path(__file__).resolve().parents[2]
USUAL = PROJECT.parent / "shared" / "facts" / "recordings"


def folder() -> Path:
    """The folder of recordings, whether it is there or not."""
    named = os.environ.get("PROCESSMAKER_RECORDINGS")
    return Path(named) if named else USUAL


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
        return int(self.file.partition("_")[0])

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
    # All but the index: a file that does not read as a recording is an error, not something to leave out.
    for file in sorted(set(folder().glob("*.json")) - {folder() / INDEX}):
        content = json.loads(file.read_text())
        recordings.append(Recording(file.name, content["name"], content["request"], content["response"]))
    return recordings


def index() -> dict[str, Any]:
    """What ``INDEX.json`` says of tokens and clients: the folder's own, or that of the usual folder."""
    for place in (folder(), USUAL):
        if (place / INDEX).is_file():
            loaded: dict[str, Any] = json.loads((place / INDEX).read_text())
            return loaded
    return {"tokens": {}, "clients": {}}
