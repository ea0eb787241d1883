"""
One comparison for all recordings: status, the headers that matter, the body's keys, types and fixed texts.

Not compared are the values of ids, times, tokens and the server's own address. How many rows a table has is state, too:
where the totals of two lists differ, the numbers of ours must agree with each other.
"""

from __future__ import annotations

import base64
import json
import math
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

# Headers that a client may look at. One that the real server sends and we do not, or the other way, is a difference.
_HEADERS = (
    "content-type", "cache-control", "pragma", "allow", "location", "etag", "retry-after", "www-authenticate",
    "content-disposition", "accept-ranges", "content-range",
    "x-tenant-id", "x-ratelimit-limit", "x-ratelimit-remaining", "x-ratelimit-reset",
)  # fmt: skip
_NUMBERS = frozenset({"retry-after", "x-ratelimit-reset"})
# The recorder did not keep these, so that their absence tells nothing.
_NOT_RECORDED = frozenset({"www-authenticate"})

_TIMES = {
    "iso": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d"),
    "zoneless": re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d"),
    "micro": re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}Z"),
}
_OPAQUE = {
    "uuid": re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}"),
    "token id": re.compile(r"[0-9a-f]{80}"),
    "access token": re.compile(r"<access-token-\d+>|eyJ[\w-]+\.[\w-]+\.[\w-]+"),
    "refresh token": re.compile(r"<refresh-token-\d+>|def502[0-9a-f]+"),
    "download": re.compile(r"http://server/processes/\d+/download/[0-9a-f]{40}"),
    "etag": re.compile(r'"[0-9a-f]{32}"'),
    "script key": re.compile(r"sc?rn?[0-9a-f]{14}\.\d{8}"),
    # The frames of a stack are the real server's own; the recorder took long ones out.
    "stack": re.compile(r"<trace>|#0 .*", re.DOTALL),
    "stack of a script": re.compile(r"Stack trace:\n.*", re.DOTALL),
}
# What the recorder put in place of a file's path.
_PATH = re.compile(r"<server-path>|/[\w./-]+\.php")
# What follows from the number of rows.
_SIZES = frozenset({"total", "total_pages", "last_page", "lastPage", "links"})
# This too, where all rows are on one page.
_ALL_ROWS = frozenset({"count", "to"})
_CUT = re.compile(r"\.\.\.trimmed \d+ more of (\d+)")
_ADDRESS = re.compile(r"http://127\.0\.0\.1:\d+")


def differences(recorded: Mapping[str, Any], status: int, headers: Mapping[str, str], body: bytes) -> list[str]:
    """
    What tells an answer from the recorded one.

    :param recorded: the ``response`` of a recording.
    :param status: of the answer.
    :param headers: of the answer.
    :param body: of the answer.
    """
    found = []
    if status != recorded["status"]:
        found.append(f"status: {status} instead of {recorded['status']}")
    found += _header_differences(recorded["headers"], headers)
    found += _body_differences(recorded, body)
    return found


def _header_differences(recorded: Mapping[str, str], ours: Mapping[str, str]) -> Iterator[str]:
    theirs = {name.lower(): value for name, value in recorded.items()}
    mine = {name.lower(): value for name, value in ours.items()}
    for name in _HEADERS:
        expected, got = theirs.get(name), mine.get(name)
        if expected is None and name in _NOT_RECORDED:
            continue
        if expected is None or got is None:
            if expected != got:
                yield f"header {name}: {got!r} instead of {expected!r}"
        elif name in _NUMBERS:
            if not got.isdigit():
                yield f"header {name}: {got!r} is no number"
        elif _kind(name, got) != _kind(name, expected):
            yield f"header {name}: {got!r} instead of {expected!r}"


def _body_differences(recorded: Mapping[str, Any], body: bytes) -> Iterator[str]:
    kind = recorded["body_kind"]
    if kind == "empty":
        if body:
            yield f"body: {body[:80]!r} instead of none"
    elif kind == "json":
        try:
            ours = json.loads(body)
        except ValueError:
            yield f"body: no JSON: {body[:80]!r}"
            return
        theirs = recorded["body"]
        if isinstance(theirs, str) and not isinstance(ours, str):
            # A long body was kept as text, and cut.
            yield from _cut_differences(theirs, ours)
            return
        yield from value_differences("body", theirs, ours, recorded.get("body_trimmed_to"))
    elif kind == "base64":
        yield from _byte_differences(base64.b64decode(recorded["body"]), body, "body_trimmed_to" in recorded)
    elif kind != "text":
        yield f"body: {kind!r} is no kind of body that is compared"
    else:
        yield from _page_differences(recorded["body"], body.decode("utf-8", "replace"), "body_trimmed_to" in recorded)


def _cut_differences(theirs: str, ours: Any) -> Iterator[str]:
    """What the beginning of a body says that is cut: the members before the one in which the cut is."""
    if not isinstance(ours, dict):
        yield f"body: {ours!r} instead of {theirs[:80]!r}"
        return
    for key, value in members(theirs):
        if key not in ours:
            yield f"body: {key!r} is missing"
        else:
            yield from value_differences(f"body.{key}", value, ours[key])


def members(text: str) -> Iterator[tuple[str, Any]]:
    """
    The members of an object of which only the beginning is there.

    :param text: the JSON, cut.
    """
    decoder, at = json.JSONDecoder(), 1
    while match := re.compile(r'\s*,?\s*("(?:[^"\\]|\\.)*")\s*:\s*').match(text, at):
        try:
            value, at = decoder.raw_decode(text, match.end())
        except ValueError:
            return
        yield json.loads(match.group(1)), value


def _byte_differences(theirs: bytes, ours: bytes, trimmed: bool) -> Iterator[str]:
    if theirs != (ours[: len(theirs)] if trimmed else ours):
        yield f"bytes: {len(ours)} that begin with {ours[:40]!r} instead of {len(theirs)} with {theirs[:40]!r}"


def _page_differences(theirs: str, ours: str, trimmed: bool) -> Iterator[str]:
    if trimmed:
        # Of a page that was cut, the part up to its title; what follows is style. Of other texts, what is there.
        theirs, title, _ = theirs.partition("</title>")
        ours = ours.partition("</title>")[0] if title else ours[: len(theirs)]
    if _ADDRESS.sub("", theirs) != _ADDRESS.sub("", ours):
        yield f"page: {ours[:300]!r} instead of {theirs[:300]!r}"


def value_differences(where: str, theirs: Any, ours: Any, trimmed: int | None = None) -> Iterator[str]:
    """
    What tells a value from the recorded one.

    :param where: its place; the last part is its name.
    :param theirs: the recorded value.
    :param ours: ours.
    :param trimmed: how many rows the recorder kept of lists.
    """
    if isinstance(theirs, dict) and isinstance(ours, dict):
        if _total(theirs) != _total(ours) and _total(theirs) is not None:
            yield from _wrong_sums(where, ours)
            sizes = _SIZES | _ALL_ROWS if _is_only_page(theirs) and _is_only_page(ours) else _SIZES
            theirs, ours = ({key: value for key, value in one.items() if key not in sizes} for one in (theirs, ours))
        for key in sorted(theirs.keys() | ours.keys()):
            if key not in ours:
                yield f"{where}: {key!r} is missing"
            elif key not in theirs:
                yield f"{where}: {key!r} is one too many"
            else:
                yield from value_differences(f"{where}.{key}", theirs[key], ours[key], trimmed)
    elif isinstance(theirs, list) and isinstance(ours, list):
        yield from _list_differences(where, theirs, ours, trimmed)
    elif _kind(_last(where), theirs) != _kind(_last(where), ours):
        yield f"{where}: {ours!r} instead of {theirs!r}"


def _list_differences(where: str, theirs: list[Any], ours: list[Any], trimmed: int | None) -> Iterator[str]:
    # The recorder kept the first rows only of what it trimmed, or said how many there were.
    if theirs and isinstance(theirs[-1], str) and (cut := _CUT.fullmatch(theirs[-1])):
        theirs, trimmed = theirs[:-1], len(theirs) - 1
        if len(ours) != int(cut.group(1)):
            yield f"{where}: {len(ours)} items instead of {cut.group(1)}"
    if len(ours) != len(theirs) and not (trimmed and len(theirs) == trimmed < len(ours)):
        yield f"{where}: {len(ours)} items instead of {len(theirs)}"
    for number, (their_item, our_item) in enumerate(zip(theirs, ours, strict=False)):
        yield from value_differences(f"{where}[{number}]", their_item, our_item)


def _total(meta: Mapping[str, Any]) -> Any:
    return meta.get("total") if "last_page" in meta else None


def _wrong_sums(where: str, meta: Mapping[str, Any]) -> Iterator[str]:
    """Whether the numbers of a list's ``meta`` contradict each other."""
    if _SIZES - meta.keys() - {"total_pages", "lastPage", "links"} or type(meta["total"]) is not int:
        yield f"{where}: sizes are missing"
        return
    pages = math.ceil(meta["total"] / meta["per_page"])
    links = meta.get("links") or [{"label": ""}, {"label": str(max(1, pages))}, {"label": ""}]
    if "lastPage" in meta:
        # The other version of the API takes the rows of this page for all rows when it counts the pages.
        last = math.ceil(meta["count"] / meta["per_page"])
        sums: tuple[Any, ...] = (meta["total_pages"], meta["last_page"], meta["lastPage"])
        right: tuple[Any, ...] = (last, max(1, pages), max(1, pages))
    else:
        sums = (meta.get("total_pages", pages), meta["last_page"], links[-2]["label"])
        right = (pages, max(1, pages), str(max(1, pages)))
    if sums != right:
        yield f"{where}: {sums} do not fit a total of {meta['total']}"
    if _is_only_page(meta) and any(meta.get(key) != meta["total"] for key in _ALL_ROWS):
        yield f"{where}: not all rows of the only page are counted"


def _is_only_page(meta: Mapping[str, Any]) -> bool:
    return bool(meta.get("current_page") == meta["last_page"] == 1)


def _last(where: str) -> str:
    return re.sub(r"\[\d+\]$", "", where).rpartition(".")[2]


def _kind(name: str, value: Any) -> Any:
    """What is compared of a value: its class for ids, times and tokens, else the value itself."""
    if isinstance(value, bool) or value is None or isinstance(value, (dict, list)):
        # With the class: in Python 0 equals False, in JSON it does not.
        return type(value), value
    if isinstance(value, (int, float)):
        return type(value).__name__ if name == "id" or name.endswith(("_id", "_count")) else (type(value), value)
    text = _PATH.sub("<path>", _ADDRESS.sub("http://server", value))
    for kinds in (_TIMES, _OPAQUE):
        for kind, pattern in kinds.items():
            if pattern.fullmatch(text):
                return f"<{kind}>"
    if name in {"cache-control", "allow"} and ", " in text:
        return sorted(text.split(", "))
    return text.replace("; ", ";").lower() if name == "content-type" else text
