"""Fixtures for tests of the wheel in other versions of Airflow."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from tests.packaging.environments import CONSTRAINTS, PYTHON, ROOT, VERSIONS, Installed, uv

if TYPE_CHECKING:
    from pathlib import Path


@pytest.fixture(scope="session")
def distributions(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Wheel and source distribution, built once; the wheel from the source distribution, as uv does it."""
    folder = tmp_path_factory.mktemp("dist")
    uv("build", "--build-constraints", CONSTRAINTS / "build.txt", "--out-dir", folder, ROOT, cwd=folder)
    return folder


@pytest.fixture(scope="session", params=VERSIONS)
def installed(request: pytest.FixtureRequest, distributions: Path, tmp_path_factory: Any) -> Installed:
    """An environment with the wheel, its own extra for the stand-in server and nothing else of ours."""
    version = request.param
    home = tmp_path_factory.mktemp(f"airflow-{version}")
    python = home / "venv" / "bin" / "python"
    (wheel,) = distributions.glob("*.whl")
    uv("venv", "--python", PYTHON, home / "venv", cwd=home)
    # The wheel's own requirements are resolved, so that one that is missing or too loose is noticed.
    pins = ("--constraints", CONSTRAINTS / f"airflow-{version}.txt", "--build-constraints", CONSTRAINTS / "build.txt")
    uv("pip", "install", "--python", python, *pins, f"{wheel}[testing]", *VERSIONS[version], cwd=home)
    return Installed(version, python, home)
