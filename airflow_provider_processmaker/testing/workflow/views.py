"""Processes, requests and tasks as the API shows them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.phpdata import as_stored
from airflow_provider_processmaker.testing.workflow import policies

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.state import State, User
    from airflow_provider_processmaker.testing.workflow.bpmn import Definition
    from airflow_provider_processmaker.testing.workflow.tables import Process, ProcessRequest, Token, Version

Json = dict[str, Any]

_NOTICES = ("started", "canceled", "completed", "error", "comment")
_NOTIFICATIONS = {role: dict.fromkeys(_NOTICES, False) for role in ("requester", "assignee", "participants", "manager")}


def _defined(definition: Definition) -> Json:
    return {
        "start_events": [definition.start_json(node) for node in definition.starts],
        "self_service_tasks": definition.self_service or [],
        "signal_events": definition.signal_starts,
        "conditional_events": [],
    }


def process(row: Process, *, warnings: bool = True) -> Json:
    """
    A process inside of something else.

    :param row: the process.
    :param warnings: whether that query loads them.
    """
    definition = row.version.definition
    timer = {"has_timer_start_events": definition.has_timer_start, "projects": "[]"}
    shown = {**row.columns, **_defined(definition), **timer}
    if not warnings:
        del shown["warnings"]
    return shown


def process_details(row: Process) -> Json:
    """
    What the process's own pages add.

    :param row: the process.
    """
    return {"notifications": _NOTIFICATIONS, "task_notifications": {}, "manager_id": row.manager_id}


def version(row: Version) -> Json:
    """
    A version of a process; its times have no zone.

    :param row: the version.
    """
    return {**row.columns, **_defined(row.definition)}


def request(row: ProcessRequest, *, alternative: bool = True) -> Json:
    """
    A request.

    :param row: the request.
    :param alternative: whether that query loads the alternative of the version.
    """
    shown = dict(row.columns)
    if alternative:
        shown["process_version_alternative"] = row.version.columns["alternative"]
    return shown


def started(state: State, row: ProcessRequest) -> Json:
    """
    A request as the answer to its start shows it: the columns that were set so far, and what the engine had to look up.

    :param state: the server's data.
    :param row: the request.
    """
    shown: Json = {name: row.columns[name] for name in row.fresh if name in row.columns}
    above = state.workflow.requests.get(row.parent_request_id or 0)
    shown["process"] = process(row.process)
    shown["process_version"] = version(row.version)
    if "process_version.process" in row.fresh:
        shown["process_version"]["process"] = process(row.process)
    if "process_version.manager" in row.fresh:
        shown["process_version"]["manager"] = None
    shown["parent_request"] = above and request(above)
    if row.columns["process_collaboration_id"] is not None:
        shown["collaboration"] = None
    return {**shown, "process_version_alternative": row.version.columns["alternative"]}


def visible_data(row: ProcessRequest) -> Any:
    """
    The data without what begins with an underscore.

    :param row: the request.
    """
    return as_stored({key: value for key, value in row.data.items() if not key.startswith("_")})


def magic_user(state: State, user_id: int | None) -> Any:
    """
    ``_user`` in a task's data: the assignee.

    :param state: the server's data.
    :param user_id: whom.
    """
    user = None if user_id is None else state.users.get(user_id)
    return None if user is None else {name: value for name, value in user.json().items() if name != "remember_token"}


def task_data(state: State, token: Token) -> Any:
    """
    The data that a task's screen works with.

    :param state: the server's data.
    :param token: the task.
    """
    row = token.request
    more = {
        "startEventId": row.start.id,
        "startEventName": row.start.name,
        "alternative": row.version.columns["alternative"],
    }
    data = {key: value for key, value in row.data.items() if key not in {"_user", "_request"}}
    user = magic_user(state, token.user_id)
    magic = {} if user is None else {"_user": user}
    return as_stored({**data, **magic, "_request": {**request(row, alternative=False), **more}})


def summary(state: State, row: ProcessRequest) -> list[Json]:
    """
    The data as a table.

    :param state: the server's data.
    :param row: the request.
    """
    kinds = {bool: "boolean", int: "int", float: "float", str: "string", type(None): "NULL"}
    data = {**row.data, "_user": magic_user(state, row.user_id), "_request": row.snapshot}
    return [
        {"key": key, "value": as_stored(value), "type": kinds.get(type(value), "array")} for key, value in data.items()
    ]


def participants(state: State, row: ProcessRequest) -> list[Json]:
    """
    The users who have or had a part in a request.

    :param state: the server's data.
    :param row: the request.
    """
    ids = dict.fromkeys(token.user_id for token in row.tokens if token.user_id is not None)
    users = (state.users.get(user_id) for user_id in sorted(ids))
    return [{**user.json(), "laravel_through_key": row.id} for user in users if user is not None]


def advance(state: State, token: Token) -> str:
    """
    How far a task is.

    :param state: the server's data.
    :param token: the task.
    """
    if token.status == "CLOSED":
        return "completed"
    if token.status == "TRIGGERED":
        return "triggered"
    overdue = token.is_active and state.clock.iso() >= (token.columns["due_at"] or "")
    return "overdue" if overdue else "open"


def task(state: State, token: Token, viewer: User) -> Json:
    """
    A task without what may be around it.

    :param state: the server's data.
    :param token: the task.
    :param viewer: who asks.
    """
    columns = token.columns
    return {
        **columns,
        "token_properties": token.properties or [],
        "created_at_ms": columns["created_at"],
        "completed_at_ms": columns["completed_at"],
        "advanceStatus": advance(state, token),
        "can_view_parent_request": may_see_parent(state, token, viewer),
    }


def may_see_parent(state: State, token: Token, viewer: User) -> bool:
    """
    Whether a task is of a subprocess whose caller one may see.

    :param state: the server's data.
    :param token: the task.
    :param viewer: who asks.
    """
    parent = state.workflow.requests.get(token.request.parent_request_id or 0)
    return parent is not None and policies.may_see(state, viewer, parent)


def listed_task(state: State, token: Token, viewer: User) -> Json:
    """
    A task as the list shows it.

    :param state: the server's data.
    :param token: the task.
    :param viewer: who asks.
    """
    inner = process(token.request.process, warnings=False)
    return {
        **task(state, token, viewer),
        "user_viewed_at": None,
        "process_request": {**request(token.request, alternative=False), "process": inner},
        "process": inner,
        "user": user_of(state, token),
        "draft": draft_of(state, token),
    }


def saved_task(state: State, token: Token, viewer: User) -> Json:
    """
    A task as the answer to a change of it shows it.

    :param state: the server's data.
    :param token: the task.
    :param viewer: who changed it.
    """
    return {
        **task(state, token, viewer),
        "process_request": request(token.request, alternative=False),
        "process": process(token.request.process),
    }


def user_of(state: State, token: Token) -> Json | None:
    """
    The assignee.

    :param state: the server's data.
    :param token: the task.
    """
    user: User | None = None if token.user_id is None else state.users.get(token.user_id)
    return None if user is None else user.json()


def draft_of(state: State, token: Token) -> Json | None:
    """
    What was saved of a task's form.

    :param state: the server's data.
    :param token: the task.
    """
    return next((row.columns for row in state.workflow.drafts if row.columns["task_id"] == token.id), None)
