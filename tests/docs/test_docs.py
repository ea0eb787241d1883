"""The docs are true: what they are made from has not moved, and every example in them runs."""

from __future__ import annotations

import inspect
import re
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

ROOT = Path(__file__).parents[2]
PAGES = [ROOT / "README.md", *sorted((ROOT / "docs").glob("*.md"))]


def blocks(language: str) -> list[Any]:
    """The code blocks of a language, each with the page and line where it stands."""
    found = []
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for match in re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            line = text.count("\n", 0, match.start()) + 1
            found.append(pytest.param(match[1], id=f"{page.name}:{line}"))
    return found


def add_processes(server: Any) -> None:
    """What the examples start and wait for, and somebody who does the tasks at once."""
    for name, task, answer in (
        ("Expense Approval", "Approve expense", {"approved": True}),
        ("Order", "Check order", {"checked": True}),
    ):
        server.add_process(name, [task])
        server.on_task(task, answer)
    server.start_request("Order", {"order": "4711"}, username="bob")  # request 1, which was started elsewhere


def test_made_parts_are_up_to_date() -> None:
    script = ROOT / "scripts" / "refresh_docs.py"
    run = subprocess.run([sys.executable, str(script), "--check"], capture_output=True, text=True, check=False)

    assert run.returncode == 0, run.stdout + run.stderr


@pytest.mark.airflow
@pytest.mark.parametrize("source", blocks("python"))
def test_examples_run(
    source: str,
    processmaker_server: Any,
    monkeypatch: pytest.MonkeyPatch,
    run_file: Callable[..., Any],
    tmp_path: Path,
    request: pytest.FixtureRequest,
) -> None:
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", processmaker_server.conn_uri)
    add_processes(processmaker_server)
    if " as dag:" in source:
        path = tmp_path / f"doc_{abs(hash(source))}.py"
        path.write_text(source, encoding="utf-8")
        outcome = run_file(path)
        assert outcome.state == "success", outcome.errors
        return
    names: dict[str, Any] = {}
    exec(compile(source, "example", "exec"), names)
    for name, test in list(names.items()):
        if name.startswith("test_"):
            test(**{argument: request.getfixturevalue(argument) for argument in inspect.signature(test).parameters})


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", page.read_text(encoding="utf-8")):
        if "://" not in target:
            assert (page.parent / target).exists(), target


def test_readme_names_its_two_commands_first() -> None:
    readme = (ROOT / "README.md").read_text(encoding="utf-8")
    commands = re.findall(r"^```sh\n(.*?)^```", readme, re.DOTALL | re.MULTILINE)
    ours = [command.strip() for command in commands if command.startswith("uv run")]

    assert ours == ["uv run scripts/run_example.py example_dags/processmaker_list_users.py", "uv run pytest"]
