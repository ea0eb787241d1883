"""Every recording is replayed, or is on the list of what is not served."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from .areas import reason_not_served
from .recordings import Recording, all_recordings, folder, index
from .replay import replayed

if TYPE_CHECKING:
    from collections.abc import Mapping

    from .replay import Result

RECORDINGS = all_recordings()
MISSING = f"no recordings in {folder()}: set PROCESSMAKER_RECORDINGS to a folder that has them"
# Where there are none, one test says so.
CASES = [pytest.param(one, id=one.file.removesuffix(".json")) for one in RECORDINGS] or [
    pytest.param(None, id="none", marks=pytest.mark.skip(reason=MISSING))
]


@pytest.mark.parametrize("recording", CASES)
def test_answers_as_the_real_server(recording: Recording, replay_results: Mapping[str, Result]) -> None:
    reason = reason_not_served(recording.name)
    if reason is not None:
        pytest.skip(reason)
    assert replay_results[recording.file].differences == []


def test_what_is_not_served_and_not_listed_fails() -> None:
    request = {"method": "GET", "path": "/api/1.0/a_new_area", "headers": {"Accept": "application/json"}, "body": None}
    response = {"status": 200, "headers": {}, "body_kind": "json", "body": {"data": []}}
    recording = Recording("999_a_new_area.json", "a_new_area", request, response)
    assert replayed([recording], index())[recording.file].differences != []
