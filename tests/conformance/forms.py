"""How a recording keeps bodies."""

from __future__ import annotations

from typing import Any


def objects(value: Any) -> list[dict[str, Any]]:
    """All objects in a value, at any depth."""
    if isinstance(value, dict):
        return [value, *(found for item in value.values() for found in objects(item))]
    if isinstance(value, list):
        return [found for item in value for found in objects(item)]
    return []


def multipart(body: dict[str, Any], boundary: str) -> bytes:
    """A form as the recorder noted it: fields, and files with their text or bytes."""
    lines: list[bytes] = []
    for name, value in body["fields"].items():
        lines += [f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n{value}\r\n'.encode()]
    for name, file in body["files"].items():
        head = f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"; filename="{file["filename"]}"\r\n'
        # The recorder kept the beginning, a byte a letter where it was no UTF-8; the rest goes on like its end.
        text = file["text"]
        content = text.encode("latin-1" if text.isascii() or len(text) == min(file["size"], 200) else "utf-8")
        content = (content + content[-1:] * file["size"])[: file["size"]]
        lines += [f"{head}Content-Type: {file['content_type']}\r\n\r\n".encode(), content, b"\r\n"]
    return b"".join([*lines, f"--{boundary}--\r\n".encode()])
