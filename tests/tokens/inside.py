"""The token endpoint and the API inside this process, with a clock that stands still: no sockets, no waiting.

What answers is the stand-in's own code, and what asks is the client's: all of it but the transport between them.
"""

from __future__ import annotations

import json
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs, urlsplit

from airflow_provider_processmaker.client import Settings, TransportError, UnknownOutcomeError
from airflow_provider_processmaker.client.decoding import Answer
from airflow_provider_processmaker.client.grants import Grants
from airflow_provider_processmaker.client.scrubbing import Scrubber
from airflow_provider_processmaker.client.session import ApiSession, Call
from airflow_provider_processmaker.client.tokens import GrantTokens
from airflow_provider_processmaker.testing import seed
from airflow_provider_processmaker.testing.clock import Clock
from airflow_provider_processmaker.testing.http import Request
from airflow_provider_processmaker.testing.oauth import OAuthSettings, TokenEndpoint
from airflow_provider_processmaker.testing.state import State, hash_password

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import Timing, Token
    from airflow_provider_processmaker.client.token_store import TokenStore

__all__ = ["PASSWORD", "Killed", "Process", "Server", "StillClock", "settings_of"]

PASSWORD = "admin123"
DAY = 86_400.0


class StillClock(Clock):
    """A clock that a test moves, and nothing else."""

    def now(self) -> float:
        return self.offset


class Killed(BaseException):
    """The process is gone in the middle of a call."""


class Server:
    """A ProcessMaker: what happens to the next token calls is told by :attr:`next`, one word for each.

    ``"unreachable"``, ``"lost"`` (done, and the answer is lost), ``"killed before"`` and ``"killed after"`` (the caller
    dies), ``"503"``, ``"429"`` (for a minute).
    """

    def __init__(self, access_token_seconds: float = 7 * DAY, refresh_token_seconds: float = 365 * DAY) -> None:
        self.clock = StillClock()
        self.clock.offset = 1_800_000_000.0
        self.state = State(self.clock)
        self.client = seed.fill(self.state, 3, "secret-of-the-client")
        self.endpoint = TokenEndpoint(self.state, OAuthSettings(access_token_seconds, refresh_token_seconds))
        self.next: list[str] = []
        #: Of the token endpoint: grant, and what came of it: a fault, 200 or the code of an error.
        self.grants: list[tuple[str, str]] = []
        #: The tokens that calls of the API were made with, and their statuses.
        self.used: list[tuple[str, int]] = []
        self.on_grant: Callable[[dict[str, str]], None] = lambda form: None

    def set_password(self, password: str = PASSWORD) -> None:
        user = self.state.user_named("admin")
        assert user is not None
        user.password = hash_password(password)

    def alive(self) -> list[str]:
        """The access tokens that open something now."""
        return [text for text in self.state.tokens.access if self.state.tokens.valid(text)]

    def revoke(self, *, refresh: bool = False) -> None:
        """Revoke all access tokens, or all refresh tokens."""
        for token in (self.state.tokens.refresh if refresh else self.state.tokens.access).values():
            token.revoked = True

    def outcomes(self) -> list[str]:
        """What came of the token calls, and forget them."""
        found, self.grants = [outcome for _, outcome in self.grants], []
        return found


class Transport:
    """Takes the place of the client's own."""

    def __init__(self, server: Server, settings: Settings) -> None:
        self.server = server
        self.settings = settings
        self.scrub = Scrubber(settings.secrets)

    def send(self, method: str, url: str, *, body: bytes | None = None, auth: Any = None, **options: Any) -> Answer:
        path = urlsplit(url).path
        if path.endswith("/oauth/token"):
            options["on_attempt"]()
            return self._grant(path, body or b"", repeatable=options["repeatable"])
        call = SimpleNamespace(headers={})
        auth(call)
        token = call.headers["Authorization"].removeprefix("Bearer ")
        status = 200 if self.server.state.tokens.valid(token) else 401
        self.server.used.append((token, status))
        return self._answer(method, path, status, b"{}")

    def _grant(self, path: str, body: bytes, *, repeatable: bool) -> Answer:
        server, form = self.server, {name: values[0] for name, values in parse_qs(body.decode()).items()}
        server.on_grant(form)
        fault = server.next.pop(0) if server.next else ""
        status = 200
        answer = b"{}"
        if fault in {"unreachable", "killed before"}:
            outcome = fault
        elif fault in {"503", "429"}:
            outcome, status = fault, int(fault)
        else:
            response = server.endpoint(self._request(path, body))
            status, answer = response.status, response.body
            outcome = fault or json.loads(answer).get("error", "200")
        server.grants.append((form["grant_type"], outcome))
        if fault.startswith("killed"):
            raise Killed
        if fault == "unreachable" or (fault == "lost" and repeatable):
            raise TransportError("No connection.", method="POST", path=path)
        if fault == "lost":
            raise UnknownOutcomeError("The answer was lost.", method="POST", path=path)
        return self._answer("POST", path, status, answer, {"retry-after": "60"} if fault == "429" else {})

    def _request(self, path: str, body: bytes) -> Request:
        headers = [("content-type", "application/x-www-form-urlencoded"), ("accept", "application/json")]
        request = Request("POST", path, "", headers, body, client="127.0.0.1", base_url="")
        request.state = self.server.state
        return request

    def _answer(self, method: str, path: str, status: int, body: bytes, headers: Any = None) -> Answer:
        headers = {"content-type": "application/json", **(headers or {})}
        return Answer(method, path, status, headers, body, self.scrub, self.settings.base_url)


def settings_of(server: Server, **changes: Any) -> Settings:
    """Settings of the administrator."""
    values = {
        "base_url": "https://pm.example.com",
        "username": "admin",
        "password": PASSWORD,
        "client_id": str(server.client.id),
        "client_secret": "secret-of-the-client",
    }
    return Settings(**{**values, **changes})


class Process:
    """A process of a machine, as a task is: it shares with others what its store keeps."""

    def __init__(
        self,
        server: Server,
        store: TokenStore,
        *,
        on_token: Callable[[Token], None] | None = None,
        timing: Timing | None = None,
        clock: Callable[[], float] | None = None,
        sleep: Callable[[float], None] | None = None,
        **changes: Any,
    ) -> None:
        self.settings = settings_of(server, **changes)
        transport: Any = Transport(server, self.settings)
        clock = clock or server.clock.now
        self.grants = Grants(transport, clock=clock)
        self.tokens = GrantTokens(
            self.settings,
            store,
            password_grant=self.grants.by_password,
            refresh_grant=self.grants.by_refresh_token,
            timing=timing,
            clock=clock,
            sleep=sleep,
        )
        self.session = ApiSession(transport, self.tokens, on_token=on_token)

    def call(self) -> None:
        """Call the API once."""
        url = f"{self.settings.api_url}/groups"
        self.session.send(Call(method="GET", url=url, repeatable=True))
