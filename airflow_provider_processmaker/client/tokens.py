"""A token, who asks for one, and when."""

from __future__ import annotations

import base64
import json
import logging
import re
import time
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Protocol

from airflow_provider_processmaker.client.errors import (
    LoginError,
    ProcessMakerError,
    RateLimitedError,
    UnauthenticatedError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
)
from airflow_provider_processmaker.client.retrying import LONGEST_WAIT
from airflow_provider_processmaker.client.token_store import Refusal, login_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

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

    def alive_at(self, moment: float) -> bool:
        """Tell whether a moment is before its end.

        :param moment: seconds since the epoch.
        """
        return self.good_at(moment, 0)


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

    def tell(self, notice: Callable[[Token], None]) -> None:
        """From now on, tell of each token before anything is done with it."""
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

    def tell(self, notice: Callable[[Token], None]) -> None:
        """Nothing is done with the token but to use it.

        :param notice: takes a token.
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
    """Tokens by the password grant, renewed by the refresh grant near their end; one caller at a time asks.

    :param settings: whose login it is.
    :param store: where tokens live between calls.
    :param password_grant: asks the server for a token by user name and password.
    :param refresh_grant: asks the server for a token by a refresh token.
    :param timing: when a token is renewed, and how long a refused login rests.
    :param clock: seconds since the epoch.
    :param sleep: sits out, for some seconds, what is left of a 429 that someone else has met; None: never do that.
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
        sleep: Callable[[float], None] | None = None,
    ) -> None:
        self._login = login_of(settings)
        self._sleep = sleep
        self._store = store
        self._password_grant = password_grant
        self._refresh_grant = refresh_grant
        self._timing = timing or Timing()
        self._clock = clock
        self._accepted: str | None = None
        self._notice: Callable[[Token], None] | None = None
        self._noticed: Token | None = None
        self._warned: str | None = None

    def tell(self, notice: Callable[[Token], None]) -> None:
        """From now on, tell of each token before anything is done with it, also if it is only read or refreshed.

        :param notice: takes a token, in the thread of the call.
        """
        self._notice = notice

    def current(self) -> Token:
        """The token to use now; refreshes or logs in if there is no good one.

        :raises LoginError: if the server refuses the credentials, or did so a moment ago.
        :raises RateLimitedError: if the server has had too many token calls.
        """
        token = self.latest()
        if token and token.good_at(self._clock(), self._timing.refresh_margin):
            return token
        with self._store.lock(self._login):
            token = self.latest()
            if token and token.good_at(self._clock(), self._timing.refresh_margin):
                return token  # someone else was faster
            return self._before_its_end(token) if token and token.alive_at(self._clock()) else self._ask(token)

    def latest(self) -> Token | None:
        """The token in the store, good or not."""
        token = self._store.load(self._login)
        return token and self._told_of(token)

    def accepted(self, token: Token) -> None:
        """Remember that the server accepted a token: if it is refused later, it was revoked.

        :param token: the token.
        """
        if self._accepted == token.access_token:
            return
        self._accepted = token.access_token
        if self._fresh(token) and not self._store.accepted(self._login, token):
            self._store.accept(self._login, token)

    def log_in(self) -> Token:
        """A new token by the password, whatever is in the store; asks even if the login was refused a moment ago.

        :raises LoginError: if the server refuses the credentials.
        """
        with self._store.lock(self._login), self._noted():
            return self._save(self._password_grant())

    def renew(self, refused: Token) -> Token:
        """Another token instead of one that was refused; the one in the store if it is another already.

        :param refused: the token that the server does not accept.
        :raises UnauthenticatedError: if it was issued a moment ago and never accepted.
        :raises LoginError: if the server refuses the credentials, or did so a moment ago.
        """
        with self._store.lock(self._login):
            known = self.latest()
            if known and known.access_token != refused.access_token:
                return known if known.alive_at(self._clock()) else self._ask(known)
            if known:
                if self._fresh(refused) and not self._was_accepted(refused):
                    raise _never_accepted()
                # It is dead: whatever comes of the grant, nobody is to find it again.
                self._store.forget(self._login)
            # By the password: a refresh token gives a token to a deleted user too, which is refused again.
            return self._ask(None)

    def _fresh(self, token: Token) -> bool:
        return 0 <= self._clock() - token.issued_at < FRESH

    def _was_accepted(self, token: Token) -> bool:
        """Whether a call of any process was answered with this token."""
        return self._accepted == token.access_token or self._store.accepted(self._login, token)

    def _before_its_end(self, old: Token) -> Token:
        """A new token in good time; the old one while it lives, if there is none to be had."""
        try:
            return self._ask(old, early=True)
        except ProcessMakerError as error:
            if not old.alive_at(self._clock()):
                raise
            if self._warned != old.access_token:
                self._warned = old.access_token
                log.warning("The token could not be renewed in good time; it is used until its end. %s", error)
            return old

    def _ask(self, old: Token | None, *, early: bool = False) -> Token:
        """A new token: by the refresh token if there is one and it is accepted, else by the password.

        :param early: whether there is time: the old one is still good.
        """
        self._brake(early=early)
        with self._noted(early=early):
            token = self._refreshed(old, old.refresh_token) if old and old.refresh_token else None
            return self._save(token or self._password_grant())

    def _brake(self, *, early: bool) -> None:
        """Raise what the server said a moment ago, if it is not to be asked again so soon."""
        refusal = self._store.refusal(self._login)
        error = refusal and refusal.error_at(self._clock(), self._timing.brake_window)
        rest = error.retry_after if isinstance(error, RateLimitedError) else None
        if rest is not None and self._sleep and not early and rest <= LONGEST_WAIT:
            log.info("ProcessMaker has had too many token calls; waiting %.0f s, as it asked somebody to.", rest)
            self._sleep(rest)
        elif error and (early or isinstance(error, LoginError | RateLimitedError)):
            raise error

    @contextmanager
    def _noted(self, *, early: bool = False) -> Iterator[None]:
        """Remember for all a refusal that the others would only meet again.

        An outage is remembered only where there is time: who needs a token has to try.
        """
        try:
            yield
        except ProcessMakerError as error:
            if early or isinstance(error, LoginError | RateLimitedError):
                self._store.refuse(self._login, Refusal(self._clock(), error.as_dict(), _rest(error)))
            raise

    def _save(self, token: Token) -> Token:
        self._told_of(token)
        self._store.save(self._login, token)
        return token

    def _told_of(self, token: Token) -> Token:
        if self._notice and token is not self._noticed:
            self._notice(token)
            self._noticed = token
        return token

    def _refreshed(self, old: Token, refresh_token: str) -> Token | None:
        try:
            return self._refresh_grant(refresh_token)
        except (RefreshTokenRefusedError, UnknownOutcomeError, UnexpectedAnswerError) as error:
            # In these cases the refresh token is gone. Any other error, such as a client that is refused or a
            # server that is not there, would meet the password as well.
            log.info("The refresh token is of no use any more; logging in with the password. (%s)", error.what)
            # Nobody is to send it again if the password does not help either.
            self._save(replace(old, refresh_token=None))
            return None


def _rest(error: ProcessMakerError) -> float | None:
    # What a server that refuses a login says about waiting is not for us: a corrected login need not wait.
    return error.retry_after if error.retryable else None


def _never_accepted() -> UnauthenticatedError:
    return UnauthenticatedError(
        "ProcessMaker issued a token and does not accept it.",
        status=401,
        hint="Another one would be refused too. Is the address in the connection the right one, "
        "and does a proxy in between drop the Authorization header?",
    )
