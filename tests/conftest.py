"""What holds for all tests: Airflow gets a home of its own before anything can import it."""

from __future__ import annotations

import os
import sys
import tempfile

import pytest

if "airflow" in sys.modules:  # pragma: no cover
    raise RuntimeError("Airflow was imported before the tests could give it a home of its own")

# Kept for the whole run, also for processes that a test starts; gone when this object is.
_HOME = tempfile.TemporaryDirectory(prefix="airflow-tests-")
for _name in [name for name in os.environ if name.startswith("AIRFLOW_")]:
    del os.environ[_name]  # a developer's own Airflow must not decide about a test
os.environ |= {
    "AIRFLOW_HOME": _HOME.name,
    "AIRFLOW__CORE__DAGS_FOLDER": f"{_HOME.name}/dags",
    "AIRFLOW__CORE__LOAD_EXAMPLES": "False",
    "AIRFLOW__CORE__UNIT_TEST_MODE": "False",
}

# After the environment is set: fixtures for whoever runs a DAG.
from tests.dag_runs import airflow_database, run_dag, run_file, server  # noqa: E402, F401


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """What takes minutes on one worker goes first, so that the other one does all the rest meanwhile; or not at all."""
    if not os.environ.get("PROCESSMAKER_TEST_LONG"):
        skip = pytest.mark.skip(reason="takes long, as a whole Airflow does: set PROCESSMAKER_TEST_LONG=1")
        for item in items:
            if item.get_closest_marker("long"):
                item.add_marker(skip)
    items.sort(key=lambda item: item.get_closest_marker("xdist_group") is None)
