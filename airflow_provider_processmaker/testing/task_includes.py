"""What ``include`` adds to a task."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow import policies, views

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest, Token


def included(request: Request, row: Token) -> dict[str, Any]:
    """
    What ``include`` asks for; unknown words mean nothing.

    :param request: names what to include.
    :param row: the task.
    """
    state = request.state
    makers: dict[str, Callable[[], dict[str, Any]]] = {
        "data": lambda: {"data": views.task_data(state, row)},
        "user": lambda: {"user": views.user_of(state, row)},
        "requestor": lambda: {"requestor": _requester(request, row)},
        "processRequest": lambda: {"process_request": views.request(row.request, alternative=False)},
        "draft": lambda: {"draft": views.draft_of(state, row)},
        "component": lambda: {"component": "task-screen"},
        "screen": lambda: {"screen": _screen(request, row)},
        "requestData": lambda: {"request_data": views.task_data(state, row)},
        # Of tasks that are done once for each item of a list, which the stand-in's engine does not know.
        "loopContext": lambda: {"loop_context": ""},
        "definition": lambda: {"definition": _definition(row)},
        "bpmnTagName": lambda: {"bpmn_tag_name": row.node.kind},
        "interstitial": lambda: {
            "allow_interstitial": row.node.attributes.get("allowInterstitial") == "true",
            "interstitial_screen": None,
        },
        "userRequestPermission": lambda: {"user_request_permission": _permissions(request, row.request)},
        "process": lambda: {"process": views.process(row.request.process)},
        # Nowhere in particular, as long as the diagram names no place.
        "elementDestination": lambda: {"elementDestination": None},
    }
    words = request.text("include").split(",")
    shown: dict[str, Any] = {}
    for word, make in makers.items():
        if word in words:
            shown.update(make())
    return shown


def _permissions(request: Request, row: ProcessRequest) -> list[dict[str, Any]]:
    """Whether the caller may see the request, and those that it is a subprocess of."""
    found, one = [], row
    while True:
        allowed = policies.may_see(request.state, request.user, one)
        found.append({"process_request_id": one.id, "allowed": allowed})
        parent = request.state.workflow.requests.get(one.parent_request_id or 0)
        if parent is None:
            return found
        one = parent


def _definition(row: Token) -> dict[str, Any]:
    flows: dict[str, Any] = {"outgoing": {}, "incoming": {}}
    # Empty objects, in spite of all: these are no PHP arrays.
    return {**flows, "id": row.node.id, "name": row.node.name, **row.node.attributes}


def _screen(request: Request, row: Token) -> dict[str, Any] | None:
    """The version of the screen, without what only its designer needs."""
    reference = row.node.attributes.get("screenRef", "")
    screen = request.state.workflow.screens.get(int(reference)) if reference.isdigit() else None
    if screen is None:
        return None
    columns = {name: value for name, value in screen.columns.items() if name not in {"uuid", "projects"}}
    times = {name: screen.columns[name][:19].replace("T", " ") for name in ("created_at", "updated_at")}
    category = int(screen.columns["screen_category_id"])
    own = {"screen_id": screen.id, "draft": 0, "screen_category_id": category, **times}
    return {**columns, **own, "config": _without_inspector(columns["config"])}


def _without_inspector(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _without_inspector(item) for key, item in value.items() if key != "inspector"}
    return [_without_inspector(item) for item in value] if isinstance(value, list) else value


def _requester(request: Request, row: Token) -> dict[str, Any] | None:
    user = None if row.request.user_id is None else request.state.users.get(row.request.user_id)
    return None if user is None else user.json()
