"""``/environment_variables``: their values go in and never come out."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, validation
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import EnvironmentVariable

_COLUMNS = ("id", "uuid", "name", "description", "value", "created_at", "updated_at")
_BAD_NAME = "Name has to start with a letter and can contain only letters, numbers, and underscores (_)."


def index(request: Request) -> Response:
    """
    ``GET /environment_variables``.

    :param request: the call.
    """
    variables = (variable.json() for variable in request.state.environment_variables)
    rows = lists.filtered(request, variables, ("name", "description"))
    return lists.plain_list(request, lists.ordered(request, rows, "name", _COLUMNS))


def _rules(request: Request, existing: EnvironmentVariable | None) -> dict[str, Sequence[Callable[[Any], str | None]]]:
    def taken(name: str) -> bool:
        wanted = lists.fold(name)
        return any(
            lists.fold(row.columns["name"]) == wanted and row is not existing
            for row in request.state.environment_variables
        )

    return {
        "description": [validation.required],
        "name": [
            validation.required,
            validation.matches(r"[a-zA-Z][a-zA-Z_$0-9]*", _BAD_NAME),
            validation.unique(taken),
        ],
    }


def store(request: Request) -> Response:
    """
    ``POST /environment_variables``.

    :param request: the call.
    """
    validation.validate(request.input, _rules(request, None))
    name, description = request.text("name"), request.text("description")
    row = request.state.new_environment_variable(name, description, request.input.get("value"))
    sent = {key: row.columns[key] for key in request.input if key in {"name", "description"}}
    stamps = {key: row.columns[key] for key in ("uuid", "updated_at", "created_at", "id")}
    return Response.json({**sent, **stamps}, 201)


def show(request: Request) -> Response:
    """
    ``GET /environment_variables/{environment_variable}``.

    :param request: the call.
    """
    row: EnvironmentVariable = request.bound["environment_variable"]
    return Response.json(row.json())


def update(request: Request) -> Response:
    """
    ``PUT /environment_variables/{environment_variable}``: an empty value leaves the old one.

    :param request: the call.
    """
    row: EnvironmentVariable = request.bound["environment_variable"]
    validation.validate(request.input, _rules(request, row))
    row.columns.update(name=request.text("name"), description=request.text("description"))
    if request.input.get("value") is not None:
        row.value = request.text("value")
    row.columns["updated_at"] = request.state.clock.zoneless()
    return Response.json(row.json())


def destroy(request: Request) -> Response:
    """
    ``DELETE /environment_variables/{environment_variable}``: 200 with an empty page.

    :param request: the call.
    """
    request.state.environment_variables.remove(request.bound["environment_variable"].id)
    return Response.html("")


_EXEMPT = frozenset({"value"})
_ONE = "/environment_variables/{environment_variable}"

ROUTES = [
    Route("GET", "/environment_variables", index, "view-environment_variables"),
    Route("POST", "/environment_variables", store, "create-environment_variables", _EXEMPT),
    Route("GET", _ONE, show, "view-environment_variables"),
    Route("PUT", _ONE, update, "edit-environment_variables", _EXEMPT),
    Route("DELETE", _ONE, destroy, "delete-environment_variables"),
]
