"""Many runs under random faults: afterwards every run has its request, nothing has grown, no secret is anywhere."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import textwrap
import threading
import time
from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from tests.faults.scenes import PREAMBLE
from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.faults.conftest import Rig
    from tests.faults.runs import Run

#: Half an hour by hand; CI asks for three minutes.
SECONDS = float(os.environ.get("PROCESSMAKER_SOAK_SECONDS", "1800"))
SEED = int(os.environ.get("PROCESSMAKER_SOAK_SEED", "20261125"))
RUNS_A_MINUTE, MAPPED = 20, 2
START = ("POST", "/process_events/*")
_TASKS = """
Start.partial(task_id="run", process={process}, deferrable=True, poll_interval=2, settle_window=6, error_grace=5,
    return_data=True, retries=20, retry_delay=dt.timedelta(seconds=2)
).expand(data=[{{"of": number}} for number in range({mapped})])
"""
#: All that Airflow keeps of a task, in clear.
_DUMP = """
import json
from airflow import settings
from airflow.models.renderedtifields import RenderedTaskInstanceFields
from airflow.models.trigger import Trigger
from airflow.models.xcom import XComModel
settings.configure_orm()
session = settings.Session()
print("XCOM", [(row.key, row.value) for row in session.query(XComModel)])
print("FIELDS", [row.rendered_fields for row in session.query(RenderedTaskInstanceFields)])
print("TRIGGERS", [(row.classpath, row.kwargs) for row in session.query(Trigger)])
"""


class Weather:
    """Faults at random, one after the other, each for some seconds."""

    def __init__(self, rig: Rig, seed: int) -> None:
        self._rig = rig
        self._random = random.Random(seed)
        self._ended = threading.Event()
        self.seen: Counter[str] = Counter()
        self._thread = threading.Thread(target=self._blow, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Let all be well from now on."""
        self._ended.set()
        self._thread.join(60)
        self._rig.proxy.reset()
        self._rig.proxy.up()

    def _blow(self) -> None:
        proxy = self._rig.proxy
        kinds: dict[str, Callable[[], object]] = {
            "down": proxy.down,
            "429": lambda: proxy.throttle(seconds=1),
            "HTML": lambda: proxy.page(self._random.choice([200, 502])),
            "answers lost": lambda: proxy.add(drop="after", times=3),
            "starts lost": lambda: proxy.add(*START, drop="after", times=2),
            "starts reset": lambda: proxy.add(*START, reset="before", times=2),
            "starts answered by 500": lambda: proxy.add(*START, status=500, process=True, times=2),
            "slow": lambda: proxy.add(delay=1.5, times=10),
            "tokens revoked": lambda: self._rig.stand_in.revoke_all_tokens(refresh=self._random.random() < 0.5),
        }
        while not self._ended.wait(self._random.uniform(2, 6)):
            kind = self._random.choice(sorted(kinds))
            kinds[kind]()
            self.seen[kind] += 1
            self._ended.wait(self._random.uniform(1, 6))
            proxy.reset()
            proxy.up()


class People:
    """Complete every request some seconds after it has begun."""

    def __init__(self, rig: Rig, process_id: int) -> None:
        self._rig = rig
        self._process_id = process_id
        self._ended = threading.Event()
        self._since: dict[int, float] = {}
        self._thread = threading.Thread(target=self._work, daemon=True)
        self._thread.start()

    def end(self) -> None:
        """Go home."""
        self._ended.set()
        self._thread.join(60)

    def _work(self) -> None:
        while not self._ended.wait(1):
            now = time.monotonic()
            active = [row.id for row in self._rig.stand_in.requests(self._process_id, "ACTIVE")]
            ripe = [one for one in active if now - self._since.setdefault(one, now) > 8]
            if ripe:
                self._rig.stand_in.complete(*ripe)


def _measured(rig: Rig) -> dict[str, float]:
    """What the triggerer holds: all its processes together."""
    total = Counter[str]()
    for pid in rig.airflow.pids("triggerer"):
        status = Path(f"/proc/{pid}/status").read_text()
        fields = dict(line.split(":", 1) for line in status.splitlines() if ":" in line)
        total["threads"] += int(fields["Threads"])
        total["memory MB"] += round(int(fields["VmRSS"].split()[0]) / 1024)
        total["handles"] += len(os.listdir(f"/proc/{pid}/fd"))  # noqa: PTH208  # names alone
    return dict(total)


@pytest.mark.telling
def test_soak(rig: Rig, record_property: Callable[[str, object], None]) -> None:
    process_id = rig.stand_in.add_process("Soak")
    tasks = _TASKS.format(process=process_id, mapped=MAPPED)
    dag = rig.airflow.dag("soak", tasks, preamble=PREAMBLE, arguments="max_active_tasks=64, max_active_runs=200")
    weather, people = Weather(rig, SEED), People(rig, process_id)
    runs: list[Run] = []
    measured: list[dict[str, float]] = []
    begun = time.monotonic()
    try:
        while (passed := time.monotonic() - begun) < SECONDS:
            if len(runs) < passed * RUNS_A_MINUTE / 60:
                runs.append(dag.trigger(run_id=f"soak_{len(runs)}"))
            if passed > SECONDS / 3 and len(measured) < 10 * (passed / SECONDS):
                measured.append(_measured(rig))
            time.sleep(0.5)
        weather.end()
        wait_for(lambda: not _unfinished(dag.dag_id, rig), 420, lambda: str(_unfinished(dag.dag_id, rig)), pause=3)
    finally:
        weather.end()
        people.end()
    measured.append(_measured(rig))
    record_property("soak", json.dumps({"runs": len(runs), "faults": dict(weather.seen), "triggerer": measured}))
    print("soak:", len(runs), "runs;", dict(weather.seen), "; triggerer:", measured[0], "->", measured[-1])

    states = {run.run_id: run.state for run in runs}
    lost = [task for run in runs if states[run.run_id] != "success" for task in run.tasks()]
    assert Counter(states.values()) == {"success": len(runs)}, "\n".join(f"{task}\n{task.log_text()}" for task in lost)
    rows = rig.stand_in.requests(process_id)
    assert Counter(row.status for row in rows) == {"COMPLETED": len(runs) * MAPPED}
    assert len({row.data["airflow_key"] for row in rows}) == len(rows), "one request for each task instance"
    results = {run.task("run", index).xcom()["request_id"] for run in runs for index in range(MAPPED)}
    assert results == {row.id for row in rows}, "each task has the result of its own request"
    for name, most in {"threads": 3, "handles": 20, "memory MB": 40}.items():
        assert measured[-1][name] <= measured[0][name] + most, (name, measured)
    _no_secret(rig)


def _unfinished(dag_id: str, rig: Rig) -> int:
    states = ("queued", "running")
    return sum(rig.airflow.call("GET", f"dags/{dag_id}/dagRuns", state=one, limit=1)["total_entries"] for one in states)


def _no_secret(rig: Rig) -> None:
    secrets = {rig.stand_in.client_secret, "admin123", *rig.stand_in.issued_tokens}
    dump = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(_DUMP)],
        env=rig.airflow.environment,
        cwd=rig.airflow.home,
        check=True,
        capture_output=True,
        text=True,
    ).stdout
    assert "XCOM" in dump
    assert "TRIGGERS" in dump
    places = {**rig.airflow.all_text(), "database": dump}
    leaks = [(name, secret[:12]) for name, text in places.items() for secret in secrets if secret in text]
    assert leaks == []
