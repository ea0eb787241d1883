"""The two grants of ``POST /oauth/token``, and what its refusals mean."""

from __future__ import annotations

import logging
import math
import re
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from airflow_provider_processmaker.client.decoding import error_of, json_object, looks_like_html
from airflow_provider_processmaker.client.errors import LoginError, StatusError, UnexpectedAnswerError
from airflow_provider_processmaker.client.tokens import (
    UNTOLD_LIFETIME,
    RefreshTokenRefusedError,
    Token,
    claims,
)

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client.decoding import Answer
    from airflow_provider_processmaker.client.errors import ProcessMakerError
    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.transport import Transport

__all__ = ["Grants"]

log = logging.getLogger(__name__)

#: A token goes into a header, so it must not hold a space, a line break or the like.
_SENDABLE = re.compile(r"[\x21-\x7e]{1,16384}")


class Grants:
    """Asks the token endpoint for tokens.

    :param transport: sends the calls.
    :param clock: seconds since the epoch.
    """

    def __init__(self, transport: Transport, *, clock: Callable[[], float] = time.time) -> None:
        self._transport = transport
        self._clock = clock
        self._lock = threading.Lock()
        #: How often the endpoint was called for a token, also in vain.
        self.calls = 0

    @property
    def _settings(self) -> Settings:
        return self._transport.settings

    def by_password(self) -> Token:
        """A token by user name and password (``POST /oauth/token``, grant type ``password``).

        :raises LoginError: if client, user name or password are refused, or the server has no such grant.
        :raises RateLimitedError: past 60 calls a minute from this address.
        """
        settings = self._settings
        fields = {"grant_type": "password", "username": settings.username, "password": settings.password}
        # It may reach the server twice: the worst that can happen is a token that nobody uses.
        return self._ask(fields, repeatable=True)

    def by_refresh_token(self, refresh_token: str) -> Token:
        """A token by a refresh token, which is gone afterwards (``POST /oauth/token``, grant ``refresh_token``).

        :param refresh_token: the refresh token.
        :raises LoginError: if it or the client is refused.
        :raises UnknownOutcomeError: if the answer was lost; the refresh token is probably gone.
        """
        self._transport.scrub.learn([refresh_token])
        return self._ask({"grant_type": "refresh_token", "refresh_token": refresh_token}, repeatable=False)

    def _ask(self, fields: dict[str, str | None], *, repeatable: bool) -> Token:
        settings = self._settings
        form = {
            **fields,
            "client_id": settings.client_id,
            "client_secret": settings.client_secret,
            "scope": "",
        }
        asked_at = self._clock()
        answer = self._transport.send(
            "POST",
            settings.token_url,
            body=urlencode({key: value or "" for key, value in form.items()}).encode(),
            content_type="application/x-www-form-urlencoded",
            repeatable=repeatable,
            on_attempt=partial(self._count, fields["grant_type"]),
        )
        if answer.status != 200:
            raise _refusal(answer, fields["grant_type"] or "", idempotent=repeatable)
        token = _token(answer, asked_at)
        self._transport.scrub.learn(token.secrets)
        log.info(
            "Logged in to %s as %s by the %s grant.",
            settings.base_url,
            settings.username,
            fields["grant_type"],
            extra={"processmaker_grant": fields["grant_type"]},
        )
        return token

    def _count(self, grant: str | None) -> None:
        with self._lock:
            self.calls += 1
        log.info(
            "Asking %s for a token by the %s grant.",
            self._settings.base_url,
            grant,
            extra={"processmaker_token_call": grant},
        )


def _token(answer: Answer, asked_at: float) -> Token:
    body = answer.json()
    access_token = body.get("access_token") if isinstance(body, dict) else None
    if not isinstance(access_token, str) or not _SENDABLE.fullmatch(access_token):
        raise UnexpectedAnswerError(
            "The token endpoint answered without a token.", hint="Is this ProcessMaker?", **answer.where
        )
    refresh_token = body.get("refresh_token")
    return Token(
        access_token=access_token,
        refresh_token=refresh_token if isinstance(refresh_token, str) and _SENDABLE.fullmatch(refresh_token) else None,
        issued_at=asked_at,
        expires_at=asked_at + _lifetime(body.get("expires_in"), access_token),
    )


def _lifetime(expires_in: Any, access_token: str) -> float:
    """Seconds that a token lives: as told, else by its own claims, else a cautious guess."""
    told = claims(access_token)
    for value in (expires_in, _difference(told.get("exp"), told.get("iat"))):
        seconds = _number(value)
        if seconds is not None and 0 < seconds < 1e10:
            return seconds
    return UNTOLD_LIFETIME


def _number(value: Any) -> float | None:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        return None
    return number if math.isfinite(number) and not isinstance(value, bool) else None


def _difference(end: Any, start: Any) -> float | None:
    first, last = _number(start), _number(end)
    return None if first is None or last is None else last - first


def _refusal(answer: Answer, grant: str, *, idempotent: bool) -> ProcessMakerError:
    """The error for a token endpoint that did not give a token."""
    general = error_of(answer, idempotent=idempotent)
    if isinstance(general, UnexpectedAnswerError):
        return general
    code = json_object(answer).get("error")
    if isinstance(code, str) and code in _REFUSALS:
        where = {**answer.where, "server_message": general.server_message}
        if grant == "refresh_token" and code in {"invalid_request", "invalid_grant"}:
            return RefreshTokenRefusedError("ProcessMaker refuses the refresh token.", **where)
        what, hint = _REFUSALS[code]
        return LoginError(what, hint=hint, **where)
    if answer.status in {401, 404, 405} or looks_like_html(answer):
        return _not_processmaker(answer, general)
    return general


def _not_processmaker(answer: Answer, general: ProcessMakerError) -> ProcessMakerError:
    if not isinstance(general, StatusError) or general.retryable:
        return general
    return type(general)(
        "There is no ProcessMaker token endpoint at this address.",
        server_message=general.server_message,
        hint="Is the address in the connection that of ProcessMaker itself, without a path of something else?",
        **answer.where,
    )


_REFUSALS: dict[str, tuple[str, str | None]] = {
    "invalid_client": (
        "ProcessMaker refuses the client.",
        (
            "Check client id and client secret, and that the client has Enable Password Grant ticked (Admin > "
            "Auth Clients) and is not revoked."
        ),
    ),
    "invalid_grant": (
        "ProcessMaker refuses the user name or the password.",
        (
            "It must be the user name, not the e-mail address, of a user with a password of ProcessMaker's own "
            "(not LDAP, SAML or other single sign-on)."
        ),
    ),
    # Servers before 4.3 spell invalid_grant so, with 401.
    "invalid_credentials": ("ProcessMaker refuses the user name or the password.", "Check both."),
    "invalid_request": ("ProcessMaker finds the login incomplete.", "Check the fields of the connection."),
    "unsupported_grant_type": (
        "This ProcessMaker offers no password grant.",
        "4.14.0 and 4.14.1 lack it: upgrade to 4.14.2, or use a personal access token.",
    ),
    "invalid_scope": ("ProcessMaker refuses the scope.", None),
    "unauthorized_client": (
        "ProcessMaker does not allow this client the password grant.",
        "Check its settings.",
    ),
}
