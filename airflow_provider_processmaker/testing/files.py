"""``/requests/{request}/files`` and ``/files``."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import drafts, lists, media, validation
from airflow_provider_processmaker.testing.errors import forbidden, not_found
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.multipart import Upload
from airflow_provider_processmaker.testing.process_requests import seen
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.state import USER_MODEL
from airflow_provider_processmaker.testing.workflow import policies
from airflow_provider_processmaker.testing.workflow.tables import REQUEST_MODEL

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import Media, ProcessRequest

_GONE = "Something went wrong and the file cannot be previewed or downloaded."
_COLUMNS = (
    "id",
    "uuid",
    "model_type",
    "model_id",
    "name",
    "file_name",
    "mime_type",
    "size",
    "created_at",
    "updated_at",
)


def _root(request: Request, row: ProcessRequest) -> ProcessRequest:
    while row.parent_request_id is not None:
        parent = request.state.workflow.requests.get(row.parent_request_id)
        if parent is None:
            break
        row = parent
    return row


def _of(request: Request, row: ProcessRequest) -> list[Media]:
    """The files of a request and of all that run together with it."""
    root = _root(request, row)
    rows = request.state.workflow.requests
    ids = {one.id for one in rows if one is root or one.case_number == root.case_number}
    return [
        file
        for file in request.state.workflow.media
        if file.columns["model_type"] == REQUEST_MODEL and file.columns["model_id"] in ids
    ]


def _one(request: Request, row: ProcessRequest, text: str) -> Media:
    """The file; unknown is 400, one of another request 404."""
    found = request.state.workflow.media.get(int(text))
    if found is None:
        raise Abort(Response.json({"message": _GONE}, 400, pretty=True))
    if found not in _of(request, row):
        raise Abort(not_found())
    return found


def of_request(request: Request) -> Response:
    """
    ``GET /requests/{request}/files``: no pages, no ``meta``.

    :param request: the call.
    """
    row = seen(request)
    found = _of(request, row)
    if request.text("id"):
        found = [_one(request, row, request.text("id"))]
    name = request.text("name")
    if name:
        found = [file for file in found if file.columns["custom_properties"]["data_name"] == name]
    return Response.json({"data": [media.shown(request, file) for file in found]})


def download(request: Request) -> Response:
    """
    ``GET /requests/{request}/files/{file}``: the bytes.

    :param request: the call.
    """
    row = seen(request)
    return media.sent(request, _one(request, row, request.bound["number"]))


def _participating(request: Request) -> ProcessRequest:
    row: ProcessRequest = request.bound["request"]
    if not request.user.is_administrator and not policies.takes_part(request.user, row):
        raise forbidden()
    return row


def upload(request: Request) -> Response:
    """
    ``POST /requests/{request}/files``: 200, and a file of the same ``data_name`` and place in the form is gone.

    With ``task_id`` the file waits in the draft of that task.

    :param request: the call.
    """
    row = _root(request, _participating(request))
    file = request.files["file"]
    if request.text("chunk"):
        whole = _assembled(request, file)
        if whole is None:
            return _progress(request)
        file = whole
    _check_pdf(file)
    name = request.text("data_name", file.name)
    properties = {
        "data_name": name,
        "parent": _number(request, "parent") or None,
        "row_id": request.input.get("row_id"),
    }
    task_id = _number(request, "task_id")
    if task_id:
        stored = drafts.upload(request, task_id, row.id, file, properties)
    else:
        stored = media.replace(request, file, (REQUEST_MODEL, row.id), properties, _of(request, row))
    return Response.json({"message": "The file was uploaded.", "fileUploadId": stored.id})


def _number(request: Request, name: str) -> int:
    """PHP's ``(int)`` of a field: 0 for what is no number."""
    match = re.match(r"\s*[+-]?\d+", request.text(name))
    return int(match.group()) if match else 0


def _check_pdf(file: Upload) -> None:
    # By the name, and in lower case only; a compressed script goes unseen.
    if file.name.endswith(".pdf") and b"/JavaScript" in file.content:
        raise Abort(Response.json(["Dangerous PDF file content"], 422))


def _assembled(request: Request, part: Upload) -> Upload | None:
    """The whole file once its last part is there."""
    number, total = int(request.text("resumableChunkNumber", "1")), int(request.text("resumableTotalChunks", "1"))
    parts = request.state.workflow.chunks.setdefault(request.text("resumableIdentifier"), {})
    parts[number] = part.content
    if number < total:
        return None
    del request.state.workflow.chunks[request.text("resumableIdentifier")]
    content = b"".join(content for _, content in sorted(parts.items()))
    return Upload(request.text("resumableFilename", part.name), part.content_type, content)


def _progress(request: Request) -> Response:
    number, total = int(request.text("resumableChunkNumber", "1")), int(request.text("resumableTotalChunks", "1"))
    return Response.json({"done": math.ceil(number / total * 100)})


def remove(request: Request) -> Response:
    """
    ``DELETE /requests/{request}/files/{file}``.

    :param request: the call.
    """
    row = _participating(request)
    request.state.workflow.media.remove(_one(request, row, request.bound["number"]).id)
    return Response.nothing()


# -- all files ---------------------------------------------------------------------------------------------------------


def index(request: Request) -> Response:
    """
    ``GET /files``.

    :param request: the call.
    """
    rows = (row.columns for row in request.state.workflow.media)
    found = lists.filtered(request, rows, ("file_name", "mime_type"))
    found = lists.ordered(request, found, "updated_at", _COLUMNS)
    table = request.state.workflow.media.rows
    return lists.plain_list(request, [table[row["id"]] for row in found], lambda row: media.shown(request, row))


def _owner(request: Request) -> tuple[str, int] | None:
    name = request.text("model").rpartition("\\")[2]
    number = request.text("model_id")
    if not number.isdigit():
        return None
    if name == "ProcessRequest" and request.state.workflow.requests.get(int(number)):
        return REQUEST_MODEL, int(number)
    if name == "User" and request.state.user(int(number)):
        return USER_MODEL, int(number)
    return None


def store(request: Request) -> Response:
    """
    ``POST /files``: for a request or a user.

    :param request: the call.
    """
    owner = _owner(request)
    if owner is None:
        return not_found()
    if owner[0] == REQUEST_MODEL:
        validation.validate(request.input, {"data_name": [validation.required]})
    file = request.files["file"]
    properties: dict[str, Any] = {"data_name": request.input.get("data_name")}
    row = media.add(request, file, *owner, properties)
    names = ("id", "model_id", "file_name", "mime_type")
    return Response.json({name: row.columns[name] for name in names})


def show(request: Request) -> Response:
    """
    ``GET /files/{file}``.

    :param request: the call.
    """
    return Response.json(media.shown(request, request.bound["file"]))


def contents(request: Request) -> Response:
    """
    ``GET /files/{file}/contents``: the bytes.

    :param request: the call.
    """
    return media.sent(request, request.bound["file"])


def update(request: Request) -> Response:
    """
    ``PUT /files/{file}``: its row only; 201 with an empty list.

    :param request: the call.
    """
    row: Media = request.bound["file"]
    row.columns["updated_at"] = request.state.clock.micro()
    return Response.json([], 201)


def destroy(request: Request) -> Response:
    """
    ``DELETE /files/{file}``.

    :param request: the call.
    """
    request.state.workflow.media.remove(request.bound["file"].id)
    return Response.nothing()


_EXEMPT = frozenset({"data_name"})
_OF = "/requests/{request}/files"

ROUTES = [
    Route("GET", _OF, of_request),
    Route("POST", _OF, upload, exempt=_EXEMPT),
    Route("GET", f"{_OF}/{{number}}", download),
    Route("DELETE", f"{_OF}/{{number}}", remove),
    Route("GET", "/files", index, "view-files"),
    Route("POST", "/files", store, "create-files", _EXEMPT),
    Route("GET", "/files/{file}", show, "view-files"),
    Route("GET", "/files/{file}/contents", contents, "view-files"),
    Route("PUT", "/files/{file}", update, "edit-files"),
    Route("DELETE", "/files/{file}", destroy, "delete-files"),
]
