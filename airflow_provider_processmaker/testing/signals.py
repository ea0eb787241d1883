"""``/signals``: what signals there are, and which processes throw or catch them."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists
from airflow_provider_processmaker.testing.errors import forbidden
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State

_ID = re.compile(r"[a-zA-Z_][\w.-]*")


def _users(state: State, signal: str) -> list[dict[str, Any]]:
    """The processes that know a signal."""
    found = []
    for process in state.workflow.processes:
        nodes = [node for node in process.definition.nodes.values() if signal in node.signals]
        if nodes and process.status != "ARCHIVED":
            catches = [{"id": node.id, "name": node.name, "type": node.kind} for node in nodes]
            found.append({"id": process.id, "name": process.name, "is_system": 0, "catches": catches})
    return found


def _all(state: State) -> list[dict[str, Any]]:
    known = {
        signal: {"id": signal, "name": name, "detail": ""}
        for process in state.workflow.processes
        for signal, name in process.definition.signals.items()
    }
    known.update(state.workflow.signals)
    return [{**row, "processes": _users(state, signal), "type": "signal"} for signal, row in sorted(known.items())]


def index(request: Request) -> Response:
    """
    ``GET /signals``: with a ``meta`` made by hand: ``to`` is not clamped, and a page past the end is the last one.

    :param request: the call.
    """
    rows = _all(request.state)
    wanted = request.text("filter")
    if wanted:
        matches = lists.like(f"%{wanted}%")
        rows = [row for row in rows if matches(row["id"]) or matches(row["name"])]
    column, direction = request.text("order_by", "id"), request.text("order_direction", "asc")
    rows.sort(key=lambda row: lists.sort_key(row.get(column)), reverse=direction.lower() == "desc")
    asked = request.input.get("per_page", 10)
    per_page = int(asked or 10)
    last = len(rows) // per_page + 1
    page = min(lists.page_number(request), last)
    items = rows[(page - 1) * per_page : page * per_page]
    meta = {
        "count": len(items),
        "current_page": page,
        "filter": wanted,
        "from": (page - 1) * per_page + 1,
        "last_page": last,
        "path": "/",
        "per_page": asked,
        "sort_by": column,
        "sort_order": direction,
        "to": page * per_page,
        "total": len(rows),
        "total_pages": last,
    }
    return Response.json({"data": items, "meta": meta})


def _bad(request: Request, existing: str | None) -> Response | None:
    signal = request.text("id")
    errors: dict[str, list[str]] = {}
    if not signal:
        errors["id"] = ["The signal ID is required."]
    elif not _ID.fullmatch(signal):
        errors["id"] = ["The signal ID should be an alphanumeric string"]
    elif signal != existing and any(row["id"] == signal for row in _all(request.state)):
        errors["id"] = ["The signal ID already exists"]
    if not request.text("name"):
        errors["name"] = ["The signal name is required."]
    return Response.json({"errors": errors}, 422) if errors else None


def store(request: Request) -> Response:
    """
    ``POST /signals``.

    :param request: the call.
    """
    bad = _bad(request, None)
    if bad is not None:
        return bad
    row = {name: request.text(name) for name in ("id", "name", "detail")}
    request.state.workflow.signals[row["id"]] = row
    return Response.json({"id": row["id"], "name": row["name"]})


def show(request: Request) -> Response:
    """
    ``GET /signals/{signalId}``: an unknown one is an empty page with 200.

    :param request: the call.
    """
    for row in _all(request.state):
        if row["id"] == request.bound["signalId"]:
            return Response.json({name: value for name, value in row.items() if name != "type"})
    return Response.html("")


def update(request: Request) -> Response:
    """
    ``PUT /signals/{signalId}``.

    :param request: the call.
    """
    signal = request.bound["signalId"]
    bad = _bad(request, signal)
    if bad is not None:
        return bad
    row = {name: request.text(name) for name in ("id", "name", "detail")}
    request.state.workflow.signals.pop(signal, None)
    request.state.workflow.signals[row["id"]] = row
    return Response.json({"id": row["id"], "name": row["name"]})


def destroy(request: Request) -> Response:
    """
    ``DELETE /signals/{signalId}``: 201 with an empty page; not if a process knows the signal.

    :param request: the call.
    """
    signal = request.bound["signalId"]
    if _users(request.state, signal):
        raise forbidden("Signals cannot be deleted if they are used in a process.")
    request.state.workflow.signals.pop(signal, None)
    return Response.html("", 201)


ROUTES = [
    Route("GET", "/signals", index, "view-signals"),
    Route("POST", "/signals", store, "create-signals"),
    Route("GET", "/signals/{signalId}", show, "view-signals"),
    Route("PUT", "/signals/{signalId}", update, "edit-signals"),
    Route("DELETE", "/signals/{signalId}", destroy, "delete-signals"),
]
