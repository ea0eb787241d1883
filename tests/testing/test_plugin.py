from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

USERS_TEST = """
import os
import urllib.request

def test_server(processmaker_server):
    assert len(processmaker_server.user_ids) == 504

def test_connection(processmaker_connection):
    assert processmaker_connection == "processmaker_default"
    assert os.environ["AIRFLOW_CONN_PROCESSMAKER_DEFAULT"].startswith("processmaker://")

def test_nothing():
    pass
"""

WITHOUT = """
import sys
sys.modules["uvicorn"] = None
"""


def run(folder: Path) -> str:
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "-W", "error"]
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, check=False, timeout=60).stdout


def test_in_a_users_own_project(tmp_path: Path) -> None:
    (tmp_path / "test_dag.py").write_text(USERS_TEST)
    assert "3 passed" in run(tmp_path)


def test_without_the_extra_it_says_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "test_dag.py").write_text(USERS_TEST)
    (tmp_path / "conftest.py").write_text(WITHOUT)
    output = run(tmp_path)
    assert "1 passed, 2 errors" in output
    assert "pip install 'airflow-provider-processmaker[testing]'" in output
