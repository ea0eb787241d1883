"""How a recording keeps bodies."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from .compare import members

if TYPE_CHECKING:
    from .recordings import Recording


def objects(value: Any) -> list[dict[str, Any]]:
    """All objects in a value, at any depth."""
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in objects(item))]
    if isinstance(value, list):
        return [found for item in value for found in objects(item)]
    return []


def shown(recording: Recording) -> list[dict[str, Any]]:
    """All objects in the recorded answer; of one that was kept as text, and cut, those before the cut."""
    body = recording.body
    return objects(dict(members(body)) if isinstance(body, str) and body.startswith("{") else body)


def multipart(body: dict[str, Any], boundary: str, known: bytes | None = None) -> bytes:
    """
    A form as the recorder noted it: fields, and files with their text or bytes.

    :param body: the note.
    :param boundary: between the parts.
    :param known: the file's bytes, where a later exchange tells them.
    """
    lines: list[bytes] = []
    for name, value in body["fields"].items():
        lines += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()]
    for name, file in body["files"].items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file["filename"]}"\r\n'
        # The recorder kept the beginning, a byte a letter where it was no UTF-8; the rest goes on like its end.
        text = file["text"]
        content = text.encode("latin-1" if text.isascii() or len(text) == min(file["size"], 200) else "utf-8")
        content = (content + content[-1:] * file["size"])[: file["size"]]
        content = known if known is not None and len(known) == file["size"] else content
        lines += [f"{head}Content-Type: {file['content_type']}\r\n\r\n".encode(), content, b"\r\n"]
    return b"".join([*lines, f"--{boundary}--\r\n".encode()])


def texts(value: Any) -> list[str]:
    """All texts in a value, at any depth."""
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in texts(item)]
    return []


def sent(recording: Recording) -> dict[str, Any]:
    """The fields of the body that was sent; none where it was something else than an object."""
    body = recording.request["body"]
    return body if isinstance(body, dict) else {}
