"""``/screens``."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, plain_queries, validation
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.phpdata import as_stored, as_text
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.tables import Screen

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State

_COLUMNS = ("id", "uuid", "title", "description", "type", "status", "screen_category_id", "created_at", "updated_at")
_SEARCHED = ("title", "description", "type")
_FILLABLE = ("title", "description", "type", "config", "computed", "watchers", "custom_css", "screen_category_id",
             "status")  # fmt: skip


def index(request: Request) -> Response:
    """
    ``GET /screens``: like all that only reads them, without a permission.

    :param request: the call.
    """
    rows = (row.columns for row in request.state.workflow.screens)
    rows_meant = plain_queries.queried(request, rows, _COLUMNS, _SEARCHED)
    found = lists.filtered(request, rows_meant, _SEARCHED)
    return lists.plain_list(request, lists.ordered(request, found, "title", _COLUMNS))


def _rules(request: Request, existing: Screen | None) -> dict[str, Sequence[Callable[[Any], str | None]]]:
    def taken(title: str) -> bool:
        wanted = lists.fold(title)
        rows = request.state.workflow.screens
        return any(lists.fold(row.columns["title"]) == wanted and row is not existing for row in rows)

    return {
        "title": [validation.required, validation.unique(taken)],
        "description": [validation.required],
        "type": [validation.required],
        "screen_category_id": [validation.required],
    }


def store(request: Request) -> Response:
    """
    ``POST /screens``.

    :param request: the call.
    """
    validation.validate(request.input, _rules(request, None))
    sent = {name: as_stored(request.input[name]) for name in _FILLABLE if name in request.input}
    category = sent["screen_category_id"]
    sent["screen_category_id"] = as_text(category)
    row = new_screen(request.state, sent)
    stamps = {name: row.columns[name] for name in ("uuid", "updated_at", "created_at", "id")}
    return Response.json({**sent, **stamps, "tmp_screen_category_id": category, "projects": "[]"}, 201)


def new_screen(state: State, values: dict[str, Any]) -> Screen:
    """
    Add a screen.

    :param state: the server's data.
    :param values: columns that differ from a new one's.
    """
    table, now = state.workflow.screens, state.clock.iso()
    row_id = table.next_id()
    stamps = {"uuid": str(uuid.uuid4()), "updated_at": now, "created_at": now, "id": row_id}
    names = ("config", "computed", "custom_css", "watchers", "translations", "key", "asset_type")
    columns = {**dict.fromkeys(names), "status": "ACTIVE", "is_template": 0, **values, **stamps, "projects": "[]"}
    return table.add(Screen(row_id, columns))


def show(request: Request) -> Response:
    """
    ``GET /screens/{screen}``.

    :param request: the call.
    """
    row: Screen = request.bound["screen"]
    return Response.json(row.columns)


def update(request: Request) -> Response:
    """
    ``PUT /screens/{screen}``.

    :param request: the call.
    """
    row: Screen = request.bound["screen"]
    validation.validate({**row.columns, **request.input}, _rules(request, row))
    row.columns.update({name: as_stored(request.input[name]) for name in _FILLABLE if name in request.input})
    row.columns["screen_category_id"] = as_text(row.columns["screen_category_id"])
    row.columns["updated_at"] = request.state.clock.iso()
    return Response.nothing()


def destroy(request: Request) -> Response:
    """
    ``DELETE /screens/{screen}``.

    :param request: the call.
    """
    request.state.workflow.screens.remove(request.bound["screen"].id)
    return Response.nothing()


ROUTES = [
    Route("GET", "/screens", index),
    Route("POST", "/screens", store, "create-screens"),
    Route("GET", "/screens/{screen}", show),
    Route("PUT", "/screens/{screen}", update, "edit-screens"),
    Route("DELETE", "/screens/{screen}", destroy, "delete-screens"),
]
