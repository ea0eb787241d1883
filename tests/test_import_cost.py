"""What a DAG file pays for importing our operators; the milliseconds are in benchmarks/import_time.py."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import airflow_provider_processmaker as package
from airflow_provider_processmaker.get_provider_info import get_provider_info

_SCRIPT = """
import sys
import airflow.sdk
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseOperatorLink, BaseSensorOperator
{more}
before = set(sys.modules)
for name in {modules!r}:
    __import__(name)
print(*sorted(set(sys.modules) - before))
"""

#: What a DAG file imports, by folder. The triggers are not among them: operators import those when they defer.
FOLDERS = ("links", "notifications", "operators", "sensors", "transfers")
PARSED = (f"{package.__name__}.get_provider_info", f"{package.__name__}.connection")


def modules(*folders: str) -> list[str]:
    """The modules of some folders."""
    found = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    return [name for name in found if name.split(".")[1] in folders]


def loaded_by(names: list[str], more: str = "") -> list[str]:
    """What importing some modules loads beyond Airflow's SDK."""
    script = _SCRIPT.format(modules=names, more=more)
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = run.stdout.split()
    assert set(names) - set(PARSED) <= set(loaded)  # Airflow may have loaded those itself
    return loaded


def check(loaded: list[str]) -> None:
    heavy = {"requests", "urllib3", "http.client", "starlette", "uvicorn", "flask_appbuilder", "wtforms"}
    assert not heavy.intersection(loaded)
    assert [name for name in loaded if name.startswith(f"{package.__name__}.client")] == []
    others = [name for name in loaded if not name.startswith((package.__name__, "airflow.providers.common.compat"))]
    assert others == []


def test_operators_load_neither_the_client_nor_an_http_library_nor_triggers() -> None:
    loaded = loaded_by([*modules(*FOLDERS), *PARSED])

    check(loaded)
    assert [name for name in loaded if name.startswith(f"{package.__name__}.triggers")] == []


def test_what_a_task_alone_needs_is_not_loaded_for_a_dag_file() -> None:
    """The greater part of a process run is code of its own, which only a worker imports."""
    info = get_provider_info()
    named = [name for part in ("operators", "sensors") for entry in info[part] for name in entry["python-modules"]]

    loaded = loaded_by(named)

    of_runs = {f"{package.__name__}.operators.{name}" for name in ("adoption", "attempts", "limits", "process_runs")}
    assert of_runs <= set(modules("operators"))
    assert of_runs.intersection(loaded) == set()


def test_triggers_load_only_the_base_of_all_triggers() -> None:
    check(loaded_by(modules("triggers"), "import airflow.triggers.base"))
