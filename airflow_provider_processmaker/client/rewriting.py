"""What ProcessMaker will change in a JSON body before it keeps it. Standard library only.

It does so without a word: tags and mustaches go, texts are trimmed, ``{}`` comes back as ``[]``. A warning names
the keys, never their values, and nothing is held back.
"""

from __future__ import annotations

import logging
import re
from dataclasses import dataclass, field
from itertools import islice
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

__all__ = ["rewritten_places", "warn_of_rewriting"]

log = logging.getLogger(__name__)

#: Places that one warning names.
MOST_NAMED = 10

# What PHP's strip_tags takes for a tag: a "<" that no space follows, up to the next ">".
_TAG = re.compile(r"<(?!\s)[^>]*>")
# What PHP's is_numeric takes for a number.
_NUMERIC = re.compile(r"\s*[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?\s*", re.ASCII)
# Laravel trims more than str.strip() does.
_BLANK = " \t\n\r\0\x0b\x0c\x85\xa0\u1680\u180e\u200b\u200e\u200f\u2028\u2029\u202f\u205f\u3000\ufeff"
_UNTRIMMED = frozenset({"password", "password_confirmation", "current_password"})

# First part of an endpoint: the top-level texts that its controller leaves alone.
_EXEMPT: dict[str, frozenset[str]] = {
    "environment_variables": frozenset({"value"}),
    "notifications": frozenset({"data"}),
    "processes": frozenset({"bpmn", "svg"}),
    "requests": frozenset({"data", "pmql"}),
    "scripts": frozenset({"code"}),
    "tasks": frozenset({"data", "pmql"}),
    "users": frozenset({"username", "password"}),
}


@dataclass(frozen=True, slots=True)
class _Rules:
    """What holds for one endpoint.

    :param exempt: top-level texts whose tags and mustaches stay.
    :param is_start: whether the body becomes the data of a new request.
    :param is_task: whether it completes a task: its data is not trimmed, and cleaned at every depth.
    """

    exempt: frozenset[str] = field(default_factory=frozenset)
    is_start: bool = False
    is_task: bool = False


def warn_of_rewriting(method: str, url: str, body: Any) -> None:
    """Log a warning that names what the server will change in a body.

    :param method: HTTP method.
    :param url: URL of the call.
    :param body: the body before it was encoded.
    """
    found = [f"{place} {what}" for place, what in islice(rewritten_places(method, url, body), MOST_NAMED + 1)]
    if len(found) > MOST_NAMED:
        found[MOST_NAMED] = "and more"
    if found:
        log.warning("ProcessMaker will change this body: %s.", "; ".join(found))


def rewritten_places(method: str, url: str, body: Any) -> Iterator[tuple[str, str]]:
    """The places of a body that the server will change, each with what becomes of it.

    :param method: HTTP method.
    :param url: URL of the call.
    :param body: the body before it was encoded.
    """
    if not isinstance(body, dict):
        return
    rules = _rules(method, url)
    if rules.is_start:
        reserved = (key for key in body if str(key).startswith("_"))
        yield from ((f"json[{key!r}]", "has a reserved name: it will be hidden or dropped") for key in reserved)
    waiting: list[tuple[str, str, Any, int]] = [("json", "", body, 0)]
    while waiting:
        place, name, value, depth = waiting.pop()
        yield from ((place, what) for what in _changes(name, value, depth, rules))
        if isinstance(value, dict):
            waiting += [(f"{place}[{key!r}]", str(key), item, depth + 1) for key, item in reversed(value.items())]
        elif isinstance(value, list | tuple):
            children = [(f"{place}[{index}]", "", item, depth + 1) for index, item in enumerate(value)]
            waiting += reversed(children)


def _rules(method: str, url: str) -> _Rules:
    endpoint = re.sub(r"^.*/api/\d+\.\d+/", "", url)
    first = endpoint.partition("/")[0]
    return _Rules(
        exempt=_EXEMPT.get(first, frozenset()),
        is_start=first == "process_events",
        is_task=first == "tasks" and method == "PUT",
    )


def _changes(name: str, value: Any, depth: int, rules: _Rules) -> Iterator[str]:
    if isinstance(value, str):
        yield from _text_changes(name, value, depth, rules)
    elif isinstance(value, dict) and not value and depth:
        yield "is an empty object: it comes back as []"
    elif isinstance(value, dict) and value and all(_NUMERIC.fullmatch(str(key)) for key in value):
        yield "is an object of numeric keys only: it comes back as a list, without them"
    elif isinstance(value, int) and not -(2**63) <= value < 2**63:
        yield "is beyond 64 bits: it loses its last digits"


def _text_changes(name: str, text: str, depth: int, rules: _Rules) -> Iterator[str]:
    if rules.is_task:
        cleaned = name not in rules.exempt
    else:
        cleaned = depth == 1 and name not in rules.exempt
        trimmed = text if name in _UNTRIMMED else text.strip(_BLANK)
        if not trimmed:
            yield "is an empty text: it becomes null"
            return
        if text != trimmed:
            yield "has spaces around it: they are cut off"
    if cleaned and _TAG.search(text):
        yield "has a tag, or what looks like one: it is taken out"
    if cleaned and ("{{" in text or "}}" in text):
        yield 'has "{{" or "}}": they are taken out'
