"""``/signals``: what signals there are, and which processes throw or catch them."""

from __future__ import annotations

import math
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists
from airflow_provider_processmaker.testing.errors import forbidden
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.processes import COLUMNS, queried
from airflow_provider_processmaker.testing.request_queries import INVALID
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.bpmn import Definition
from airflow_provider_processmaker.testing.workflow.tables import Process

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State

_ID = re.compile(r"[a-zA-Z_][\w.-]*")


def _users(processes: Iterable[Process], signal: str) -> list[dict[str, Any]]:
    """The processes that know a signal."""
    found = []
    for process in processes:
        nodes = [node for node in process.definition.nodes.values() if signal in node.signals]
        if nodes and process.status != "ARCHIVED":
            catches = [{"id": node.id, "name": node.name, "type": node.kind} for node in nodes]
            found.append({"id": process.id, "name": process.name, "is_system": 0, "catches": catches})
    return found


def _store(state: State) -> Process:
    """The system's own process, in which signals of no other process are kept."""
    started = state.clock.iso(state.started_at)
    named = {"id": 1, "name": "global_signals", "status": "ACTIVE", "process_category_id": "1"}
    columns = {**dict.fromkeys(COLUMNS), **named, "created_at": started, "updated_at": started}
    kept = {signal: str(row["name"]) for signal, row in state.workflow.signals.items()}
    return Process(1, columns, "", Definition("", "", {}, {}, kept))


def _all(state: State, processes: Sequence[Process] | None = None) -> list[dict[str, Any]]:
    """The signals of some processes, or of all."""
    if processes is None:
        processes = [_store(state), *state.workflow.processes]
    known = {
        signal: {"id": signal, "name": name, "detail": ""}
        for process in processes
        for signal, name in process.definition.signals.items()
    }
    known.update({signal: row for signal, row in state.workflow.signals.items() if signal in known})
    return [{**row, "processes": _users(processes, signal), "type": "signal"} for signal, row in sorted(known.items())]


def _queried(request: Request) -> list[dict[str, Any]]:
    """``pmql`` asks about processes, whose signals are listed; if it finds no process, all are."""
    if request.text("pmql") in {"", "0"}:
        return _all(request.state)
    processes = [_store(request.state), *request.state.workflow.processes]
    return _all(request.state, queried(request, processes, {"message": INVALID}) or None)


def index(request: Request) -> Response:
    """
    ``GET /signals``: with a ``meta`` made by hand: ``to`` is not clamped, and a page past the end is the last one.

    :param request: the call.
    """
    rows = _queried(request)
    wanted = request.text("filter")
    if wanted not in {"", "0"}:
        part = wanted.lower()
        rows = [row for row in rows if part in row["id"].lower() or part in row["name"].lower()]
    column, direction = request.text("order_by", "id"), request.text("order_direction", "asc")
    # PHP's own order: by the letters' codes, capitals first.
    rows.sort(key=lambda row: str(row.get(column)), reverse=direction.lower() == "desc")
    asked = request.input.get("per_page", 10)
    # None or zero: PHP divides by it.
    per_page = int(asked)
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
        "total_pages": math.ceil(len(rows) / per_page),
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
    if _users(request.state.workflow.processes, signal):
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
