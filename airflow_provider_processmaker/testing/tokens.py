"""Access and refresh tokens: how they look, who holds them, when they die."""

from __future__ import annotations

import base64
import json
import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.clock import Clock


@dataclass
class AccessToken:
    """An access token, granted or personal."""

    text: str = field(repr=False)
    id: str
    user_id: int | None
    client_id: int
    issued_at: float
    expires_at: float
    name: str | None = None
    personal: bool = False
    revoked: bool = False


@dataclass
class RefreshToken:
    """A refresh token and the access token that it was issued with."""

    text: str = field(repr=False)
    access: AccessToken
    expires_at: float
    revoked: bool = False


@dataclass
class AuthorizationCode:
    """A code that a person's browser brought back."""

    text: str = field(repr=False)
    user_id: int
    client_id: int
    redirect_uri: str | None
    expires_at: float
    revoked: bool = False


class TokenTable:
    """All tokens ever issued."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.access: dict[str, AccessToken] = {}
        self.refresh: dict[str, RefreshToken] = {}
        self.codes: dict[str, AuthorizationCode] = {}

    def new_access(
        self, user_id: int | None, client_id: int, seconds: float, name: str | None = None, *, personal: bool = False
    ) -> AccessToken:
        """
        Issue an access token.

        :param user_id: whose; ``None`` for a client's own.
        :param client_id: the client.
        :param seconds: how long it lives.
        :param name: of a personal one.
        :param personal: made by a user for his own scripts.
        """
        now = self.clock.now()
        token_id = secrets.token_hex(40)
        claims = {
            "aud": str(client_id),
            "jti": token_id,
            "iat": now,
            "nbf": now,
            "exp": now + seconds,
            "sub": "" if user_id is None else str(user_id),
            "scopes": [],
        }
        token = AccessToken(_jwt(claims), token_id, user_id, client_id, now, now + seconds, name, personal)
        self.access[token.text] = token
        return token

    def new_refresh(self, access: AccessToken, seconds: float) -> RefreshToken:
        """
        Issue a refresh token.

        :param access: issued with it.
        :param seconds: how long it lives.
        """
        token = RefreshToken(f"def50200{secrets.token_hex(312)}", access, self.clock.now() + seconds)
        self.refresh[token.text] = token
        return token

    def new_code(self, user_id: int, client_id: int, redirect_uri: str | None) -> AuthorizationCode:
        """
        Issue an authorization code; it lives ten minutes.

        :param user_id: who approved.
        :param client_id: the client.
        :param redirect_uri: where the browser was sent.
        """
        text = f"def50200{secrets.token_hex(312)}"
        code = AuthorizationCode(text, user_id, client_id, redirect_uri, self.clock.now() + 600)
        self.codes[text] = code
        return code

    def valid(self, text: str) -> AccessToken | None:
        """
        The token if it still opens anything.

        :param text: as it stood in the header.
        """
        token = self.access.get(text)
        if token is None or token.revoked or token.expires_at <= self.clock.now():
            return None
        return token

    def personal_of(self, user_id: int) -> list[AccessToken]:
        """
        The personal tokens of a user that are not revoked.

        :param user_id: whose.
        """
        return [
            token for token in self.access.values() if token.personal and token.user_id == user_id and not token.revoked
        ]


def _segment(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _jwt(claims: dict[str, Any]) -> str:
    # Nobody checks the signature: the server knows its tokens by heart, and clients cannot have its key.
    header = _segment(b'{"typ":"JWT","alg":"RS256"}')
    return f"{header}.{_segment(json.dumps(claims).encode())}.{_segment(secrets.token_bytes(512))}"
