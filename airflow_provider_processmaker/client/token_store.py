"""Where a token lives between calls."""

from __future__ import annotations

import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Protocol

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_processmaker.client.tokens import Token

__all__ = ["MemoryStore", "TokenStore", "process_store"]


class TokenStore(Protocol):
    """Keeps the token of each login, and lets one caller at a time ask for a new one.

    A key is an opaque text that stands for one server and one set of credentials.
    """

    def load(self, key: str) -> Token | None:
        """The token last saved under a key, also if it has expired; None if there is none."""
        ...

    def save(self, key: str, token: Token) -> None:
        """Keep a token for all who use this store."""
        ...

    def forget(self, key: str) -> None:
        """Drop the token of a key."""
        ...

    def lock(self, key: str) -> AbstractContextManager[None]:
        """Hold this while asking for a new token; whoever waited for it loads again before asking."""
        ...


class MemoryStore:
    """Tokens in the memory of this process, shared by its threads.

    :param size: logins to remember; the one unused longest goes first.
    """

    def __init__(self, size: int = 256) -> None:
        self._tokens: LRUCache[str, Token] = LRUCache(size)
        self._locks: LRUCache[str, threading.RLock] = LRUCache(size)
        self._guard = threading.Lock()

    def load(self, key: str) -> Token | None:
        """The token last saved under a key; None if there is none.

        :param key: the login.
        """
        with self._guard:
            return self._tokens.get(key)

    def save(self, key: str, token: Token) -> None:
        """Keep a token.

        :param key: the login.
        :param token: its token.
        """
        with self._guard:
            self._tokens[key] = token

    def forget(self, key: str) -> None:
        """Drop the token of a key.

        :param key: the login.
        """
        with self._guard:
            self._tokens.pop(key, None)

    @contextmanager
    def lock(self, key: str) -> Iterator[None]:
        """One thread at a time asks for a token of this login.

        :param key: the login.
        """
        with self._guard:
            lock = self._locks.setdefault(key, threading.RLock())
        with lock:
            yield


_process_store = MemoryStore()


def process_store() -> MemoryStore:
    """The store that all clients of this process share, so that they log in once."""
    return _process_store
