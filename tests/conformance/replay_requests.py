"""Makes requests and tasks for the replay, and brings them to where a recorded answer shows them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from airflow_provider_processmaker.testing.phpdata import as_stored
from airflow_provider_processmaker.testing.workflow.tables import Version

from . import guesses, mail
from .knowledge import MAGIC

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from airflow_provider_processmaker.testing.workflow.tables import Process, ProcessRequest, Token

    from .knowledge import Knowledge
    from .recordings import Recording
    from .replay_parts import PartReplay

# No process here has so many tasks one after the other.
_MOST_STEPS = 5


class RequestMaker:
    """
    Requests and tasks by their recorded ids.

    :param server: fresh.
    :param known: what the recordings tell of rows.
    :param parts: makes processes.
    """

    def __init__(self, server: ProcessMakerServer, known: Knowledge, parts: PartReplay) -> None:
        self.server = server
        self.workflow = server.state.workflow
        self.engine = server.state.engine
        self.known = known
        self.parts = parts
        # Requests that no exchange started.
        self.made: set[int] = set()

    # -- making ------------------------------------------------------------------------------------------------------

    def request(self, request_id: int) -> ProcessRequest | None:
        """
        A request, started if it is not there.

        :param request_id: its id.
        """
        row = self.workflow.requests.get(request_id)
        known = self.known.requests.get(request_id)
        if row is not None or known is None:
            return row
        parent = known.get("parent_request_id")
        if parent:
            self.known.requests.setdefault(parent, guesses.parent_for(known, self.workflow.last_case + 1))
            self.request(parent)
            return self.workflow.requests.get(request_id)
        process = self.workflow.processes.get(known["process_id"]) or self.parts.add_process(known["process_id"])
        return self._started(process, request_id, known)

    def _started(self, process: Process, request_id: int, known: dict[str, Any]) -> ProcessRequest:
        self.workflow.requests.expect_id(request_id)
        before, self.workflow.last_case = self.workflow.last_case, known.get("case_number", request_id) - 1
        node = process.version.definition.starts[0]
        self.made.add(request_id)
        mail.silence(self.server.state, process)
        row = self.engine.start(process, node, dict(self.known.data.get(request_id, {})), known["user_id"])
        if "process_version" in known:
            self._align_version(row, known["process_version"])
        self.workflow.last_case = max(before, self.workflow.last_case)
        self.engine.run_due()
        return row

    def _align_version(self, row: ProcessRequest, shown: dict[str, Any]) -> None:
        """It ran in the version of its day."""
        columns = {**row.version.columns, **shown}
        columns = {name: columns[name] for name in row.version.columns}
        row.version = Version(columns["id"], row.process, columns, row.version.definition)

    def task(self, task_id: int) -> Token | None:
        """
        A task with the recorded id.

        :param task_id: its id.
        """
        token = self.workflow.tokens.get(task_id)
        known = self.known.tasks.get(task_id)
        if known is None:
            return token
        request_id = known["process_request_id"]
        case_number = self.workflow.last_case + 1
        self.known.requests.setdefault(request_id, guesses.request_of_task(known, case_number))
        request = self.request(request_id)
        if token is not None and token.request is request and token.node.id == known["element_id"]:
            return token
        if request is None:
            return None
        mine = self._reached(request, known)
        return None if mine is None else self._renumber(mine, task_id)

    def _reached(self, request: ProcessRequest, known: dict[str, Any]) -> Token | None:
        """The token at a task's element: what waits before it is done."""
        for _ in range(_MOST_STEPS):
            mine = [one for one in request.tasks if one.node.id == known["element_id"]]
            waiting = [one for one in request.tokens if one.is_active and one.node.id != known["element_id"]]
            if mine or not waiting:
                return mine[-1] if mine else None
            if waiting[0] in request.tasks:
                self.engine.complete_task(waiting[0], {})
            else:
                self.engine.trigger(waiting[0], {})
            self.engine.run_due()
        return None

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

    # -- bringing to where it was ------------------------------------------------------------------------------------

    def align(self, request: ProcessRequest, shown: dict[str, Any], recording: Recording) -> None:
        """
        Let a request be as an answer shows it.

        :param request: ours.
        :param shown: theirs.
        :param recording: the exchange.
        """
        self.align_data(request, shown)
        query = unquote(recording.request["path"].partition("?")[2])
        for name, operator, text, number in re.findall(r'data\.(\w+) (=|>) (?:"([^"]*)"|(\d+))', query):
            # What was asked for is what was found.
            value = int(number) + (operator == ">") if number else text
            request.data.setdefault(name, value)
        if "process_version" in shown:
            self._align_version(request, shown["process_version"])
        if shown["status"] != request.status:
            self.bring_to(request, shown)
        if shown.get("errors") and not request.errors:
            request.update(errors=shown["errors"])

    def align_data(self, request: ProcessRequest, shown: dict[str, Any]) -> None:
        """
        Let a request have the data that an answer shows.

        :param request: ours.
        :param shown: theirs.
        """
        data = shown.get("data")
        if not isinstance(data, dict):
            return
        given = {key: value for key, value in data.items() if key not in MAGIC}
        for key in request.data.keys() - given.keys():
            if not key.startswith("_"):
                del request.data[key]
        new = {key: value for key, value in given.items() if as_stored(request.data.get(key, self)) != value}
        waiting = [token for token in request.tasks if token.is_active]
        if new and len(waiting) > 1:
            # What is new came with its oldest task.
            self.engine.complete_task(waiting[0], new)
        request.data.update(new)

    def bring_to(self, request: ProcessRequest, shown: dict[str, Any]) -> None:
        """
        Let a request have the state that an answer shows.

        :param request: ours.
        :param shown: theirs.
        """
        if shown["status"] == "COMPLETED":
            self.server.complete_request(request.id)
        elif shown["status"] == "CANCELED":
            self.engine.cancel(request)
        elif shown["status"] == "ERROR":
            error = (shown.get("errors") or [{"message": "unrecorded", "element_id": None}])[0]
            node = request.version.definition.nodes.get(error["element_id"])
            self.engine.fail(request, error["message"], node)
        elif shown["status"] == "ACTIVE":
            request.update(status="ACTIVE", errors=shown.get("errors"), completed_at=None)

    def align_task(self, token: Token, shown: dict[str, Any]) -> None:
        """
        Let a task be as an answer shows it.

        :param token: ours.
        :param shown: theirs.
        """
        if shown.get("status") == "CLOSED" and token.is_active:
            self.engine.complete_task(token, {})
        elif shown.get("status") == "ACTIVE" and not token.is_active:
            token.columns.update(status="ACTIVE", completed_at=None)
        self.align_data(token.request, shown)
        for name in ("user_id", "is_self_service", "self_service_groups"):
            if name in shown:
                token.columns[name] = shown[name]
