"""``/notifications``: those of the caller."""

from __future__ import annotations

import json
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.state import USER_MODEL

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.tables import Token

_COLUMNS = ("id", "type", "notifiable_id", "read_at", "created_at", "updated_at")


def new(state: State, user_id: int, kind: str, data: dict[str, Any]) -> dict[str, Any]:
    """
    Add a notification.

    :param state: the server's data.
    :param user_id: for whom.
    :param kind: its class.
    :param data: what it says.
    """
    now = state.clock.iso()
    row: dict[str, Any] = {
        "id": str(uuid.uuid4()),
        "type": kind,
        "notifiable_type": USER_MODEL,
        "notifiable_id": user_id,
        "data": data,
        "read_at": None,
        "created_at": now,
        "updated_at": now,
        "url": data.get("url"),
    }
    state.workflow.notifications[row["id"]] = row
    return row


def reassigned(request: Request, token: Token) -> None:
    """
    Tell the new assignee of a task.

    :param request: the call that gave it to him.
    :param token: the task.
    """
    url = f"/tasks/{token.id}/edit"
    name = token.columns["element_name"]
    data = {
        "type": "TASK_REASSIGNED",
        "message": f"Task reassigned: {name}",
        "name": name,
        "processName": token.request.process.name,
        "request_id": token.request.id,
        "userName": request.user.json()["fullname"],
        "user_id": token.user_id,
        "dateTime": request.state.clock.iso(),
        "uid": token.id,
        "url": url,
    }
    kind = "ProcessMaker\\Notifications\\TaskReassignmentNotification"
    new(request.state, token.user_id or request.user.id, kind, data)


def _mine(request: Request) -> list[dict[str, Any]]:
    rows = request.state.workflow.notifications.values()
    return [row for row in rows if row["notifiable_id"] == request.user.id]


def index(request: Request) -> Response:
    """
    ``GET /notifications``: newest first, in Laravel's own shape. On the real server it sends overdue notices, too.

    :param request: the call.
    """
    rows = _of_status(_searched(_mine(request), request.text("filter")), request.text("status"))
    if "order_by" in request.input:
        rows = lists.ordered(request, rows, "created_at", _COLUMNS)
    else:
        # Of one second, the later first as well.
        rows = sorted(rows, key=lambda row: str(row["created_at"]))[::-1]
    items, page = lists.paginate(request, rows)
    path = f"{request.base_url}{request.path.rstrip('/')}"

    def link(number: int, there: bool) -> str | None:
        return f"{path}?page={number}" if there else None

    links = {
        "first": link(1, True),
        "last": link(page.last, True),
        "prev": link(page.number - 1, page.number > 1),
        "next": link(page.number + 1, page.number < page.last),
    }
    meta = lists.laravel_meta(page, len(items), path)
    return Response.json({"data": list(items), "links": links, "meta": meta})


def _of_status(rows: list[dict[str, Any]], status: str) -> list[dict[str, Any]]:
    if status not in {"read", "unread"}:
        return rows
    return [row for row in rows if (row["read_at"] is None) == (status == "unread")]


def _searched(rows: list[dict[str, Any]], wanted: str) -> list[dict[str, Any]]:
    """``filter`` is a status, or else a part of a name."""
    if wanted in {"", "0", "read", "unread"}:
        return _of_status(rows, wanted)
    matches = lists.like(f"%{wanted}%")
    return [row for row in rows if any(matches(row["data"].get(name)) for name in ("name", "userName", "processName"))]


def store(request: Request) -> Response:
    """
    ``POST /notifications``: ``data`` is JSON text.

    :param request: the call.
    """
    data = json.loads(request.text("data") or "{}")
    user_id = int(request.input.get("notifiable_id") or request.user.id)
    row = new(request.state, user_id, request.text("type"), data)
    return Response.json({name: value for name, value in row.items() if name != "url"}, 201)


def _one(request: Request) -> dict[str, Any] | None:
    row = request.state.workflow.notifications.get(request.bound["notificationId"])
    return row if row is not None and row["notifiable_id"] == request.user.id else None


def show(request: Request) -> Response:
    """
    ``GET /notifications/{notificationId}``.

    :param request: the call.
    """
    row = _one(request)
    return not_found() if row is None else Response.json(row)


def destroy(request: Request) -> Response:
    """
    ``DELETE /notifications/{notificationId}``.

    :param request: the call.
    """
    row = _one(request)
    if row is None:
        return not_found()
    del request.state.workflow.notifications[row["id"]]
    return Response.nothing()


def _mark(request: Request, rows: list[dict[str, Any]], *, read: bool) -> Response:
    now = request.state.clock.iso()
    for row in rows:
        row["read_at"] = now if read else None
    return Response.json([], 201)


def _named(request: Request) -> list[dict[str, Any]]:
    ids = request.input.get("message_ids") or []
    return [row for row in _mine(request) if row["id"] in ids]


def read(request: Request) -> Response:
    """
    ``PUT /read_notifications``.

    :param request: the call.
    """
    return _mark(request, _named(request), read=True)


def unread(request: Request) -> Response:
    """
    ``PUT /unread_notifications``.

    :param request: the call.
    """
    return _mark(request, _named(request), read=False)


def read_all(request: Request) -> Response:
    """
    ``PUT /read_all_notifications``.

    :param request: the call.
    """
    return _mark(request, _mine(request), read=True)


ROUTES = [
    Route("GET", "/notifications", index),
    Route("POST", "/notifications", store, exempt=frozenset({"data"})),
    Route("GET", "/notifications/{notificationId}", show),
    Route("DELETE", "/notifications/{notificationId}", destroy),
    Route("PUT", "/read_notifications", read),
    Route("PUT", "/unread_notifications", unread),
    Route("PUT", "/read_all_notifications", read_all),
]
