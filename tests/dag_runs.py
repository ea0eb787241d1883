"""A real Airflow for the tests: one database, DAG runs by ``dag.test()``."""

from __future__ import annotations

import importlib.util
import itertools
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
from airflow_provider_processmaker.operators.records import ProcessMakerListOperator, ProcessMakerListUsersOperator
from airflow_provider_processmaker.sensors.records import ProcessMakerRecordsSensor

with DAG(dag_id={name!r}, schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC){arguments}) as dag:
"""
_numbers = itertools.count(1)


@dataclass
class Outcome:
    """What a DAG run left behind.

    :param state: of the run.
    :param states: of each task instance, by task id, or by task id and map index of a mapped one.
    :param results: what each returned, likewise.
    :param errors: the exceptions of failed tasks, in their order.
    :param rendered: rendered template fields, likewise.
    :param tries: how often each was tried.
    """

    state: str
    states: dict[Any, str] = field(default_factory=dict)
    results: dict[Any, Any] = field(default_factory=dict)
    errors: list[BaseException] = field(default_factory=list)
    rendered: dict[Any, Any] = field(default_factory=dict)
    tries: dict[Any, int] = field(default_factory=dict)


class _Failures:
    def __init__(self) -> None:
        self.errors: list[BaseException] = []

    @pluggy.HookimplMarker("airflow")
    def on_task_instance_failed(self, error: BaseException) -> None:
        self.errors.append(error)


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
def run_file(airflow_database: None) -> Iterator[Callable[[Path], Outcome]]:
    """Run the DAG of a file, copied into the DAG folder."""
    written: list[Path] = []

    def run(source: Path) -> Outcome:
        path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / source.name
        path.write_text(source.read_text(encoding="utf-8"), encoding="utf-8")
        written.append(path)
        return _run(path)

    yield run
    for path in written:
        path.unlink()
        sys.modules.pop(path.stem, None)


def _run(path: Path) -> Outcome:
    from airflow.models.renderedtifields import RenderedTaskInstanceFields
    from airflow.providers.common.compat.sdk import get_listener_manager

    spec = importlib.util.spec_from_file_location(path.stem, path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[path.stem] = module
    spec.loader.exec_module(module)
    failures = _Failures()
    listeners = get_listener_manager()
    listeners.add_listener(failures)
    try:
        dag_run = module.dag.test()
    finally:
        listeners.pm.unregister(failures)
    outcome = Outcome(str(dag_run.state), errors=failures.errors)
    for ti in dag_run.get_task_instances():
        key = ti.task_id if ti.map_index < 0 else (ti.task_id, ti.map_index)
        outcome.states[key] = str(ti.state)
        outcome.tries[key] = ti.try_number
        outcome.results[key] = ti.xcom_pull(task_ids=ti.task_id, map_indexes=ti.map_index)
        outcome.rendered[key] = RenderedTaskInstanceFields.get_templated_fields(ti)
    return outcome


@pytest.fixture
def server(processmaker_server: Any, monkeypatch: pytest.MonkeyPatch) -> Any:
    """A stand-in server that the default connection points to."""
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", processmaker_server.conn_uri)
    return processmaker_server
