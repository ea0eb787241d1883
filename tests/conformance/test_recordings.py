"""Every recording is replayed, or is on the list of what is not served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer

from .areas import reason_not_served
from .recordings import all_recordings, folder, index
from .replay import Replay

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .recordings import Recording

RECORDINGS = all_recordings()


@pytest.fixture(scope="module")
def results() -> Mapping[str, list[str]]:
    """The differences by file. All are replayed at once, in their order: one builds on the other."""
    if not RECORDINGS:
        pytest.skip(f"no recordings in {folder()}: set PROCESSMAKER_RECORDINGS to a folder that has them")
    found = {}
    with ProcessMakerServer(users=520, client_secret="test-client-secret-3") as server:
        replay = Replay(server, index(), RECORDINGS)
        for recording in RECORDINGS:
            if reason_not_served(recording.name) is None:
                found[recording.file] = replay.run(recording)
    return found


def test_there_are_recordings(results: Mapping[str, list[str]]) -> None:
    assert results


@pytest.mark.parametrize("recording", RECORDINGS, ids=lambda recording: recording.file.removesuffix(".json"))
def test_answers_as_the_real_server(recording: Recording, results: Mapping[str, list[str]]) -> None:
    reason = reason_not_served(recording.name)
    if reason is not None:
        pytest.skip(reason)
    assert results[recording.file] == []
