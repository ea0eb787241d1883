"""A scene of the fault table: one DAG that starts a process in every way there is, and what came of it."""

from __future__ import annotations

import json
import os
import re
import textwrap
import time
from collections import Counter, defaultdict
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from tests.faults.airflow_rig import Airflow
    from tests.faults.conftest import Rig
    from tests.faults.runs import Dag, Run, Task
    from tests.faults.stand_in import Request

PREAMBLE = """
from airflow_provider_processmaker.operators.processes import ProcessMakerStartProcessOperator as Start
from airflow_provider_processmaker.sensors.processes import ProcessMakerRequestSensor as Sensor

class FailsAfterwards(Start):
    def _once(self, context, result):
        if context["ti"].try_number == 1:
            raise ValueError("after the request was COMPLETED")
        return result

    def execute(self, context):
        return self._once(context, super().execute(context))

    def execute_complete(self, context, event, **given):
        return self._once(context, super().execute_complete(context, event, **given))
"""
#: How a process is started: who waits where, and how many map indexes there are.
WAYS = {"poke": ("poke", -1), "poke mapped": ("poke_mapped", 2), "deferred": ("deferred", -1)}
WAYS["deferred mapped"] = ("deferred_mapped", 2)
SENSORS = {"sensor poke": "", "sensor reschedule": ", mode='reschedule'", "sensor deferred": ", deferrable=True"}
#: Short, so that a case takes a minute; a mode of waiting does not change with them.
ARGUMENTS = {
    "process": "Order",
    "poll_interval": 1.0,
    "error_grace": 4.0,
    "settle_window": 8.0,
    "retries": 2,
    "retry_delay": "dt.timedelta(seconds=1)",
}


@dataclass
class Outcome:
    """What came of one task.

    :param way: how it started and waited.
    :param requests: how many requests of it there are, by status.
    :param state: of the task.
    :param tries: how many it took.
    :param said: a line of its log that tells.
    """

    way: str
    requests: dict[str, int]
    state: str | None
    tries: int
    said: str = ""


@dataclass
class Scene:
    """One case on the rig.

    :param rig: the rig.
    :param number: of the case in the table.
    :param title: of the case.
    :param runs: how many runs there are, here and in another Airflow: each of their tasks has a key of its own.
    """

    rig: Rig
    number: str
    title: str
    outcomes: list[Outcome] = field(default_factory=list)
    ways: tuple[str, ...] = tuple(WAYS)
    runs: int = 1
    run: Run | None = None
    process_id: int = 0
    dag: Dag | None = None
    source: tuple[str, str] = ("", "")
    _sensed: dict[str, int] = field(default_factory=dict)

    @property
    def dag_id(self) -> str:
        """Its DAG."""
        return "case_" + re.sub(r"\W+", "_", self.number)

    def write(self, *, operator: str = "Start", sensors: bool = False, preamble: str = "", **arguments: Any) -> None:
        """Write the DAG, or its new version; it does not run yet.

        :param operator: class of the tasks.
        :param sensors: whether there are sensors too, each for a request that was started elsewhere.
        :param preamble: more source before the DAG.
        :param arguments: of the operator, beside :data:`ARGUMENTS`; as they stand in Python, texts in quotes.
        """
        self.process_id = self.process_id or self.rig.stand_in.add_process(self.dag_id)
        given = {**ARGUMENTS, "process": self.process_id, **arguments}
        common = ", ".join(f"{name}={value}" for name, value in given.items())
        lines = []
        for way in self.ways:
            task_id, indexes = WAYS[way]
            mode = "True" if way.startswith("deferred") else "False"
            if indexes < 0:
                data = {"way": way}
                lines.append(f"{operator}(task_id={task_id!r}, deferrable={mode}, data={data}, {common})")
            else:
                rows = [{"way": f"{way} {index}"} for index in range(indexes)]
                lines.append(
                    f"{operator}.partial(task_id={task_id!r}, deferrable={mode}, {common}).expand(data={rows})"
                )
        if sensors:
            lines += self._sensors(given)
        self.source = "\n".join(lines), PREAMBLE + textwrap.dedent(preamble)
        self.dag = self.written(self.rig.airflow)

    def written(self, airflow: Airflow) -> Dag:
        """The DAG, written for an Airflow."""
        tasks, preamble = self.source
        return airflow.dag(self.dag_id, tasks, preamble=preamble)

    def _sensors(self, given: dict[str, Any]) -> Iterable[str]:
        for way, mode in SENSORS.items():
            if way not in self._sensed:
                self._sensed[way] = self.rig.stand_in.start_request(self.process_id, {"way": way})
            names = ("error_grace", "retries", "retry_delay", "outage_budget", "processmaker_conn_id")
            common = ", ".join(f"{name}={given[name]}" for name in names if name in given)
            task_id = way.replace(" ", "_")
            yield f"Sensor(task_id={task_id!r}, request_ids={self._sensed[way]}{mode}, poke_interval=1, {common})"

    def start(self, run_id: str | None = None) -> Run:
        """Let the DAG run."""
        assert self.dag is not None, "write it first"
        self.run = self.dag.trigger(run_id=run_id)
        return self.run

    def begin(self, **how: Any) -> None:
        """Write it, and let it run."""
        self.write(**how)
        self.start()

    # -- its tasks and requests --------------------------------------------------------------------------------------

    def tasks(self, mode: str = "") -> dict[str, Task]:
        """Its tasks by their way.

        :param mode: only ways that begin so.
        """
        assert self.run is not None
        found = {}
        for way in self.ways:
            task_id, indexes = WAYS[way]
            for index in range(max(indexes, 1)):
                label = way if indexes < 0 else f"{way} {index}"
                found[label] = self.run.task(task_id, index if indexes > 0 else -1)
        found |= {way: self.run.task(way.replace(" ", "_")) for way in self._sensed}
        return {label: task for label, task in found.items() if label.startswith(mode)}

    def requests(self, way: str = "") -> list[Request]:
        """The requests of its process.

        :param way: only those of one task.
        """
        rows = self.rig.stand_in.requests(self.process_id)
        return [row for row in rows if not way or row.data.get("way") == way]

    @property
    def count(self) -> int:
        """How many requests it should have started."""
        return len(self.tasks()) - len(self._sensed)

    def wait_started(self, count: int | None = None, seconds: float = 90) -> None:
        """Wait until all requests are there.

        :param count: how many. Default: one for each task.
        :param seconds: how long.
        """
        wanted = len(self._sensed) + (self.count if count is None else count)
        wait_for(lambda: len(self.requests()) >= wanted, seconds, lambda: f"{self.requests()} {self._states()}")

    def wait_waiting(self, starts: int = 1, seconds: float = 90) -> None:
        """Wait until each task waits for its request.

        :param starts: how many requests each has started by then.
        :param seconds: how long.
        """
        self.wait_started(starts * self.count, seconds=seconds)
        for way, task in self.tasks().items():
            if "deferred" in way:
                task.wait("deferred", seconds=seconds)
                task.wait_deferred(task.try_number, seconds=seconds)
            else:
                task.wait(("running", "up_for_reschedule"), seconds=seconds)

    def complete(self, way: str = "", *, only: str = "ACTIVE") -> None:
        """Complete requests, as people would.

        :param way: only those of one task.
        :param only: only those in this status.
        """
        ids = [row.id for row in self.requests(way) if row.status == only]
        if ids:
            self.rig.stand_in.complete(*ids)

    def complete_to_the_end(self, seconds: float = 240) -> None:
        """Complete whatever becomes ACTIVE until the run has ended.

        :param seconds: how long that may take.
        """
        assert self.run is not None
        deadline = time.monotonic() + seconds
        while self.run.state not in {"success", "failed"}:
            assert time.monotonic() < deadline, self._states()
            self.complete()
            time.sleep(2)

    def each(self, what: Callable[[int], object]) -> None:
        """Do something with every ACTIVE request."""
        for row in self.requests():
            if row.status == "ACTIVE":
                what(row.id)

    def _states(self) -> str:
        assert self.run is not None
        return str(self.run.states())

    # -- its end -----------------------------------------------------------------------------------------------------

    def end(
        self,
        *requests: dict[str, int],
        state: str = "success",
        said: str = "",
        tries: int | tuple[int, ...] | None = None,
        ways: str | tuple[str, ...] = "",
        seconds: float = 120,
    ) -> None:
        """Wait until tasks have ended, and see whether all is as it must be.

        :param requests: how many requests each must have in each of the runs, by status; one of these.
        :param state: of each task.
        :param said: what the log of each must say, a regular expression.
        :param tries: how many each must have taken.
        :param ways: only tasks whose way begins so.
        :param seconds: how long that may take.
        """
        chosen = (ways,) if isinstance(ways, str) else ways
        for way, task in self.tasks().items():
            if way.startswith(chosen):
                task.wait(state, seconds=seconds)
                # In reschedule mode a sensor may not have looked while something was wrong.
                self.outcomes.append(self._outcome(way, task, "" if way == "sensor reschedule" else said, requests))
                # Airflow may count a look that is followed too soon by the next one as a failed try.
                if tries is not None and way != "sensor reschedule":
                    allowed = (tries,) if isinstance(tries, int) else tries
                    assert self.outcomes[-1].tries in allowed, self._story(way, task)

    def _outcome(self, way: str, task: Task, said: str, requests: tuple[dict[str, int], ...]) -> Outcome:
        def counted() -> list[dict[str, int]]:
            by_key: defaultdict[str | None, Counter[str]] = defaultdict(Counter)
            for row in self.requests(way):
                by_key[row.data.get("airflow_key")][row.status] += 1
            return [dict(statuses) for statuses in by_key.values()] or [{}]

        def are_right() -> bool:
            found = counted()
            return len(found) == self.runs and all(each in requests for each in found)

        # A cancellation may come a moment after the task has ended.
        wait_for(are_right, 30, lambda: f"{counted()}, not {requests}: {self._story(way, task)}")
        fields = task.fields
        line = self._line(task, said) if said else ""
        return Outcome(way, counted()[0], fields["state"], fields["try_number"], line)

    def _line(self, task: Task, said: str) -> str:
        def found() -> str:
            lines = [line for text in task.logs().values() for line in text.splitlines()]
            return next((match[0] for line in lines if (match := re.search(said, line))), "")

        return str(wait_for(found, 20, lambda: f"nothing like {said!r} in: {task.log_text()}"))

    def _story(self, way: str, task: Task) -> str:
        return f"{self.number} {way}: {task.fields['state']} {self.requests(way)}\n{task.log_text()}"

    def record(self) -> None:
        """Keep what came of it, for the table in the docs, if somebody asked for that."""
        path = os.environ.get("PROCESSMAKER_FAULT_RESULTS")
        if path and self.outcomes:
            row = {"number": self.number, "title": self.title, "outcomes": [asdict(each) for each in self.outcomes]}
            with Path(path).open("a", encoding="utf-8") as file:
                file.write(json.dumps(row) + "\n")
