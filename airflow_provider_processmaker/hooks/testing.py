"""The Test button: which step of a connection works, and what to change if one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_processmaker.client.errors import (
    CallRefusedError,
    ForbiddenError,
    InvalidInputError,
    LoginError,
    NotFoundError,
    ProcessMakerError,
    RateLimitedError,
    ServerError,
    TlsError,
    TransportError,
    UnauthenticatedError,
)

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import ProcessMakerClient

__all__ = ["check"]

#: The step that an error belongs to, whatever was asked; the first class that fits.
_STEPS: tuple[tuple[type[ProcessMakerError], str], ...] = (
    (InvalidInputError, "Settings"),
    (TlsError, "TLS"),
    (TransportError, "Address"),
    (LoginError, "Login"),
    (RateLimitedError, "Login"),
    (ServerError, "Server"),
)
_NO_PROCESSMAKER = "Not a ProcessMaker 4"
_GATEWAY = f"{_NO_PROCESSMAKER}, or a gateway in between"
_ADDRESS = "Is the address in the connection that of ProcessMaker itself, without a path of something else?"


def check(client: ProcessMakerClient) -> tuple[bool, str]:
    """Log in and read the caller's own user.

    :param client: the client of the connection.
    :return: whether it worked, and one sentence for the person at the form.
    """
    where = client.settings.base_url
    try:
        client.log_in()
    except ProcessMakerError as error:
        return False, _told(_step(error) or _refused_login(error), error, where)
    try:
        user = client.whoami()
    except ProcessMakerError as error:
        return False, _told(_step(error) or _refused_user(error), error, where)
    role = "an administrator" if user.get("is_administrator") else "no administrator"
    name = user.get("fullname") or user["username"]
    return True, f"Connected to {where} as {user['username']} ({name}, user {user.get('id')}, {role})."


def _step(error: ProcessMakerError) -> str | None:
    """The step, if the kind of the error alone tells it."""
    if isinstance(error, ServerError):
        error.hint = "Its log tells why."  # what may be wrong with a list is of no use here
    return next((name for kind, name in _STEPS if isinstance(error, kind)), None)


def _refused_login(error: ProcessMakerError) -> str:
    """The step of an answer to ``POST /oauth/token`` that ProcessMaker does not give: no user is known there yet."""
    if error.status == 407:
        error.what = "The proxy wants a name and a password."
        error.hint = 'Put them into "Proxy": http://name:password@proxy.example.com:3128.'
        return "Proxy"
    if isinstance(error, ForbiddenError | CallRefusedError) and error.status != 405:
        error.what = "Something at this address refuses the call for a token, before it knows of any user."
        error.hint = f"A gateway or firewall must let POST {error.path} and all below /api/1.0 pass. {_ADDRESS}"
        return _GATEWAY
    return _NO_PROCESSMAKER


def _refused_user(error: ProcessMakerError) -> str:
    """The step of a refused ``GET /users/{id}`` of the caller himself."""
    if isinstance(error, UnauthenticatedError):
        return "Login"
    if isinstance(error, ForbiddenError):
        error.hint = (
            f"{error.hint or ''} It may be a gateway in between: ProcessMaker lets everyone read himself.".strip()
        )
        return "Permission"
    if isinstance(error, NotFoundError):
        error.what = "The user of the token is not known at this address."
        error.hint = _ADDRESS
    return _NO_PROCESSMAKER


def _told(step: str, error: ProcessMakerError, where: str) -> str:
    # An error of a call names the server itself.
    return f"{step}: {error}" if error.server else f"{step}: {error} (Connection to {where}.)"
