"""The pins: complete, without a host, and those that this very environment was made from."""

from __future__ import annotations

import importlib.metadata
import re
import runpy
import tomllib
from pathlib import Path

import pytest

from tests.packaging.environments import VERSIONS

ROOT = Path(__file__).resolve().parents[2]
PIN = re.compile(r"^([a-z0-9][a-z0-9-]*)==([0-9][^ ;]*)( ; .+)?$")
FILES = sorted((ROOT / "constraints").glob("*.txt"))


def pins(lines: list[str]) -> dict[str, set[str]]:
    """The versions of each package; each line must be a pin and nothing else."""
    found: dict[str, set[str]] = {}
    for line in lines:
        match = PIN.match(line)
        assert match, line
        found.setdefault(match[1], set()).add(match[2])
    return found


@pytest.mark.parametrize("path", FILES, ids=lambda path: path.name)
def test_a_constraint_file_holds_pins_alone(path: Path) -> None:
    comment, *lines = path.read_text(encoding="utf-8").splitlines()
    assert comment.startswith("# Made by scripts/refresh_constraints.py")
    assert pins(lines)


def test_there_is_one_for_each_version_that_the_wheel_is_tried_in() -> None:
    assert {path.name for path in FILES} == {"build.txt", *(f"airflow-{version}.txt" for version in VERSIONS)}
    assert runpy.run_path(str(ROOT / "scripts" / "refresh_constraints.py"))["ENVIRONMENTS"] == VERSIONS
    for version in VERSIONS:
        lines = (ROOT / "constraints" / f"airflow-{version}.txt").read_text(encoding="utf-8").splitlines()
        (pinned,) = pins(lines[1:])["apache-airflow"]
        assert pinned.startswith(f"{version}.")


def test_this_environment_is_the_pinned_one() -> None:
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    uv = project["tool"]["uv"]
    pinned = pins(uv["constraint-dependencies"])
    assert pins(uv["build-constraint-dependencies"])["hatchling"]
    hint = "after a change of the dependencies run scripts/refresh_constraints.py, then uv sync"

    groups = [project["project"]["dependencies"], *project["project"]["optional-dependencies"].values()]
    groups += project["dependency-groups"].values()
    wanted = {normal(re.split(r"[^\w.-]", requirement)[0]) for group in groups for requirement in group}
    assert wanted - {"airflow-provider-processmaker"} <= set(pinned), hint

    installed = {normal(found.metadata["Name"]): found.version for found in importlib.metadata.distributions()}
    other = {name: installed[name] for name in installed.keys() & pinned.keys() if installed[name] not in pinned[name]}
    assert not other, hint


def normal(name: str) -> str:
    """The name of a package as its index spells it."""
    return re.sub(r"[-_.]+", "-", name).lower()
