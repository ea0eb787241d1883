"""``/comments``: what people and the server noted on requests and tasks."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, validation
from airflow_provider_processmaker.testing.errors import forbidden, not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.tables import REQUEST_MODEL, Row

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest

TOKEN_MODEL = "ProcessMaker\\Models\\ProcessRequestToken"
_COLUMNS = (
    "id",
    "user_id",
    "commentable_id",
    "commentable_type",
    "subject",
    "body",
    "type",
    "created_at",
    "updated_at",
)
_PER_PAGE = 100


def new_comment(state: State, user_id: int, values: dict[str, Any]) -> Row:
    """
    Add a comment.

    :param state: the server's data.
    :param user_id: whose.
    :param values: what it is about, its kind and its text.
    """
    table, now = state.workflow.comments, state.clock.iso()
    row_id = table.next_id()
    stamps = {"updated_at": now, "created_at": now, "id": row_id}
    return table.add(Row(row_id, {"uuid": str(uuid.uuid4()), "user_id": user_id, **values, **stamps}))


def log(request: Request, row: ProcessRequest, subject: str, body: str) -> None:
    """
    Note on a request what was done to it.

    :param request: the call.
    :param row: the request.
    :param subject: the title.
    :param body: the text.
    """
    about = {"commentable_type": REQUEST_MODEL, "commentable_id": row.id}
    new_comment(request.state, request.user.id, {"type": "LOG", **about, "subject": subject, "body": body})


def index(request: Request) -> Response:
    """
    ``GET /comments``: of one object; those of a request's tasks, of whatever ``type``, come with the request's.

    :param request: the call.
    """
    rules = {"commentable_id": [validation.required], "commentable_type": [validation.required, validation.string]}
    validation.validate(request.input, rules)
    kind, wanted = request.text("commentable_type"), request.text("commentable_id")
    tasks = _tasks(request, wanted) if kind == REQUEST_MODEL else set()
    types = set(request.text("type").split(",")) if "type" in request.input else None
    found = []
    for row in request.state.workflow.comments:
        about = (row.columns["commentable_type"], str(row.columns["commentable_id"]))
        if about in tasks or (about == (kind, wanted) and (types is None or row.columns["type"] in types)):
            found.append(row.columns)
    return lists.plain_list(request, lists.ordered(request, found, "created_at", _COLUMNS), per_page=_PER_PAGE)


def _tasks(request: Request, request_id: str) -> set[tuple[str, str]]:
    row = request.state.workflow.requests.get(int(request_id)) if request_id.isdigit() else None
    return set() if row is None else {(TOKEN_MODEL, str(token.id)) for token in row.tokens}


def store(request: Request) -> Response:
    """
    ``POST /comments``.

    :param request: the call.
    """
    names = ("commentable_id", "commentable_type", "subject", "body")
    validation.validate(request.input, {name: [validation.required] for name in names})
    values = {name: request.input[name] for name in names}
    row = new_comment(request.state, request.user.id, {**values, "type": request.text("type", "MESSAGE")})
    return Response.json(row.columns, 201)


def show(request: Request) -> Response:
    """
    ``GET /comments/{comment}``.

    :param request: the call.
    """
    row = request.state.workflow.comments.get(int(request.bound["comment"]))
    return not_found() if row is None else Response.json(row.columns)


def destroy(request: Request) -> Response:
    """
    ``DELETE /comments/{comment}``: one's own.

    :param request: the call.
    """
    row = request.state.workflow.comments.get(int(request.bound["comment"]))
    if row is None:
        return not_found()
    if row.columns["user_id"] != request.user.id and not request.user.is_administrator:
        raise forbidden()
    request.state.workflow.comments.remove(row.id)
    return Response.nothing()


ROUTES = [
    Route("GET", "/comments", index),
    Route("POST", "/comments", store),
    Route("GET", "/comments/{comment}", show),
    Route("DELETE", "/comments/{comment}", destroy),
]
