"""Process runs in an installed Airflow by ``dag.test()``, as JSON on the last line: how each task ended, and its link.

Runs in the Python of that Airflow, with nothing of this checkout, against the stand-in server that it brings. It is the
DAG file too: the tasks are every ending of a request, in every way to wait for it.
"""

from __future__ import annotations

import contextlib
import datetime as dt
import functools
import importlib.util
import json
import logging
import os
import re
import shutil
import sys
import tempfile
import threading
import time
import traceback
import warnings
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer

PACKAGE = "airflow_provider_processmaker"
ENDINGS = ("completed", "error", "canceled", "deleted", "late")
#: How often a request is looked at before it comes to its end: so its end is always waited for.
LOOKS = 2
#: A time-out that never comes: on a slow machine the tasks have to wait for each other.
LONG = 3600.0
_NUMBERS = re.compile(r"\b([Rr]equests?|[Cc]ase|cases/|requests/)( ?)\d+")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


class People(threading.Thread):
    """Who brings requests to their ends in ProcessMaker, once somebody waits for them."""

    def __init__(self, server: ProcessMakerServer) -> None:
        super().__init__(daemon=True)
        self.server = server
        self.done: set[int] = set()
        self.grown = False

    def run(self) -> None:
        while True:
            looks: dict[str, int] = {}
            for call in self.server.calls:
                if call.method == "GET":
                    looks[call.path] = looks.get(call.path, 0) + 1
            if looks.get("/api/1.0/groups", 0) >= LOOKS and not self.grown:
                self.grown = True
                with self.server.state.lock:
                    self.server.state.new_group("Latecomers", "")
            for request in self.server.requests:
                if request.id not in self.done and looks.get(f"/api/1.0/requests/{request.id}", 0) >= LOOKS:
                    self.done.add(request.id)
                    self._end(request.name, request.id)
            time.sleep(0.02)

    def _end(self, ending: str, request_id: int) -> None:
        if ending in {"completed", "again"}:
            self.server.complete_request(request_id, {"answer": "yes"})
        elif ending == "error":
            self.server.fail_request(request_id, "Division by zero", "Sum")
        elif ending == "canceled":
            self.server.cancel_request(request_id)
        elif ending == "deleted":
            self.server.delete_request(request_id)


class Failures:
    """An Airflow listener that keeps the errors of failed tasks, in their order."""

    def __init__(self) -> None:
        self.errors: dict[str, str] = {}

    @pluggy.HookimplMarker("airflow")
    def on_task_instance_failed(self, task_instance: Any, error: str | BaseException | None) -> None:
        """Keep the error."""
        self.errors[task_instance.task_id] = f"{type(error).__name__}: {plain(str(error))}"


def plain(value: Any) -> Any:
    """A value without what differs from run to run: numbers of requests, and the server's address."""
    if isinstance(value, str):
        return _NUMBERS.sub(r"\1\2N", _ADDRESS.sub("<server>", value))
    if isinstance(value, dict):
        ids = {"request_id", "case_number", "process_id"}
        return {key: "N" if key in ids else plain(item) for key, item in value.items() if not key.endswith("_at")}
    return value


def define(requests: dict[str, int]) -> Any:
    """The DAG.

    :param requests: ids of requests for the sensors, by the names of their tasks.
    """
    from airflow.providers.common.compat.sdk import DAG

    from airflow_provider_processmaker.operators.processes import (
        ProcessMakerCancelRequestOperator,
        ProcessMakerStartProcessOperator,
    )
    from airflow_provider_processmaker.sensors.processes import ProcessMakerRequestSensor
    from airflow_provider_processmaker.sensors.records import ProcessMakerRecordsSensor

    class Dies(ProcessMakerStartProcessOperator):
        """Starts and waits, and its first try dies right before its end."""

        def execute(self, context: Any) -> Any:
            result = super().execute(context)
            if context["ti"].try_number == 1:
                raise RuntimeError("This try dies.")
            return result

    start = dt.datetime(2026, 1, 1, tzinfo=dt.UTC)
    with DAG("process_runs", schedule=None, start_date=start) as dag:
        for ending in ENDINGS:
            timeout = 1.0 if ending == "late" else LONG
            for way, deferrable in (("waiting", False), ("deferred", True)):
                ProcessMakerStartProcessOperator(
                    task_id=f"start_{way}_{ending}",
                    process=ending,
                    data={"amount": 3},
                    return_data=True,
                    poll_interval=0.2,
                    error_grace=0.3,
                    timeout=timeout,
                    deferrable=deferrable,
                )
            for way in ("poke", "reschedule", "deferred"):
                task_id = f"sense_{way}_{ending}"
                ProcessMakerRequestSensor(
                    task_id=task_id,
                    request_ids=requests.get(task_id, 1),
                    mode="poke" if way == "deferred" else way,
                    return_data=True,
                    poke_interval=0.2,
                    error_grace=0.3,
                    timeout=timeout,
                    deferrable=way == "deferred",
                )
        Dies(task_id="again", process="again", poll_interval=0.2, retries=1, retry_delay=dt.timedelta(seconds=0.1))
        for name, resource, count in (("reached", "groups", 16), ("late", "process_categories", 300)):
            ProcessMakerRecordsSensor(
                task_id=f"records_{name}",
                resource=resource,
                at_least=count,
                poke_interval=0.2,
                timeout=1.0 if name == "late" else LONG,
                deferrable=True,
            )
        for name in ("active", "completed", "missing"):
            task_id = f"cancel_{name}"
            ProcessMakerCancelRequestOperator(task_id=task_id, request_id=requests.get(task_id, 1))
    return dag


def fill(server: ProcessMakerServer) -> dict[str, int]:
    """Add the processes, and requests that were started elsewhere.

    :param server: empty.
    """
    for name in (*ENDINGS, "again"):
        server.add_process(name)
    names = {f"sense_{way}_{ending}": ending for way in ("poke", "reschedule", "deferred") for ending in ENDINGS}
    requests = {task_id: server.start_request(ending, {"amount": 3}).id for task_id, ending in names.items()}
    done = server.start_request("completed").id
    server.complete_request(done)
    return requests | {
        "cancel_active": server.start_request("late").id,
        "cancel_completed": done,
        "cancel_missing": 2_000_000_000,
    }


def prepare(home: Path) -> None:
    """Set Airflow up in an empty folder; must come before it is imported.

    :param home: the folder.
    """
    dags = home / "dags"
    dags.mkdir()
    shutil.copy(__file__, dags)
    os.environ |= {
        "AIRFLOW_HOME": str(home),
        "AIRFLOW__CORE__DAGS_FOLDER": str(dags),
        "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    }
    from airflow.utils.db import initdb

    initdb()
    with contextlib.suppress(ImportError):
        from airflow.sdk.execution_time import supervisor

        # Airflow 3.1 makes the whole API server anew for each task, in 2 s.
        supervisor.in_process_api_server = functools.cache(supervisor.in_process_api_server)


def run(dags: Path) -> dict[str, Any]:
    """Run the DAG of this file; what came of each task.

    :param dags: Airflow's folder of DAGs.
    """
    from airflow.providers.common.compat.sdk import get_listener_manager

    path = dags / Path(__file__).name
    spec = importlib.util.spec_from_file_location("process_runs_dag", path)
    if spec is None or spec.loader is None:
        raise AssertionError(path)
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    triggers = watch_triggers()
    failures = Failures()
    get_listener_manager().add_listener(failures)
    dag_run = module.dag.test()
    operators = as_the_server_has_it(module.dag)
    tasks = {ti.task_id: told(ti, operators, failures.errors) for ti in dag_run.get_task_instances()}
    return {"tasks": tasks, "triggers": dict(triggers)}


def watch_triggers() -> Counter[str]:
    """Counts how often each trigger runs: to be sure that a task was deferred."""
    from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger
    from airflow_provider_processmaker.triggers.records import ProcessMakerRecordsTrigger

    runs: Counter[str] = Counter()
    for trigger in (ProcessMakerRequestTrigger, ProcessMakerRecordsTrigger):

        def run(self: Any, original: Callable[[Any], Any] = trigger.run) -> Any:
            runs[type(self).__name__] += 1
            return original(self)

        trigger.run = run
    return runs


def as_the_server_has_it(dag: Any) -> Any:
    """The DAG as Airflow's server reads it from the database, without our classes but for the links.

    :param dag: the DAG.
    """
    from airflow.serialization import serialized_objects

    both_ways = getattr(serialized_objects, "DagSerialization", None) or serialized_objects.SerializedDAG
    return both_ways.from_dict(both_ways.to_dict(dag))


def told(ti: Any, operators: Any, errors: dict[str, str]) -> dict[str, Any]:
    """What came of a task.

    :param ti: its task instance.
    :param operators: the DAG as the server has it.
    :param errors: of failed tasks.
    """
    return {
        "state": str(ti.state),
        "tries": ti.try_number,
        "result": plain(ti.xcom_pull(task_ids=ti.task_id)),
        "error": errors.get(ti.task_id),
        "link": plain(operators.get_task(ti.task_id).get_extra_links(ti, "ProcessMaker")),
    }


class Warned:
    """Keeps the warnings that are ours: raised in our code, or shown to it."""

    def __init__(self) -> None:
        self.found: set[str] = set()

    def show(self, message: Warning | str, category: type[Warning], filename: str, *_: Any) -> None:
        """Keep a warning if we are to blame."""
        frames = [frame.filename for frame in traceback.extract_stack()[:-1] if "warnings" not in frame.filename]
        # Where a deprecated name is looked up, two frames are Airflow's own.
        if any(PACKAGE in name for name in (filename, *frames[-3:])):
            self.found.add(f"{category.__name__}: {message}")


def main() -> None:
    """Print what came of all tasks."""
    from airflow_provider_processmaker.testing import ProcessMakerServer

    warned = Warned()
    warnings.simplefilter("default")
    with tempfile.TemporaryDirectory(ignore_cleanup_errors=True) as folder, ProcessMakerServer(users=5) as server:
        os.environ["AIRFLOW_CONN_PROCESSMAKER_DEFAULT"] = server.conn_uri
        os.environ["PROCESS_RUNS"] = json.dumps(fill(server))
        prepare(Path(folder))
        warnings.showwarning = warned.show
        People(server).start()
        found = run(Path(folder) / "dags")
        logging.disable(logging.CRITICAL)
        found["started_again"] = sum(request.name == "again" for request in server.requests)
        found |= {"warnings": sorted(warned.found), "token_calls": server.token_calls}
    print(json.dumps(found))


if __name__ == "__main__":
    main()
else:
    dag = define(json.loads(os.environ["PROCESS_RUNS"]))
