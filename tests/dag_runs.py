"""A real Airflow for the tests: one database, DAG runs by ``dag.test()``."""

from __future__ import annotations

import importlib.util
import itertools
import json
import os
import sys
import textwrap
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pluggy
import pytest

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

_HEADER = """
import datetime as dt
from airflow.providers.common.compat.sdk import DAG, task
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.operators.api import ProcessMakerApiOperator
from airflow_provider_processmaker.operators.processes import (
    ProcessMakerCancelRequestOperator, ProcessMakerStartProcessOperator,
)
from airflow_provider_processmaker.operators.records import ProcessMakerListOperator, ProcessMakerListUsersOperator
from airflow_provider_processmaker.sensors.processes import ProcessMakerRequestSensor
from airflow_provider_processmaker.sensors.records import ProcessMakerRecordsSensor

with DAG(dag_id={name!r}, schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC){arguments}) as dag:
"""
_numbers = itertools.count(1)

#: The XCom from which the button of a task takes its address.
LINK = "processmaker_request_url"


@dataclass
class Outcome:
    """What a DAG run left behind.

    :param state: of the run.
    :param started: when it began, in seconds since the epoch.
    :param states: of each task instance, by task id, or by task id and map index of a mapped one.
    :param results: what each returned, likewise.
    :param links: the address behind the button of each, likewise, if it has one.
    :param errors: the exceptions of failed tries, in their order.
    :param error_of: the last one of each task instance that had one, by the same keys as its state.
    :param notes: what each has kept for its later tries, by name.
    :param rendered: rendered template fields, likewise.
    :param tries: how often each was tried.
    """

    state: str
    started: float = 0.0
    states: dict[Any, str] = field(default_factory=dict)
    results: dict[Any, Any] = field(default_factory=dict)
    links: dict[Any, Any] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)
    error_of: dict[Any, BaseException] = field(default_factory=dict)
    notes: dict[Any, dict[str, Any]] = field(default_factory=dict)
    rendered: dict[Any, Any] = field(default_factory=dict)
    tries: dict[Any, int] = field(default_factory=dict)


class _Failures:
    def __init__(self) -> None:
        self.errors: list[BaseException] = []
        self.of: dict[Any, BaseException] = {}

    @pluggy.HookimplMarker("airflow")
    def on_task_instance_failed(self, task_instance: Any, error: BaseException) -> None:
        self.errors.append(error)
        self.of[_key(task_instance)] = error


@pytest.fixture(scope="session")
def airflow_database() -> None:
    """Airflow's database, made once."""
    from airflow.utils.db import initdb

    Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]).mkdir(exist_ok=True)
    initdb()


@pytest.fixture
def run_dag(airflow_database: None) -> Iterator[Callable[..., Outcome]]:
    """Run the tasks of a piece of source as a DAG."""
    written: list[Path] = []

    def run(tasks: str, arguments: str = "") -> Outcome:
        name = f"dag_{next(_numbers)}"
        path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / f"{name}.py"
        header = _HEADER.format(name=name, arguments=f", {arguments}" if arguments else "")
        path.write_text(header + textwrap.indent(textwrap.dedent(tasks), "    "), encoding="utf-8")
        written.append(path)
        return _run(path)

    yield run
    for path in written:
        path.unlink()
        sys.modules.pop(path.stem, None)


@pytest.fixture
def run_file(airflow_database: None) -> Iterator[Callable[..., Outcome]]:
    """Run the DAG of a file, copied into the DAG folder; with ``look_every`` its tasks look so often, in seconds."""
    written: list[Path] = []

    def run(source: Path, conf: dict[str, Any] | None = None, look_every: float | None = None) -> Outcome:
        path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / source.name
        path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        written.append(path)
        return _run(path, conf, look_every)

    yield run
    for path in written:
        path.unlink()
        sys.modules.pop(path.stem, None)


def _look_every(dag: Any, seconds: float) -> None:
    for task in dag.tasks:
        arguments = getattr(task, "partial_kwargs", None) or vars(task)
        arguments |= dict.fromkeys({"poll_interval", "poke_interval"} & arguments.keys(), seconds)


def _run(path: Path, conf: dict[str, Any] | None = None, look_every: float | None = None) -> Outcome:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.models.task_state_store import TaskStateStoreModel
    from airflow.providers.common.compat.sdk import get_listener_manager
    from airflow.utils.session import create_session

    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    if look_every is not None:
        _look_every(module.dag, look_every)
    failures = _Failures()
    listeners = get_listener_manager()
    listeners.add_listener(failures)
    try:
        dag_run = module.dag.test(run_conf=conf)
    finally:
        listeners.pm.unregister(failures)
    outcome = Outcome(str(dag_run.state), dag_run.start_date.timestamp(), errors=failures.errors, error_of=failures.of)
    for ti in dag_run.get_task_instances():
        key = _key(ti)
        outcome.states[key] = str(ti.state)
        outcome.tries[key] = ti.try_number
        outcome.results[key] = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
        outcome.links[key] = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index, key=LINK)
        outcome.rendered[key] = RenderedTaskInstanceFields.get_templated_fields(ti)
    with create_session() as session:
        for row in session.query(TaskStateStoreModel).filter_by(dag_id=dag_run.dag_id, run_id=dag_run.run_id):
            outcome.notes.setdefault(_key(row), {})[row.key] = json.loads(row.value)
    return outcome


def _key(ti: Any) -> Any:
    return ti.task_id if ti.map_index is None or ti.map_index < 0 else (ti.task_id, ti.map_index)


@pytest.fixture
def server(processmaker_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in server that the default connection points to."""
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", processmaker_server.conn_uri)
    return processmaker_server
