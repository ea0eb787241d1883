"""Uploaded files: their names, types and rows, and how they go out again."""

from __future__ import annotations

import re
import uuid
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.workflow.tables import REQUEST_MODEL, Media

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.multipart import Upload
    from airflow_provider_processmaker.testing.state import State

_MAGIC = {
    b"\x89PNG\r\n\x1a\n": "image/png",
    b"\xff\xd8\xff": "image/jpeg",
    b"GIF8": "image/gif",
    b"%PDF-": "application/pdf",
    b"PK\x03\x04": "application/zip",
    b"\x1f\x8b": "application/gzip",
}
# Bytes that texts do not have.
_BINARY = re.compile(rb"[\x00-\x06\x0e-\x1a\x1c-\x1f]")
_TARGA_KINDS = frozenset({1, 2, 3, 9, 10, 11})
_MEGABYTE = 1024 * 1024
_IMAGE_LIMIT, _LIMIT = 5, 10


def mime_type(content: bytes) -> str:
    """
    What a file is, by its contents alone.

    :param content: the bytes.
    """
    if not content:
        return "application/x-empty"
    for start, kind in _MAGIC.items():
        if content.startswith(start):
            return kind
    if not _BINARY.search(content):
        return "text/plain"
    if len(content) > 18 and content[1] in {0, 1} and content[2] in _TARGA_KINDS:
        return "image/x-tga"
    return "application/octet-stream"


def too_large(request: Request) -> Response | None:
    """
    The answer to a file over the limit, which comes before all others, even 401.

    :param request: the call.
    """
    if not request.content_type.startswith("multipart/form-data"):
        return None
    sizes = [(len(upload.content), upload.content_type) for upload in request.files.values()]
    total = request.body_input.get("totalSize")
    if isinstance(total, str) and total.isdigit():
        sizes.append((int(total), sizes[0][1] if sizes else ""))
    for size, kind in sizes:
        limit = _IMAGE_LIMIT if kind.startswith("image/") else _LIMIT
        if size > limit * _MEGABYTE:
            text = f"The file is too large. Maximum allowed size is {limit}M"
            response = Response.json({"message": text}, 422)
            # The first of all middleware: nothing that comes later adds its headers.
            response.tenant = False
            return response
    return None


def add(request: Request, upload: Upload, model: str, model_id: int, properties: dict[str, Any]) -> Media:
    """
    Store a file.

    :param request: the call.
    :param upload: the file.
    :param model: class of what it belongs to.
    :param model_id: id of what it belongs to.
    :param properties: kept with it.
    """
    file_name = re.sub(r"[#/\\ ]", "-", upload.name)
    if re.search(r"\.(php\d?|phtml|phar)$", file_name, re.IGNORECASE):
        text = (
            f"The file name `{upload.name}` was sanitized to `{file_name}`. "
            "This sanitized file name is not allowed because it is a PHP file."
        )
        raise Abort(Response.json({"errors": {"message": text}}, 500))
    kept = {**properties, "createdBy": request.user.id, "updatedBy": request.user.id}
    row = new_media(request.state, file_name, upload.content, (model, model_id), kept)
    row.columns["name"] = upload.name.rpartition(".")[0] or upload.name
    row.columns["collection_name"] = request.text("collection", "default")
    return row


def replace(
    request: Request, upload: Upload, owner: tuple[str, int], properties: dict[str, Any], there: Iterable[Media]
) -> Media:
    """
    Store a file instead of those like it, unless several are wanted; who made the first stays its maker.

    :param request: the call.
    :param upload: the file.
    :param owner: class and id of what it belongs to.
    :param properties: kept with it.
    :param there: the files that the owner has.
    """
    old = alike(there, properties)
    for file in old if not request.text("multiple") else ():
        request.state.workflow.media.remove(file.id)
    stored = add(request, upload, *owner, properties)
    for file in old:
        stored.columns["custom_properties"]["createdBy"] = file.columns["custom_properties"]["createdBy"]
    return stored


def alike(files: Iterable[Media], properties: dict[str, Any]) -> list[Media]:
    """
    The files of the same variable, parent and row of a form.

    :param files: some files.
    :param properties: of a new one.
    """
    names = ("data_name", "parent", "row_id")
    wanted = [properties[name] for name in names]
    return [file for file in files if [file.columns["custom_properties"].get(name) for name in names] == wanted]


def new_media(
    state: State, file_name: str, content: bytes, model: tuple[str, int], properties: dict[str, Any]
) -> Media:
    """
    Add a file's row.

    :param state: the server's data.
    :param file_name: its name.
    :param content: its bytes.
    :param model: class and id of what it belongs to.
    :param properties: kept with it.
    """
    table = state.workflow.media
    owner = dict(zip(("model_type", "model_id"), model, strict=True))
    orders = [row.columns["order_column"] for row in table if owner.items() <= row.columns.items()]
    media_id = table.next_id()
    now = state.clock.micro()
    columns = {
        "id": media_id,
        "uuid": str(uuid.uuid4()),
        **owner,
        "collection_name": "default",
        "name": file_name.rpartition(".")[0] or file_name,
        "file_name": file_name,
        "mime_type": mime_type(content),
        "disk": "public",
        "conversions_disk": "public",
        "size": len(content),
        "manipulations": [],
        "custom_properties": properties,
        "responsive_images": [],
        "order_column": max(orders, default=0) + 1,
        "created_at": now,
        "updated_at": now,
        "generated_conversions": [],
    }
    return table.add(Media(media_id, columns, content))


def shown(request: Request, row: Media) -> dict[str, Any]:
    """
    A file as the API shows it.

    :param request: the call, for the server's address.
    :param row: the file.
    """
    url = f"{request.base_url}/storage/{row.id}/{row.columns['file_name']}"
    of_request = row.columns["model_id"] if row.columns["model_type"] == REQUEST_MODEL else None
    return {**row.columns, "original_url": url, "preview_url": "", "process_request_id": of_request}


def sent(request: Request, row: Media) -> Response:
    """
    The bytes of a file, or a range of them.

    :param request: may ask for a range.
    :param row: the file.
    """
    name = row.columns["file_name"]
    plain = name.encode("ascii", "replace").decode().replace("?", "_")
    disposition = f"attachment; filename={plain}"
    if plain != name:
        disposition += f"; filename*=utf-8''{quote(name)}"
    kind = row.columns["mime_type"]
    response = Response(200, row.content, {"Content-Type": f"{kind}; charset=UTF-8" if "text/" in kind else kind})
    response.headers.update({"Content-Disposition": disposition, "Accept-Ranges": "bytes"})
    response.cache_control = "public"
    match = re.fullmatch(r"bytes=(\d*)-(\d*)", request.headers.get("range", ""))
    if match and any(match.groups()):
        _cut(response, match)
    return response


def _cut(response: Response, match: re.Match[str]) -> None:
    size = len(response.body)
    first, last = match.groups()
    start = int(first) if first else max(0, size - int(last))
    stop = min(size, int(last) + 1) if first and last else size
    if start >= stop:
        response.status, response.body = 416, b""
        response.headers["Content-Range"] = f"bytes */{size}"
        return
    response.status, response.body = 206, response.body[start:stop]
    response.headers["Content-Range"] = f"bytes {start}-{stop - 1}/{size}"
