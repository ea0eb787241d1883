"""How PHP reads forms and query strings, and what becomes of JSON that passes through PHP arrays."""

from __future__ import annotations

import re
from typing import Any
from urllib.parse import parse_qsl

from airflow_provider_processmaker.testing import multipart


def parse_query(text: str) -> dict[str, Any]:
    """
    Parse a query string or an urlencoded form: the last of a name wins, ``a[]`` and ``a[b]`` nest.

    :param text: the encoded pairs.
    """
    values: dict[str, Any] = {}
    for name, value in parse_qsl(text, keep_blank_values=True, errors="replace"):
        _put(values, name, value)
    return values


def _put(values: dict[str, Any], name: str, value: str) -> None:
    base, bracket, rest = name.partition("[")
    if not bracket or "]" not in rest:
        values[name] = value
        return
    key = rest.split("]", maxsplit=1)[0]
    if key:
        inner = values.setdefault(base, {})
        if isinstance(inner, dict):
            inner[key] = value
    else:
        items = values.setdefault(base, [])
        if isinstance(items, list):
            items.append(value)


def parse_body(content_type: str, body: bytes) -> dict[str, Any]:
    """
    Parse a form, urlencoded or multipart (its text parts); anything else gives nothing.

    :param content_type: the header's text.
    :param body: the bytes.
    """
    kind = content_type.lower()
    if kind.startswith("application/x-www-form-urlencoded"):
        return parse_query(body.decode("utf-8", "replace"))
    if kind.startswith("multipart/form-data"):
        return _parse_multipart(content_type, body)
    return {}


def _parse_multipart(content_type: str, body: bytes) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, value in multipart.parse(content_type, body)[0]:
        _put(values, name, value)
    return values


def as_text(value: Any) -> str:
    """
    The text of a scalar in PHP.

    :param value: text, number or boolean.
    """
    if isinstance(value, bool):
        return "1" if value else ""
    return str(value)


# What PHP's is_numeric takes for a number.
_NUMERIC = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)


def is_numeric(value: Any) -> bool:
    """
    Whether PHP takes a value for a number.

    :param value: anything.
    """
    if isinstance(value, str):
        return _NUMERIC.fullmatch(value) is not None
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def as_stored(value: Any) -> Any:
    """
    What comes back of JSON once it was a PHP array: ``{}`` is ``[]``, an object with numeric keys only is a list.

    :param value: the decoded JSON.
    """
    if isinstance(value, dict):
        if all(_NUMERIC.fullmatch(key) for key in value):
            return [as_stored(item) for item in value.values()]
        return {key: as_stored(item) for key, item in value.items()}
    if isinstance(value, list):
        return [as_stored(item) for item in value]
    if isinstance(value, float) and value.is_integer() and abs(value) < 2**53:
        return int(value)
    if isinstance(value, int) and not -(2**63) <= value < 2**63:
        return float(value)
    return value
