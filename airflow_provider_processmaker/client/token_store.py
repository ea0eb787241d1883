"""Where a token lives between calls."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol
from urllib.parse import urlsplit

from cachetools import LRUCache

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.tokens import Token

__all__ = ["Login", "MemoryStore", "Refusal", "TokenStore", "login_of", "process_store"]


@dataclass(frozen=True, slots=True)
class Login:
    """One set of credentials at one server.

    :param name: the same for the same login, another one as soon as anything in it changes; tells nothing of it.
    :param key: what only those have who know its secrets.
    """

    name: str
    key: bytes = field(repr=False)


def login_of(settings: Settings) -> Login:
    """The login of some settings.

    :param settings: the settings; path, time-outs and TLS do not matter.
    """
    where = urlsplit(settings.base_url)
    who = [where.scheme, where.netloc, settings.client_id, settings.username]
    key = hashlib.sha256(json.dumps([settings.client_secret, settings.password]).encode()).digest()
    return Login(hmac.new(key, json.dumps(who).encode(), "sha256").hexdigest()[:40], key)


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server said when it refused a login.

    :param at: when, in seconds since the epoch.
    :param what: what happened.
    :param hint: what to do.
    :param status: HTTP status of the answer.
    """

    at: float
    what: str
    hint: str | None = None
    status: int | None = None


class TokenStore(Protocol):
    """Keeps the token of each login, and lets one caller at a time ask for a new one."""

    def load(self, login: Login) -> Token | None:
        """The token last saved, also if it has expired; None if there is none."""
        ...

    def save(self, login: Login, token: Token) -> None:
        """Keep a token for all who use this store; it replaces a refusal."""
        ...

    def forget(self, login: Login) -> None:
        """Drop the token of a login."""
        ...

    def refusal(self, login: Login) -> Refusal | None:
        """The last refusal, if no token came since."""
        ...

    def refuse(self, login: Login, refusal: Refusal) -> None:
        """Remember that a login was refused."""
        ...

    def lock(self, login: Login) -> AbstractContextManager[None]:
        """Hold this while asking for a new token; whoever waited for it loads again before asking."""
        ...


class MemoryStore:
    """Tokens in the memory of this process, shared by its threads.

    :param size: logins to remember; the one unused longest goes first.
    """

    def __init__(self, size: int = 256) -> None:
        self._tokens: LRUCache[str, Token] = LRUCache(size)
        self._refusals: LRUCache[str, Refusal] = LRUCache(size)
        self._size = size
        self._new_locks()

    def _new_locks(self) -> None:
        self._process = os.getpid()
        self._guard = threading.Lock()
        self._locks: LRUCache[str, threading.RLock] = LRUCache(self._size)

    def _guarded(self) -> threading.Lock:
        if self._process != os.getpid():
            # A child of a fork: a lock that another thread of the parent held would never be released here.
            self._new_locks()
        return self._guard

    def load(self, login: Login) -> Token | None:
        """The token last saved; None if there is none.

        :param login: whose.
        """
        with self._guarded():
            return self._tokens.get(login.name)

    def save(self, login: Login, token: Token) -> None:
        """Keep a token; it replaces a refusal.

        :param login: whose.
        :param token: the token.
        """
        with self._guarded():
            self._tokens[login.name] = token
            self._refusals.pop(login.name, None)

    def forget(self, login: Login) -> None:
        """Drop the token of a login.

        :param login: whose.
        """
        with self._guarded():
            self._tokens.pop(login.name, None)

    def refusal(self, login: Login) -> Refusal | None:
        """The last refusal, if no token came since.

        :param login: whose.
        """
        with self._guarded():
            return self._refusals.get(login.name)

    def refuse(self, login: Login, refusal: Refusal) -> None:
        """Remember that a login was refused.

        :param login: whose.
        :param refusal: what was said.
        """
        with self._guarded():
            self._refusals[login.name] = refusal

    @contextmanager
    def lock(self, login: Login) -> Iterator[None]:
        """One thread at a time asks for a token of this login.

        :param login: whose.
        """
        with self._guarded():
            lock = self._locks.setdefault(login.name, threading.RLock())
        with lock:
            yield


_process_store = MemoryStore()


def process_store() -> MemoryStore:
    """The store that all clients of this process share, so that they log in once."""
    return _process_store
