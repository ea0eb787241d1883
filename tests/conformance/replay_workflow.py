"""
Processes, requests and tasks for the replay.

The recordings have gaps: exchanges that were left out, and steps that nobody recorded. What an exchange needs is set up
by rules: a process that is mentioned is there; so is a request, started in its process by its user; a task has the
recorded id; a request that is started gets the recorded number. Where exchanges were left out since a request was last
seen, its state is taken over from what a later answer shows: by completing tasks, cancelling and so on. Without a gap,
nothing is taken over: then the engine alone must have got there.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.phpdata import as_stored
from airflow_provider_processmaker.testing.scripts import new_script
from airflow_provider_processmaker.testing.workflow import examples
from airflow_provider_processmaker.testing.workflow.tables import REQUEST_MODEL, Media, Version

from . import mail
from .forms import objects
from .knowledge import Knowledge, is_request, is_task

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from airflow_provider_processmaker.testing.workflow.tables import Process, ProcessRequest, Token

    from .recordings import Recording

_EXAMPLES = {example.id: example for example in examples.EXAMPLES}
_CATEGORIES = ("process_categories", "screen_categories", "script_categories")


class WorkflowReplay:
    """
    Sets up what an exchange needs of the engine.

    :param server: fresh.
    :param recordings: all of them: they tell of rows.
    :param index: of the recordings: notes on them, and whose the tokens are.
    """

    def __init__(self, server: ProcessMakerServer, recordings: list[Recording], index: dict[str, Any]) -> None:
        self.server = server
        self.workflow = server.state.workflow
        self.engine = server.state.engine
        self.notes = {row["file"]: row["note"] for row in index.get("files", [])}
        self.tokens = index["tokens"]
        self.numbers = {recording.number for recording in recordings}
        self.known = Knowledge(recordings)
        self.uploaded: set[int] = set()
        self.deleted: set[int] = set()
        # The number of the recording in which a request was last seen.
        self.seen: dict[int, int] = {}
        for title, run in examples.SCRIPTS.items():
            server.on_script(title, run)

    # -- before an exchange ------------------------------------------------------------------------------------------

    def prepare(self, recording: Recording) -> None:
        """Set up what the exchange needs."""
        if recording.status in {401, 503}:
            return
        self.server.script_seconds = 0.5 if "queue is redis" in self.notes.get(recording.file, "") else 0.0
        self._prepare_processes(recording)
        self._prepare_created(recording)
        self._prepare_path(recording)
        self._prepare_parts(recording)
        mail.prepare(self.server.state, recording)
        if recording.method == "GET" and recording.status == 200:
            self._prepare_shown(recording)
        elif recording.method != "GET" and recording.status < 400:
            self._prepare_acted_on(recording)

    def done(self, recording: Recording) -> None:
        """Note what the exchange was about."""
        self.engine.run_due()
        found = {value["id"] for value in objects(recording.body) if is_request(value)}
        found |= {value["process_request_id"] for value in objects(recording.body) if is_task(value)}
        found |= {int(number) for number in re.findall(r"/requests/(\d+)", recording.path)}
        for number in re.findall(r"/tasks/(\d+)", recording.path):
            token = self.workflow.tokens.get(int(number))
            found |= {token.request.id} if token is not None else set()
        if recording.method == "DELETE" and recording.status == 204:
            self.deleted |= {int(number) for number in re.findall(r"/requests/(\d+)$", recording.path)}
        for request_id in found:
            self.seen[request_id] = recording.number

    def _caller(self, recording: Recording) -> Any:
        token = recording.request["headers"].get("Authorization", "").rpartition(" ")[2]
        return self.tokens.get(token, {}).get("user_id")

    def _gap(self, request_id: int, recording: Recording) -> bool:
        """Whether exchanges were left out since a request was last seen."""
        since = self.seen.get(request_id, 0)
        return any(number not in self.numbers for number in range(since + 1, recording.number))

    def _prepare_processes(self, recording: Recording) -> None:
        ids = [int(number) for number in re.findall(r"/(?:processes|process_events)/(\d+)", recording.path)]
        if recording.status in {404, 204} and recording.method != "DELETE":
            ids = []
        for value in objects(recording.body):
            if ("start_events" in value and "draft" not in value) or "catches" in value:
                ids.append(value["id"])
            if is_request(value):
                ids.append(value["process_id"])
        created = recording.method == "POST" and recording.path.endswith("/processes")
        for process_id in ids:
            if process_id in _EXAMPLES and self.workflow.processes.get(process_id) is None and not created:
                self._add_process(process_id)

    def _add_process(self, process_id: int) -> Process:
        if self.workflow.categories["process_categories"].get(3) is None:
            self._expect("process_categories", {"id": 3, "name": "Seed Category"})
            self.workflow.new_category("process_categories", {"name": "Seed Category", "status": "ACTIVE"})
        process = examples.add(self.server.state, _EXAMPLES[process_id], 3)
        for columns in (process.columns, process.version.columns):
            columns.update(self.known.processes.get(process_id, {}))
        return process

    def _table(self, resource: str) -> Any:
        if resource in _CATEGORIES:
            return self.workflow.categories[resource]
        tables = {"processes": "processes", "scripts": "scripts", "screens": "screens", "files": "media"}
        return getattr(self.workflow, tables[resource]) if resource in tables else None

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
        if "/process_events/" in recording.path:
            self._prepare_start(body)
        elif "fileUploadId" in body:
            self._prepare_upload(body["fileUploadId"])
        elif self._table(resource) is not None and "id" in body:
            for kind in ("process", "screen"):
                if f"{kind}_category_id" in body:
                    self._category(f"{kind}_categories", int(body[f"{kind}_category_id"]), body.get("category"))
            self._expect(resource, body)

    def _prepare_start(self, body: dict[str, Any]) -> None:
        """The next request gets the recorded id and case; those with lower ids were started before."""
        for request_id in sorted(self.known.requests):
            if request_id < body["id"] and request_id not in self.deleted:
                self._request(request_id)
        self.workflow.requests.expect_id(body["id"])
        self.workflow.requests.remove(body["id"])
        self.workflow.last_case = body["case_number"] - 1

    def _prepare_upload(self, upload_id: int) -> None:
        for file_id in sorted(self.known.files):
            if file_id < upload_id and file_id not in self.uploaded:
                self._file(self.known.files[file_id])
        self.workflow.media.expect_id(upload_id)
        self.uploaded.add(upload_id)

    def _category(self, kind: str, category_id: int, shown: dict[str, Any] | None) -> None:
        if self.workflow.categories[kind].get(category_id) is None:
            values = {"name": f"Category {category_id}", "status": "ACTIVE"}
            values.update({name: shown[name] for name in values} if shown else {})
            self.workflow.categories[kind].expect_id(category_id)
            self.workflow.new_category(kind, values)

    def _prepare_path(self, recording: Recording) -> None:
        """Requests and tasks of the path are there, unless the real server did not find them."""
        if recording.status == 404 and recording.path.count("/") == 4:
            return
        for number in re.findall(r"/requests/(\d+)(?!\d*/count)", recording.path):
            if int(number) not in self.known.requests and recording.status != 404:
                self._guess(int(number), recording)
            self._request(int(number))
        for number in re.findall(r"/tasks/(\d+)", recording.path):
            self._task(int(number))
        self._prepare_refused(recording)

    def _prepare_refused(self, recording: Recording) -> None:
        """What the real server refused because it was done before is done before, if that was left out."""
        match = re.search(r"/requests/(\d+)(/events/(\w+))?$", recording.path)
        request = self.workflow.requests.get(int(match.group(1))) if match else None
        if match and request is not None and recording.status == 404 and self._gap(request.id, recording):
            if match.group(2) is None:
                self.engine.delete(request)
            for token in request.tokens:
                if token.node.id == match.group(3):
                    self.engine.trigger(token, {})
        match = re.search(r"/tasks/(\d+)$", recording.path)
        token = self.workflow.tokens.get(int(match.group(1))) if match else None
        if token is not None and token.is_active and "already closed" in str(recording.body):
            self.engine.complete_task(token, {})

    def _guess(self, request_id: int, recording: Recording) -> None:
        """A request of which no answer tells: of the process with the event that is called, or of the simplest."""
        event = recording.path.partition("/events/")[2]
        fits = (one for one in examples.EXAMPLES if event and f'id="{event}"' in one.bpmn)
        example = next(fits, _EXAMPLES[2])
        known = {"process_id": example.id, "user_id": 1, "case_number": self.workflow.last_case + 1}
        self.known.requests[request_id] = known

    def _prepare_parts(self, recording: Recording) -> None:
        """Files, scripts, categories and notifications that the answer shows or the path names."""
        match = re.search(r"/scripts/(?:execute/)?(\d+)", recording.path)
        if match and recording.status < 404 and self.workflow.scripts.get(int(match.group(1))) is None:
            titles = list(examples.SCRIPTS)
            number = int(match.group(1))
            self._script(self.known.scripts.get(number, {"id": number, "title": titles[number - 1]}))
        for value in objects(recording.body) if recording.method == "GET" else ():
            if "order_column" in value and self.workflow.media.get(value["id"]) is None:
                self._file(value)
            elif "script_executor_id" in value and self.workflow.scripts.get(value["id"]) is None:
                self._script(value)
            elif "notifiable_id" in value:
                self.workflow.notifications.setdefault(value["id"], dict(value))
        match = re.search(r"/files/(\d+)", recording.path)
        if match and recording.status < 300 and self.workflow.media.get(int(match.group(1))) is None:
            number = int(match.group(1))
            owner = re.search(r"/requests/(\d+)", recording.path)
            about = {"model_type": REQUEST_MODEL, "model_id": int(owner.group(1)) if owner else 1}
            names = {"custom_properties": {"data_name": "x"}, "file_name": "x", "mime_type": "text/plain"}
            self._file(self.known.files.get(number, {"id": number, "order_column": 1, **about, **names}))

    def _file(self, shown: dict[str, Any]) -> None:
        self.uploaded.add(shown["id"])
        columns = {name: value for name, value in shown.items() if not name.endswith("_url")}
        columns.pop("process_request_id", None)
        content = self.known.contents.get(shown["id"], b"x" * columns.get("size", 1))
        self.workflow.media.expect_id(shown["id"])
        self.workflow.media.add(Media(self.workflow.media.next_id(), columns, content))

    def _script(self, shown: dict[str, Any]) -> None:
        self.workflow.scripts.expect_id(shown["id"])
        new_script(self.server.state, {name: value for name, value in shown.items() if name != "id"})

    # -- requests and tasks ------------------------------------------------------------------------------------------

    def _request(self, request_id: int) -> ProcessRequest | None:
        """A request, started if it is not there."""
        row = self.workflow.requests.get(request_id)
        known = self.known.requests.get(request_id)
        if row is not None or known is None or known.get("parent_request_id"):
            return row
        process = self.workflow.processes.get(known["process_id"])
        if process is None:
            process = self._add_process(known["process_id"])
        self.workflow.requests.expect_id(request_id)
        before, self.workflow.last_case = self.workflow.last_case, known.get("case_number", request_id) - 1
        data = known.get("data") or {}
        node = process.version.definition.starts[0]
        row = self.engine.start(process, node, dict(data), known["user_id"])
        if "process_version" in known:
            # It ran in the version of its day.
            columns = {**row.version.columns, **known["process_version"]}
            columns = {name: columns[name] for name in row.version.columns}
            row.version = Version(columns["id"], process, columns, row.version.definition)
        self.workflow.last_case = max(before, self.workflow.last_case)
        self.engine.run_due()
        first = self.known.first.get(request_id)
        if first is not None and first["status"] != row.status:
            self._bring_to(row, first)
        return row

    def _task(self, task_id: int) -> Token | None:
        """A task with the recorded id."""
        token = self.workflow.tokens.get(task_id)
        known = self.known.tasks.get(task_id)
        if known is None:
            return token
        request = self._request(known["process_request_id"])
        if token is not None and token.request is request and token.node.id == known["element_id"]:
            return token
        if request is None:
            return token
        for _ in range(5):
            mine = [one for one in request.tasks if one.node.id == known["element_id"]]
            waiting = [one for one in request.tasks if one.is_active]
            if mine or not waiting:
                break
            self.engine.complete_task(waiting[0], {})
        return self._renumber(mine[-1], task_id) if mine else token

    def _renumber(self, token: Token, task_id: int) -> Token:
        tokens = self.workflow.tokens
        other = tokens.get(task_id)
        tokens.remove(token.id)
        if other is not None:
            tokens.remove(task_id)
            other.id, other.columns["id"] = token.id, token.id
            tokens.add(other)
        token.id, token.columns["id"] = task_id, task_id
        tokens.expect_id(task_id)
        tokens.next_id()
        return tokens.add(token)

    def _prepare_shown(self, recording: Recording) -> None:
        """Requests and tasks that the answer shows are there, and where there was a gap, as it shows them."""
        for value in objects(recording.body):
            if is_request(value):
                gap = self._gap(value["id"], recording)
                request = self._request(value["id"])
                if request is not None and gap:
                    self._align(request, value, recording)
                self._time_goes_by(request, value)
        self._fill(recording)
        for value in objects(recording.body):
            if is_task(value):
                token = self._task(value["id"])
                if token is not None and self._gap(value["process_request_id"], recording):
                    self._align_task(token, value)

    def _fill(self, recording: Recording) -> None:
        """A list of all requests or tasks is as long as it was: with more runs of the simplest process."""
        meta = recording.body.get("meta") if isinstance(recording.body, dict) else None
        query = recording.request["path"].partition("?")[2]
        if (
            not meta
            or not re.fullmatch(r"/api/1\.0/requests", recording.path)
            or re.search(r"pmql|filter|type=", query)
        ):
            return
        candidates = (number for number in range(1, 10_000) if number not in self.deleted)
        for number in candidates:
            if len(self.workflow.requests) >= meta.get("total", 0) or self._caller(recording) != 1:
                return
            if self.workflow.requests.get(number) is None:
                if number not in self.known.requests:
                    self.known.requests[number] = {
                        "process_id": 2,
                        "user_id": 1,
                        "case_number": self.workflow.last_case + 1,
                    }
                self._request(number)

    def _prepare_acted_on(self, recording: Recording) -> None:
        """What is to be completed is not completed yet."""
        body = recording.request["body"]
        if isinstance(body, dict) and "status" not in body:
            for value in objects(recording.body):
                token = self._task(value["id"]) if is_task(value) else None
                if token is not None and self._gap(value["process_request_id"], recording):
                    self._align_task(token, value)
        elif isinstance(body, dict) and body.get("status") == "COMPLETED":
            for number in re.findall(r"/tasks/(\d+)", recording.path):
                token = self.workflow.tokens.get(int(number))
                if token is not None and not token.is_active and self._gap(token.request.id, recording):
                    token.columns.update(status="ACTIVE", completed_at=None)

    def _time_goes_by(self, request: ProcessRequest | None, shown: dict[str, Any]) -> None:
        """What a script that is still to run makes is shown: so its time has come."""
        data = shown.get("data")
        if request is not None and isinstance(data, dict) and data.keys() - request.data.keys():
            self.server.clock.advance(self.server.script_seconds + 0.01)
            self.engine.run_due()

    def _align(self, request: ProcessRequest, shown: dict[str, Any], recording: Recording) -> None:
        data = shown.get("data")
        if isinstance(data, dict):
            new = {key: value for key, value in data.items() if as_stored(request.data.get(key, self)) != value}
            waiting = [token for token in request.tasks if token.is_active]
            if (new and waiting and request.data and shown["status"] == "ACTIVE") or (new and len(waiting) > 1):
                # What is new came with its oldest task.
                self.engine.complete_task(waiting[0], new)
            request.data.update(new)
        asked = re.search(r"data\.(\w+)%20%3E%20(\d+)", recording.request["path"])
        if asked:
            request.data.setdefault(asked.group(1), int(asked.group(2)) + 1)
        if shown["status"] != request.status:
            self._bring_to(request, shown)
        if shown.get("errors") and not request.errors:
            request.update(errors=shown["errors"])

    def _bring_to(self, request: ProcessRequest, shown: dict[str, Any]) -> None:
        if shown["status"] == "COMPLETED":
            self.server.complete_request(request.id)
        elif shown["status"] == "CANCELED":
            self.engine.cancel(request)
        elif shown["status"] == "ERROR":
            error = (shown.get("errors") or [{"message": "unrecorded", "element_id": None}])[0]
            node = request.version.definition.nodes.get(error["element_id"])
            self.engine.fail(request, error["message"], node)

    def _align_task(self, token: Token, shown: dict[str, Any]) -> None:
        if shown.get("status") == "CLOSED" and token.is_active:
            self.engine.complete_task(token, {})
        for name in ("user_id", "is_self_service", "self_service_groups"):
            if name in shown:
                token.columns[name] = shown[name]
