"""Pin every package of the development environment and of the environments that the wheel is tried in.

``uv run --no-sync scripts/refresh_constraints.py``

Writes ``constraints/airflow-*.txt`` (for ``pip install -c``), ``constraints/build.txt`` and, in ``pyproject.toml``, the
lists between the two marks: ``uv sync`` and ``uv run`` read ``constraint-dependencies`` there only, not in ``uv.toml``.
No file names the host that a package came from, so they hold for any mirror. Then run ``.ci/run``.
"""

from __future__ import annotations

import json
import shutil
import subprocess
import tempfile
import tomllib
from collections import Counter
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
PYPROJECT = ROOT / "pyproject.toml"
BEGIN, END = "# >>> scripts/refresh_constraints.py", "# <<< scripts/refresh_constraints.py"
PYTHON = "3.11"
#: What an environment of each Airflow has beside our wheel. Before 3.2 the form is drawn with flask-appbuilder, which
#: 2.11 brings by itself and 3.1 does not.
ENVIRONMENTS = {
    "2.11": ["apache-airflow==2.11.*"],
    "3.1": ["apache-airflow==3.1.*", "apache-airflow-providers-fab"],
    "3.3": ["apache-airflow==3.3.*"],
}
#: What builds need beside our own backend: hatchling wants editables for an editable one, and Airflow 2.11 needs a
#: package that has no wheel and is built by setuptools.
BUILD = ["editables", "setuptools"]


def main() -> None:
    """Write all lists anew, with the newest releases that fit together."""
    with tempfile.TemporaryDirectory() as folder:
        copy = Path(folder)
        copy_project(copy)
        for version, requirements in ENVIRONMENTS.items():
            pins = compiled(copy, ["pyproject.toml", "--extra", "testing", "-"], requirements)
            write(f"airflow-{version}.txt", f"our wheel with {' and '.join(requirements)}", pins)
        backend = tomllib.loads((copy / "pyproject.toml").read_text("utf-8"))["build-system"]["requires"]
        build = compiled(copy, ["-"], backend + BUILD)
        write("build.txt", "the builds of what has no wheel", build)
        uv(copy, "lock")
        exported = ("--all-groups", "--all-extras", "--no-emit-project", "--no-hashes", "--no-annotate", "--no-header")
        pin_development(bare(uv(copy, "export", "--frozen", *exported)), build)


def copy_project(copy: Path) -> None:
    """What uv must see of the project, without the pins of last time."""
    (copy / "airflow_provider_processmaker").mkdir()
    for name in ("README.md", "LICENSE", "airflow_provider_processmaker/__init__.py"):
        shutil.copy(ROOT / name, copy / name)
    before, after = around_marks()
    (copy / "pyproject.toml").write_text(before + after, encoding="utf-8")


def around_marks() -> tuple[str, str]:
    """``pyproject.toml`` before and after the generated part."""
    before, _, rest = PYPROJECT.read_text("utf-8").partition(BEGIN)
    return before, rest.partition(END)[2].lstrip("\n")


def compiled(project: Path, sources: list[str], requirements: list[str]) -> list[str]:
    """Pins for all that the sources and these requirements need, for every Python from ours on."""
    options = ("--universal", "--python-version", PYTHON, "--no-annotate", "--no-header", "--no-emit-index-url")
    return bare(uv(project, "pip", "compile", *options, *sources, given="\n".join(requirements)))


def bare(output: str) -> list[str]:
    """The pins of a list, with their markers only where a package has several versions.

    A constraint asks for nothing, so that a marker says nothing; and uv makes a fork of its lock file for each.
    """
    pins = [line for line in output.splitlines() if not line.startswith(("#", "-"))]
    times = Counter(pin.partition("==")[0] for pin in pins)
    return [pin if times[pin.partition("==")[0]] > 1 else pin.partition(" ;")[0] for pin in pins]


def uv(project: Path, *arguments: str, given: str = "") -> str:
    """The output of uv, run in this project."""
    command = ["uv", "--quiet", *arguments]
    return subprocess.run(command, cwd=project, input=given, stdout=subprocess.PIPE, text=True, check=True).stdout


def write(name: str, purpose: str, pins: list[str]) -> None:
    """One constraint file."""
    head = f"# Made by scripts/refresh_constraints.py for {purpose}."
    (ROOT / "constraints" / name).write_text("\n".join([head, *pins, ""]), encoding="utf-8")


def pin_development(pins: list[str], build: list[str]) -> None:
    """The generated part of ``pyproject.toml``."""
    lists = {"constraint-dependencies": pins, "build-constraint-dependencies": build}
    lines = [BEGIN, "# Pins of the development environment alone; nothing of this is in the wheel.", "[tool.uv]"]
    for name, values in lists.items():
        lines += [f"{name} = [", *(f"  {json.dumps(value)}," for value in values), "]"]
    before, after = around_marks()
    PYPROJECT.write_text(before.rstrip("\n") + "\n\n" + "\n".join([*lines, END, ""]) + after, encoding="utf-8")


if __name__ == "__main__":
    main()
