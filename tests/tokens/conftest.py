"""What the tests of the file store share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.client import FileStore
from airflow_provider_processmaker.testing import ProcessMakerServer

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@pytest.fixture
def store(tmp_path: Path) -> FileStore:
    return FileStore(tmp_path / "tokens")


@pytest.fixture
def server() -> Iterator[ProcessMakerServer]:
    with ProcessMakerServer(users=5) as started:
        yield started
