"""The tree of errors.

::

    ProcessMakerError
    ├── InvalidInputError       a setting or an argument is wrong
    ├── TransportError          no usable answer: refused, unknown name, time-out, cut off
    │   └── TlsError            the server's certificate, or ours, was refused
    ├── UnknownOutcomeError     a write was sent and nobody can say whether it was done
    ├── UnexpectedAnswerError   an answer that ProcessMaker's API does not give
    ├── RequestError            a request did not come to the end that was waited for
    │   ├── RequestFailedError  it is in ERROR, was canceled, or ended otherwise than wanted
    │   ├── RequestGoneError    it was deleted, or its user may no longer see it
    │   └── WaitTimeoutError    it has not ended in time
    └── StatusError             ProcessMaker answered with an error status
        ├── LoginError          the token endpoint refused client, user or token
        ├── UnauthenticatedError  401
        ├── ForbiddenError      403
        ├── NotFoundError       404
        ├── InvalidQueryError   a list does not understand its PMQL (400, 422 or 500)
        ├── CallRefusedError    400, 405, 409, 413, 422 and the other 4xx
        ├── RateLimitedError    429
        └── ServerError         5xx

Every error tells what happened, where (method, path, status, the server's message), what to do next, and
whether trying the same again later can help (``retryable``).
"""

from __future__ import annotations

from typing import Any

__all__ = [
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
    "error_from",
]

#: Longest piece of an answer that goes into a message: enough to recognise it, too little to flood a log.
LONGEST_QUOTE = 300


class ProcessMakerError(Exception):
    """Anything that went wrong between us and ProcessMaker.

    :param what: one sentence: what happened.
    :param method: HTTP method of the call, if there was one.
    :param path: path of the call on the server, without its query.
    :param status: HTTP status of the answer, if there was one.
    :param server_message: what the server said, cut to a readable length.
    :param details: validation messages by field, as ProcessMaker sends them with 422.
    :param server: address of the server.
    :param hint: one sentence: what to do next.
    :param retry_after: seconds that the server asks us to wait.
    """

    #: Can the same call succeed later, with nothing changed on our side?
    retryable: bool = False

    def __init__(
        self,
        what: str,
        *,
        method: str | None = None,
        path: str | None = None,
        server: str | None = None,
        status: int | None = None,
        server_message: str | None = None,
        details: dict[str, list[str]] | None = None,
        hint: str | None = None,
        retry_after: float | None = None,
    ) -> None:
        super().__init__(what)
        self.what = what
        self.method = method
        self.path = path
        self.server = server
        self.status = status
        self.server_message = quote(server_message) if server_message else None
        self.details = details or {}
        self.hint = hint
        self.retry_after = retry_after

    def __str__(self) -> str:
        """The whole story on one line."""
        parts = [self.what]
        where = " ".join(str(part) for part in (self.method, self.path) if part)
        if self.server and where:
            where = f"{where} at {self.server}"
        if self.status is not None:
            where = f"{where} answered {self.status}".strip()
        if where:
            parts.append(f"({where})")
        if self.server_message:
            end = "" if self.server_message[-1] in ".!?" else "."
            parts.append(f'The server says: "{self.server_message}"{end}')
        if self.details:
            listed = "; ".join(f"{field}: {' '.join(texts)}" for field, texts in self.details.items())
            parts.append(f"Details: {quote(listed)}")
        if self.hint:
            parts.append(self.hint)
        return " ".join(parts)

    def as_dict(self) -> dict[str, Any]:
        """The error as plain data, for a JSON text; :func:`error_from` reads it back."""
        return {"kind": type(self).__name__, **self.__dict__}

    def __reduce__(self) -> tuple[Any, ...]:
        """Errors cross process borders (Airflow, pytest-xdist), so they must survive pickling."""
        return (_rebuild, (type(self), self.what, self.__dict__))


def _rebuild(cls: type[ProcessMakerError], what: str, state: dict[str, Any]) -> ProcessMakerError:
    error = cls(what)
    error.__dict__.update(state)
    return error


def error_from(data: dict[str, Any]) -> ProcessMakerError:
    """The error that was written down by :meth:`ProcessMakerError.as_dict`.

    :param data: the plain data, perhaps of another version of this package.
    """
    kinds = {kind.__name__: kind for kind in _family(ProcessMakerError)}
    state = {name: value for name, value in data.items() if name != "kind"}
    return _rebuild(kinds.get(str(data.get("kind")), ProcessMakerError), str(data.get("what")), state)


def _family(kind: type[ProcessMakerError]) -> list[type[ProcessMakerError]]:
    return [kind, *(member for child in kind.__subclasses__() for member in _family(child))]


def quote(text: str, longest: int = LONGEST_QUOTE) -> str:
    """A text on one line, cut to a readable length, without control characters.

    :param text: what a server sent.
    :param longest: characters to keep.
    """
    # Cut twice: folding all of a long text would only be thrown away.
    line = " ".join(text[: 20 * longest].split())
    line = "".join(char if char.isprintable() else "\N{REPLACEMENT CHARACTER}" for char in line)
    if len(line) <= longest and len(text) <= 20 * longest:
        return line
    return f"{line[:longest]}… ({len(text)} characters in all)"


class InvalidInputError(ProcessMakerError, ValueError):
    """A setting or an argument is wrong or missing. Nothing was sent, unless it is about ``fields`` of records."""


class TransportError(ProcessMakerError):
    """No usable answer came: connection refused, unknown host name, time-out, connection cut."""

    retryable = True


class TlsError(TransportError):
    """The TLS handshake failed: unknown authority, wrong host name, expired or refused certificate."""

    retryable = False


class UnknownOutcomeError(ProcessMakerError):
    """A write was sent, and its answer was lost or was a server failure: it may or may not have been done.

    Look before sending it again. It counts as not retryable, so that nothing repeats it blindly.
    """


class UnexpectedAnswerError(ProcessMakerError):
    """An answer that is not ProcessMaker's API: HTML, a redirect, broken JSON, a wrong shape.

    :param retryable: whether a later try can help, as with an answer that was cut off.
    """

    def __init__(self, what: str, *, retryable: bool = False, **where: Any) -> None:
        super().__init__(what, **where)
        self.retryable = retryable


class RequestError(ProcessMakerError):
    """A request did not come to the end that was waited for.

    ``request_id`` says which one.
    """

    request_id: int | None = None


class RequestFailedError(RequestError):
    """A request is in ERROR, was canceled, or came to another end than the one that was waited for.

    ``request_status`` is its status.
    """

    request_status: str | None = None


class RequestGoneError(RequestError):
    """A request was deleted, or the user of the connection may no longer see it."""


class WaitTimeoutError(RequestError):
    """A request has not come to its end in time. Nothing is wrong with it."""


class StatusError(ProcessMakerError):
    """ProcessMaker answered with an error status."""


class LoginError(StatusError):
    """The token endpoint refused the client, the user or the token, or offers no such grant."""


class UnauthenticatedError(StatusError):
    """401: the token is not accepted, or the path is not part of the API."""


class ForbiddenError(StatusError):
    """403: the token's user lacks the permission."""


class NotFoundError(StatusError):
    """404: no such record, or no such endpoint."""


class CallRefusedError(StatusError):
    """400, 405, 409, 413, 422 and the other 4xx: the server understood the call and refuses it."""


class InvalidQueryError(StatusError):
    """A list does not understand its PMQL: its syntax, a field, or a value. Servers say so by 400, 422 or 500."""


class RateLimitedError(StatusError):
    """429: too many calls. ``retry_after`` says how long to wait, in seconds, where the server told it."""

    retryable = True


class ServerError(StatusError):
    """5xx: the server failed or is in maintenance."""

    retryable = True
