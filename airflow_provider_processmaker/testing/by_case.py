"""Requests and tasks by the number of their case."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, process_requests, request_queries, task_queries, validation
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import policies, views

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest, Token

    Rules = dict[str, list[Callable[[Any], str | None]]]


_CASE: Rules = {"case_number": [validation.required, validation.integer]}
_PAGE: Rules = {
    "order_direction": [validation.one_of("asc", "desc")],
    "page": [validation.integer, validation.positive],
    "per_page": [validation.integer],
}
_REQUESTS: Rules = {
    **_CASE,
    "order_by": [validation.one_of("id", "name", "status", "user_id", "initiated_at", "participants")],
    **_PAGE,
}
_TASKS: Rules = {
    **_CASE,
    "status": [validation.one_of("ACTIVE", "CLOSED")],
    "order_by": [validation.one_of("id", "element_name", "due_at", "user.lastname", "process.name")],
    **_PAGE,
}


def _of_case(request: Request, rules: Rules) -> list[ProcessRequest]:
    validation.validate(request.input, rules)
    number = int(request.text("case_number"))
    return [row for row in request.state.workflow.requests if row.case_number == number]


def requests(request: Request) -> Response:
    """
    ``GET /requests-by-case``; ``participants`` may be ordered by, but the database knows no such column.

    :param request: the call.
    """
    rows = [row for row in _of_case(request, _REQUESTS) if policies.may_list(request.state, request.user, row)]
    rows = request_queries.ordered(request, rows, "id")
    return lists.query_list(request, rows, lambda row: _request(request, row))


def _request(request: Request, row: ProcessRequest) -> dict[str, Any]:
    more = process_requests.included(request, row)
    more.pop("process", None)
    return {**views.request(row), "user_viewed_at": None, **more}


def parent(request: Request) -> Response:
    """
    ``GET /parent-request-by-case``: nobody asks who may; nothing there is an empty page.

    :param request: the call.
    """
    row = next((row for row in _of_case(request, _CASE) if row.parent_request_id is None), None)
    return Response.html("") if row is None else Response.json(views.request(row))


def tasks(request: Request) -> Response:
    """
    ``GET /tasks-by-case``: the active ones unless ``status`` says otherwise, by when they are due.

    :param request: the call.
    """
    ids = {row.id for row in _of_case(request, _TASKS)}
    status = request.text("status", "ACTIVE")
    column = request.text("order_by", "due_at")
    if "." in column:
        # Allowed by the rules, but of tables that the query does not join.
        raise task_queries.invalid()
    rows = [row for row in request.state.workflow.tokens if row.request.id in ids and row.status == status]
    rows = [row for row in task_queries.visible(request, rows) if row.columns["element_type"] == "task"]
    rows.sort(key=lambda row: lists.sort_key(row.columns[column]), reverse=request.text("order_direction") == "desc")
    return lists.plain_list(request, rows, lambda row: _task(request, row), in_overdue=0)


def _task(request: Request, row: Token) -> dict[str, Any]:
    """Few columns; how far the task is, is told by its status, which is not among them: so it is always open."""
    names = ("id", "element_name", "user_id", "process_id", "completed_at", "due_at", "process_request_id")
    user = views.user_of(request.state, row)
    people = ("id", "firstname", "lastname", "username", "avatar", "fullname")
    process = {"id": row.request.process.id, "name": row.request.process.name}
    return {
        **{name: row.columns[name] for name in names},
        "advanceStatus": "open",
        # What a process computes comes along, of columns that were not read.
        "process": {**process, "has_timer_start_events": False, "projects": "[]"},
        "user": user and {name: user[name] for name in people},
        "can_view_parent_request": views.may_see_parent(request.state, row, request.user),
    }


ROUTES = [
    Route("GET", "/requests-by-case", requests),
    Route("GET", "/parent-request-by-case", parent),
    Route("GET", "/tasks-by-case", tasks),
]
