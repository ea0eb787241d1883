"""New rows: requests and tokens."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.phpdata import is_numeric
from airflow_provider_processmaker.testing.workflow import bpmn, titles
from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest, Token

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.workflow.bpmn import Node
    from airflow_provider_processmaker.testing.workflow.engine import Engine
    from airflow_provider_processmaker.testing.workflow.tables import Process, Workflow

_DUE_HOURS = 72
# A task is at risk when so much of its time has gone by.
_RISK = 0.7
_LATER = (
    "process_collaboration_id", "parent_request_id", "participant_id", "errors", "completed_at", "signal_events",
)  # fmt: skip
_TYPES = {
    **dict.fromkeys(bpmn.TASKS, "task"),
    **dict.fromkeys(bpmn.GATEWAYS, "gateway"),
    **dict.fromkeys(bpmn.CATCHES | bpmn.THROWS, "event"),
    "endEvent": "end_event",
}


def new_request(
    engine: Engine,
    process: Process,
    node: Node,
    data: dict[str, Any],
    *,
    user_id: int | None,
    parent: Token | None = None,
) -> ProcessRequest:
    """
    Add a request.

    :param engine: the engine.
    :param process: of which.
    :param node: the start event.
    :param data: its data.
    :param user_id: who starts it.
    :param parent: the call activity that it is called from.
    """
    workflow = engine.workflow
    request_id = workflow.requests.next_id()
    above = parent.request if parent is not None else _named_parent(workflow, data)
    if above is None:
        workflow.last_case += 1
    now = engine.iso()
    fresh: dict[str, Any] = {
        "case_title": None,
        "case_title_formatted": None,
        "callable_id": process.version.definition.callable_id,
        "collaboration_uuid": None,
        "process_id": process.id,
        "process_version_id": process.version.id,
        "user_id": user_id,
        "name": process.name,
        "status": "ACTIVE",
        "initiated_at": now,
        "do_not_sanitize": [],
        "uuid": str(uuid.uuid4()),
        "updated_at": now,
        "created_at": now,
        "id": request_id,
        "case_number": workflow.last_case if above is None else above.case_number,
    }
    columns = {**dict.fromkeys(_LATER), **fresh}
    request = ProcessRequest(request_id, process, process.version, columns, data, node)
    request.fresh = set(fresh)
    if above is not None:
        request.update(parent_request_id=above.id)
        above.children.append(request)
    if parent is not None:
        parent.columns["subprocess_request_id"] = request_id
        request.parent_token = parent
        request.update(process_collaboration_id=parent.request.columns["process_collaboration_id"])
    titles.renew(workflow, request)
    request.snapshot = {name: columns[name] for name in fresh}
    return workflow.requests.add(request)


def _named_parent(workflow: Workflow, data: dict[str, Any]) -> ProcessRequest | None:
    """
    Data may say themselves of which request the new one is a part: ``_parent`` with a ``request_id``.

    One that is not there is an error of PHP's, which looks for the title and the number of its case.
    """
    said = data.get("_parent")
    number = said.get("request_id") if isinstance(said, dict) else None
    return workflow.requests.rows[int(float(str(number)))] if is_numeric(number) else None


def new_token(engine: Engine, request: ProcessRequest, node: Node, status: str = "ACTIVE") -> Token:
    """
    Add a token.

    :param engine: the engine.
    :param request: which it is of.
    :param node: the element that it is at.
    :param status: its status.
    """
    workflow = engine.workflow
    token_id = workflow.tokens.next_id()
    now, at = engine.iso(), engine.now()
    clock = engine.state.clock
    hours = float(node.attributes.get("dueIn") or _DUE_HOURS)
    columns = {
        "id": token_id,
        "uuid": str(uuid.uuid4()),
        "user_id": request.user_id if node.kind == "startEvent" else None,
        "process_id": request.process.id,
        "process_request_id": request.id,
        "subprocess_request_id": None,
        "element_id": node.id,
        "element_type": _TYPES.get(node.kind, node.kind),
        "element_name": node.name,
        "status": status,
        "element_index": 0,
        "subprocess_start_event_id": None,
        "completed_at": now if status in {"CLOSED", "TRIGGERED"} else None,
        "due_at": clock.iso(at + hours * 3600),
        "due_notified": 0,
        "initiated_at": None,
        "riskchanges_at": clock.iso(at + hours * 3600 * _RISK),
        "created_at": now,
        "updated_at": now,
        "version_id": 3,
        "version_type": "ProcessMaker\\Models\\ScreenVersion",
        "is_self_service": 0,
        "self_service_groups": None,
        "is_priority": False,
        "is_actionbyemail": False,
        "is_emailsent": False,
    }
    token = Token(token_id, request, node, columns, workflow.touch())
    request.tokens.append(token)
    return workflow.tokens.add(token)
