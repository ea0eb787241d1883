"""Where a token lives between calls."""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import threading
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit
from weakref import WeakValueDictionary

from cachetools import LRUCache

from airflow_provider_processmaker.client.errors import LoginError, error_from

if TYPE_CHECKING:
    from collections.abc import Iterator
    from contextlib import AbstractContextManager

    from airflow_provider_processmaker.client.errors import ProcessMakerError
    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.tokens import Token

__all__ = ["Login", "MemoryStore", "Refusal", "TokenStore", "login_of", "process_store"]


@dataclass(frozen=True, slots=True)
class Login:
    """One set of credentials at one server.

    :param name: the same for the same login, another one as soon as anything in it changes; tells nothing of it.
    :param key: what only those have who know its secrets.
    :param door: the same for the same login at the same address of the token endpoint. A token opens every path of its
        server, but a login that is refused under one path may be right under another.
    """

    name: str
    key: bytes = field(repr=False)
    door: str


def login_of(settings: Settings) -> Login:
    """The login of some settings.

    :param settings: the settings; time-outs and TLS do not matter, and the path for the door alone.
    """
    where = urlsplit(settings.base_url)
    who = [where.scheme, where.netloc, settings.client_id, settings.username]
    key = hashlib.sha256(json.dumps([settings.client_secret, settings.password]).encode()).digest()
    return Login(_name(key, who), key, _name(key, [*who, settings.token_url]))


def _name(key: bytes, parts: list[str | None]) -> str:
    return hmac.new(key, json.dumps(parts).encode(), "sha256").hexdigest()[:40]


#: Seconds beyond which we do not believe a server that asks us to stay away.
LONGEST_REST = 3600.0


@dataclass(frozen=True, slots=True)
class Refusal:
    """What the server said when it gave no token, for those who come a moment later.

    :param at: when, in seconds since the epoch.
    :param error: the error, as :meth:`.ProcessMakerError.as_dict` tells it.
    :param wait: seconds for which the server asked us to stay away; None if it did not say.
    """

    at: float
    error: dict[str, Any]
    wait: float | None = None

    def error_at(self, moment: float, window: float) -> ProcessMakerError | None:
        """The error for someone who comes at a moment; None if the server may be asked again.

        :param moment: seconds since the epoch.
        :param window: seconds to stay away if the server did not say.
        """
        window = window if self.wait is None else min(self.wait, LONGEST_REST)
        ago = moment - self.at
        if not 0 <= ago < window:
            return None
        error = error_from(self.error)
        if isinstance(error, LoginError):
            told = (
                f"It was refused {ago:.0f} s ago, and is not tried again with the same credentials for {window:.0f} s; "
                "the Test button of the connection always tries."
            )
        else:
            told = f"That was {ago:.0f} s ago, and the token endpoint is left alone for {window:.0f} s."
        if error.retryable:
            error.retry_after = window - ago
        error.hint = f"{error.hint or ''} {told}".strip()
        return error


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
        """The last refusal at this door, if no token came through it since."""
        ...

    def refuse(self, login: Login, refusal: Refusal) -> None:
        """Remember that a login was refused at this door."""
        ...

    def accepted(self, login: Login, token: Token) -> bool:
        """Whether a call was answered with this token, as far as anyone said."""
        ...

    def accept(self, login: Login, token: Token) -> None:
        """Remember that a call was answered with this token."""
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
        self._accepted: LRUCache[str, str] = LRUCache(size)
        self._new_locks()

    def _new_locks(self) -> None:
        self._process = os.getpid()
        self._guard = threading.Lock()
        # Each lives as long as somebody holds it or waits for it.
        self._locks: WeakValueDictionary[str, threading.RLock] = WeakValueDictionary()

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
            self._refusals.pop(login.door, None)

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
            return self._refusals.get(login.door)

    def refuse(self, login: Login, refusal: Refusal) -> None:
        """Remember that a login was refused.

        :param login: whose.
        :param refusal: what was said.
        """
        with self._guarded():
            self._refusals[login.door] = refusal

    def accepted(self, login: Login, token: Token) -> bool:
        """Whether a call of this process was answered with a token.

        :param login: whose.
        :param token: the token.
        """
        with self._guarded():
            return self._accepted.get(login.name) == token.access_token

    def accept(self, login: Login, token: Token) -> None:
        """Remember that a call was answered with a token.

        :param login: whose.
        :param token: the token.
        """
        with self._guarded():
            self._accepted[login.name] = token.access_token

    @contextmanager
    def lock(self, login: Login) -> Iterator[None]:
        """One thread at a time asks for a token of this login.

        :param login: whose.
        """
        with self._guarded():
            lock = self._locks.get(login.name)
            if lock is None:
                lock = self._locks[login.name] = threading.RLock()
        with lock:
            yield


_process_store = MemoryStore()


def process_store() -> MemoryStore:
    """The store that all clients of this process share, so that they log in once."""
    return _process_store
