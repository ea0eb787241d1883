"""Many processes that call ProcessMaker at once; run as ``python -m tests.tokens.swarm`` with a job as JSON on stdin.

It imports the client once and forks, as Airflow's LocalExecutor does, so that fifty processes start within
milliseconds. Each waits for a starting signal, makes its calls, and reports. The job:

- ``settings``: of the client; ``folder``: of the token files, or null for memory;
- ``processes``, ``threads`` in each, ``calls`` of each thread, and ``pause`` between two;
- ``endpoint``; ``brake`` in seconds; ``skew``: seconds by which their clocks are off, taken in turn.
"""

from __future__ import annotations

import json
import os
import sys
import threading
import time
import traceback
from pathlib import Path
from typing import Any

from airflow_provider_processmaker.client import ProcessMakerClient, Settings, Timing
from airflow_provider_processmaker.client.file_store import FileStore
from airflow_provider_processmaker.client.token_store import MemoryStore


def main() -> None:
    job = json.load(sys.stdin)
    start_reader, start_writer = os.pipe()
    report_reader, report_writer = os.pipe()
    children = []
    for number in range(job["processes"]):
        child = os.fork()
        if child == 0:
            os.close(start_writer)
            os.read(start_reader, 1)  # returns when the parent closes its end
            report = json.dumps(_work(job, number)) + "\n"
            os.write(report_writer, report.encode())  # short enough to be written in one piece
            os._exit(0)
        children.append(child)
    os.close(report_writer)
    print("ready", flush=True)
    os.close(start_reader)
    os.close(start_writer)
    with os.fdopen(report_reader) as reports:
        for line in reports:
            print(line, end="", flush=True)
    for child in children:
        os.waitpid(child, 0)


def _work(job: dict[str, Any], number: int) -> dict[str, Any]:
    skews = job.get("skew") or [0]
    skew = skews[number % len(skews)]
    store = FileStore(Path(job["folder"])) if job["folder"] else MemoryStore()
    client = ProcessMakerClient(
        Settings(**job["settings"]),
        token_store=store,
        timing=Timing(brake_window=job.get("brake", 30)),
        clock=lambda: time.time() + skew,
    )
    report: dict[str, Any] = {"done": 0, "errors": []}

    def call() -> None:
        for _ in range(job.get("calls", 1)):
            try:
                client.get(job.get("endpoint", "groups"), {"per_page": 1})
                report["done"] += 1
            except Exception as error:  # noqa: BLE001
                report["errors"].append([type(error).__name__, str(error)[:150], _retryable(error)])
            time.sleep(job.get("pause", 0))

    threads = [threading.Thread(target=call) for _ in range(job.get("threads", 1))]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    client.close()
    report["errors"] = report["errors"][:3]
    return report


def _retryable(error: Exception) -> bool:
    if not hasattr(error, "retryable"):
        traceback.print_exc()
    return bool(getattr(error, "retryable", False))


if __name__ == "__main__":
    main()
