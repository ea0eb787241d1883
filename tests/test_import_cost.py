"""What a DAG file pays for importing our operators; the milliseconds are in benchmarks/import_time.py."""

from __future__ import annotations

import pkgutil
import subprocess
import sys

import airflow_provider_processmaker as package

_SCRIPT = """
import sys
import airflow.sdk
from airflow.sdk import DAG, BaseHook, BaseOperator, BaseSensorOperator
before = set(sys.modules)
for name in {modules!r}:
    __import__(name)
print(*sorted(set(sys.modules) - before))
"""

#: What a DAG file imports, by folder.
FOLDERS = ("links", "notifications", "operators", "sensors", "transfers", "triggers")


def modules() -> list[str]:
    """The modules that DAG files import, and what Airflow reads of every provider."""
    found = [module.name for module in pkgutil.walk_packages(package.__path__, f"{package.__name__}.")]
    wanted = [name for name in found if name.split(".")[1] in FOLDERS]
    return [*wanted, f"{package.__name__}.get_provider_info", f"{package.__name__}.connection"]


def test_operators_load_neither_the_client_nor_an_http_library() -> None:
    script = _SCRIPT.format(modules=modules())
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, timeout=60)
    loaded = run.stdout.split()

    assert f"{package.__name__}.operators.records" in loaded
    heavy = {"requests", "urllib3", "http.client", "starlette", "uvicorn", "flask_appbuilder", "wtforms"}
    assert not heavy.intersection(loaded)
    assert [name for name in loaded if name.startswith(f"{package.__name__}.client")] == []
    others = [name for name in loaded if not name.startswith((package.__name__, "airflow.providers.common.compat"))]
    assert others == []
