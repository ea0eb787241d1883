"""What the server does to input before a controller sees it: trimming, empty texts to null, tags and mustaches out."""

from __future__ import annotations

import re
from typing import Any

# Laravel trims everything but these.
_UNTRIMMED = frozenset({"password", "password_confirmation"})

# A "<" that never closes, or that a space follows, is no tag and stays.
_TAGS = re.compile(r"<!--.*?-->|<(?!\s)[^>]*>", re.DOTALL)
_FORM_TAGS = re.compile(r"</?(?:form|input|label|button|select|option|textarea|fieldset)\b[^>]*>", re.IGNORECASE)
_MUSTACHES = re.compile(r"\{\{|\}\}")
_BLANK = " \t\n\r\0\x0b\x0c\u200b\u200e\u200f\ufeff\u00a0\u2028\u2029"


def clean(values: dict[str, Any]) -> dict[str, Any]:
    """
    Trim texts and turn empty ones into ``None``, at all depths.

    :param values: JSON object, form or query.
    """
    return {name: _clean(name, value) for name, value in values.items()}


def _clean(name: str, value: Any) -> Any:
    if isinstance(value, str):
        if name not in _UNTRIMMED:
            value = value.strip(_BLANK)
        return value or None
    if isinstance(value, dict):
        return clean(value)
    if isinstance(value, list):
        return [_clean("", item) for item in value]
    return value


def sanitize(values: dict[str, Any], exempt: frozenset[str] = frozenset()) -> dict[str, Any]:
    """
    Strip tags, comments and mustaches from the texts at the top level; nested ones pass untouched.

    :param values: cleaned input.
    :param exempt: names of which only form tags are taken away.
    """
    return {name: _sanitize(value, name in exempt) for name, value in values.items()}


def _sanitize(value: Any, exempt: bool) -> Any:
    if not isinstance(value, str):
        return value
    if exempt:
        return _FORM_TAGS.sub("", value)
    return stripped(value)


def stripped(text: str) -> str:
    """
    A text without tags, comments and mustaches.

    :param text: the text.
    """
    return _MUSTACHES.sub("", _TAGS.sub("", text))
