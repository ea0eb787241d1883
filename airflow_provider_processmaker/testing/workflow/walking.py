"""How a token moves from element to element, and where it waits."""

from __future__ import annotations

import json
import re
from functools import partial
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow import bpmn, rows
from airflow_provider_processmaker.testing.workflow.assignment import EngineError, assign, check_mail
from airflow_provider_processmaker.testing.workflow.expressions import ExpressionError, evaluate

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.workflow.bpmn import Flow, Node
    from airflow_provider_processmaker.testing.workflow.engine import Engine
    from airflow_provider_processmaker.testing.workflow.tables import Process, ProcessRequest, Token

_DURATION = re.compile(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:(\d+)S)?)?")


def leave(engine: Engine, request: ProcessRequest, node: Node) -> None:
    """
    Go on from an element along all its flows.

    :param engine: the engine.
    :param request: which.
    :param node: the element that is done.
    """
    _follow(engine, request, node.outgoing)


def _follow(engine: Engine, request: ProcessRequest, flows: list[Flow]) -> None:
    nodes = request.version.definition.nodes
    for flow in flows:
        if request.status == "ACTIVE":
            _enter(engine, request, nodes[flow.target], flow)


def _enter(engine: Engine, request: ProcessRequest, node: Node, flow: Flow) -> None:
    if node.kind in bpmn.TASKS:
        _task(engine, request, node)
    elif node.kind in bpmn.SCRIPTS:
        engine.schedule_script(rows.new_token(engine, request, node))
        _waits(request)
    elif node.kind == "callActivity":
        _call(engine, request, node)
    elif node.kind in bpmn.GATEWAYS:
        _gateway(engine, request, node, flow)
    elif node.kind in bpmn.CATCHES:
        _catch(engine, request, node)
    elif node.kind == "endEvent":
        _end(engine, request, node)
    else:
        _throw(engine, request, node)
        leave(engine, request, node)


def _waits(request: ProcessRequest) -> None:
    """A token waits, so it is noted for which signals the request waits."""
    waiting = [
        signal
        for token in request.tokens
        if token.is_active and token.node.kind in bpmn.CATCHES
        for signal in token.node.signals
    ]
    request.update(signal_events=waiting)


def _task(engine: Engine, request: ProcessRequest, node: Node) -> None:
    request.fresh.add("process_version.process")
    try:
        columns = assign(engine.state, request, node)
    except EngineError:
        failing = rows.new_token(engine, request, node, "FAILING")
        failing.columns.update(due_at=None, riskchanges_at=None)
        raise
    token = rows.new_token(engine, request, node)
    token.columns.update(columns)
    _waits(request)
    engine.assigned(token)
    check_mail(engine.state, token.user_id)


def _catch(engine: Engine, request: ProcessRequest, node: Node) -> None:
    token = rows.new_token(engine, request, node)
    _waits(request)
    match = _DURATION.fullmatch(node.duration or "")
    if node.has("timer") and match is not None:
        days, hours, minutes, seconds = (int(number or 0) for number in match.groups())
        due = ((days * 24 + hours) * 60 + minutes) * 60 + seconds
        engine.later(due, partial(engine.trigger, token, {}))


def _throw(engine: Engine, request: ProcessRequest, node: Node) -> None:
    for signal in node.signals:
        payload = {key: value for key, value in request.data.items() if not key.startswith("_")}
        engine.throw_signal(signal, payload, request.user_id)


def _end(engine: Engine, request: ProcessRequest, node: Node) -> None:
    rows.new_token(engine, request, node, "CLOSED")
    _throw(engine, request, node)
    if node.has("terminate"):
        engine.terminate(request)
    if node.has("error"):
        raise EngineError(node.name, node)


def _gateway(engine: Engine, request: ProcessRequest, node: Node, flow: Flow) -> None:
    if node.kind != "exclusiveGateway" and len(node.incoming) > 1:
        arrived = request.arrived.setdefault(node.id, [])
        arrived.append(flow.id)
        expected = {incoming.id for incoming in node.incoming}
        if node.kind == "inclusiveGateway":
            # Those of its branches that are not under way need not be waited for.
            waited_for = any(token.is_active for token in request.tokens)
        else:
            waited_for = not expected <= set(arrived)
        if waited_for:
            return
        del request.arrived[node.id]
    if node.kind == "parallelGateway":
        leave(engine, request, node)
        return
    _follow(engine, request, _chosen(request, node))


def _chosen(request: ProcessRequest, node: Node) -> list[Flow]:
    conditional = [flow for flow in node.outgoing if flow.id != node.default]
    try:
        chosen = [flow for flow in conditional if flow.condition is None or evaluate(flow.condition, request.data)]
    except ExpressionError as error:
        raise EngineError(str(error)) from error
    if not chosen:
        chosen = [flow for flow in node.outgoing if flow.id == node.default]
    if not chosen:
        raise EngineError(f"No conditions met for gateway {node.name}", node)
    return chosen[:1] if node.kind == "exclusiveGateway" else chosen


def _called(engine: Engine, node: Node) -> tuple[Process, Node]:
    match = re.search(r"-(\d+)$", node.attributes.get("calledElement", ""))
    process = engine.workflow.processes.get(int(match.group(1))) if match else None
    starts = [] if process is None else process.version.definition.starts
    if process is None or not starts:
        raise EngineError(f"The called process of {node.name} is not there", node)
    return process, starts[0]


def _call(engine: Engine, request: ProcessRequest, node: Node) -> None:
    request.fresh.add("process_version.process")
    process, start = _called(engine, node)
    if request.columns["process_collaboration_id"] is None:
        engine.workflow.last_collaboration += 1
        request.update(process_collaboration_id=engine.workflow.last_collaboration)
    token: Token = rows.new_token(engine, request, node)
    _waits(request)
    engine.start(process, start, {**request.data, "_parent": _caller(request, node)}, request.user_id, parent=token)


def _caller(request: ProcessRequest, node: Node) -> dict[str, Any]:
    """What the data of a subprocess say of where it was called; of all that shows data only its tasks show it."""
    caller = {"process_id": request.process.id, "request_id": request.id, "node_id": node.id}
    config = node.attributes.get("config")
    if not config:
        return caller
    try:
        return {**caller, "config": json.loads(config)}
    except ValueError:
        return {**caller, "config": None}
