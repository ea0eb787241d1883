"""``GET /requests/{request}/tokens``: what the map of a request tells of one of its elements."""

from __future__ import annotations

from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import validation
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.process_requests import seen
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import views

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.bpmn import Flow
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest, Token

_TRANSLATED = {"CLOSED": "Completed", "ACTIVE": "In Progress"}


def show(request: Request) -> Response:
    """
    The newest token at an element; of a flow, that of the less visited of its two ends.

    :param request: the call.
    """
    row = seen(request)
    validation.validate(request.input, {"element_id": [validation.required, validation.string]})
    wanted = request.text("element_id")
    found, passed = _at(row, wanted), False
    flow = None if found else row.version.definition.flows.get(wanted)
    if flow is not None:
        source, target = _at(row, flow.source), _at(row, flow.target)
        # Where a token still waits before the flow, its last time has not come to pass; that no token has ever been
        # there is an error of PHP's.
        passed = source[-1].is_active and len(source) == len(target)
        found = source if len(source) < len(target) else target
    count = len(found) - passed
    if not count:
        return not_found()
    return Response.json(_shown(request, found[-1], count, flow))


def _at(row: ProcessRequest, element: str) -> list[Token]:
    return [token for token in row.tokens if token.node.id == element]


def _shown(request: Request, token: Token, count: int, flow: Flow | None) -> dict[str, Any]:
    names = ("user_id", "element_id", "element_name", "created_at", "completed_at", "status")
    columns = {name: token.columns[name] for name in names}
    user = views.user_of(request.state, token)
    done = columns["completed_at"]
    again = "The path was repeated one time" if count == 1 else f"The path was repeated {count} times"
    return {
        **columns,
        "is_sequence_flow": flow is not None,
        "status_translation": _TRANSLATED.get(token.status, token.status),
        "completed_by": user["fullname"] if done and user else "-",
        "count": count,
        "repeat_message": again,
        "created_at_formatted": _day(columns["created_at"]),
        "completed_at_formatted": _day(done) if done else "-",
        # Of its status alone: when it is due was not read.
        "advanceStatus": {"CLOSED": "completed", "TRIGGERED": "triggered"}.get(token.status, "open"),
        "user": user and {name: user[name] for name in ("id", "username", "firstname", "lastname", "fullname")},
    }


def _day(text: str) -> str:
    return datetime.fromisoformat(text).strftime("%m/%d/%y %H:%M")


ROUTES = [Route("GET", "/requests/{request}/tokens", show)]
