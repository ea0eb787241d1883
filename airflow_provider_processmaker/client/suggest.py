"""Names that were probably meant. Standard library only."""

from __future__ import annotations

import difflib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["did_you_mean", "nearest"]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name most like a wrong one; None if none is.

    :param name: the wrong name.
    :param known: the names that exist.
    """
    by_lower = {item.lower(): item for item in known}
    found = difflib.get_close_matches(str(name).lower(), by_lower, n=1, cutoff=0.6)
    return by_lower[found[0]] if found else None


def did_you_mean(name: str, known: Iterable[str]) -> str:
    """A sentence for the end of an error: the nearest known name, or else all of them.

    :param name: the wrong name.
    :param known: the names that exist.
    """
    names = sorted(known)
    guess = nearest(name, names)
    return f'Did you mean "{guess}"?' if guess else f"Known: {', '.join(names) or 'none'}."
