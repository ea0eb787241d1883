"""Answers: bytes to Python values, and what an error status means."""

from __future__ import annotations

import html
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

import msgspec

from airflow_provider_processmaker.client.errors import (
    CallRefusedError,
    ForbiddenError,
    NotFoundError,
    RateLimitedError,
    ServerError,
    UnauthenticatedError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
    quote,
)
from airflow_provider_processmaker.client.retrying import parse_retry_after

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_processmaker.client.errors import ProcessMakerError, StatusError

__all__ = ["Answer", "error_of", "json_object", "looks_like_html"]


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer of the server, read to its end.

    :param method: method of the call.
    :param path: its path, without the query.
    :param status: HTTP status.
    :param headers: headers of the answer, found by any case.
    :param body: the unpacked bytes; of an error only the first ones.
    :param scrub: takes our secrets out of what the server says.
    :param server: address of the server.
    """

    method: str
    path: str
    status: int
    headers: Mapping[str, str] = field(repr=False)
    body: bytes = field(repr=False)
    scrub: Callable[[str], str] = field(default=str, repr=False)
    server: str | None = None

    @property
    def where(self) -> dict[str, Any]:
        """Keyword arguments of an error about this answer."""
        return {"method": self.method, "path": self.path, "status": self.status, "server": self.server}

    def json(self) -> Any:
        """The body as Python values; None for an empty one.

        :raises UnexpectedAnswerError: if it is not JSON.
        """
        if not self.body:
            return None
        try:
            return msgspec.json.decode(self.body)
        except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
            return self._lenient_json()

    def _lenient_json(self) -> Any:
        # msgspec refuses what PHP and proxies do send: a byte order mark, lone surrogates, NaN, Latin-1.
        try:
            return json.loads(self._text())
        except (ValueError, RecursionError):
            raise self._not_json() from None

    def _text(self) -> str:
        try:
            return self.body.decode("utf-8-sig")
        except UnicodeDecodeError:
            return self.body.decode("latin-1")

    def _not_json(self) -> UnexpectedAnswerError:
        if looks_like_html(self):
            title = html_title(self._text())
            return UnexpectedAnswerError(
                "A web page came instead of JSON.",
                server_message=title and self.scrub(title),
                hint="Is this the address of ProcessMaker itself, not of a proxy in front of it?",
                retryable=True,  # such as the page of a maintenance
                **self.where,
            )
        # A good answer is not quoted, however broken: it may hold a token, or what is not for a log.
        quoted = self.scrub(self._text()) if self.status >= 400 else None
        return UnexpectedAnswerError(
            f"The answer is not JSON, or was cut off ({len(self.body)} bytes).",
            server_message=quoted,
            retryable=True,
            **self.where,
        )


def looks_like_html(answer: Answer) -> bool:
    """Tell whether the body is a web page.

    :param answer: the answer to look at.
    """
    content_type = answer.headers.get("content-type", "").lower()
    return "html" in content_type or answer.body.lstrip()[:1] == b"<"


def html_title(text: str) -> str | None:
    """The title of a web page: the part of it that tells what it is.

    :param text: the page.
    """
    rest = text[:20_000].partition("<title")[2]
    return html.unescape(rest.partition(">")[2].partition("</")[0]).strip() or None


def error_of(answer: Answer, *, idempotent: bool) -> ProcessMakerError:
    """The error that an answer with status 3xx, 4xx or 5xx means.

    :param answer: the answer.
    :param idempotent: whether the call may be repeated; if not, a server failure leaves its outcome unknown.
    """
    if answer.status < 400:
        return _not_an_answer(answer)
    message, details = _server_message(answer)
    if _is_processmaker_3(answer):
        return UnexpectedAnswerError(
            "This is a ProcessMaker 3.",
            server_message=message,
            hint="This provider speaks with ProcessMaker 4.3 and later.",
            **answer.where,
        )
    where = {**answer.where, "server_message": message, "details": details}
    if answer.status >= 500:
        return _server_failure(answer, where, idempotent=idempotent)
    error, what, hint = _CLIENT_ERRORS.get(answer.status, _OTHER_4XX)
    problem = error(what, hint=hint, retry_after=parse_retry_after(answer.headers), **where)
    problem.retryable = problem.retryable or answer.status in _PASSING
    return problem


def _is_processmaker_3(answer: Answer) -> bool:
    """Version 3 wraps its error into an object where version 4 has a text."""
    return b'"error"' in answer.body and isinstance(json_object(answer).get("error"), dict)


def json_object(answer: Answer) -> dict[str, Any]:
    """The JSON object in an answer; an empty one if that is not what it is.

    :param answer: the answer.
    """
    try:
        body = answer.json()
    except UnexpectedAnswerError:
        return {}
    return body if isinstance(body, dict) else {}


def _not_an_answer(answer: Answer) -> ProcessMakerError:
    if answer.status < 300:
        return UnexpectedAnswerError(
            "The server answers with a status that the API does not use.",
            hint="Is this the address of ProcessMaker itself, not of a proxy in front of it?",
            **answer.where,
        )
    if answer.status == 304:
        return UnexpectedAnswerError(
            "The server says that nothing has changed, instead of answering.",
            hint='A header such as If-None-Match among the "Headers" of the connection asks for that.',
            **answer.where,
        )
    target = quote(answer.scrub(answer.headers.get("location", "").partition("?")[0]), 120)
    return UnexpectedAnswerError(
        f"The server redirects to {target or 'nowhere'} instead of answering.",
        hint="The API never does so: is the address right, with https where the server wants it?",
        retryable=True,  # such as to the page of a maintenance
        **answer.where,
    )


def _server_failure(answer: Answer, where: dict[str, Any], *, idempotent: bool) -> ProcessMakerError:
    if idempotent:
        return ServerError(
            "ProcessMaker failed." if answer.status != 503 else "ProcessMaker is not available.",
            retry_after=parse_retry_after(answer.headers),
            hint="Its log tells why. A list also fails so on an unknown order_by, include or filter value.",
            **where,
        )
    return UnknownOutcomeError(
        "ProcessMaker failed while handling a write; it may or may not have been done.",
        hint="Look before sending it again.",
        **where,
    )


def _server_message(answer: Answer) -> tuple[str | None, dict[str, list[str]]]:
    """What the server said, in the many shapes in which it says so, without our secrets."""
    try:
        body = answer.json()
    except UnexpectedAnswerError as error:
        return error.server_message, {}
    if not isinstance(body, dict):
        return _text(answer, body), {}
    message = body.get("message") or body.get("error_description") or body.get("error")
    if isinstance(message, dict):  # ProcessMaker 3 nests its message
        message = message.get("message")
    text = _text(answer, message)
    if isinstance(body.get("hint"), str):
        text = f"{text or ''} ({_text(answer, body['hint'])})".lstrip()
    return text, _details(answer, body.get("errors"))


def _text(answer: Answer, value: Any) -> str | None:
    """A value from an error answer as one text; None for an empty one."""
    if value is None or value in ("", [], {}):
        return None
    if isinstance(value, str):
        text = value
    elif isinstance(value, list) and all(isinstance(item, str) for item in value):
        text = " ".join(value)
    else:
        try:
            text = json.dumps(value, ensure_ascii=False)
        except RecursionError:
            return None
    return answer.scrub(text) or None


#: More fields or messages than these are not told: nobody reads them.
_MOST_DETAILS = 50


def _details(answer: Answer, errors: Any) -> dict[str, list[str]]:
    """Validation messages by field, in a readable amount."""
    if isinstance(errors, list):
        errors = {"errors": errors}
    if not isinstance(errors, dict):
        return {}
    found = {}
    for key, value in list(errors.items())[:_MOST_DETAILS]:
        items = value if isinstance(value, list) else [value]
        texts = [quote(_text(answer, item) or "") for item in items[:_MOST_DETAILS]]
        if any(texts):
            found[quote(answer.scrub(key), 100)] = texts
    return found


_CLIENT_ERRORS: dict[int, tuple[type[StatusError], str, str | None]] = {
    400: (CallRefusedError, "ProcessMaker refuses the call.", None),
    401: (
        UnauthenticatedError,
        "ProcessMaker does not accept the token, or the path is not part of its API.",
        "Check the address in the connection, and that the user still exists.",
    ),
    403: (
        ForbiddenError,
        "The user of the connection lacks the permission.",
        "An administrator can grant it under Admin > Users > Permissions.",
    ),
    404: (NotFoundError, "There is no such record or endpoint.", "Check the id and the path."),
    405: (
        CallRefusedError,
        "This endpoint does not know this method, or there is no such endpoint.",
        "ProcessMaker answers 405 to a write on an unknown path: check it.",
    ),
    413: (CallRefusedError, "The body is too large for the server.", None),
    422: (CallRefusedError, "ProcessMaker found the values invalid.", None),
    423: (CallRefusedError, "The element is not one that waits for an event.", None),
    429: (
        RateLimitedError,
        "ProcessMaker has had too many calls from this address.",
        "Wait, then try again.",
    ),
}
#: Of a proxy in front, or of two calls that met: they say nothing against the call itself.
_PASSING = frozenset({408, 409, 425})
_OTHER_4XX = (CallRefusedError, "ProcessMaker refuses the call.", None)
