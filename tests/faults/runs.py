"""DAGs, their runs and tasks as a person sees and changes them, through Airflow's REST API."""

from __future__ import annotations

import contextlib
import signal
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import requests

from tests.faults import processes
from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Collection

    from tests.faults.airflow_rig import Airflow

# What each line of a log says of where it comes from.
_SAID = frozenset({
    "event", "timestamp", "ti_id", "dag_id", "run_id", "task_id", "map_index", "try_number", "filename", "lineno",
})  # fmt: skip
_ENDED = frozenset({"success", "failed"})
# LocalExecutor's supervisor of a task, and the task itself; both carry the id of the task instance.
_SUPERVISOR = "airflow worker -- LocalExecutor: {}"
_TASK = "airflow worker -- {}"


@dataclass(frozen=True)
class Dag:
    """A DAG that Airflow knows."""

    airflow: Airflow
    dag_id: str

    def trigger(self, conf: dict[str, Any] | None = None, run_id: str | None = None) -> Run:
        """Start a run."""
        body = {"logical_date": None, "conf": conf or {}, **({"dag_run_id": run_id} if run_id else {})}
        answer = self.airflow.call("POST", f"dags/{self.dag_id}/dagRuns", body)
        return Run(self.airflow, self.dag_id, answer["dag_run_id"])

    def runs(self) -> list[Run]:
        """All its runs."""
        found = self.airflow.call("GET", f"dags/{self.dag_id}/dagRuns", limit=100)["dag_runs"]
        return [Run(self.airflow, self.dag_id, run["dag_run_id"]) for run in found]

    def end(self) -> None:
        """Let nothing of it run any more: runs that are under way fail, its file goes."""
        self.airflow.call("PATCH", f"dags/{self.dag_id}", {"is_paused": True})
        for run in self.runs():
            if run.state not in _ENDED:
                run.mark("failed")
        (self.airflow.dags / f"{self.dag_id}.py").unlink(missing_ok=True)


@dataclass(frozen=True)
class Run:
    """A run of a DAG."""

    airflow: Airflow
    dag_id: str
    run_id: str

    @property
    def path(self) -> str:
        """Where the API has it."""
        return f"dags/{self.dag_id}/dagRuns/{quote(self.run_id, safe='')}"

    @property
    def state(self) -> str:
        """queued, running, success, failed."""
        return str(self.airflow.call("GET", self.path)["state"])

    def wait(self, states: Collection[str] | str = _ENDED, seconds: float = 120) -> str:
        """Wait until it is in one of these states (in its end, if none is said); the state."""
        wanted = {states} if isinstance(states, str) else {*states}
        return wait_for(lambda: {self.state} & wanted, seconds, lambda: f"{wanted}; tasks: {self.states()}").pop()

    def task(self, task_id: str, map_index: int = -1) -> Task:
        """One of its task instances."""
        return Task(self, task_id, map_index)

    def tasks(self, task_id: str | None = None) -> list[Task]:
        """Its task instances, also the mapped ones; only those of one task on demand."""
        found = (Task(self, row["task_id"], row["map_index"]) for row in self.rows())
        return [task for task in found if task_id in {None, task.task_id}]

    def rows(self) -> list[dict[str, Any]]:
        """All that the API says of its task instances."""
        rows: list[dict[str, Any]] = []
        while True:
            page = self.airflow.call("GET", f"{self.path}/taskInstances", limit=100, offset=len(rows))
            rows += page["task_instances"]
            if len(rows) >= page["total_entries"] or not page["task_instances"]:
                return rows

    def states(self) -> dict[Any, str | None]:
        """The states of its task instances, by task id, or by task id and map index."""
        return {_key(row["task_id"], row["map_index"]): row["state"] for row in self.rows()}

    def clear(self, *tasks: Task, **options: Any) -> list[dict[str, Any]]:
        """Clear tasks, or the whole run if none is named; those that were cleared.

        :param tasks: which.
        :param options: of the API, such as ``only_failed=True`` or ``include_downstream=True``.
        """
        which: dict[str, Any] = {}
        if tasks:
            which["task_ids"] = [
                each.task_id if each.map_index < 0 else [each.task_id, each.map_index] for each in tasks
            ]
        body = {"dry_run": False, "dag_run_id": self.run_id, "only_failed": False, **which, **options}
        answer = self.airflow.call("POST", f"dags/{self.dag_id}/clearTaskInstances", body)
        found: list[dict[str, Any]] = answer["task_instances"]
        return found

    def mark(self, state: str) -> None:
        """Set its state: failed, success, queued."""
        self.airflow.call("PATCH", self.path, {"state": state})


@dataclass(frozen=True)
class Task:
    """A task instance."""

    run: Run
    task_id: str
    map_index: int = -1

    @property
    def _airflow(self) -> Airflow:
        return self.run.airflow

    @property
    def _path(self) -> str:
        return f"{self.run.path}/taskInstances/{self.task_id}"

    @property
    def _one(self) -> str:
        return self._path if self.map_index < 0 else f"{self._path}/{self.map_index}"

    @property
    def fields(self) -> dict[str, Any]:
        """All that the API says of it, ``state``, ``try_number``, ``max_tries``, ``id``, ``trigger`` among it."""
        found: dict[str, Any] = self._airflow.call("GET", self._one)
        return found

    @property
    def state(self) -> str | None:
        """Its state."""
        state: str | None = self.fields["state"]
        return state

    @property
    def try_number(self) -> int:
        """Which try it is in."""
        return int(self.fields["try_number"])

    @property
    def rendered(self) -> dict[str, Any]:
        """Its rendered template fields."""
        fields: dict[str, Any] = self.fields["rendered_fields"]
        return fields

    def tries(self) -> list[dict[str, Any]]:
        """All its tries, as ``fields``."""
        found: list[dict[str, Any]] = self._airflow.call("GET", f"{self._one}/tries")["task_instances"]
        return sorted(found, key=lambda each: each["try_number"])

    def wait(self, state: str | Collection[str] = _ENDED, try_number: int | None = None, seconds: float = 90) -> str:
        """Wait until it is in a state; the state.

        :param state: or one of several.
        :param try_number: in this try.
        :param seconds: how long.
        """
        wanted = {state} if isinstance(state, str) else set(state)

        def reached(fields: dict[str, Any]) -> bool:
            return fields["state"] in wanted and try_number in {None, fields["try_number"]}

        return str(self.wait_until(reached, seconds, f"{wanted}, try {try_number}")["state"])

    def wait_deferred(self, try_number: int = 1, seconds: float = 90) -> None:
        """Wait until it is deferred, and until the scheduler has taken note of that.

        A trigger that fires before costs the task a try: Airflow takes the end of the first part, of which its executor
        reports then, for the end of the task that has been queued or is running again.

        :param try_number: in this try.
        :param seconds: how long.
        """
        self.wait("deferred", try_number, seconds)
        key = (
            f"TaskInstanceKey(dag_id={self.run.dag_id!r}, task_id={self.task_id!r}, run_id={self.run.run_id!r}, "
            f"try_number={try_number}, map_index={self.map_index})"
        )
        noted = f"Received executor event with state success for task instance {key}"
        log = self._airflow.home / "scheduler.log"
        wait_for(lambda: noted in log.read_text(errors="replace"), seconds, f"noted: {key}")

    def wait_until(
        self, condition: Callable[[dict[str, Any]], bool], seconds: float = 90, what: str = "as it should be"
    ) -> dict[str, Any]:
        """Wait until its fields are so; the fields."""
        seen: dict[str, Any] = {}

        def look() -> bool:
            with contextlib.suppress(requests.HTTPError):  # 404 until it is scheduled
                seen.update(self.fields)
                return condition(seen)
            return False

        def why() -> str:
            told = {name: seen.get(name) for name in ("state", "try_number", "max_tries")}
            return f"{self.task_id} {self.map_index} {what}, but {told}\n{self.log_text()}"

        wait_for(look, seconds, why)
        return seen

    def clear(self, **options: Any) -> list[dict[str, Any]]:
        """Clear it; see :meth:`Run.clear`."""
        return self.run.clear(self, **options)

    def mark(self, state: str) -> None:
        """Set its state: failed, success, skipped."""
        self._airflow.call("PATCH", self._one, {"new_state": state})

    def xcom(self, key: str = "return_value") -> Any:
        """One of its XComs; ``None`` if there is none."""
        path = f"{self._path}/xcomEntries/{key}"
        try:
            return self._airflow.call("GET", path, map_index=self.map_index, deserialize=True)["value"]
        except requests.HTTPError as error:
            if error.response is not None and error.response.status_code == 404:
                return None
            raise

    def links(self) -> dict[str, str | None]:
        """Its extra links, by name."""
        found: dict[str, str | None] = self._airflow.call("GET", f"{self._path}/links", map_index=self.map_index)[
            "extra_links"
        ]
        return found

    def log(self, try_number: int) -> str:
        """What one try logged, its trigger too, as Airflow shows it: a line for each event."""
        path = f"{self._path}/logs/{try_number}"
        content = self._airflow.call("GET", path, map_index=self.map_index, full_content=True)["content"]
        return "\n".join(line if isinstance(line, str) else _line(line) for line in content)

    def logs(self) -> dict[int, str]:
        """What each try logged."""
        return {each["try_number"]: self.log(each["try_number"]) for each in self.tries() if each["try_number"]}

    def log_text(self) -> str:
        """What all tries logged, for a message; works without an API server."""
        folder = self._airflow.home / "logs" / f"dag_id={self.run.dag_id}" / f"run_id={self.run.run_id}"
        folder /= f"task_id={self.task_id}"
        if self.map_index >= 0:
            folder /= f"map_index={self.map_index}"
        paths = sorted(folder.glob("attempt=*"))
        return "\n".join(f"{path.name}:\n{path.read_text(errors='replace')[-2000:]}" for path in paths)

    # -- its processes -----------------------------------------------------------------------------------------------

    def pid(self, seconds: float = 30) -> int:
        """The process in which it runs."""
        return self._process(_TASK, seconds)

    def supervisor_pid(self, seconds: float = 30) -> int:
        """The executor's process that watches over it."""
        return self._process(_SUPERVISOR, seconds)

    def kill(self, number: signal.Signals = signal.SIGKILL, *, supervisor: bool = False) -> None:
        """Send its process a signal.

        :param number: the signal.
        :param supervisor: first to its supervisor, so that nobody is left who could say that it has died.
        """
        pids = [self.supervisor_pid()] if supervisor else []
        pids.append(self.pid())
        processes.send(pids, number)
        if number == signal.SIGKILL:
            processes.wait_gone(pids)

    def _process(self, pattern: str, seconds: float) -> int:
        text = pattern.format(self.fields["id"])
        found = wait_for(lambda: processes.titled(text), seconds, f"a process {text!r}", pause=0.05)
        assert len(found) == 1, f"{text!r} is the title of several: {found}"
        return found[0]


def _key(task_id: str, map_index: int) -> Any:
    return task_id if map_index < 0 else (task_id, map_index)


def _line(event: dict[str, Any]) -> str:
    fields = {name: value for name, value in event.items() if name not in _SAID}
    return f"{event.get('timestamp') or ''} {event.get('event')} {fields or ''}".strip()
