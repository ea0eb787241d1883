"""The replay of all recordings, once for all tests that look at it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .recordings import all_recordings, folder, index
from .replay import replayed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .replay import Result


@pytest.fixture(scope="session")
def replay_results() -> Mapping[str, Result]:
    """What our server answered, by file."""
    recordings = all_recordings()
    if not recordings:
        pytest.skip(f"no recordings in {folder()}: set PROCESSMAKER_RECORDINGS to a folder that has them")
    return replayed(recordings, index())
