"""What a test does with processes and requests past the API: as the people and systems on the other side would."""

from __future__ import annotations

from contextlib import contextmanager
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.scripts import new_script
from airflow_provider_processmaker.testing.workflow import diagrams, examples, saving
from airflow_provider_processmaker.testing.workflow.tables import Rights

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence

    from airflow_provider_processmaker.testing.state import State, User
    from airflow_provider_processmaker.testing.workflow.diagrams import Part
    from airflow_provider_processmaker.testing.workflow.tables import Process, ProcessRequest, Token

    Script = Callable[[Any, Any], Any]

# A request that still waits after so many rounds of completing its tasks goes round in circles.
_ROUNDS = 100


class Controls:
    """The part of the server that is about processes. Everything here may be called from any thread."""

    state: State

    def user(self, username: str) -> User:
        """
        A user of the server.

        :param username: his name.
        """
        raise NotImplementedError

    @contextmanager
    def _engine(self) -> Iterator[None]:
        """Under the lock, with all done that was due before, and what follows at once done after."""
        with self.state.lock:
            self.state.engine.run_due()
            yield
            self.state.engine.run_due()

    # -- processes ---------------------------------------------------------------------------------------------------

    def add_process(
        self,
        name: str,
        steps: Iterable[str | Script] = ("Task",),
        *,
        starts: Sequence[str] = ("Start Event",),
        fails: str | None = None,
        script_seconds: float | None = None,
        start_users: Iterable[str] = (),
        assignee: str | None = None,
        cancel_users: Iterable[str] = (),
        edit_data_users: Iterable[str] = (),
        status: str = "ACTIVE",
        case_title: str | None = None,
        bpmn: str | None = None,
    ) -> int:
        """
        Add a process: its steps one after the other; returns its id.

        :param name: its name.
        :param steps: a text is the name of a task for a person, a function is a script: it takes data and config and
            returns what is merged into the data, or raises. No steps: the request is COMPLETED at once.
        :param starts: names of its start events; their ids are ``node_1``, ``node_1_2``, ``node_1_3``, ...
        :param fails: with this message its requests go into ERROR as they start; the start is answered with 201 anyhow.
        :param script_seconds: how long its scripts take; ``None`` for the server's usual ``script_seconds``. Until then
            a request is ACTIVE without a task.
        :param start_users: names of users who may start it, besides administrators.
        :param assignee: name of the user who gets its tasks; ``None`` for whoever started it.
        :param cancel_users: names of users who may cancel its requests, besides administrators.
        :param edit_data_users: names of users who may see all its requests and change their data.
        :param status: ACTIVE, INACTIVE or ARCHIVED.
        :param case_title: with ``{{ variables }}``; ``None`` for the process's name.
        :param bpmn: its diagram, instead of all that is said about steps and starts.
        """
        with self._engine():
            ids = ",".join(str(self.user(username).id) for username in start_users)
            assignment = 'pm:assignment="requester"'
            if assignee is not None:
                assignment = f'pm:assignment="user" pm:assignedUsers="{self.user(assignee).id}"'
            if fails is not None:
                steps = (_Failure(fails),)
            parts = [self._part(step, number, assignment) for number, step in enumerate(steps, 2)]
            text = bpmn or _diagram(starts, ids, parts)
            values = {"name": name, "description": name, "status": status, "case_title": case_title}
            process = saving.new_process(self.state, values, text)
            process.script_seconds = script_seconds
            process.rights["CANCEL"] = self._rights(cancel_users)
            process.rights["EDIT_DATA"] = self._rights(edit_data_users)
            return process.id

    def _rights(self, usernames: Iterable[str]) -> Rights:
        return Rights({self.user(username).id for username in usernames})

    def _part(self, step: str | Script, number: int, assignment: str) -> Part:
        node_id = f"node_{number}"
        if isinstance(step, _Failure):
            return diagrams.task(node_id, "Failing", step.assignment)
        if isinstance(step, str):
            return diagrams.task(node_id, step, assignment)
        title = getattr(step, "__name__", "script")
        return diagrams.script(node_id, title, new_script(self.state, {"title": title}, step).id)

    def add_example_processes(self) -> list[int]:
        """Add one process for each thing that the engine can do, such as ``Simple Task`` (id 2); returns their ids."""
        with self._engine():
            for number, (title, run) in enumerate(examples.SCRIPTS.items(), 1):
                if self.state.workflow.scripts.get(number) is None:
                    self.state.workflow.scripts.expect_id(number)
                    new_script(self.state, {"title": title, "description": title, "language": "php"}, run)
            return [examples.add(self.state, example).id for example in examples.EXAMPLES]

    def process(self, process: int | str) -> Process:
        """
        A process of the server.

        :param process: its id or name.
        """
        with self._engine():
            for row in self.state.workflow.processes:
                if process in {row.id, row.name}:
                    return row
            raise KeyError(process)

    def add_script(self, title: str, run: Script) -> int:
        """
        Add a script; returns its id.

        :param title: its title.
        :param run: what it does: takes data and config, returns the output or raises.
        """
        with self._engine():
            return new_script(self.state, {"title": title, "language": "php", "code": "<?php"}, run).id

    def on_script(self, title: str, run: Script) -> None:
        """
        Say what a script does that comes in as code, which is not run.

        :param title: its title.
        :param run: takes data and config, returns the output or raises.
        """
        with self.state.lock:
            self.state.workflow.script_behaviour[title] = run

    def on_task(
        self,
        name: str,
        answer: Mapping[str, Any] | Callable[[dict[str, Any]], Mapping[str, Any]] | None = None,
        *,
        seconds: float = 0.0,
    ) -> None:
        """
        Let somebody do the tasks of a name, as they come: ``server.on_task("Approve", {"approved": True}, seconds=2)``.

        :param name: name of the tasks.
        :param answer: what he adds to the request's data; or a function that takes its data and returns that.
        :param seconds: after so many seconds on the server's clock; 0: before the call that brought the task is done.
        """
        same = {} if callable(answer) else dict(answer or {})
        with self.state.lock:
            self.state.engine.people[name] = seconds, answer if callable(answer) else lambda _: same

    @property
    def script_seconds(self) -> float:
        """How long scripts take whose process does not say so; 0 for none, so that they are done with the answer."""
        return self.state.engine.script_seconds

    @script_seconds.setter
    def script_seconds(self, seconds: float) -> None:
        self.state.engine.script_seconds = seconds

    @property
    def start_seconds(self) -> float:
        """How long after the answer to its start a request takes its first step: until then it has no task."""
        return self.state.engine.start_seconds

    @start_seconds.setter
    def start_seconds(self, seconds: float) -> None:
        self.state.engine.start_seconds = seconds

    @property
    def task_seconds(self) -> float:
        """How long the completion of a task takes after it was answered: the answer shows it still ACTIVE."""
        return self.state.engine.task_seconds

    @task_seconds.setter
    def task_seconds(self, seconds: float) -> None:
        self.state.engine.task_seconds = seconds

    def after(self, seconds: float, job: Callable[[], object]) -> None:
        """
        Do something later, on the server's clock: ``server.after(2, lambda: server.complete_request(id))``.

        It is done when the server is next asked after that time, and looks as if it had been done in time.

        :param seconds: when, from now on.
        :param job: what.
        """
        with self._engine():
            self.state.engine.later(seconds, job)

    # -- requests ----------------------------------------------------------------------------------------------------

    @property
    def requests(self) -> list[ProcessRequest]:
        """All requests, each with ``id``, ``process_id``, ``name``, ``status``, ``data``, ``user_id``, ``errors``."""
        with self._engine():
            return list(self.state.workflow.requests)

    def request(self, request_id: int) -> ProcessRequest:
        """
        A request.

        :param request_id: its id.
        """
        with self._engine():
            return self._request(request_id)

    def _request(self, request_id: int) -> ProcessRequest:
        found = self.state.workflow.requests.get(request_id)
        if found is None:
            raise KeyError(request_id)
        return found

    def start_request(
        self,
        process: int | str,
        data: Mapping[str, Any] | None = None,
        *,
        username: str = "admin",
        start_event: str | None = None,
        age: float = 0.0,
    ) -> ProcessRequest:
        """
        Start a request, as somebody else would.

        :param process: id or name.
        :param data: its data.
        :param username: who starts it.
        :param start_event: id of the start event; ``None`` for the first.
        :param age: how many seconds ago.
        """
        return self.add_requests(process, 1, [data or {}], username=username, start_event=start_event, age=age)[0]

    def add_requests(
        self,
        process: int | str,
        count: int,
        data: Iterable[Mapping[str, Any]] | None = None,
        *,
        username: str = "admin",
        start_event: str | None = None,
        age: float = 0.0,
    ) -> list[ProcessRequest]:
        """
        Start many requests.

        :param process: id or name.
        :param count: how many.
        :param data: the data of each; ``None`` for none.
        :param username: who starts them.
        :param start_event: id of the start event; ``None`` for the first.
        :param age: how many seconds ago.
        """
        with self._engine():
            row = self.process(process)
            user_id = self.user(username).id
            definition = row.version.definition
            node = definition.starts[0] if start_event is None else definition.nodes[start_event]
            each = iter(data) if data is not None else iter([{}] * count)
            engine = self.state.engine
            with engine.at(self.state.clock.now() - age):
                return [engine.start(row, node, dict(next(each)), user_id) for _ in range(count)]

    def complete_request(self, request_id: int, data: Mapping[str, Any] | None = None) -> None:
        """
        Complete all tasks of a request, until it is done.

        :param request_id: which.
        :param data: what the tasks add to its data.
        """
        with self._engine():
            request = self._request(request_id)
            engine = self.state.engine
            for _ in range(_ROUNDS):
                tasks = [token for token in request.tasks if token.is_active]
                if not tasks or request.status not in {"ACTIVE", "ERROR"}:
                    break
                engine.complete_task(tasks[0], dict(data or {}))
                engine.run_due()
            if request.status in {"ACTIVE", "ERROR"}:
                request.data.update(data or {})
                engine.terminate(request)

    def fail_request(
        self, request_id: int, message: str = "Something went wrong", element_name: str | None = None
    ) -> None:
        """
        Put a request into ERROR. Its tasks stay: completing one makes it ACTIVE again.

        :param request_id: which.
        :param message: what went wrong.
        :param element_name: where; ``None`` for where it waits.
        """
        with self._engine():
            request = self._request(request_id)
            waiting = [token.node for token in request.tokens if token.is_active]
            self.state.engine.fail(request, message, waiting[0] if waiting else request.start)
            if element_name is not None:
                request.errors[-1]["element_name"] = element_name

    def resume_request(self, request_id: int) -> None:
        """
        Let a request that is in ERROR be ACTIVE again, as a retry does that has only just begun.

        :param request_id: which.
        """
        with self._engine():
            self._request(request_id).update(status="ACTIVE", updated_at=self.state.clock.iso())

    def cancel_request(self, request_id: int) -> None:
        """
        Cancel a request.

        :param request_id: which.
        """
        with self._engine():
            self.state.engine.cancel(self._request(request_id))

    def delete_request(self, request_id: int) -> None:
        """
        Delete a request, its tasks and its subprocesses.

        :param request_id: which.
        """
        with self._engine():
            self.state.engine.delete(self._request(request_id))

    def give_request(self, request_id: int, username: str) -> None:
        """
        Make a request somebody else's altogether, so that who started it does not see it any more.

        :param request_id: which.
        :param username: whose it becomes.
        """
        with self._engine():
            request, user_id = self._request(request_id), self.user(username).id
            request.update(user_id=user_id)
            for token in request.tokens:
                if token.user_id is not None:
                    token.columns["user_id"] = user_id

    @property
    def tasks(self) -> list[Token]:
        """All tasks that wait for somebody, each with ``id``, ``request``, ``user_id``, ``node.name``."""
        with self._engine():
            tokens = (token for token in self.state.workflow.tokens if token.is_active)
            return [token for token in tokens if token.columns["element_type"] == "task"]

    def complete_task(self, task_id: int, data: Mapping[str, Any] | None = None) -> None:
        """
        Complete a task.

        :param task_id: which.
        :param data: what it adds to the request's data.
        """
        with self._engine():
            token = self.state.workflow.tokens.get(task_id)
            if token is None:
                raise KeyError(task_id)
            self.state.engine.complete_task(token, dict(data or {}))


class _Failure(str):
    """In place of a step: a task that cannot be assigned."""

    __slots__ = ()

    @property
    def assignment(self) -> str:
        """The attributes of the task."""
        return f"pm:standInError={diagrams.quoted(self)}"


def _diagram(starts: Sequence[str], users: str, parts: list[Part]) -> str:
    """The diagram: from every start event to the first step, and from step to step."""
    events = [
        diagrams.start("node_1" if number == 1 else f"node_1_{number}", name, users=users)
        for number, name in enumerate(starts, 1)
    ]
    way = [*parts, diagrams.end("node_end")]
    flows: list[tuple[str, str] | tuple[str, str, str]] = [(event.id, way[0].id) for event in events]
    flows += [(one.id, other.id) for one, other in pairwise(way)]
    return diagrams.document([*events, *way], flows)
