"""What it means when no usable answer came: the exceptions of requests and urllib3 in our own words."""

from __future__ import annotations

import ssl
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    MaxRetryError,
    NameResolutionError,
    NewConnectionError,
    ReadTimeoutError,
)

from airflow_provider_processmaker.client.errors import (
    TlsError,
    TransportError,
    UnknownOutcomeError,
    quote,
)

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_processmaker.client.errors import (
        ProcessMakerError,
    )

__all__ = ["BROKEN", "lost_answer", "never_arrived", "transport_error"]

#: Whatever requests, urllib3 and the socket raise when a call or the reading of its answer fails.
BROKEN = (requests.RequestException, HTTPError, OSError)


def _causes(error: BaseException) -> Iterator[BaseException]:
    """The error and all that it wraps, outermost first."""
    seen: set[int] = set()
    waiting: list[object] = [error]
    while waiting:
        current = waiting.pop()
        if isinstance(current, BaseException) and id(current) not in seen:
            seen.add(id(current))
            yield current
            waiting += [
                current.__context__,
                current.__cause__,
                getattr(current, "reason", None),
                *current.args,
            ]


def _find(error: BaseException, *kinds: type[BaseException]) -> BaseException | None:
    return next((cause for cause in _causes(error) if isinstance(cause, kinds)), None)


def never_arrived(error: BaseException) -> bool:
    """Tell whether it is certain that the server never saw the call.

    :param error: what the sending raised.
    """
    # A certificate is checked before the first byte of a call leaves.
    return _find(error, ConnectTimeoutError, NewConnectionError, ssl.SSLCertVerificationError) is not None


def lost_answer(problem: ProcessMakerError, status: int | None = None) -> UnknownOutcomeError:
    """The error for a write whose answer did not come.

    :param problem: what happened to the answer.
    :param status: the status, if at least that was seen.
    """
    return UnknownOutcomeError(
        f"The answer to a write was lost: {problem.what} It may or may not have been done.",
        method=problem.method,
        path=problem.path,
        status=status,
        hint="Look before sending it again.",
    )


def transport_error(error: BaseException, method: str, path: str, timeout: float) -> ProcessMakerError:
    """The typed error for an exception of the network.

    :param error: what was raised.
    :param method: method of the call.
    :param path: its path.
    :param timeout: the read time-out that held, in seconds.
    """
    where: dict[str, Any] = {"method": method, "path": path}
    if _find(error, ssl.SSLError) or isinstance(error, requests.exceptions.SSLError):
        return _tls_error(error, where)
    if isinstance(error, requests.exceptions.ProxyError):
        return TransportError(
            "The proxy refuses or cannot be reached.",
            hint='Check "Proxy" in the connection, or HTTPS_PROXY and NO_PROXY in the environment.',
            **where,
        )
    if _find(error, NameResolutionError):
        return TransportError(
            "The host name is not known.",
            hint="Check the spelling of the address in the connection.",
            **where,
        )
    if _find(error, requests.ReadTimeout, ReadTimeoutError):
        return TransportError(f"The server did not answer within {timeout:g} s.", hint="A later try can help.", **where)
    if _find(error, NewConnectionError, ConnectTimeoutError):
        return TransportError(
            f"No connection to the server could be made: {_innermost(error)}.",
            hint="Is the address right, is the server up, does a firewall stand between?",
            **where,
        )
    if _find(error, DecodeError, requests.exceptions.ContentDecodingError):
        return TransportError("The compressed answer is broken.", hint="A later try can help.", **where)
    return TransportError(
        f"The connection broke before the answer was complete: {_innermost(error)}.",
        hint="A later try can help.",
        **where,
    )


def _tls_error(error: BaseException, where: dict[str, Any]) -> TlsError:
    failure = _find(error, ssl.SSLCertVerificationError)
    reason = getattr(failure, "verify_message", None) or _innermost(error)
    return TlsError(
        f"TLS failed: {reason}.",
        hint='For an own authority give its PEM file as "CA bundle"; check the host name and the clock; '
        "a server without TLS needs http:// in front of the address.",
        **where,
    )


def _innermost(error: BaseException) -> str:
    """The text that the operating system gave, or else that of the last cause."""
    causes = [cause for cause in _causes(error) if not isinstance(cause, MaxRetryError)]
    told = [cause.strerror for cause in causes if isinstance(cause, OSError) and cause.strerror]
    text = told[-1] if told else str((causes or [error])[-1])
    return quote(text.rstrip("."), 120)
