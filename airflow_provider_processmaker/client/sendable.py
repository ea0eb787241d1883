"""What may go into a form or a header; the values themselves are never told. Standard library only."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any

from airflow_provider_processmaker.client.errors import InvalidInputError

__all__ = ["check_sendable", "checked_headers"]

_HEADER_NAME = re.compile(r"[!#$%&'*+.^_`|~0-9A-Za-z-]+")
_HEADER_VALUE = re.compile(r"([\x21-\x7e\xa1-\xff]([\t\x20-\x7e\xa0-\xff]*[\x21-\x7e\xa1-\xff])?)?")

#: Headers that the client sets, or that would spoil how a call is framed.
_OURS = frozenset({"accept", "authorization", "connection", "content-length", "content-type", "transfer-encoding"})


def check_sendable(name: str, value: Any, *, in_header: bool) -> None:
    """Refuse a text that no call can carry.

    :param name: what it is.
    :param value: the text, or None.
    :param in_header: whether it goes into a header: printable ASCII without a space.
    :raises InvalidInputError: if it is none.
    """
    if value is None:
        return
    if not isinstance(value, str):
        raise InvalidInputError(f"{name} must be a text, not a {type(value).__name__}.")
    if in_header and value and not re.fullmatch(r"[\x21-\x7e]+", value):
        raise InvalidInputError(
            f"{name} holds a space, a line break or a letter that no token has.", hint="Copy it again, whole."
        )
    if re.search(r"[\ud800-\udfff]", value):
        raise InvalidInputError(f"{name} holds half of a surrogate pair, which cannot be encoded.")


def checked_headers(headers: Mapping[str, str]) -> dict[str, str]:
    """Extra headers, if they can be sent.

    :param headers: by name.
    :raises InvalidInputError: if one cannot be sent, or is the client's own; its value is not told.
    """
    if not isinstance(headers, Mapping):
        raise InvalidInputError(f"headers must be a dict, not a {type(headers).__name__}.")
    for name, value in headers.items():
        if not isinstance(name, str) or not _HEADER_NAME.fullmatch(name):
            raise InvalidInputError("One of the extra headers has a name that HTTP does not allow.")
        if name.lower() in _OURS:
            raise InvalidInputError(f'The extra header "{name}" is set by the client itself.', hint="Leave it out.")
        if not isinstance(value, str) or not _HEADER_VALUE.fullmatch(value):
            raise InvalidInputError(
                f'The extra header "{name}" has a value that HTTP does not allow.',
                hint="No line breaks, no spaces around it, Latin-1 letters only.",
            )
    return dict(headers)
