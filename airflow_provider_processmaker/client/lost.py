"""What it means when no usable answer came: the exceptions of requests and urllib3 in our own words."""

from __future__ import annotations

import http.client
import ssl
from typing import TYPE_CHECKING, Any

import requests
from urllib3.exceptions import (
    ConnectTimeoutError,
    DecodeError,
    HTTPError,
    IncompleteRead,
    LocationValueError,
    NameResolutionError,
    NewConnectionError,
    ProxyError,
    ReadTimeoutError,
)

from airflow_provider_processmaker.client.errors import (
    InvalidInputError,
    TlsError,
    TransportError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
    quote,
)
from airflow_provider_processmaker.client.pacing import LARGEST_ANSWER, AnswerTooLargeError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_processmaker.client.errors import ProcessMakerError

__all__ = ["BROKEN", "BodyLostError", "lost_answer", "never_arrived", "transport_error"]

#: Whatever requests, urllib3, http.client and the socket raise when a call or the reading of its answer fails.
BROKEN = (requests.RequestException, HTTPError, http.client.HTTPException, OSError)

#: Words in OpenSSL's reasons for a handshake that failed. It comes before the first byte of a call is read.
_HANDSHAKE = ("CERT", "HANDSHAKE", "HTTP_REQUEST", "PROTOCOL", "UNKNOWN_CA", "UNRECOGNIZED_NAME", "VERSION")


class BodyLostError(OSError):
    """The head of an answer came, and its body did not.

    :param status: the status that was seen.
    """

    def __init__(self, status: int) -> None:
        super().__init__()
        self.status = status


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
    """Tell whether it is certain that the server never processed the call.

    :param error: what the sending raised.
    """
    if _find(error, ConnectTimeoutError, NewConnectionError):
        return True
    failure = _find(error, ssl.SSLError)
    return isinstance(failure, ssl.SSLError) and any(word in (failure.reason or "") for word in _HANDSHAKE)


def lost_answer(problem: ProcessMakerError) -> UnknownOutcomeError:
    """The error for a write whose answer did not come, or cannot be read.

    :param problem: what happened to the answer.
    """
    return UnknownOutcomeError(
        f"The answer to a write was lost: {problem.what} It may or may not have been done.",
        server_message=problem.server_message,
        method=problem.method,
        path=problem.path,
        server=problem.server,
        status=problem.status,
        hint=f"Look before sending it again. {problem.hint or ''}".rstrip(),
    )


def transport_error(error: BaseException, method: str, path: str, timeout: float) -> ProcessMakerError:
    """The typed error for an exception of the network.

    :param error: what was raised.
    :param method: method of the call.
    :param path: its path.
    :param timeout: the read time-out that held, in seconds.
    """
    lost = _find(error, BodyLostError)
    status = lost.status if isinstance(lost, BodyLostError) else None
    where: dict[str, Any] = {"method": method, "path": path, "status": status}
    if _find(error, *_NOT_SENDABLE):
        return InvalidInputError(
            "The call cannot be sent to this address.",
            hint='Check "ProcessMaker URL" and "Proxy" in the connection.',
            **where,
        )
    if _find(error, AnswerTooLargeError):
        return UnexpectedAnswerError(
            f"The answer is larger than {LARGEST_ANSWER // 2**20} MB.",
            hint="Ask for less at a time, such as a smaller page_size.",
            **where,
        )
    if _is_tls(error):
        return _tls_error(error, where)
    for kinds, what, hint in _PROBLEMS:
        if _find(error, *kinds):
            return TransportError(what.format(reason=_reason(error), timeout=f"{timeout:g}"), hint=hint, **where)
    return TransportError(f"The connection broke before the answer was complete{_reason(error)}.", hint=_LATER, **where)


_NOT_SENDABLE = (
    LocationValueError,
    requests.exceptions.InvalidURL,
    requests.exceptions.InvalidSchema,
    requests.exceptions.InvalidHeader,
    requests.exceptions.MissingSchema,
)
_LATER = "A later try can help."

#: The first that fits. Nothing that a server sent is part of these texts: it might echo a secret.
_PROBLEMS: tuple[tuple[tuple[type[BaseException], ...], str, str], ...] = (
    (
        (requests.exceptions.ProxyError, ProxyError),
        "The proxy refuses or cannot be reached{reason}.",
        'Check "Proxy" in the connection, or HTTPS_PROXY and NO_PROXY in the environment.',
    ),
    (
        (NameResolutionError,),
        "The host name is not known.",
        "Check the spelling of the address in the connection.",
    ),
    (
        (requests.ReadTimeout, ReadTimeoutError),
        "The server did not answer within {timeout} s, or too slowly.",
        _LATER,
    ),
    (
        (NewConnectionError, ConnectTimeoutError),
        "No connection to the server could be made{reason}.",
        "Is the address right, is the server up, does a firewall stand between?",
    ),
    (
        (DecodeError, requests.exceptions.ContentDecodingError),
        "The compressed answer is broken.",
        _LATER,
    ),
    (
        (http.client.IncompleteRead, IncompleteRead),
        "The answer was cut off.",
        _LATER,
    ),
    (
        (http.client.RemoteDisconnected,),
        "The server closed the connection without an answer.",
        _LATER,
    ),
    (
        (http.client.HTTPException,),
        "The answer is not HTTP.",
        "Is this the right port, with https where the server wants it?",
    ),
)


def _is_tls(error: BaseException) -> bool:
    """Tell whether TLS is at fault, and not a connection that broke while it happened to be encrypted."""
    failure = _find(error, ssl.SSLError)
    if failure is None:
        return isinstance(error, requests.exceptions.SSLError)
    return not isinstance(failure, ssl.SSLEOFError | ssl.SSLZeroReturnError | TimeoutError)


def _tls_error(error: BaseException, where: dict[str, Any]) -> TlsError:
    failure = _find(error, ssl.SSLError)
    reason = getattr(failure, "verify_message", None) or (getattr(failure, "reason", None) or "handshake failed")
    return TlsError(
        f"TLS failed: {quote(str(reason).rstrip('.'), 120)}.",
        hint='For an own authority give its PEM file as "CA bundle"; check the host name and the clock; '
        "a server without TLS needs http:// in front of the address.",
        **where,
    )


def _reason(error: BaseException) -> str:
    """What the operating system says about it, with a colon in front; nothing if it says nothing."""
    told = [
        cause.strerror
        for cause in _causes(error)
        if isinstance(cause, OSError) and cause.errno is not None and isinstance(cause.strerror, str)
    ]
    return f": {quote(told[-1].rstrip('.'), 120)}" if told else ""
