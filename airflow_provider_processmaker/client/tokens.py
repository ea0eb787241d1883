"""A token, who asks for one, and when."""

from __future__ import annotations

import base64
import hashlib
import json
import logging
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol
from urllib.parse import urlsplit

from airflow_provider_processmaker.client.errors import LoginError, UnauthenticatedError, UnknownOutcomeError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.token_store import TokenStore

__all__ = ["GrantTokens", "StaticTokens", "Token", "Tokens"]

log = logging.getLogger(__name__)

#: A token that was issued less than so many seconds ago and was never accepted is not replaced when it is
#: refused: another one would be refused too, and each leaves a row with a year of life on the server.
FRESH = 5.0

#: Lifetime in seconds if the server does not tell one that makes sense.
UNTOLD_LIFETIME = 300.0


class RefreshTokenRefusedError(LoginError):
    """The refresh token, and nothing else, was refused: the password is next."""


@dataclass(frozen=True, slots=True)
class Token:
    """An access token and what came with it.

    :param access_token: what goes into the header.
    :param refresh_token: buys the next one, once.
    :param issued_at: when we got it, in seconds since the epoch by our clock.
    :param expires_at: when it ends, likewise; None if it is not ours to know.
    """

    access_token: str = field(repr=False)
    refresh_token: str | None = field(default=None, repr=False)
    issued_at: float = 0.0
    expires_at: float | None = None

    @property
    def user_id(self) -> str | None:
        """The id of the token's user, read from the token itself; None if it is not a JSON web token."""
        subject = claims(self.access_token).get("sub")
        return str(subject) if subject not in {None, ""} else None

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        return (self.access_token, self.refresh_token) if self.refresh_token else (self.access_token,)

    def good_at(self, moment: float, margin: float) -> bool:
        """Tell whether it can still be used at a moment.

        :param moment: seconds since the epoch.
        :param margin: seconds before its end at which it is renewed; at most a tenth of its life.
        """
        if self.expires_at is None:
            return True
        life = self.expires_at - self.issued_at
        return moment < self.expires_at - min(margin, life / 10)


def claims(access_token: str) -> dict[str, Any]:
    """The payload of a JSON web token, unverified: we only read what the server tells us about itself.

    :param access_token: the token.
    :return: its claims; empty if it is none.
    """
    parts = access_token.split(".")
    if len(parts) != 3:
        return {}
    try:
        payload = json.loads(base64.urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except ValueError:
        return {}
    return payload if isinstance(payload, dict) else {}


class Tokens(Protocol):
    """Gives the token for a call, and another one if it was refused."""

    def current(self) -> Token:
        """The token to use now; asks the server for one if need be."""
        ...

    def latest(self) -> Token | None:
        """The token that is known now, whoever got it; asks nobody."""
        ...

    def accepted(self, token: Token) -> None:
        """Remember that the server accepted a token."""
        ...

    def renew(self, refused: Token) -> Token:
        """Another token instead of one that the server refuses."""
        ...


class StaticTokens:
    """A personal access token: there is only this one.

    :param access_token: the token.
    """

    def __init__(self, access_token: str) -> None:
        self._token = Token(access_token)

    def current(self) -> Token:
        """The token."""
        return self._token

    def latest(self) -> Token | None:
        """The token."""
        return self._token

    def accepted(self, token: Token) -> None:
        """Nothing to remember.

        :param token: the token.
        """

    def renew(self, refused: Token) -> Token:
        """There is no other one.

        :param refused: the token.
        :raises UnauthenticatedError: always.
        """
        del refused
        raise UnauthenticatedError(
            "ProcessMaker does not accept the access token of the connection.",
            status=401,
            hint="It may be revoked, past its year, or of a deleted user, or the address may be wrong: "
            "make a new one under the user's API Tokens.",
        )


class GrantTokens:
    """Tokens by the password grant, renewed by the refresh grant; one caller at a time asks.

    :param settings: whose login it is.
    :param store: where tokens live between calls.
    :param password_grant: asks the server for a token by user name and password.
    :param refresh_grant: asks the server for a token by a refresh token.
    :param margin: seconds before its end at which a token is renewed. Default: 60.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        store: TokenStore,
        *,
        password_grant: Callable[[], Token],
        refresh_grant: Callable[[str], Token],
        margin: float = 60.0,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._key = login_key(settings)
        self._store = store
        self._password_grant = password_grant
        self._refresh_grant = refresh_grant
        self._margin = margin
        self._clock = clock
        self._accepted: str | None = None

    def current(self) -> Token:
        """The token to use now; refreshes or logs in if there is no good one.

        :raises LoginError: if the server refuses the credentials.
        """
        token = self.latest()
        if token and token.good_at(self._clock(), self._margin):
            return token
        with self._store.lock(self._key):
            token = self.latest()
            if token and token.good_at(self._clock(), self._margin):
                return token  # someone else was faster
            return self._ask(token)

    def latest(self) -> Token | None:
        """The token in the store, good or not."""
        return self._store.load(self._key)

    def accepted(self, token: Token) -> None:
        """Remember that the server accepted a token: if it is refused later, it was revoked.

        :param token: the token.
        """
        self._accepted = token.access_token

    def renew(self, refused: Token) -> Token:
        """Another token instead of one that was refused; the one in the store if it is another already.

        :param refused: the token that the server does not accept.
        :raises UnauthenticatedError: if it was issued a moment ago and never accepted.
        :raises LoginError: if the server refuses the credentials.
        """
        with self._store.lock(self._key):
            known = self.latest()
            if known and known.access_token != refused.access_token:
                return known
            age = self._clock() - refused.issued_at
            if 0 <= age < FRESH and self._accepted != refused.access_token:
                raise UnauthenticatedError(
                    "ProcessMaker issued a token and does not accept it.",
                    status=401,
                    hint="Another one would be refused too. Is the address in the connection the right one, "
                    "and does a proxy in between drop the Authorization header?",
                )
            return self._ask(refused)

    def _ask(self, old: Token | None) -> Token:
        """A new token: by the refresh token if there is one and it is accepted, else by the password."""
        token = self._refreshed(old.refresh_token) if old and old.refresh_token else None
        token = token or self._password_grant()
        self._store.save(self._key, token)
        return token

    def _refreshed(self, refresh_token: str) -> Token | None:
        try:
            return self._refresh_grant(refresh_token)
        except (RefreshTokenRefusedError, UnknownOutcomeError) as error:
            # In both cases the refresh token is gone. Any other error, such as a client that is refused or a
            # server that is not there, would meet the password as well.
            log.info("The refresh token is of no use any more; logging in with the password. (%s)", error.what)
            return None


def login_key(settings: Settings) -> str:
    """The name of a login: the same for the same server and credentials, and telling nothing of them.

    :param settings: the settings; path, time-outs and TLS do not matter.
    """
    where = urlsplit(settings.base_url)
    who = (settings.client_id, settings.client_secret, settings.username, settings.password)
    return hashlib.sha256(json.dumps([where.scheme, where.netloc, *who]).encode()).hexdigest()
