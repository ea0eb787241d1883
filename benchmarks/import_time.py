"""What a DAG file pays for importing our operators, beside the http and dbt-cloud providers.

``uv run --group benchmarks benchmarks/import_time.py``

One process imports Airflow, as its DAG processor does, and forks a child for each measurement. The others are imported
by the same process in the same run; the ratios are what to quote, not the milliseconds. All that our provider names to
Airflow is imported; its triggers, which bring the base of all triggers of Airflow, are a row of their own since no DAG
file imports them.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

#: Milliseconds that the house allows for all operators.
LIMIT = 25.0
OPERATORS = "our operators"
PEERS = {
    "http operator": ["airflow.providers.http.operators.http"],
    "dbt-cloud operator": ["airflow.providers.dbt.cloud.operators.dbt"],
}
_NAMES = """
import json
from airflow_provider_processmaker.get_provider_info import get_provider_info
print(json.dumps(get_provider_info()))
"""


def ours() -> dict[str, list[str]]:
    """The modules that our provider names, by row; read by another process, so that they are not loaded in this one."""
    told = subprocess.run([sys.executable, "-c", _NAMES], stdout=subprocess.PIPE, check=True).stdout
    info = json.loads(told)

    def named(part: str) -> list[str]:
        return [module for entry in info[part] for module in entry["python-modules"]]

    links = sorted({path.rpartition(".")[0] for path in info["extra-links"]})
    parsed = [*named("operators"), *named("sensors"), *links]
    return {
        OPERATORS: named("operators"),
        "... sensors and links too": parsed,
        "... triggers too": [*parsed, *named("triggers")],
    }


def is_there(name: str, module: str) -> bool:
    """Whether a peer is installed; said if it is not."""
    try:
        found = importlib.util.find_spec(module) is not None
    except ModuleNotFoundError:
        found = False
    if not found:
        print(f"{name}: not installed")
    return found


def seconds_in_a_fork(modules: list[str]) -> float:
    """Seconds that importing modules takes in a fresh child of this process."""
    reader, writer = os.pipe()
    child = os.fork()
    if child == 0:
        started = time.perf_counter()
        for module in modules:
            importlib.import_module(module)
        os.write(writer, str(time.perf_counter() - started).encode())
        os._exit(0)
    os.close(writer)
    with os.fdopen(reader) as pipe:
        told = pipe.read()
    _, status = os.waitpid(child, 0)
    if status != 0:
        raise SystemExit(f"importing {modules} failed")
    return float(told)


def measure(rows: dict[str, list[str]], runs: int) -> dict[str, list[float]]:
    """Seconds by row; in turn, so that a slow moment hits all alike."""
    from airflow.sdk import DAG, BaseHook, BaseOperator  # noqa: F401  # loaded on demand, so they must be named

    for modules in rows.values():
        seconds_in_a_fork(modules)  # writes the byte code
    # Or a collection of all that Airflow holds would fall into some of the measurements (130 ms here), by chance.
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {name: [] for name in rows}
    for _ in range(runs):
        for name, modules in rows.items():
            times[name].append(seconds_in_a_fork(modules))
    return times


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    with tempfile.TemporaryDirectory() as folder:
        os.environ["AIRFLOW_HOME"] = folder  # importing Airflow makes one
        # Airflow runs from byte code; whatever the shell says, so do we (compiling takes three times as long).
        sys.dont_write_bytecode, sys.pycache_prefix = False, f"{folder}/pycache"
        times = measure(ours() | {name: modules for name, modules in PEERS.items() if is_there(name, *modules)}, runs)
    one = statistics.median(times[OPERATORS])
    print(f"{'import of':26} {'min ms':>8} {'median ms':>10} {'limit ms':>9} {'times ours':>11}")
    for name, values in times.items():
        median = statistics.median(values)
        limit = "" if name in PEERS else f"{LIMIT:.0f}"
        print(f"{name:26} {min(values) * 1e3:8.1f} {median * 1e3:10.1f} {limit:>9} {median / one:11.1f}")


if __name__ == "__main__":
    sys.exit(main())
