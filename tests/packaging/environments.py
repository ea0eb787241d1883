"""The wheel in clean environments of other Airflow versions: how they are made, and how a program runs in one."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["CONSTRAINTS", "PYTHON", "ROOT", "VERSIONS", "Installed", "only_if_asked_for", "uv"]

ROOT = Path(__file__).resolve().parents[2]
CONSTRAINTS = ROOT / "constraints"
PYTHON = "3.11"
#: Beside the wheel; as scripts/refresh_constraints.py has it.
VERSIONS = {
    "2.11": ["apache-airflow==2.11.*"],
    "3.1": ["apache-airflow==3.1.*", "apache-airflow-providers-fab"],
    "3.3": ["apache-airflow==3.3.*"],
}
only_if_asked_for = [
    pytest.mark.versions,
    pytest.mark.skipif(
        not os.environ.get("PROCESSMAKER_TEST_VERSIONS"),
        reason="installs three Airflows, some minutes: set PROCESSMAKER_TEST_VERSIONS=1",
    ),
    pytest.mark.skipif(not shutil.which("uv"), reason="needs uv"),
]


@dataclass(frozen=True)
class Installed:
    """The wheel in an environment of one Airflow version."""

    version: str
    python: Path
    home: Path

    @property
    def old_form(self) -> bool:
        """Whether this Airflow takes the form from the hook's methods."""
        return self.version in {"2.11", "3.1"}

    def environment(self, settings: Mapping[str, str] | None = None) -> dict[str, str]:
        """Variables for its programs, without those of whoever runs the tests."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith(("AIRFLOW", "PYTHON"))}
        own = {"AIRFLOW_HOME": str(self.home / "configured"), "AIRFLOW__CORE__LOAD_EXAMPLES": "False"}
        path = f"{self.python.parent}{os.pathsep}{kept['PATH']}"
        # HOME too, so that a stray ~/airflow would be seen.
        return {**kept, "PATH": path, "HOME": str(self.home), **own, **(settings or {})}

    def run(
        self, *command: str | Path, settings: Mapping[str, str] | None = None, timeout: float = 240
    ) -> subprocess.CompletedProcess[str]:
        """Run a program of the environment, away from the checkout so that it cannot import our source."""
        return subprocess.run(
            [self.python.parent / command[0], *command[1:]],
            cwd=self.home,
            env=self.environment(settings),
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            timeout=timeout,
            check=False,
        )


def uv(*arguments: str | Path, **options: Any) -> str:
    """Run uv; its complaint is what a failed test shows. Without the pins of the development environment."""
    # The variable of the environment that runs us would decide which one uv installs into.
    environment = {name: value for name, value in os.environ.items() if name != "VIRTUAL_ENV"}
    done = subprocess.run(
        ["uv", "--no-config", "--color=never", *arguments],
        check=False,
        capture_output=True,
        text=True,
        env=environment,
        **options,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout
