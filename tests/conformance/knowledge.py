"""What the recordings tell of rows, taken together."""

from __future__ import annotations

import base64
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from .forms import shown
from .kinds import kind_of

if TYPE_CHECKING:
    from .recordings import Recording


# What the data of a task tells of its surroundings.
MAGIC = frozenset({"_user", "_request"})


class Knowledge:
    """
    Rows by id, as some answer shows them.

    :param recordings: all of them.
    """

    def __init__(self, recordings: list[Recording]) -> None:
        self.requests: dict[int, dict[str, Any]] = {}
        self.tasks: dict[int, dict[str, Any]] = {}
        # The data of requests as they were shown first.
        self.data: dict[int, dict[str, Any]] = {}
        self.processes: dict[int, dict[str, Any]] = {}
        self.scripts: dict[int, dict[str, Any]] = {}
        self.files: dict[int, dict[str, Any]] = {}
        self.contents: dict[int, bytes] = {}
        self.told: dict[int, dict[str, str]] = {}
        # The exchanges about a request, or about a task, by its id.
        self.about: dict[tuple[str, int], list[Recording]] = {}
        for recording in recordings:
            self._study(recording)
            for kind, number in re.findall(r"/(requests|tasks|drafts)/(\d+)", recording.path):
                self.about.setdefault(("requests" if kind == "requests" else "tasks", int(number)), []).append(
                    recording
                )

    def _study(self, recording: Recording) -> None:
        for value in shown(recording):
            if kind_of(value) == "requests":
                known = self.requests.setdefault(value["id"], {})
                known.update({name: item for name, item in value.items() if name not in known or name != "data"})
            if kind_of(value) == "tasks":
                self.tasks.setdefault(value["id"], value)
            if kind_of(value) in {"requests", "tasks"} and isinstance(value.get("data"), dict):
                data = {name: item for name, item in value["data"].items() if name not in MAGIC}
                self.data.setdefault(value["process_request_id" if "element_id" in value else "id"], data)
            if "start_events" in value and "draft" not in value:
                names = ("description", "status")
                self.processes.setdefault(value["id"], {name: value[name] for name in names})
            if "script_executor_id" in value and len(value) > len(self.scripts.get(value["id"], {})):
                self.scripts[value["id"]] = value
            if "order_column" in value:
                self.files.setdefault(value["id"], value)
        self._study_file(recording)

    def _study_file(self, recording: Recording) -> None:
        """The bytes of a file, and what the headers tell of it."""
        match = re.search(r"/files/(\d+)(/contents)?$", recording.path)
        kind = recording.response["body_kind"]
        if match is None or recording.method != "GET" or recording.status != 200 or kind not in {"text", "base64"}:
            return
        body: str = recording.body
        self.contents[int(match.group(1))] = base64.b64decode(body) if kind == "base64" else body.encode()
        headers = {name.lower(): value for name, value in recording.response["headers"].items()}
        told = {"mime_type": headers["content-type"].partition(";")[0]}
        # The first of them holds for clients that do not know the second.
        for name in re.findall(r"filename=([^;]+)|filename\*=utf-8''(.+)", headers.get("content-disposition", "")):
            told["file_name"] = unquote(name[0] or name[1])
        self.told[int(match.group(1))] = told

    def uploaded(self, recording: Recording) -> bytes | None:
        """
        The bytes that an upload sent, if they were read later.

        :param recording: the upload.
        """
        body = recording.body
        return self.contents.get(body.get("fileUploadId", 0)) if isinstance(body, dict) else None
