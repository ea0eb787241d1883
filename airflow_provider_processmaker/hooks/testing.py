"""The Test button: which step of a connection works, and what to change if one does not."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_processmaker.client.errors import (
    ForbiddenError,
    InvalidInputError,
    LoginError,
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

#: The step that an error belongs to; the first class that fits.
_STEPS: tuple[tuple[type[ProcessMakerError], str], ...] = (
    (InvalidInputError, "Settings"),
    (TlsError, "TLS"),
    (TransportError, "Address"),
    (LoginError, "Login"),
    (RateLimitedError, "Login"),
    (ForbiddenError, "Permission"),
    (ServerError, "Server"),
)


def check(client: ProcessMakerClient) -> tuple[bool, str]:
    """Log in and read the caller's own user.

    :param client: the client of the connection.
    :return: whether it worked, and one sentence for the person at the form.
    """
    where = client.settings.base_url
    try:
        client.log_in()
    except ProcessMakerError as error:
        return False, _told(error, where, otherwise="Not a ProcessMaker 4")
    try:
        user = client.whoami()
    except UnauthenticatedError as error:
        return False, _told(error, where, otherwise="Login")
    except ProcessMakerError as error:
        return False, _told(error, where, otherwise="Not a ProcessMaker 4")
    role = "an administrator" if user.get("is_administrator") else "no administrator"
    name = user.get("fullname") or user["username"]
    return True, f"Connected to {where} as {user['username']} ({name}, user {user.get('id')}, {role})."


def _told(error: ProcessMakerError, where: str, *, otherwise: str) -> str:
    step = next((name for kind, name in _STEPS if isinstance(error, kind)), otherwise)
    # An error of a call names the server itself.
    return f"{step}: {error}" if error.server else f"{step}: {error} (Connection to {where}.)"
