"""Cases and the light list of tasks: ``/api/1.1``."""

from __future__ import annotations

import json
import math
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, pmql, validation
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import policies, views

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest, Token

# What leaves its number in a case.
_NOTED = frozenset({"task", "scriptTask", "callActivity"})
_SORTABLE = frozenset({"case_number", "case_title", "case_status", "initiated_at", "completed_at"})


def _light(request: Request, row: Token) -> dict[str, Any]:
    names = ("id", "element_id", "element_name", "element_type", "status", "due_at", "user_id", "process_request_id")
    return {**{name: row.columns[name] for name in names}, "advanceStatus": views.advance(request.state, row)}


def light_tasks(request: Request) -> Response:
    """
    ``GET /api/1.1/tasks``: of everybody, without order, and with a wrong number of pages.

    :param request: the call.
    """
    rows = [row for row in request.state.workflow.tokens if row.columns["element_type"] == "task"]
    wanted = request.input.get("process_request_id")
    if wanted is not None:
        ids = {int(wanted)}
        parent = request.state.workflow.requests.get(int(wanted))
        if request.input.get("include_sub_tasks") and parent is not None:
            ids.update(child.id for child in parent.children)
        rows = [row for row in rows if row.request.id in ids]
    for name in ("status", "user_id"):
        if request.input.get(name) is not None:
            rows = [row for row in rows if pmql.compare("=", row.columns[name], request.input[name])]
    items, page = lists.paginate(request, rows)
    meta = {
        "total": page.total,
        "perPage": page.per_page,
        "currentPage": page.number,
        "lastPage": page.last,
        "count": len(items),
        "from": page.start + 1 if items else None,
        "last_page": page.last,
        "path": "/",
        "per_page": page.per_page,
        "to": page.start + len(items) if items else None,
        "total_pages": math.ceil(len(items) / page.per_page),
    }
    return Response.json({"data": [_light(request, row) for row in items], "meta": meta})


def _case(request: Request, root: ProcessRequest) -> dict[str, Any]:
    rows = [row for row in request.state.workflow.requests if row.case_number == root.case_number]
    tokens = [token for row in rows for token in row.tokens]
    tasks = [token for token in tokens if token.columns["element_type"] == "task"]
    # Each change puts a task in front.
    tasks.sort(key=lambda token: token.touched, reverse=True)
    status = "IN_PROGRESS" if root.status == "ACTIVE" else root.status
    columns = root.columns
    processes = {row.process_id: row.name for row in rows}
    return {
        "case_number": root.case_number,
        "user_id": root.user_id,
        "case_title": columns["case_title"],
        "case_title_formatted": columns["case_title_formatted"],
        "case_status": status,
        "processes": [{"id": number, "name": name} for number, name in processes.items()],
        "requests": [{"id": row.id, "name": row.name, "parent_request_id": row.parent_request_id} for row in rows],
        "request_tokens": [token.id for token in tokens if token.columns["element_type"] in _NOTED],
        "tasks": [_case_task(token) for token in tasks],
        "participants": _people(request, {token.user_id for token in tokens if token.user_id is not None}),
        "initiated_at": columns["initiated_at"],
        "completed_at": columns["completed_at"],
    }


def _people(request: Request, ids: set[int]) -> list[dict[str, Any]]:
    users = (request.state.users.get(user_id) for user_id in sorted(ids))
    shown = [user.json() for user in users if user is not None]
    return [{"name": user["fullname"], **{key: user[key] for key in ("id", "title", "avatar")}} for user in shown]


def _case_task(token: Token) -> dict[str, Any]:
    # The id is text: MySQL's JSON_SEARCH, with which the real server looks for it, finds nothing else.
    names = {"element_id": "element_id", "name": "element_name", "process_id": "process_id", "status": "status"}
    return {"id": str(token.id), **{name: token.columns[column] for name, column in names.items()}}


def _json(value: Any) -> str | None:
    try:
        json.loads(str(value))
    except ValueError:
        return "The :attribute field must be a valid JSON string."
    return None


_FORM = "The :attribute must be a comma-separated list of field:asc|desc."
_RULES: dict[str, list[Callable[[Any], str | None]]] = {
    "userId": [validation.integer],
    "status": [validation.one_of("IN_PROGRESS", "COMPLETED")],
    "sortBy": [validation.matches(r"[a-zA-Z_]+:(asc|desc)(,[a-zA-Z_]+:(asc|desc))*", _FORM)],
    "filterBy": [_json],
    "pageSize": [validation.integer, validation.positive],
    "page": [validation.integer, validation.positive],
}


def _participated(request: Request, status: str) -> list[dict[str, Any]]:
    """The cases of a status, each once for everyone who took part in it."""
    cases = [row for row in _started(request) if row["case_status"] == status]
    return [{**row, "user_id": person["id"]} for row in cases for person in row["participants"]]


def _started(request: Request) -> list[dict[str, Any]]:
    roots = [row for row in request.state.workflow.requests if row.parent_request_id is None]
    return [_case(request, root) for root in roots]


_KINDS: dict[str, Callable[[Request], list[dict[str, Any]]]] = {
    "get_all_cases": _started,
    "get_in_progress": lambda request: _participated(request, "IN_PROGRESS"),
    "get_completed": lambda request: _participated(request, "COMPLETED"),
}


def _cases(kind: str, request: Request) -> Response:
    validation.validate(request.input, _RULES)
    rows = _KINDS[kind](request)
    if request.text("userId"):
        rows = [row for row in rows if row["user_id"] == int(request.text("userId"))]
    if request.text("status"):
        rows = [row for row in rows if row["case_status"] == request.text("status")]
    for name, value in (json.loads(request.text("filterBy")) if request.text("filterBy") else {}).items():
        rows = [row for row in rows if pmql.compare("=", row.get(name), value)]
    if request.text("search"):
        matches = lists.like(f"%{request.text('search')}%")
        rows = [row for row in rows if matches(row["case_title"]) or matches(row["case_number"])]
    return _case_page(request, _sorted_cases(request, rows))


def _by(column: str) -> Callable[[dict[str, Any]], tuple[int, float, str]]:
    return lambda row: lists.sort_key(row[column])


def _sorted_cases(request: Request, rows: list[dict[str, Any]]) -> list[dict[str, Any]]:
    for part in reversed(request.text("sortBy", "case_number:asc").split(",")):
        column, _, direction = part.partition(":")
        if column not in _SORTABLE:
            raise validation.failure({"sortBy": [f"Sort by field {column} is not allowed."]})
        rows = sorted(rows, key=_by(column), reverse=direction == "desc")
    return rows


def _case_page(request: Request, rows: list[dict[str, Any]]) -> Response:
    size = int(request.text("pageSize", "15"))
    number = lists.page_number(request)
    items = rows[(number - 1) * size : number * size]
    last = max(1, math.ceil(len(rows) / size))
    meta = {"total": len(rows), "perPage": size, "currentPage": number, "lastPage": last}
    return Response.json({"data": items, "meta": meta})


def counters(request: Request) -> Response:
    """
    ``GET /api/1.1/cases/get_my_cases_counters``.

    :param request: the call.
    """
    roots = [row for row in request.state.workflow.requests if row.parent_request_id is None]
    mine = [row for row in roots if policies.takes_part(request.user, row)]
    return Response.json(
        {
            "totalAllCases": len(roots),
            "totalMyCases": sum(row.user_id == request.user.id for row in roots),
            "totalInProgress": sum(row.status == "ACTIVE" for row in mine),
            "totalCompleted": sum(row.status == "COMPLETED" for row in mine),
            "totalMyRequest": sum(row.user_id == request.user.id for row in roots),
        }
    )


ROUTES = [
    Route("GET", "/tasks", light_tasks, version="1.1"),
    *(
        Route("GET", f"/cases/{kind}", partial(_cases, kind), version="1.1")
        for kind in ("get_all_cases", "get_in_progress", "get_completed")
    ),
    Route("GET", "/cases/get_my_cases_counters", counters, version="1.1"),
]
