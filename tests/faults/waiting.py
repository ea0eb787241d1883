"""Waiting for something to come true."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable

Found = TypeVar("Found")


def wait_for(look: Callable[[], Found], seconds: float, why: Callable[[], str] | str, pause: float = 0.25) -> Found:
    """Look again and again until there is something; what was found.

    :param look: what finds it.
    :param seconds: how long to wait for it.
    :param why: what to say if it never comes.
    :param pause: between two looks.
    """
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, f"not in {seconds:g} s: {why if isinstance(why, str) else why()}"
        time.sleep(pause)
    return found
