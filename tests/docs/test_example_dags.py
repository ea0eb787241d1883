"""The example DAGs, each run in a real Airflow against the stand-in server, where somebody does the tasks."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from tests.dag_runs import Outcome

    RunFile = Callable[..., Outcome]

ROOT = Path(__file__).parents[2]
FOLDER = ROOT / "example_dags"
CASES = 50

pytestmark = pytest.mark.airflow


def example(name: str) -> Path:
    return FOLDER / f"processmaker_{name}.py"


def test_each_example_has_a_test_here() -> None:
    tested = {name.removeprefix("test_") for name in globals() if name.startswith("test_")}

    assert {path.stem.removeprefix("processmaker_") for path in FOLDER.glob("*.py")} <= tested


def test_list_users(server: Any, run_file: RunFile) -> None:
    outcome = run_file(example("list_users"))

    assert outcome.state == "success", outcome.errors
    assert len(outcome.results["list_users"]) == 504
    assert sum(outcome.results["count_by_status"].values()) == 504


@pytest.mark.parametrize(("amount_that_passes", "does", "leaves"), [(2000, "pay", "decline"), (1000, "decline", "pay")])
def test_approval(server: Any, run_file: RunFile, amount_that_passes: int, does: str, leaves: str) -> None:
    process = server.add_process("Expense Approval", ["Approve expense"])
    server.on_task("Approve expense", lambda data: {"approved": data["amount"] <= amount_that_passes}, seconds=0.5)

    outcome = run_file(example("approval"), look_every=0.2)

    assert outcome.state == "success", outcome.errors
    assert (outcome.states[does], outcome.states[leaves]) == ("success", "skipped")
    (request,) = server.requests
    result = outcome.results["ask_for_approval"]
    assert (result["request_id"], result["process_id"], result["status"]) == (request.id, process, "COMPLETED")
    assert (result["data"]["employee"], result["data"]["approved"]) == ("Bob Plain", does == "pay")
    # It had to wait: the request was looked at more than once.
    assert sum(call.path == f"/api/1.0/requests/{request.id}" for call in server.calls) >= 3


@pytest.mark.long
def test_fan_out(server: Any, run_file: RunFile) -> None:
    server.add_process("Vendor Review", ["Review vendor"])
    server.on_task("Review vendor", lambda data: {"rating": f"good, {data['vendor']}"}, seconds=0.2)

    outcome = run_file(example("fan_out"), look_every=0.1)

    assert outcome.state == "success", outcome.errors
    reviews = [outcome.results["review", number] for number in range(CASES)]
    assert sorted(review["request_id"] for review in reviews) == [request.id for request in server.requests]
    assert {request.status for request in server.requests} == {"COMPLETED"}
    vendors = [f"Vendor {number:02}" for number in range(1, CASES + 1)]
    assert [review["data"]["vendor"] for review in reviews] == vendors
    assert [(row["vendor"], row["rating"]) for row in outcome.results["summarise"]] == [
        (vendor, f"good, {vendor}") for vendor in vendors
    ]


def test_wait_for_request(server: Any, run_file: RunFile) -> None:
    server.add_process("Order", ["Check order"])
    server.on_task("Check order", {"checked": True}, seconds=8)
    request = server.start_request("Order", {"order": "4711"}, username="bob")
    # Somebody does his task once it is waited for.
    server.faults.add("GET", f"/requests/{request.id}", after=1, then=lambda: server.clock.advance(8))

    outcome = run_file(example("wait_for_request"), {"request_id": request.id}, look_every=0.2)

    assert outcome.state == "success", outcome.errors
    assert outcome.results["wait"]["request_id"] == request.id
    assert (outcome.results["wait"]["status"], outcome.results["wait"]["data"]["checked"]) == ("COMPLETED", True)
    assert outcome.results["go_on"].startswith(f"Case {request.id} is COMPLETED")


@pytest.mark.long
def test_the_script_brings_the_processes_and_the_people(tmp_path: Path) -> None:
    kept = {name: value for name, value in os.environ.items() if not name.startswith("AIRFLOW")}
    run = subprocess.run(
        [sys.executable, ROOT / "scripts" / "run_example.py", example("approval"), "--processes"],
        cwd=tmp_path,
        env=kept | {"HOME": str(tmp_path), "TMPDIR": str(tmp_path), "PYTHONDONTWRITEBYTECODE": "1"},
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert run.returncode == 0, run.stdout + run.stderr
    summary = {" ".join(line.split()) for line in run.stdout.splitlines()}
    assert {"Task ask_for_approval success", "Task pay success", "Task decline skipped", "DAG run success"} <= summary
