"""``/task_assignments``: who may get which task of a process."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, validation
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.tables import Row

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State

_FIELDS = ("process_id", "process_task_id", "assignment_id", "assignment_type")
_COLUMNS = ("id", "uuid", *_FIELDS, "created_at", "updated_at")
_RULES = {name: [validation.required] for name in _FIELDS}


def index(request: Request) -> Response:
    """
    ``GET /task_assignments``: without regard to ``filter``.

    :param request: the call.
    """
    rows = [row.columns for row in request.state.workflow.task_assignments]
    return lists.plain_list(request, lists.ordered(request, rows, "process_task_id", _COLUMNS))


def store(request: Request) -> Response:
    """
    ``POST /task_assignments``.

    :param request: the call.
    """
    validation.validate(request.input, _RULES)
    row = new_assignment(request.state, {name: request.input[name] for name in _FIELDS})
    return Response.json(row.columns, 201)


def new_assignment(state: State, values: dict[str, Any]) -> Row:
    """
    Add an assignment.

    :param state: the server's data.
    :param values: process, task and who may get it.
    """
    table, now = state.workflow.task_assignments, state.clock.zoneless()
    row_id = table.next_id()
    stamps = {"uuid": str(uuid.uuid4()), "updated_at": now, "created_at": now, "id": row_id}
    return table.add(Row(row_id, {**values, **stamps}))


def update(request: Request) -> Response:
    """
    ``PUT /task_assignments/{assignment}``.

    :param request: the call.
    """
    row = request.state.workflow.task_assignments.get(int(request.bound["assignment"]))
    if row is None:
        return not_found()
    validation.validate(request.input, _RULES)
    row.columns.update({name: request.input[name] for name in _FIELDS})
    return Response.json(row.columns)


def destroy(request: Request) -> Response:
    """
    ``DELETE /task_assignments/{assignment}``.

    :param request: the call.
    """
    table = request.state.workflow.task_assignments
    row = table.get(int(request.bound["assignment"]))
    if row is None:
        return not_found()
    table.remove(row.id)
    return Response.nothing()


_ONE = "/task_assignments/{assignment}"

ROUTES = [
    Route("GET", "/task_assignments", index, "view-task_assignments"),
    Route("POST", "/task_assignments", store, "create-task_assignments"),
    Route("PUT", _ONE, update, "edit-task_assignments"),
    Route("DELETE", _ONE, destroy, "delete-task_assignments"),
]
