"""``GET /process_bookmarks/processes/{process}/start_events``: where a person may start a process by hand."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists
from airflow_provider_processmaker.testing.routing import Route

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request, Response
    from airflow_provider_processmaker.testing.workflow.tables import Process


def index(request: Request) -> Response:
    """
    The plain start events, in the order of the diagram; cut like all lists that are loaded whole.

    :param request: the call.
    """
    process: Process = request.bound["process"]
    definition = process.version.definition
    events = [definition.start_json(node) for node in definition.starts if not node.definitions]
    shown = [_with_web_entry(event) for event in events]
    return lists.collection_list(request, [event for event in shown if _may_start(request, process, event)])


def _with_web_entry(event: dict[str, Any]) -> dict[str, Any]:
    if "config" not in event:
        return event
    # A config that is no JSON, or that lacks the key, is an error in PHP as it is here.
    return {**event, "webEntry": json.loads(event["config"])["web_entry"]}


def _may_start(request: Request, process: Process, event: dict[str, Any]) -> bool:
    """Stricter than the start itself: of a list of users or groups only the first counts."""
    user = request.user
    assignment = event.get("assignment")
    if user.is_administrator:
        return True
    if assignment == "process_manager":
        return process.manager_id == user.id
    if assignment == "user":
        return user.id == _first(event.get("assignedUsers", ""))
    return assignment == "group" and _first(event.get("assignedGroups", "")) in request.state.groups_of(user)


def _first(ids: str) -> int:
    """PHP's ``(int) "12,13"``."""
    digits = ids.partition(",")[0].strip()
    return int(digits) if digits.isdigit() else 0


ROUTES = [
    Route(
        "GET",
        "/process_bookmarks/processes/{process}/start_events",
        index,
        "view-process-catalog",
        frozenset({"bpmn", "svg"}),
    )
]
