"""A client of ProcessMaker's REST API that needs no Airflow.

>>> from airflow_provider_processmaker.client import ProcessMakerClient, Settings  # doctest: +SKIP
>>> with ProcessMakerClient(Settings(base_url="https://pm.example.com", access_token="...")) as client:
...     names = [user["username"] for user in client.iter_records("users")]  # doctest: +SKIP

Names are loaded when they are first used, so that importing an operator does not import ``requests``.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.client import ProcessMakerClient
    from airflow_provider_processmaker.client.errors import (
        CallRefusedError,
        ForbiddenError,
        InvalidInputError,
        InvalidQueryError,
        LoginError,
        NotFoundError,
        ProcessMakerError,
        RateLimitedError,
        RequestError,
        RequestFailedError,
        RequestGoneError,
        ServerError,
        StatusError,
        TlsError,
        TransportError,
        UnauthenticatedError,
        UnexpectedAnswerError,
        UnknownOutcomeError,
        WaitTimeoutError,
    )
    from airflow_provider_processmaker.client.file_store import FileStore
    from airflow_provider_processmaker.client.records import Page
    from airflow_provider_processmaker.client.resource_table import RESOURCES
    from airflow_provider_processmaker.client.resources import Resource
    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.token_store import MemoryStore, TokenStore
    from airflow_provider_processmaker.client.tokens import Timing, Token

_HOMES = {
    "client": ("ProcessMakerClient",),
    "errors": (
        "CallRefusedError",
        "ForbiddenError",
        "InvalidInputError",
        "InvalidQueryError",
        "LoginError",
        "NotFoundError",
        "ProcessMakerError",
        "RateLimitedError",
        "RequestError",
        "RequestFailedError",
        "RequestGoneError",
        "ServerError",
        "StatusError",
        "TlsError",
        "TransportError",
        "UnauthenticatedError",
        "UnexpectedAnswerError",
        "UnknownOutcomeError",
        "WaitTimeoutError",
    ),
    "records": ("Page",),
    "resource_table": ("RESOURCES",),
    "resources": ("Resource",),
    "settings": ("Settings",),
    "file_store": ("FileStore",),
    "token_store": ("MemoryStore", "TokenStore"),
    "tokens": ("Timing", "Token"),
}
_HOME_OF = {name: home for home, names in _HOMES.items() for name in names}

__all__ = [
    "RESOURCES",
    "CallRefusedError",
    "FileStore",
    "ForbiddenError",
    "InvalidInputError",
    "InvalidQueryError",
    "LoginError",
    "MemoryStore",
    "NotFoundError",
    "Page",
    "ProcessMakerClient",
    "ProcessMakerError",
    "RateLimitedError",
    "RequestError",
    "RequestFailedError",
    "RequestGoneError",
    "Resource",
    "ServerError",
    "Settings",
    "StatusError",
    "Timing",
    "TlsError",
    "Token",
    "TokenStore",
    "TransportError",
    "UnauthenticatedError",
    "UnexpectedAnswerError",
    "UnknownOutcomeError",
    "WaitTimeoutError",
]


def __getattr__(name: str) -> Any:
    """Load a public name from its module when it is first used."""
    if name not in _HOME_OF:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_HOME_OF[name]}"), name)


def __dir__() -> list[str]:
    """The public names."""
    return sorted({*globals(), *__all__})
