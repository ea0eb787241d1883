"""The token endpoint: password, refresh, client and code grants, and their errors, which are JSON for everyone."""

from __future__ import annotations

import base64
import binascii
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.http import Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import Client, State
    from airflow_provider_processmaker.testing.tokens import AccessToken

_MALFORMED = (
    "The request is missing a required parameter, includes an invalid parameter value, "
    "includes a parameter more than once, or is otherwise malformed."
)
_REFRESH_INVALID = "The refresh token is invalid."
_WRONG_CREDENTIALS = "The user credentials were incorrect."


@dataclass
class OAuthSettings:
    """
    How this server issues tokens.

    :param access_token_seconds: life of an access token.
    :param refresh_token_seconds: life of a refresh token.
    :param password_grant: ``False`` is a server of 4.14.0 or 4.14.1, which forgot to turn it on.
    :param errors: ``"8"`` is 4.15; ``"7"`` answers a bad password with 401 ``invalid_credentials`` (4.0), ``"9"`` a bad
        refresh token with 400 ``invalid_grant`` (newer ones).
    """

    access_token_seconds: float = 31_536_000
    refresh_token_seconds: float = 31_536_000
    password_grant: bool = True
    errors: str = "8"


class OAuthError(Exception):
    """An error of the endpoint, in its own JSON."""

    def __init__(self, status: int, error: str, description: str, hint: str | None = None) -> None:
        super().__init__(error)
        self.status = status
        self.body = {"error": error, "error_description": description}
        if hint is not None:
            self.body["hint"] = hint
        self.body["message"] = description


def _missing(parameter: str) -> OAuthError:
    return OAuthError(400, "invalid_request", _MALFORMED, f"Check the `{parameter}` parameter")


class TokenEndpoint:
    """
    ``POST /oauth/token``.

    :param state: the server's data.
    :param settings: lifetimes and age of the server.
    """

    def __init__(self, state: State, settings: OAuthSettings) -> None:
        self.state = state
        self.settings = settings

    def __call__(self, request: Request) -> Response:
        """
        Answer a call that the throttle let pass.

        :param request: the call.
        """
        if request.is_json and request.body and request.raw_json is None:
            return Response.json({"message": "Bad request."}, 400, pretty=True)
        try:
            answer = self._grant(request)
        except OAuthError as error:
            response = Response.json(error.body, error.status)
            if error.body["error"] == "invalid_client" and "authorization" in request.headers:
                response.headers["WWW-Authenticate"] = 'Basic realm="OAuth"'
            return response
        response = Response.json(answer)
        response.headers = {"Content-Type": "application/json; charset=UTF-8", "pragma": "no-cache"}
        response.cache_control = "no-store, private"
        return response

    def _grant(self, request: Request) -> dict[str, Any]:
        grants: dict[str, Callable[[Request, Client], dict[str, Any]]] = {
            "password": self._password,
            "refresh_token": self._refresh,
            "client_credentials": self._client_credentials,
            "authorization_code": self._authorization_code,
        }
        if not self.settings.password_grant:
            del grants["password"]
        grant = request.body_input.get("grant_type")
        if not isinstance(grant, str) or grant not in grants:
            raise OAuthError(
                400,
                "unsupported_grant_type",
                "The authorization grant type is not supported by the authorization server.",
                "Check that all required parameters have been provided",
            )
        return grants[grant](request, self._client(request, grant))

    def _client(self, request: Request, grant: str) -> Client:
        basic_id, basic_secret = _basic(request.headers.get("authorization", ""))
        client_id = _scalar(request, "client_id") or basic_id
        if client_id is None:
            raise _missing("client_id")
        secret = _scalar(request, "client_secret") or basic_secret
        client = self.state.clients.get(int(client_id)) if client_id.isdigit() else None
        redirect = _scalar(request, "redirect_uri")
        if (
            client is None
            or client.revoked
            or secret != client.secret
            or not _may_use(client, grant)
            or (redirect is not None and redirect not in client.redirect.split(","))
        ):
            raise OAuthError(401, "invalid_client", "Client authentication failed")
        return client

    def _check_scope(self, request: Request) -> None:
        for scope in (_scalar(request, "scope") or "").split():
            if scope != "*":
                raise OAuthError(
                    400,
                    "invalid_scope",
                    "The requested scope is invalid, unknown, or malformed",
                    f"Check the `{scope}` scope",
                )

    def _password(self, request: Request, client: Client) -> dict[str, Any]:
        self._check_scope(request)
        username, password = _scalar(request, "username"), _scalar(request, "password")
        if username is None:
            raise _missing("username")
        if password is None:
            raise _missing("password")
        user = self.state.user_named(username)
        # Neither the status nor an outdated password matters here: only web logins look at them.
        if user is None or not user.has_password(password):
            if self.settings.errors == "7":
                raise OAuthError(401, "invalid_credentials", _WRONG_CREDENTIALS)
            raise OAuthError(400, "invalid_grant", _WRONG_CREDENTIALS)
        return self._issue(user.id, client)

    def _refresh(self, request: Request, client: Client) -> dict[str, Any]:
        text = _scalar(request, "refresh_token")
        if text is None:
            raise _missing("refresh_token")
        token = self.state.tokens.refresh.get(text)
        if token is None:
            raise self._bad_refresh("Cannot decrypt the refresh token")
        if token.access.client_id != client.id:
            raise self._bad_refresh("Token is not linked to client")
        if token.expires_at <= self.state.clock.now():
            raise self._bad_refresh("Token has expired")
        if token.revoked:
            raise self._bad_refresh("Token has been revoked")
        self._check_scope(request)
        # Both old ones die at once, for every other holder as well.
        token.access.revoked = True
        token.revoked = True
        return self._issue(token.access.user_id, client)

    def _bad_refresh(self, hint: str) -> OAuthError:
        if self.settings.errors == "9":
            return OAuthError(400, "invalid_grant", _REFRESH_INVALID, hint)
        return OAuthError(401, "invalid_request", _REFRESH_INVALID, hint)

    def _client_credentials(self, request: Request, client: Client) -> dict[str, Any]:
        self._check_scope(request)
        token = self.state.tokens.new_access(None, client.id, self.settings.access_token_seconds)
        return self._answer(token)

    def _authorization_code(self, request: Request, client: Client) -> dict[str, Any]:
        text = _scalar(request, "code")
        if text is None:
            raise _missing("code")
        code = self.state.tokens.codes.get(text)
        hint = None
        if code is None:
            hint = "Cannot decrypt the authorization code"
        elif code.expires_at <= self.state.clock.now():
            hint = "Authorization code has expired"
        elif code.revoked:
            hint = "Authorization code has been revoked"
        elif code.client_id != client.id:
            hint = "Authorization code was not issued to this client"
        elif code.redirect_uri is not None and _scalar(request, "redirect_uri") is None:
            hint = "Check the `redirect_uri` parameter"
        if code is None or hint is not None:
            raise OAuthError(400, "invalid_request", _MALFORMED, hint)
        code.revoked = True
        return self._issue(code.user_id, client)

    def _issue(self, user_id: int | None, client: Client) -> dict[str, Any]:
        access = self.state.tokens.new_access(user_id, client.id, self.settings.access_token_seconds)
        refresh = self.state.tokens.new_refresh(access, self.settings.refresh_token_seconds)
        return {**self._answer(access), "refresh_token": refresh.text}

    def _answer(self, token: AccessToken) -> dict[str, Any]:
        seconds = round(token.expires_at - token.issued_at)
        return {"token_type": "Bearer", "expires_in": seconds, "access_token": token.text}


def _may_use(client: Client, grant: str) -> bool:
    if grant == "password":
        return client.password
    if grant == "authorization_code":
        return not client.password and not client.personal_access
    return True


def _scalar(request: Request, name: str) -> str | None:
    value = request.body_input.get(name)
    if value is None or isinstance(value, (dict, list, bool)):
        return None
    return str(value)


def _basic(header: str) -> tuple[str | None, str | None]:
    scheme, _, encoded = header.partition(" ")
    if scheme.lower() != "basic":
        return None, None
    try:
        user, colon, password = base64.b64decode(encoded).decode().partition(":")
    except (binascii.Error, UnicodeDecodeError):
        return None, None
    return (user, password) if colon else (None, None)


def authenticate(request: Request) -> AccessToken | None:
    """
    The token of a call to the API; missing, malformed, expired and revoked ones are all the same.

    :param request: the call.
    """
    header = request.headers.get("authorization", "")
    # The last "Bearer ", spelt just so, cut at a comma.
    _, scheme, text = header.rpartition("Bearer ")
    if not scheme:
        return None
    return request.state.tokens.valid(text.split(",", maxsplit=1)[0].strip())
