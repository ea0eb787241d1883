"""Processes, scripts, screens, files and the like for the replay: what requests run in and what belongs to them."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.screens import new_screen
from airflow_provider_processmaker.testing.scripts import new_script
from airflow_provider_processmaker.testing.workflow import examples
from airflow_provider_processmaker.testing.workflow.tables import REQUEST_MODEL, Media

from .forms import sent, shown
from .kinds import kind_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from airflow_provider_processmaker.testing.workflow.tables import Process

    from .gaps import Gaps
    from .knowledge import Knowledge
    from .recordings import Recording

EXAMPLES = {example.id: example for example in examples.EXAMPLES}
_CATEGORIES = ("process_categories", "screen_categories", "script_categories")
_TABLES = {"processes": "processes", "scripts": "scripts", "screens": "screens", "files": "media"}


class PartReplay:
    """
    Sets up what an exchange needs besides requests.

    :param server: fresh.
    :param known: what the recordings tell of rows.
    :param gaps: of the recordings.
    """

    def __init__(self, server: ProcessMakerServer, known: Knowledge, gaps: Gaps) -> None:
        self.server = server
        self.workflow = server.state.workflow
        self.known = known
        self.gaps = gaps
        self.uploaded: set[int] = set()
        for title, run in examples.SCRIPTS.items():
            server.on_script(title, run)

    def prepare(self, recording: Recording) -> None:
        """Set up what the exchange needs."""
        self._prepare_processes(recording)
        self._prepare_created(recording)
        self._prepare_taken(recording)
        self._prepare_scripts(recording)
        self._prepare_shown(recording)
        self._prepare_file(recording)

    # -- processes ---------------------------------------------------------------------------------------------------

    def _prepare_processes(self, recording: Recording) -> None:
        ids = [int(number) for number in re.findall(r"/(?:processes|process_events)/(\d+)", recording.path)]
        if recording.status in {404, 204} and recording.method != "DELETE":
            ids = []
        for value in shown(recording):
            if ("start_events" in value and "draft" not in value) or "catches" in value:
                ids.append(value["id"])
            if kind_of(value) == "requests":
                ids.append(value["process_id"])
        created = recording.method == "POST" and recording.path.endswith("/processes")
        for process_id in ids:
            if process_id in EXAMPLES and self.workflow.processes.get(process_id) is None and not created:
                self.add_process(process_id)

    def add_process(self, process_id: int) -> Process:
        """
        Add a process of the seed, with the one that it calls.

        :param process_id: its id.
        """
        # Of one that is no part of the seed, no more is known than that there were requests of it.
        example = EXAMPLES.get(process_id) or EXAMPLES[2]._replace(id=process_id, name=f"Process {process_id}")
        for number in re.findall(r'calledElement="ProcessId-(\d+)"', example.bpmn):
            if self.workflow.processes.get(int(number)) is None:
                self.add_process(int(number))
        for number in re.findall(r'scriptRef="(\d+)"', example.bpmn):
            if self.workflow.scripts.get(int(number)) is None:
                self.script(int(number))
        self._category("process_categories", 3, {"name": "Seed Category", "status": "ACTIVE"})
        process = examples.add(self.server.state, example, 3)
        for columns in (process.columns, process.version.columns):
            columns.update(self.known.processes.get(process_id, {}))
        return process

    def _category(self, kind: str, category_id: int, shown: dict[str, Any] | None) -> None:
        if self.workflow.categories[kind].get(category_id) is None:
            values = {"name": f"Category {category_id}", "status": "ACTIVE"}
            values.update({name: shown[name] for name in values if name in shown} if shown else {})
            self.workflow.categories[kind].expect_id(category_id)
            self.workflow.new_category(kind, values)

    # -- what is created ---------------------------------------------------------------------------------------------

    def _table(self, resource: str) -> Any:
        if resource in _CATEGORIES:
            return self.workflow.categories[resource]
        return getattr(self.workflow, _TABLES[resource]) if resource in _TABLES else None

    def _expect(self, resource: str, row: dict[str, Any]) -> None:
        """The next row gets this id; one that has it, or its name, makes room."""
        table = self._table(resource)
        table.expect_id(row["id"])
        table.remove(row["id"])
        label = "title" if resource in {"scripts", "screens"} else "name"
        for other in table:
            if label in row and other.columns[label] == row[label]:
                table.remove(other.id)

    def _prepare_created(self, recording: Recording) -> None:
        resource = recording.path.rstrip("/").rpartition("/")[2]
        body = recording.body
        if recording.method != "POST" or recording.status >= 300 or not isinstance(body, dict):
            return
        if "fileUploadId" in body:
            self._prepare_upload(body["fileUploadId"])
        elif "/process_events/" not in recording.path and self._table(resource) is not None and "id" in body:
            for kind in ("process", "screen"):
                if f"{kind}_category_id" in body:
                    self._category(f"{kind}_categories", int(body[f"{kind}_category_id"]), body.get("category"))
            self._expect(resource, body)

    def _prepare_taken(self, recording: Recording) -> None:
        """A name that the real server found taken is taken: by a process of the seed, or by a new row."""
        resource = recording.path.rstrip("/").rpartition("/")[2]
        if recording.status != 422 or "already been taken" not in json.dumps(recording.body):
            return
        name = sent(recording).get("name")
        if resource == "processes" and all(row.name != name for row in self.workflow.processes):
            for example in examples.EXAMPLES:
                if example.name == name:
                    self.add_process(example.id)
        elif resource in _CATEGORIES and all(row.columns["name"] != name for row in self._table(resource)):
            self.workflow.new_category(resource, {"name": name, "status": "ACTIVE"})

    # -- scripts, screens and what an answer shows -------------------------------------------------------------------

    def _prepare_scripts(self, recording: Recording) -> None:
        match = re.search(r"/scripts/(?:execute/)?(\d+)", recording.path)
        if match and recording.status < 404 and self.workflow.scripts.get(int(match.group(1))) is None:
            self.script(int(match.group(1)))

    def script(self, number: int) -> None:
        """
        Add a script as it is known; without any knowledge, the one of the seed in this place.

        :param number: its id.
        """
        titles = list(examples.SCRIPTS)
        title = titles[number - 1] if number <= len(titles) else f"Script {number}"
        shown = self.known.scripts.get(number, {"id": number, "title": title})
        self.workflow.scripts.expect_id(number)
        new_script(self.server.state, {name: value for name, value in shown.items() if name != "id"})

    def _prepare_shown(self, recording: Recording) -> None:
        """Files, scripts, screens, categories and notifications that the answer shows."""
        for value in shown(recording) if recording.method == "GET" else ():
            kind = kind_of(value)
            if kind == "files" and self.workflow.media.get(value["id"]) is None:
                self._file(value)
            elif kind == "scripts" and self.workflow.scripts.get(value["id"]) is None:
                self.script(value["id"])
            elif kind == "screens" and self.workflow.screens.get(value["id"]) is None:
                self.workflow.screens.expect_id(value["id"])
                new_screen(self.server.state, {name: item for name, item in value.items() if name != "id"})
            elif "notifiable_id" in value:
                self.workflow.notifications.setdefault(value["id"], dict(value))

    # -- files -------------------------------------------------------------------------------------------------------

    def _prepare_upload(self, upload_id: int) -> None:
        for file_id in sorted(self.known.files):
            if file_id < upload_id and file_id not in self.uploaded:
                self._file(self.known.files[file_id])
        self.workflow.media.expect_id(upload_id)
        self.workflow.media.remove(upload_id)
        self.uploaded.add(upload_id)

    def _prepare_file(self, recording: Recording) -> None:
        """A file of the path is there, unless the real server did not find it."""
        match = re.search(r"/files/(\d+)(?!\d)(/contents)?$", recording.path)
        if match is None:
            return
        number = int(match.group(1))
        there = self.workflow.media.get(number) is not None
        owner = re.search(r"/requests/(\d+)", recording.path)
        # Of a request's files, 404 would mean that it is another request's.
        absent = 400 if "/requests/" in recording.path else 404
        if recording.status == absent and there and self.gaps.before("files", number, recording):
            self.workflow.media.remove(number)
        elif not there and (recording.status < 300 or (owner and recording.status == 404)):
            request_id = int(owner.group(1)) if owner else 1
            other = 1 if recording.status == 404 else 0
            about = {"model_type": REQUEST_MODEL, "model_id": request_id + other}
            names = {"custom_properties": {"data_name": "x"}, "file_name": "x", "mime_type": "text/plain"}
            self._file(self.known.files.get(number, {"id": number, "order_column": 1, **about, **names}))

    def _file(self, shown: dict[str, Any]) -> None:
        self.uploaded.add(shown["id"])
        columns = {name: value for name, value in shown.items() if not name.endswith("_url")}
        columns.pop("process_request_id", None)
        content = self.known.contents.get(shown["id"], b"x" * columns.get("size", 1))
        columns.update(self.known.told.get(shown["id"], {}))
        self.workflow.media.expect_id(shown["id"])
        self.workflow.media.add(Media(self.workflow.media.next_id(), columns, content))
