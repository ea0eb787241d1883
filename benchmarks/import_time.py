"""What a DAG file pays for importing our operators, beside the http and dbt-cloud providers.

``uv run --group benchmarks benchmarks/import_time.py``

One process imports Airflow, as its DAG processor does, and forks a child for each measurement. The others are imported
by the same process in the same run; the ratios are what to quote, not the milliseconds.
"""

from __future__ import annotations

import argparse
import gc
import importlib
import importlib.util
import os
import statistics
import sys
import time

from airflow.sdk import DAG, BaseHook, BaseOperator  # noqa: F401  # loaded on demand, so they must be named

PEERS = {
    "ours, all of it": [
        "airflow_provider_processmaker.operators.api",
        "airflow_provider_processmaker.operators.records",
        "airflow_provider_processmaker.sensors.records",
    ],
    "http operator": ["airflow.providers.http.operators.http"],
    "dbt-cloud operator": ["airflow.providers.dbt.cloud.operators.dbt"],
}


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


def main() -> None:
    """Measure in turn, so that a slow moment hits all alike, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--runs", type=int, default=20)
    runs = parser.parse_args().runs
    peers = {name: modules for name, modules in PEERS.items() if importlib.util.find_spec(modules[0].split(".")[0])}
    for name, modules in list(peers.items()):
        try:
            found = importlib.util.find_spec(modules[0])
        except ModuleNotFoundError:
            found = None
        if found is None:
            print(f"{name}: not installed")
            del peers[name]
    seconds_in_a_fork(PEERS["ours, all of it"])  # writes the byte code
    # Or a collection of all that Airflow holds would fall into some of the measurements (130 ms here), by chance.
    gc.collect()
    gc.freeze()
    times: dict[str, list[float]] = {name: [] for name in peers}
    for _ in range(runs):
        for name, modules in peers.items():
            times[name].append(seconds_in_a_fork(modules))
    ours = statistics.median(times["ours, all of it"])
    print(f"{'import of':24} {'min ms':>8} {'median ms':>10} {'times ours':>11}")
    for name, values in times.items():
        median = statistics.median(values)
        print(f"{name:24} {min(values) * 1e3:8.1f} {median * 1e3:10.1f} {median / ours:11.1f}")


if __name__ == "__main__":
    sys.exit(main())
