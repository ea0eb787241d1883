"""The replay needs no recording to be there: whichever are left out, its rules set up what the others need."""

from __future__ import annotations

import random

import pytest

from .recordings import all_recordings, index
from .replay import replayed

RECORDINGS = all_recordings()
SHARES = {"a fifth": (1, 0.2), "another fifth": (2, 0.2), "a half": (3, 0.5), "most": (4, 0.8)}


def wrong(chosen: list[int]) -> dict[str, list[str]]:
    """What is different, by file, when only these are there."""
    results = replayed([RECORDINGS[place] for place in chosen], index())
    return {file: result.differences for file, result in results.items() if result.differences}


@pytest.mark.skipif(not RECORDINGS, reason="no recordings")
@pytest.mark.parametrize("name", SHARES)
def test_some_by_chance(name: str) -> None:
    seed, share = SHARES[name]
    # The same choice each time, and on any machine.
    chance = random.Random(seed)
    assert wrong([place for place in range(len(RECORDINGS)) if chance.random() < share]) == {}


@pytest.mark.skipif(not RECORDINGS, reason="no recordings")
@pytest.mark.parametrize("first", [0, 1])
def test_every_other_one(first: int) -> None:
    assert wrong(list(range(first, len(RECORDINGS), 2))) == {}
