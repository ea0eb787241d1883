"""``POST /process_events/{process}``: the start of a request."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing import lists, rewriting
from airflow_provider_processmaker.testing.errors import forbidden, not_found
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import policies, views

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import Process


def start(request: Request) -> Response:
    """
    ``POST /process_events/{process}``: whoever may not start it hears nothing of its events.

    The body is the data itself; one that is no JSON counts as none. The answer is made before the scripts have run.

    :param request: the call.
    """
    row: Process = request.bound["process"]
    definition = row.version.definition
    # Of the query alone: the body may have an "event" of its own.
    name = str(request.query.get("event") or "")
    node = definition.nodes.get(name)
    startable = node if node is not None and node.kind == "startEvent" else None
    if not policies.may_start(request.state, request.user, row, startable):
        raise forbidden()
    if not definition.starts:
        raise Abort(Response.json({"message": "Invalid process: no start event"}, 422, pretty=True))
    if node is None and name not in definition.flows:
        return not_found()
    if startable is None:
        raise lists.QueryError("not a start event")
    data = rewriting.sanitize(request.body_input, request.exempt)
    data.pop("_user", None)
    started = request.state.engine.start(row, startable, data, request.user.id)
    return Response.json(views.started(request.state, started), 201)


ROUTES = [Route("POST", "/process_events/{process}", start, exempt=frozenset({"bpmn", "svg"}))]
