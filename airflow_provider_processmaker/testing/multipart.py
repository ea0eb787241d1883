"""Forms with files."""

from __future__ import annotations

import re
from dataclasses import dataclass, field

_BOUNDARY = re.compile(r'boundary="?([^";]+)"?', re.IGNORECASE)
_PARAMETER = re.compile(r'([\w*-]+)="((?:\\.|[^"\\])*)"')


@dataclass
class Upload:
    """A file in a form."""

    name: str
    content_type: str
    content: bytes = field(repr=False)


def parse(content_type: str, body: bytes) -> tuple[list[tuple[str, str]], dict[str, Upload]]:
    """
    The texts and the files of a form; a broken one has none.

    :param content_type: the header's text, with the boundary in its own spelling.
    :param body: the bytes.
    """
    fields: list[tuple[str, str]] = []
    files: dict[str, Upload] = {}
    match = _BOUNDARY.search(content_type)
    if match is None:
        return fields, files
    mark = b"--" + match.group(1).encode("latin-1")
    for part in (b"\r\n" + body).split(b"\r\n" + mark)[1:]:
        if part.startswith(b"--"):
            break
        head, blank, content = part.removeprefix(b"\r\n").partition(b"\r\n\r\n")
        headers = _headers(head)
        names = dict(_PARAMETER.findall(headers.get("content-disposition", "")))
        if not blank or "name" not in names:
            continue
        if "filename" in names:
            if names["filename"]:
                kind = headers.get("content-type", "application/octet-stream")
                files[names["name"]] = Upload(names["filename"].replace('\\"', '"'), kind, content)
        else:
            fields.append((names["name"], content.decode("utf-8", "replace")))
    return fields, files


def _headers(head: bytes) -> dict[str, str]:
    lines = head.decode("utf-8", "replace").split("\r\n")
    pairs = (line.partition(":") for line in lines if ":" in line)
    return {name.strip().lower(): value.strip() for name, _, value in pairs}
