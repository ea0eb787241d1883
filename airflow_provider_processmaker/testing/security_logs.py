"""``/security-logs``: who was created and deleted, without any order of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, pmql
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.plain_queries import reader
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.tables import Row

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State, User

_COLUMNS = ("id", "event", "ip", "user_id", "occurred_at")


def user_created(request: Request, user: User) -> None:
    """
    Log that a user was created.

    :param request: the call.
    :param user: whom.
    """
    link = {"label": user.columns["username"], "link": f"{request.base_url}/admin/users/{user.id}/edit"}
    names = ("username", "firstname", "lastname", "title", "status", "email")
    data = {name: user.columns[name] for name in names}
    _add(request, "UserCreated", {"name": link, **data, "created_at": request.state.clock.micro()})


def _add(request: Request, event: str, data: dict[str, Any]) -> Row:
    agent = request.headers.get("user-agent")
    return new_log(request.state, event, data, user_id=request.user.id, ip=request.client, user_agent=agent)


def new_log(
    state: State,
    event: str,
    data: dict[str, Any],
    *,
    user_id: int,
    ip: str = "127.0.0.1",
    user_agent: str | None = None,
) -> Row:
    """
    Add a log.

    :param state: the server's data.
    :param event: what happened.
    :param data: about it.
    :param user_id: who did it.
    :param ip: his address.
    :param user_agent: his browser.
    """
    table = state.workflow.security_logs
    nothing = {"name": None, "version": None}
    row_id = table.next_id()
    columns = {
        "id": row_id,
        "event": event,
        "ip": ip,
        "meta": {"user_agent": user_agent, "browser": dict(nothing), "os": dict(nothing)},
        "user_id": user_id,
        "occurred_at": state.clock.zoneless(),
        "data": data,
    }
    return table.add(Row(row_id, columns))


def index(request: Request) -> Response:
    """
    ``GET /security-logs``.

    :param request: the call.
    """
    rows = [row.columns for row in request.state.workflow.security_logs]
    text = request.text("pmql")
    if text:
        table = pmql.Table({name: reader(name) for name in _COLUMNS}, reader("data"))
        zone = request.user.columns["timezone"] or "UTC"
        rows = pmql.matching(text, table, rows, now=request.state.clock.now(), timezone=zone)
    rows = lists.filtered(request, rows, ("event", "ip", "occurred_at"))
    if "order_by" in request.input:
        rows = lists.ordered(request, rows, "id", _COLUMNS)
    return lists.query_list(request, rows, dict)


def show(request: Request) -> Response:
    """
    ``GET /security-logs/{security_log}``.

    :param request: the call.
    """
    row = request.state.workflow.security_logs.get(int(request.bound["security_log"]))
    return not_found() if row is None else Response.json(row.columns)


def store(request: Request) -> Response:
    """
    ``POST /security-logs``.

    :param request: the call.
    """
    row = _add(request, request.text("event"), request.input.get("data") or {})
    return Response.json(row.columns, 201)


ROUTES = [
    Route("GET", "/security-logs", index, "view-security-logs"),
    Route("POST", "/security-logs", store, "create-security-logs"),
    Route("GET", "/security-logs/{security_log}", show, "view-security-logs"),
]
