"""Calls of the REST API: bearer token, the 401 rule, error mapping."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from requests.auth import AuthBase

from airflow_provider_processmaker.client.decoding import error_of
from airflow_provider_processmaker.client.errors import ForbiddenError, UnauthenticatedError

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    import requests

    from airflow_provider_processmaker.client.decoding import Answer
    from airflow_provider_processmaker.client.errors import ProcessMakerError
    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.tokens import Token, Tokens
    from airflow_provider_processmaker.client.transport import Transport

__all__ = ["ApiSession", "Call"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """One call of the API, ready to be sent as often as need be.

    :param method: HTTP method.
    :param url: full URL without a query.
    :param params: query parameters as texts.
    :param body: encoded body.
    :param content_type: its type.
    :param repeatable: whether it may reach the server twice.
    :param read_timeout: seconds to wait for the next piece of the answer; None: as the settings say.
    """

    method: str
    url: str
    params: Mapping[str, str] | None = None
    body: bytes | None = None
    content_type: str | None = None
    repeatable: bool = False
    read_timeout: float | None = None


class _Bearer(AuthBase):
    """Asks for the token each time a call leaves, and remembers which one that was."""

    def __init__(self, token: Callable[[], Token], notice: Callable[[Token], None]) -> None:
        self._token = token
        self._notice = notice
        self.used: Token | None = None

    def __call__(self, request: requests.PreparedRequest) -> requests.PreparedRequest:
        self.used = self._token()
        self._notice(self.used)
        request.headers["Authorization"] = f"Bearer {self.used.access_token}"
        return request


class ApiSession:
    """Sends calls with the token of a login; an error status becomes a typed error.

    :param transport: sends the calls.
    :param tokens: gives the tokens.
    :param on_token: told of each token before anything is done with it, and again at each use, in the thread of the
        call: what one thread may not do with a token, another one can.
    """

    def __init__(
        self, transport: Transport, tokens: Tokens, *, on_token: Callable[[Token], None] | None = None
    ) -> None:
        self._transport = transport
        self.tokens = tokens
        self._on_token = on_token
        self._seen: Token | None = None
        tokens.tell(self._notice)

    @property
    def settings(self) -> Settings:
        """The settings of the connection."""
        return self._transport.settings

    def send(self, call: Call) -> Answer:
        """Send a call.

        :param call: the call.
        :return: an answer with a status of 2xx.
        :raises StatusError: for an error status, one class for each kind.
        :raises TransportError: if no usable answer came.
        :raises UnknownOutcomeError: if a write may or may not have been done.
        :raises UnexpectedAnswerError: for a redirect.
        """
        answer, used = self._send(call, self.tokens.current)
        if answer.status == 401 and used:
            answer = self._after_refusal(call, answer, used)
        if 200 <= answer.status < 300:
            return answer
        error = error_of(answer, idempotent=call.repeatable)
        if isinstance(error, ForbiddenError) and self.settings.username:
            error.what = f'The user "{self.settings.username}" lacks the permission.'
        raise error

    def token(self) -> Token:
        """The token to use now; asks the server for one if need be."""
        token = self.tokens.current()
        self._notice(token)
        return token

    def log_in(self) -> Token:
        """A token that shows that the credentials are right now."""
        token = self.tokens.log_in()
        self._notice(token)
        return token

    def close(self) -> None:
        """Close every pooled connection."""
        self._transport.close()

    def _notice(self, token: Token) -> None:
        """Before a token is used: whoever keeps it out of logs must know it."""
        if token is not self._seen:
            self._transport.scrub.learn(token.secrets)
            self._seen = token
        if self._on_token:
            self._on_token(token)

    def _send(self, call: Call, token: Callable[[], Token]) -> tuple[Answer, Token | None]:
        """The answer, and the token that was used in the end."""
        bearer = _Bearer(token, self._notice)
        answer = self._transport.send(
            call.method,
            call.url,
            params=call.params,
            body=call.body,
            content_type=call.content_type,
            auth=bearer,
            repeatable=call.repeatable,
            read_timeout=call.read_timeout,
        )
        if 200 <= answer.status < 300 and bearer.used:
            self.tokens.accepted(bearer.used)
        return answer, bearer.used

    def _after_refusal(self, call: Call, answer: Answer, refused: Token) -> Answer:
        """The 401 rule: a 401 comes before anything is done, so every call, also a write, can be sent again."""
        latest = self.tokens.latest()
        if latest and latest.access_token != refused.access_token:
            # Someone has renewed it meanwhile.
            answer, _ = self._send(call, lambda: latest)
            if answer.status != 401:
                return answer
            refused = latest
        if self._works(refused):
            raise _wrong_path(answer)
        try:
            renewed = self.tokens.renew(refused)
        except UnauthenticatedError as error:
            error.method, error.path, error.server = answer.method, answer.path, answer.server
            raise
        answer, _ = self._send(call, lambda: renewed)
        if answer.status == 401 and self._works(renewed):
            raise _wrong_path(answer)
        return answer

    def _works(self, token: Token) -> bool:
        """Tell whether the server accepts a token where every user may look: at himself.

        :raises ProcessMakerError: if the server cannot tell now, as while it is in maintenance.
        """
        # A token that does not tell its user is tried where a good one meets 200, or 404 before version 4.12.
        url = f"{self.settings.api_url}/users/{token.user_id or 'configuration'}"
        answer, _ = self._send(Call(method="GET", url=url, repeatable=True), lambda: token)
        if answer.status in {200, 403, 404}:
            return True
        if answer.status == 401:
            return False
        raise error_of(answer, idempotent=True)


def _wrong_path(answer: Answer) -> ProcessMakerError:
    return UnauthenticatedError(
        "ProcessMaker accepts the token, but not on this path: it is not part of the API.",
        hint="Check the endpoint. The token is kept.",
        **answer.where,
    )
