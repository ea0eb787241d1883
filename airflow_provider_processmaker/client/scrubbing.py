"""Keeps secrets out of what a server says: some echo the call in an error. Standard library only."""

from __future__ import annotations

import html
import json
import threading
from collections import OrderedDict
from typing import TYPE_CHECKING
from urllib.parse import quote, quote_plus

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["Scrubber"]

#: Shorter ones are no secrets, and would make holes in every text.
SHORTEST = 4

#: Tokens come and go; the last so many are remembered.
MOST_REMEMBERED = 100


class Scrubber:
    """Replaces secrets by ``***``, also in the spellings that forms, JSON, HTML and Python give them.

    :param secrets: the first ones.
    """

    def __init__(self, secrets: Iterable[str] = ()) -> None:
        self._lock = threading.Lock()
        self._secrets: OrderedDict[str, None] = OrderedDict()
        self.learn(secrets)

    def __repr__(self) -> str:
        """How many, not which."""
        return f"<Scrubber of {len(self._secrets)} secrets>"

    def learn(self, secrets: Iterable[str]) -> None:
        """Remember more secrets.

        :param secrets: their plain texts.
        """
        with self._lock:
            for secret in secrets:
                if len(secret) >= SHORTEST:
                    self._secrets[secret] = None
                    self._secrets.move_to_end(secret)
            while len(self._secrets) > MOST_REMEMBERED:
                self._secrets.popitem(last=False)

    def __call__(self, text: str) -> str:
        """The text without them.

        :param text: what a server sent.
        """
        with self._lock:
            known = list(self._secrets)
        # The longest first: one may be a part of another.
        for spelling in sorted({item for secret in known for item in _spellings(secret)}, key=len, reverse=True):
            text = text.replace(spelling, "***")
        return text


def _spellings(secret: str) -> set[str]:
    in_json, in_json_ascii = (json.dumps(secret, ensure_ascii=ascii_only)[1:-1] for ascii_only in (False, True))
    spellings = {
        secret,
        # A server's trimming and our own folding into one line.
        secret.strip(),
        " ".join(secret.split()),
        quote(secret, safe=""),
        quote_plus(secret),
        html.escape(secret),
        in_json,
        in_json.replace("/", "\\/"),
        in_json_ascii,
        in_json_ascii.replace("/", "\\/"),
        repr(secret)[1:-1],
        repr(secret.encode())[2:-1],
    }
    return {spelling for spelling in spellings if len(spelling) >= SHORTEST}
