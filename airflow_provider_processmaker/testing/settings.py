"""``/settings``: by key."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, plain_queries, validation
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.tables import Row

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request

_COLUMNS = ("id", "key", "name", "helper", "group", "format", "hidden", "readonly", "created_at", "updated_at")
_SEARCHED = ("key", "name", "helper", "group")
_FILLABLE = ("key", "config", "name", "helper", "group", "format", "hidden", "readonly", "ui")
_PER_PAGE = 25


def index(request: Request) -> Response:
    """
    ``GET /settings``: those that are not hidden, 25 a page.

    :param request: the call.
    """
    rows = [row.columns for row in request.state.workflow.settings if not row.columns["hidden"]]
    rows = plain_queries.queried(request, rows, _COLUMNS, _SEARCHED, {"error": "PMQL error"})
    rows = lists.filtered(request, rows, _SEARCHED)
    group = request.text("group")
    rows = [row for row in rows if not group or row["group"] == group]
    return lists.plain_list(request, lists.ordered(request, rows, "name", _COLUMNS), per_page=_PER_PAGE)


def store(request: Request) -> Response:
    """
    ``POST /settings``: 201 with an empty list, 409 for a key that is there.

    :param request: the call.
    """
    validation.validate(request.input, {"key": [validation.required]})
    table, now = request.state.workflow.settings, request.state.clock.iso()
    if any(row.columns["key"] == request.input["key"] for row in table):
        return Response.json({"message": "The setting already exists."}, 409)
    row_id = table.next_id()
    empty: dict[str, Any] = {**dict.fromkeys(_FILLABLE), "format": "text", "hidden": False, "readonly": False}
    sent = {name: request.input[name] for name in _FILLABLE if name in request.input}
    table.add(Row(row_id, {"id": row_id, **empty, **sent, "created_at": now, "updated_at": now}))
    return Response.json([], 201)


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
    Route("GET", "/settings", index, "view-settings", frozenset({"pmql"})),
    Route("POST", "/settings", store, "update-settings"),
    Route("PUT", "/settings/{setting}", update, "update-settings"),
    Route("DELETE", "/settings/{setting}", destroy, "update-settings"),
]
