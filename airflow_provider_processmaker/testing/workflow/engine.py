"""The engine: starts requests, moves their tokens, and does later what takes time."""

from __future__ import annotations

import heapq
import itertools
from contextlib import contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow import rows, titles, walking
from airflow_provider_processmaker.testing.workflow.assignment import EngineError
from airflow_provider_processmaker.testing.workflow.scripting import ScriptError, run_script

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.bpmn import Node
    from airflow_provider_processmaker.testing.workflow.tables import Process, ProcessRequest, Token

# Tokens on which something is still to happen.
_OPEN = frozenset({"ACTIVE", "FAILING"})


class Engine:
    """
    Moves tokens. Whoever calls it holds the state's lock.

    :param state: the server's data.
    """

    def __init__(self, state: State) -> None:
        self.state = state
        self.workflow = state.workflow
        # How long a script takes, unless its process says so. 0: it is done by the time the call is answered.
        self.script_seconds = 0.0
        # How long the first step and the completion of a task take after their answers, as with a message broker.
        self.start_seconds = 0.0
        self.task_seconds = 0.0
        # What somebody does with the tasks of a name, and how long after they are his.
        self.people: dict[str, tuple[float, Callable[[dict[str, Any]], Mapping[str, Any]]]] = {}
        self._jobs: list[tuple[float, int, Callable[[], object]]] = []
        self._numbers = itertools.count()
        self._at: float | None = None

    # -- time --------------------------------------------------------------------------------------------------------

    def now(self) -> float:
        """The time at which the current step happens: of a job, when it was due."""
        return self.state.clock.now() if self._at is None else self._at

    @contextmanager
    def at(self, moment: float) -> Iterator[None]:
        """
        Let what is done now have been done at another time.

        :param moment: the time.
        """
        before, self._at = self._at, moment
        try:
            yield
        finally:
            self._at = before

    def iso(self) -> str:
        """The same as a timestamp."""
        return self.state.clock.iso(self.now())

    def later(self, seconds: float, job: Callable[[], object]) -> None:
        """
        Do something later.

        :param seconds: when, from now on.
        :param job: what.
        """
        heapq.heappush(self._jobs, (self.now() + seconds, next(self._numbers), job))

    def run_due(self) -> None:
        """Do what is due; within a job only what was due by then, so that things happen in their order."""
        while self._jobs and self._jobs[0][0] <= self.now():
            due, _, job = heapq.heappop(self._jobs)
            with self.at(due):
                job()

    # -- verbs -------------------------------------------------------------------------------------------------------

    def start(
        self,
        process: Process,
        node: Node,
        data: dict[str, Any],
        user_id: int | None,
        *,
        parent: Token | None = None,
    ) -> ProcessRequest:
        """
        Start a request, and let it run to where it has to wait.

        :param process: of which.
        :param node: the start event.
        :param data: its data.
        :param user_id: who starts it.
        :param parent: the call activity that it is called from.
        """
        request = rows.new_request(self, process, node, data, user_id=user_id, parent=parent)
        if self.start_seconds and parent is None:
            self.later(self.start_seconds, partial(self._go, request, node))
        else:
            self._go(request, node)
        return request

    def _go(self, request: ProcessRequest, node: Node) -> None:
        """The first step; not of a request that was cancelled or deleted before."""
        if request.status != "ACTIVE" or self.workflow.requests.get(request.id) is not request:
            return
        rows.new_token(self, request, node, "TRIGGERED")
        with self.acting(request, node):
            walking.leave(self, request, node)

    def assigned(self, token: Token) -> None:
        """
        A task has come to somebody; if it is known what he does with such tasks, he does it in his time.

        :param token: the task.
        """
        if token.node.name in self.people:
            seconds, answer = self.people[token.node.name]
            self.later(seconds, partial(self._answer, token, answer))

    def _answer(self, token: Token, answer: Callable[[dict[str, Any]], Mapping[str, Any]]) -> None:
        if token.is_active and token.request.status == "ACTIVE":
            self.complete_task(token, dict(answer(dict(token.request.data))))

    def finish_task(self, token: Token, data: dict[str, Any]) -> None:
        """
        Complete a task when the server gets to it: at once, or later where a message broker stands in between.

        :param token: the task.
        :param data: merged into the request's.
        """
        if not self.task_seconds:
            self.complete_task(token, data)
            return
        self.later(self.task_seconds, lambda: self.complete_task(token, data) if token.is_active else None)

    def complete_task(self, token: Token, data: dict[str, Any]) -> None:
        """
        Complete a task.

        :param token: the task.
        :param data: merged into the request's.
        """
        request = token.request
        request.data.update(data)
        if request.status == "ERROR":
            request.update(status="ACTIVE")
        self.close(token)
        with self.acting(request, token.node):
            walking.leave(self, request, token.node)

    def trigger(self, token: Token, data: dict[str, Any]) -> None:
        """
        Let a catch event happen.

        :param token: the one that waits.
        :param data: the payload; a timer has none.
        """
        if not token.is_active:
            return
        request = token.request
        if not token.node.has("timer"):
            request.data.update(data)
        rows.new_token(self, request, token.node, "EVENT_CATCH")
        self.close(token)
        with self.acting(request, token.node):
            walking.leave(self, request, token.node)

    def throw_signal(self, signal: str, data: dict[str, Any], user_id: int | None) -> None:
        """
        Start and resume what waits for a signal, in a moment: it is a job of its own.

        :param signal: its id.
        :param data: the payload.
        :param user_id: by whom.
        """
        self.later(0, partial(self._deliver, signal, dict(data), user_id))

    def _deliver(self, signal: str, data: dict[str, Any], user_id: int | None) -> None:
        waiting = [
            token
            for request in self.workflow.requests
            for token in request.tokens
            if token.is_active and token.node.kind == "intermediateCatchEvent" and signal in token.node.signals
        ]
        for process in self.workflow.processes:
            for node in process.version.definition.starts:
                if signal in node.signals and process.status == "ACTIVE":
                    self.start(process, node, dict(data), user_id)
        for token in waiting:
            self.trigger(token, data)

    def cancel(self, request: ProcessRequest) -> None:
        """
        Cancel a request in any state; a subprocess of it counts as completed.

        :param request: which.
        """
        self._close_all(request)
        now = self.iso()
        request.update(status="CANCELED", completed_at=now, updated_at=now)

    def terminate(self, request: ProcessRequest) -> None:
        """
        Complete a request whatever still waits in it.

        :param request: which.
        """
        self._close_all(request)
        now = self.iso()
        request.update(status="COMPLETED", completed_at=now, updated_at=now)

    def _close_all(self, request: ProcessRequest) -> None:
        for token in request.tokens:
            if token.status in _OPEN:
                self.close(token)
        request.arrived.clear()
        for child in request.children:
            if child.parent_token is not None and child.status in {"ACTIVE", "ERROR"}:
                self.terminate(child)

    def retry(self, request: ProcessRequest) -> list[str]:
        """
        Run the failed scripts of a request again; returns what was done, nothing if there was nothing to do.

        :param request: one in ERROR.
        """
        failed = [token for token in request.tokens if token.status == "FAILING"]
        if any(token.node.kind != "scriptTask" for token in failed):
            return []
        for token in failed:
            # What is left is an object from now on, by the ids of the elements.
            others = (error for error in request.errors if error["element_id"] != token.node.id)
            errors = {error["element_id"] or "": error for error in others}
            request.update(status="ACTIVE", errors=errors or None, updated_at=self.iso())
            token.columns["status"] = "ACTIVE"
            self.schedule_script(token)
        return [f"Retrying ScriptTask ({token.node.id}) for Request::{request.id}" for token in failed]

    def delete(self, request: ProcessRequest) -> None:
        """
        Delete a request with its tokens, files and subprocesses.

        :param request: which.
        """
        for child in list(request.children):
            self.delete(child)
        parent = self.workflow.requests.get(request.parent_request_id or 0)
        if parent is not None:
            parent.children = [child for child in parent.children if child is not request]
        for token in request.tokens:
            self.workflow.tokens.remove(token.id)
            token.columns["status"] = "CLOSED"
        for media in self.workflow.media:
            if media.columns["model_id"] == request.id and media.columns["model_type"].endswith("ProcessRequest"):
                self.workflow.media.remove(media.id)
        self.workflow.requests.remove(request.id)

    def fail(self, request: ProcessRequest, message: str, node: Node | None, body: str = "") -> None:
        """
        Note an error on a request.

        :param request: which.
        :param message: what went wrong.
        :param node: where.
        :param body: the rest of the message.
        """
        error = {
            "message": message,
            "body": body,
            "element_id": None if node is None else node.id,
            "element_name": None if node is None else node.name,
            "created_at": self.iso(),
            "trace": "#0 [internal function]: ProcessMaker\\Jobs\\BpmnAction->handle()\n#1 {main}",
        }
        errors: Any = request.columns["errors"]
        if isinstance(errors, dict):
            number = sum(key.isdigit() for key in errors)  # PHP appends to it under the next free number
            errors = {**errors, str(number): error}
        else:
            errors = [*request.errors, error]
        request.update(errors=errors, status="ERROR", updated_at=self.iso())

    # -- steps -------------------------------------------------------------------------------------------------------

    @contextmanager
    def acting(self, request: ProcessRequest, node: Node) -> Iterator[None]:
        """
        Around a step: what goes wrong in it is noted on the request, and then it is seen whether the request is done.

        :param request: which.
        :param node: the element that the step begins at.
        """
        request.depth += 1
        try:
            yield
        except EngineError as error:
            self.fail(request, str(error), error.node or node)
        finally:
            request.depth -= 1
        titles.renew(self.workflow, request)
        request.update(updated_at=self.iso())
        waits = request.arrived or any(token.status in _OPEN for token in request.tokens)
        if request.status == "ACTIVE" and not waits and not request.depth:
            self._complete(request)

    def _complete(self, request: ProcessRequest) -> None:
        request.update(status="COMPLETED", completed_at=self.iso())
        parent = request.parent_token
        if parent is not None and parent.is_active:
            result = {key: value for key, value in request.data.items() if not key.startswith("_")}
            self.complete_task(parent, result)

    def close(self, token: Token) -> None:
        """
        Close a token.

        :param token: which.
        """
        now = self.iso()
        token.columns.update(status="CLOSED", completed_at=now, updated_at=now)
        token.touched = self.workflow.touch()

    def schedule_script(self, token: Token) -> None:
        """
        Run a script when its time has come.

        :param token: at the script task.
        """
        seconds = token.request.process.script_seconds
        self.later(self.script_seconds if seconds is None else seconds, partial(self._run_script, token))

    def _run_script(self, token: Token) -> None:
        if not token.is_active:
            return
        request = token.request
        try:
            result = run_script(self.workflow, token)
        except ScriptError as error:
            token.columns.update(status="FAILING", updated_at=self.iso())
            self.fail(request, error.message, token.node, error.body)
            return
        if isinstance(result, dict):
            request.data.update(result)
        self.close(token)
        with self.acting(request, token.node):
            walking.leave(self, request, token.node)
