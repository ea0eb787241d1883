"""The categories of processes, screens and scripts."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, validation
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import Category

_COLUMNS = ("id", "uuid", "name", "status", "is_system", "created_at", "updated_at")


def _index(kind: str, request: Request) -> Response:
    rows = (row.columns for row in request.state.workflow.categories[kind] if not row.columns["is_system"])
    found = lists.filtered(request, rows, ("name", "status"))
    status = request.text("status")
    found = [row for row in found if not status or row["status"] == status]
    return lists.plain_list(request, lists.ordered(request, found, "name", _COLUMNS))


def _rules(kind: str, request: Request, existing: Category | None) -> dict[str, Sequence[Callable[[Any], str | None]]]:
    def taken(name: str) -> bool:
        wanted = lists.fold(name)
        rows = request.state.workflow.categories[kind]
        return any(lists.fold(row.columns["name"]) == wanted and row is not existing for row in rows)

    return {
        "name": [validation.required, validation.string, validation.at_most(100), validation.unique(taken)],
        "status": [validation.required, validation.one_of("ACTIVE", "INACTIVE")],
    }


def _store(kind: str, request: Request) -> Response:
    validation.validate(request.input, _rules(kind, request, None))
    sent = {name: request.input[name] for name in ("name", "status")}
    row = request.state.workflow.new_category(kind, sent)
    return Response.json(
        {**sent, **{name: row.columns[name] for name in ("uuid", "updated_at", "created_at", "id")}}, 201
    )


def _find(kind: str, request: Request) -> Category | None:
    return request.state.workflow.categories[kind].get(int(request.bound["category"]))


def _show(kind: str, request: Request) -> Response:
    row = _find(kind, request)
    return not_found() if row is None else Response.json(row.columns)


def _update(kind: str, request: Request) -> Response:
    row = _find(kind, request)
    if row is None:
        return not_found()
    validation.validate(request.input, _rules(kind, request, row))
    row.columns.update({name: request.input[name] for name in ("name", "status")})
    row.columns["updated_at"] = request.state.clock.iso()
    return Response.json(row.columns)


def _destroy(kind: str, request: Request) -> Response:
    row = _find(kind, request)
    if row is None:
        return not_found()
    if any(str(item.columns["process_category_id"]) == str(row.id) for item in request.state.workflow.processes):
        text = "The item should not have associated processes"
        if kind == "process_categories":
            raise validation.failure({"processes": [text]}, "The given data was invalid.")
    request.state.workflow.categories[kind].remove(row.id)
    return Response.nothing()


def _routes(kind: str) -> list[Route]:
    name, one = kind.replace("_", "-"), f"/{kind}/{{category}}"
    return [
        Route("GET", f"/{kind}", partial(_index, kind), f"view-{name}"),
        Route("POST", f"/{kind}", partial(_store, kind), f"create-{name}"),
        Route("GET", one, partial(_show, kind), f"view-{name}"),
        Route("PUT", one, partial(_update, kind), f"edit-{name}"),
        Route("DELETE", one, partial(_destroy, kind), f"delete-{name}"),
    ]


ROUTES = [route for kind in ("process_categories", "screen_categories", "script_categories") for route in _routes(kind)]
