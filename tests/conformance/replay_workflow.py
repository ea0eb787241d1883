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

from airflow_provider_processmaker.testing.workflow import policies

from . import guesses, mail
from .forms import sent, shown
from .kinds import kind_of
from .knowledge import Knowledge
from .replay_parts import EXAMPLES, PartReplay
from .replay_requests import RequestMaker

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from airflow_provider_processmaker.testing.state import User
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest, Token

    from .gaps import Gaps
    from .recordings import Recording


class WorkflowReplay:
    """
    Sets up what an exchange needs of the engine.

    :param server: fresh.
    :param recordings: all of them: they tell of rows.
    :param index: of the recordings: notes on them, and whose the tokens are.
    :param gaps: of the recordings.
    """

    def __init__(
        self, server: ProcessMakerServer, recordings: list[Recording], index: dict[str, Any], gaps: Gaps
    ) -> None:
        self.server = server
        self.workflow = server.state.workflow
        self.engine = server.state.engine
        self.notes = {row["file"]: row["note"] for row in index.get("files", [])}
        self.tokens = index["tokens"]
        self.gaps = gaps
        self.known = Knowledge(recordings)
        self.deleted: set[int] = set()
        self.parts = PartReplay(server, self.known, gaps)
        self.maker = RequestMaker(server, self.known, self.parts)

    # -- before and after an exchange --------------------------------------------------------------------------------

    def prepare(self, recording: Recording) -> None:
        """Set up what the exchange needs."""
        if recording.status in {401, 503}:
            return
        self.server.script_seconds = 0.5 if "queue is redis" in self.notes.get(recording.file, "") else 0.0
        self.parts.prepare(recording)
        if recording.method == "POST" and "/process_events/" in recording.path and recording.status == 201:
            self._prepare_start(recording)
        self._prepare_path(recording)
        self._prepare_refused(recording)
        mail.prepare(self.server.state, recording)
        if recording.method == "GET" and recording.status == 200:
            self._prepare_shown(recording)
        elif recording.method != "GET" and recording.status < 400:
            self._prepare_acted_on(recording)

    def done(self, recording: Recording) -> None:
        """Note what the exchange was about."""
        self.engine.run_due()
        if recording.method == "DELETE" and recording.status == 204:
            self.deleted |= {int(number) for number in re.findall(r"/requests/(\d+)$", recording.path)}
        for value in shown(recording) if recording.status < 300 else ():
            kind = kind_of(value)
            if kind in {"requests", "tasks"}:
                request_id = value["process_request_id" if kind == "tasks" else "id"]
                self.gaps.note("requests", request_id, recording)
                if "data" in value:
                    self.gaps.note("data", request_id, recording)
        for kind, number in re.findall(r"/(requests|tasks)/(\d+)", recording.path):
            token = self.workflow.tokens.get(int(number))
            request_id = int(number) if kind == "requests" else token.request.id if token is not None else 0
            for what in ("requests", "data"):
                self.gaps.touched(what, request_id, recording)
        self._note_new(recording)

    def _note_new(self, recording: Recording) -> None:
        """What came to be in an exchange is known."""
        for request in self.workflow.requests:
            if request.id not in self.maker.made:
                rows = [("requests", request.id), ("data", request.id)]
                for row in [*rows, *(("tasks", token.id) for token in request.tokens)]:
                    if row not in self.gaps.seen:
                        self.gaps.note(*row, recording)

    def _caller(self, recording: Recording) -> int | None:
        token = recording.request["headers"].get("Authorization", "").rpartition(" ")[2]
        found: int | None = self.tokens.get(token, {}).get("user_id")
        return found

    def _gap(self, request_id: int, recording: Recording) -> bool:
        """Whether exchanges were left out since a request was last seen."""
        return self.gaps.before("requests", request_id, recording)

    # -- what is there -----------------------------------------------------------------------------------------------

    def _prepare_start(self, recording: Recording) -> None:
        """The next request gets the recorded id and case; those with lower ids were started before."""
        body = recording.body
        for request_id in sorted(self.known.requests):
            if request_id < body["id"] and request_id not in self.deleted:
                self.maker.request(request_id)
        self.workflow.requests.expect_id(body["id"])
        self.workflow.requests.remove(body["id"])
        self.workflow.last_case = body["case_number"] - 1

    def _prepare_path(self, recording: Recording) -> None:
        """Requests and tasks of the path are there, unless the real server did not find them."""
        if recording.status == 404 and recording.path.count("/") == 4:
            return
        numbers = re.findall(r"/requests/(\d+)(?!\d*/count)", recording.path)
        if "ProcessRequest" in recording.request["path"]:
            numbers += re.findall(r"\bmodel_id=(\d+)", recording.request["path"])
        for number in map(int, numbers):
            if recording.status != 404:
                self._guess(number)
            request, user = self.maker.request(number), self._user(recording)
            puts = recording.method == "PUT"
            if request is not None and not (
                policies.may_update(self.server.state, user, request) if puts else policies.takes_part(user, request)
            ):
                self._let_in(recording, request, request.columns)
        for number in map(int, re.findall(r"/(?:tasks|drafts)/(\d+)", recording.path)):
            self._guess_task(recording, number)
            token = self.maker.task(number)
            if token is not None and not policies.may_do(self.server.state, self._user(recording), token):
                self._let_in(recording, token.request, token.columns)

    def _user(self, recording: Recording) -> User:
        """Who calls; of one whom nobody knows, it does not matter who he is."""
        return self.server.state.users.get(self._caller(recording) or 1) or self.server.user("admin")

    def _let_in(self, recording: Recording, request: ProcessRequest, columns: dict[str, Any]) -> None:
        """What is not the caller's, but let him in, was his by then."""
        if guesses.is_insider(recording) and self._gap(request.id, recording):
            columns["user_id"] = self._user(recording).id

    def _guess_task(self, recording: Recording, number: int) -> None:
        """A task of which no answer tells: as the exchanges about it suggest."""
        token = self.workflow.tokens.get(number)
        others = {value["process_request_id"] for value in shown(recording) if kind_of(value) == "tasks"}
        seen = ("tasks", number) in self.gaps.seen
        strange = token is not None and bool(others) and token.request.id not in others
        if number in self.known.tasks or (seen and not strange) or recording.status == 404:
            return
        free = 1 + max([*self.known.requests, *self.workflow.requests.rows], default=0)
        guess = guesses.task_for(self.known.about.get(("tasks", number), []), self._caller, free)
        self.known.tasks[number] = guess
        token = self.maker.task(number)
        if token is not None:
            token.columns["user_id"] = guess["user_id"]

    def _guess(self, number: int) -> None:
        """A request of which no answer tells: as the exchanges about it suggest."""
        if number not in self.known.requests:
            exchanges = self.known.about.get(("requests", number), [])
            guess = guesses.request_for(exchanges, self._caller, self.workflow.last_case + 1)
            self.known.requests[number] = guess

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

    # -- what an answer shows ----------------------------------------------------------------------------------------

    def _prepare_shown(self, recording: Recording) -> None:
        """Requests and tasks that the answer shows are there, and where there was a gap, as it shows them."""
        for value in shown(recording):
            if kind_of(value) == "requests":
                gap = self._gap(value["id"], recording)
                request = self.maker.request(value["id"])
                if request is not None and gap:
                    self.maker.align(request, value, recording)
                elif request is not None and self.gaps.before("data", request.id, recording):
                    self.maker.align_data(request, value)
                self._time_goes_by(request, value)
        self._fill(recording)
        self._fill_processes(recording)
        for value in shown(recording):
            if kind_of(value) == "tasks":
                token = self.maker.task(value["id"])
                if token is not None and self._gap(value["process_request_id"], recording):
                    self.maker.align_task(token, value)
                elif token is not None and self.gaps.before("data", token.request.id, recording):
                    self.maker.align_data(token.request, value)

    def _fill_processes(self, recording: Recording) -> None:
        """A list of all processes is as long as it was: with more of those of the seed."""
        meta = recording.body.get("meta") if isinstance(recording.body, dict) else None
        plain = recording.path == "/api/1.0/processes" and not re.search(
            r"pmql|filter|status", recording.request["path"]
        )
        for process_id in EXAMPLES if meta and plain else ():
            if len(self.workflow.processes) < meta["total"] and self.workflow.processes.get(process_id) is None:
                self.parts.add_process(process_id)

    def _fill(self, recording: Recording) -> None:
        """A list of all requests or tasks is as long as it was: with more runs of the simplest process."""
        meta = recording.body.get("meta") if isinstance(recording.body, dict) else None
        query = recording.request["path"].partition("?")[2]
        if (
            not meta
            or not re.fullmatch(r"/api/1\.0/requests", recording.path)
            or re.search(r"pmql|filter|type=", query)
            or self._caller(recording) != 1
        ):
            return
        for number in (number for number in range(1, 10_000) if number not in self.deleted):
            if len(self.workflow.requests) >= meta.get("total", 0):
                return
            if self.workflow.requests.get(number) is None:
                self._guess(number)
                self.maker.request(number)

    def add_runs(self, count: int) -> bool:
        """
        Start more runs of the simplest process, each with a task; returns True.

        :param count: how many.
        """
        for _ in range(count):
            number = 1 + max([*self.known.requests, *self.workflow.requests.rows], default=0)
            self._guess(number)
            self.maker.request(number)
        return True

    def _time_goes_by(self, request: ProcessRequest | None, shown: dict[str, Any]) -> None:
        """What a script that is still to run makes is shown: so its time has come."""
        data = shown.get("data")
        if request is not None and isinstance(data, dict) and data.keys() - request.data.keys():
            self.server.clock.advance(self.server.script_seconds + 0.01)
            self.engine.run_due()

    # -- what is acted on --------------------------------------------------------------------------------------------

    def _prepare_acted_on(self, recording: Recording) -> None:
        """What is to be completed is not completed yet, and what is to be mended is broken."""
        given = sent(recording)
        self._prepare_broken(recording)
        tasks = [self.workflow.tokens.get(int(number)) for number in re.findall(r"/tasks/(\d+)", recording.path)]
        for token in tasks:
            if token is None:
                continue
            if given.get("status") == "COMPLETED":
                self._prepare_completion(recording, token)
            elif (
                self._gap(token.request.id, recording)
                and kind_of(recording.body if isinstance(recording.body, dict) else {}) == "tasks"
            ):
                self.maker.align_task(token, recording.body)

    def _prepare_completion(self, recording: Recording, token: Token) -> None:
        gap = self._gap(token.request.id, recording)
        if not token.is_active and gap:
            token.columns.update(status="ACTIVE", completed_at=None)
        shown = recording.body.get("process_request") if isinstance(recording.body, dict) else None
        if not isinstance(shown, dict):
            return
        if token.request.status != "ACTIVE" and gap:
            token.request.update(status="ACTIVE", completed_at=None)
        # A run that ended with this task had nothing else to wait for.
        for other in token.request.tasks if shown.get("status") == "COMPLETED" else ():
            if other.is_active and other is not token and self.gaps.before("tasks", other.id, recording):
                self.engine.complete_task(other, {})

    def _prepare_broken(self, recording: Recording) -> None:
        """Only a request with an error can be tried again or be set to completed."""
        match = re.search(r"/requests/(\d+)(/retry)?$", recording.path)
        completes = sent(recording).get("status") == "COMPLETED"
        request = self.workflow.requests.get(int(match.group(1))) if match else None
        if recording.method != "PUT" or match is None or request is None or not (match.group(2) or completes):
            return
        if request.status != "ERROR" and self._gap(request.id, recording):
            scripts = [token for token in request.tokens if token.node.kind == "scriptTask"]
            self.engine.fail(request, "unrecorded", scripts[-1].node if scripts else None)
            for token in scripts[-1:]:
                token.columns["status"] = "FAILING"
