"""A token, who asks for one, and when."""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_processmaker.client.errors import (
    LoginError,
    UnauthenticatedError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
)
from airflow_provider_processmaker.client.token_store import Refusal, login_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.token_store import TokenStore

__all__ = ["GrantTokens", "StaticTokens", "Timing", "Token", "Tokens"]

log = logging.getLogger(__name__)

#: A token that was issued less than so many seconds ago and was never accepted is not replaced when it is
#: refused: another one would be refused too, and each leaves a row with a year of life on the server.
FRESH = 5.0

_ID = re.compile(r"[A-Za-z0-9-]{1,64}")

#: Lifetime in seconds if the server does not tell one that makes sense.
UNTOLD_LIFETIME = 300.0


@dataclass(frozen=True, slots=True)
class Timing:
    """When tokens are asked for, in seconds.

    :param refresh_margin: how long before its end a token is renewed, at most a tenth of its life.
    :param brake_window: how long a refused login is not tried again with the same credentials; 0: never mind.
    """

    refresh_margin: float = 60.0
    brake_window: float = 30.0


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
        """The id of the token's user, read from the token itself; None if that does not tell it."""
        subject = claims(self.access_token).get("sub")
        if isinstance(subject, int) and not isinstance(subject, bool):
            return str(subject)
        # It becomes a part of a URL, so it has to look like an id.
        return subject if isinstance(subject, str) and _ID.fullmatch(subject) else None

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
    except (ValueError, RecursionError):
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

    def log_in(self) -> Token:
        """A token that shows that the credentials are right now."""
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

    def log_in(self) -> Token:
        """The token."""
        return self._token

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
    """Tokens by the password grant, renewed by the refresh grant near their end; one caller at a time asks.

    :param settings: whose login it is.
    :param store: where tokens live between calls.
    :param password_grant: asks the server for a token by user name and password.
    :param refresh_grant: asks the server for a token by a refresh token.
    :param timing: when a token is renewed, and how long a refused login rests.
    :param clock: seconds since the epoch.
    """

    def __init__(
        self,
        settings: Settings,
        store: TokenStore,
        *,
        password_grant: Callable[[], Token],
        refresh_grant: Callable[[str], Token],
        timing: Timing | None = None,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._login = login_of(settings)
        self._store = store
        self._password_grant = password_grant
        self._refresh_grant = refresh_grant
        self._timing = timing or Timing()
        self._clock = clock
        self._accepted: str | None = None

    def current(self) -> Token:
        """The token to use now; refreshes or logs in if there is no good one.

        :raises LoginError: if the server refuses the credentials.
        """
        token = self.latest()
        if token and token.good_at(self._clock(), self._timing.refresh_margin):
            return token
        with self._store.lock(self._login):
            token = self.latest()
            if token and token.good_at(self._clock(), self._timing.refresh_margin):
                return token  # someone else was faster
            return self._ask(token)

    def latest(self) -> Token | None:
        """The token in the store, good or not."""
        return self._store.load(self._login)

    def accepted(self, token: Token) -> None:
        """Remember that the server accepted a token: if it is refused later, it was revoked.

        :param token: the token.
        """
        self._accepted = token.access_token

    def log_in(self) -> Token:
        """A new token by the password, whatever is in the store; asks even if the login was refused a moment ago.

        :raises LoginError: if the server refuses the credentials.
        """
        with self._store.lock(self._login):
            return self._save(self._by_password())

    def renew(self, refused: Token) -> Token:
        """Another token instead of one that was refused; the one in the store if it is another already.

        :param refused: the token that the server does not accept.
        :raises UnauthenticatedError: if it was issued a moment ago and never accepted.
        :raises LoginError: if the server refuses the credentials.
        """
        with self._store.lock(self._login):
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
            # By the password: a refresh token gives a token to a deleted user too, which is refused again.
            return self._save(self._braked())

    def _ask(self, old: Token | None) -> Token:
        """A new token: by the refresh token if there is one and it is accepted, else by the password."""
        token = self._refreshed(old.refresh_token) if old and old.refresh_token else None
        return self._save(token or self._braked())

    def _braked(self) -> Token:
        """A token by the password, unless the same credentials were refused a moment ago."""
        now, window = self._clock(), self._timing.brake_window
        refusal = self._store.refusal(self._login)
        if refusal and 0 <= now - refusal.at < window:
            raise LoginError(
                refusal.what,
                status=refusal.status,
                hint=f"{refusal.hint or ''} It was refused {now - refusal.at:.0f} s ago, and is not tried again with "
                f"the same credentials for {window:.0f} s; the Test button of the connection always tries.".strip(),
            )
        return self._by_password()

    def _by_password(self) -> Token:
        try:
            return self._password_grant()
        except LoginError as error:
            self._store.refuse(self._login, Refusal(self._clock(), error.what, error.hint, error.status))
            raise

    def _save(self, token: Token) -> Token:
        self._store.save(self._login, token)
        return token

    def _refreshed(self, refresh_token: str) -> Token | None:
        try:
            return self._refresh_grant(refresh_token)
        except (RefreshTokenRefusedError, UnknownOutcomeError, UnexpectedAnswerError) as error:
            # In these cases the refresh token is gone. Any other error, such as a client that is refused or a
            # server that is not there, would meet the password as well.
            log.info("The refresh token is of no use any more; logging in with the password. (%s)", error.what)
            return None
