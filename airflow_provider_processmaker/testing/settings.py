"""``/settings``: by key."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, plain_queries, validation
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.tables import Row

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State

_COLUMNS = ("id", "key", "name", "helper", "group", "format", "hidden", "readonly", "created_at", "updated_at")
# Any other order_by counts as none. (The real one takes group_id, too.)
_ORDERS = frozenset({"id", "key", "config", "name", "helper", "group", "format", "created_at", "updated_at"})
_SEARCHED = ("key", "name", "helper", "group")
_FILLABLE = ("key", "config", "name", "helper", "group", "format", "hidden", "readonly", "ui")
_PER_PAGE = 25
# What a setting without a group is shown in, and asked for by.
_NO_GROUP = "System"


def index(request: Request) -> Response:
    """
    ``GET /settings``: those that are not hidden, 25 a page; whatever order is asked for, ``ui.order`` goes first.

    :param request: the call.
    """
    rows = [row.columns for row in request.state.workflow.settings if not row.columns["hidden"]]
    rows = plain_queries.queried(request, rows, _COLUMNS, _SEARCHED, {"error": "PMQL error"})
    rows = lists.filtered(request, rows, _SEARCHED)
    group = request.text("group")
    if group not in {"", "0"}:
        wanted = "" if group == _NO_GROUP else lists.fold(group)
        rows = [row for row in rows if lists.fold(row["group"] or "") == wanted]
    return lists.plain_list(request, _ordered(request, rows), _shown, per_page=_PER_PAGE)


def _shown(columns: dict[str, Any]) -> dict[str, Any]:
    return {**columns, "group": columns["group"] or _NO_GROUP}


def _ordered(request: Request, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """By the place in the page of settings, which most have not and so come first; then by the column asked for."""
    asked = request.text("order_by")
    column, down = asked if asked in _ORDERS else "name", lists.descending(request)
    rows = sorted(rows, key=lambda row: lists.sort_key(row[column]), reverse=down)
    return sorted(rows, key=lambda row: _place(row["ui"]))


def _place(ui: Any) -> int:
    """``CAST(ui->>'$.order' AS UNSIGNED)``; below all numbers, as null is, where there is none."""
    if not isinstance(ui, dict) or "order" not in ui:
        return -1
    digits = re.match(r"\s*(\d+)", str(ui["order"]))
    return int(digits.group(1)) if digits else 0


def store(request: Request) -> Response:
    """
    ``POST /settings``: 201 with an empty list, 409 for a key that is there.

    :param request: the call.
    """
    validation.validate(request.input, {"key": [validation.required]})
    if any(row.columns["key"] == request.input["key"] for row in request.state.workflow.settings):
        return Response.json({"message": "The setting already exists."}, 409)
    new_setting(request.state, {name: request.input[name] for name in _FILLABLE if name in request.input})
    return Response.json([], 201)


def new_setting(state: State, values: dict[str, Any]) -> Row:
    """
    Add a setting.

    :param state: the server's data.
    :param values: columns that differ from a new one's.
    """
    table, now = state.workflow.settings, state.clock.iso()
    row_id = table.next_id()
    empty: dict[str, Any] = {**dict.fromkeys(_FILLABLE), "format": "text", "hidden": False, "readonly": False}
    return table.add(Row(row_id, {"id": row_id, **empty, **values, "created_at": now, "updated_at": now}))


def update(request: Request) -> Response:
    """
    ``PUT /settings/{setting}``.

    :param request: the call.
    """
    row = request.state.workflow.settings.get(int(request.bound["setting"]))
    if row is None:
        return not_found()
    row.columns.update({name: request.input[name] for name in _FILLABLE if name in request.input})
    row.columns["updated_at"] = request.state.clock.iso()
    return Response.nothing()


def destroy(request: Request) -> Response:
    """
    ``DELETE /settings/{setting}``.

    :param request: the call.
    """
    table = request.state.workflow.settings
    row = table.get(int(request.bound["setting"]))
    if row is None:
        return not_found()
    table.remove(row.id)
    return Response.nothing()


ROUTES = [
    Route("GET", "/settings", index, "view-settings"),
    Route("POST", "/settings", store, "update-settings"),
    Route("PUT", "/settings/{setting}", update, "update-settings"),
    Route("DELETE", "/settings/{setting}", destroy, "update-settings"),
]
