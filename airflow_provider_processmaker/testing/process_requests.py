"""``/requests``: the runs of processes."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import comments, lists, request_queries, validation
from airflow_provider_processmaker.testing.errors import forbidden, not_found
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import policies, titles, views

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest

_STATUSES = ("DRAFT", "ACTIVE", "COMPLETED", "ERROR", "CANCELED")
_NAME = r"[\w\s\-]+"


def _visible(request: Request) -> list[ProcessRequest]:
    rows = request.state.workflow.requests
    if request.state.can(request.user, "view-all_requests", "edit-request_data"):
        return list(rows)
    return [row for row in rows if policies.may_list(request.state, request.user, row)]


def _of_type(request: Request, rows: list[ProcessRequest]) -> list[ProcessRequest]:
    kind = request.text("type")
    if kind == "started_me":
        mine = (row for row in rows if row.user_id == request.user.id)
        return [row for row in mine if row.status not in {"COMPLETED", "CANCELED"}]
    if kind in {"in_progress", "completed"}:
        status = "ACTIVE" if kind == "in_progress" else "COMPLETED"
        return [row for row in rows if row.status == status]
    if kind == "all":
        if not request.user.is_administrator:
            # The clauses are taken away, their values stay behind.
            raise lists.QueryError("Invalid parameter number")
        return list(request.state.workflow.requests)
    return rows


def index(request: Request) -> Response:
    """
    ``GET /requests``: ``total=true`` gives the number alone.

    :param request: the call.
    """
    rows = _of_type(request, _visible(request))
    rows = request_queries.filtered(request, rows)
    rows = request_queries.advanced(request, rows)
    rows = request_queries.queried(request, rows)
    if request.text("total") == "true":
        return Response.json({"meta": {"total": len(rows)}})
    rows = request_queries.ordered(request, rows)
    return lists.query_list(request, rows, lambda row: listed(request, row))


def listed(request: Request, row: ProcessRequest) -> dict[str, Any]:
    """
    A request as the list shows it.

    :param request: names what to include.
    :param row: the request.
    """
    shown = {**views.request(row), "user_viewed_at": None, "process_version": views.version(row.version)}
    return {**shown, **included(request, row)}


def included(request: Request, row: ProcessRequest) -> dict[str, Any]:
    """
    What ``include`` asks for; unknown words mean nothing.

    :param request: names what to include.
    :param row: the request.
    """
    state = request.state
    makers: dict[str, Callable[[], Any]] = {
        "data": lambda: views.visible_data(row),
        "summary": lambda: views.summary(state, row),
        "participants": lambda: views.participants(state, row),
        "user": lambda: _user(request, row.user_id),
        "assigned": lambda: _assigned(request, row),
    }
    words = request.text("include").split(",")
    shown = {word: makers[word]() for word in words if word in makers}
    if "activeTasks" in words:
        names = ("id", "element_id", "element_name", "status", "user_id")
        active = (token for token in row.tasks if token.is_active)
        shown["active_tasks"] = [{name: token.columns[name] for name in names} for token in active]
    if "process" in words and not request.bound:
        # Only the list loads it.
        shown["process"] = views.process(row.process)
    return shown


def _assigned(request: Request, row: ProcessRequest) -> list[dict[str, Any]]:
    mine = (token for token in row.tokens if token.user_id == request.user.id)
    return [views.task(request.state, token, request.user) for token in mine]


def _user(request: Request, user_id: int | None) -> dict[str, Any] | None:
    user = None if user_id is None else request.state.users.get(user_id)
    return None if user is None else user.json()


def show(request: Request) -> Response:
    """
    ``GET /requests/{request}``.

    :param request: the call.
    """
    row = seen(request)
    return Response.json({**views.request(row), **included(request, row)})


def seen(request: Request) -> ProcessRequest:
    """
    The request of the path, if the caller may see it.

    :param request: the call.
    """
    row: ProcessRequest = request.bound["request"]
    if not policies.may_see(request.state, request.user, row):
        raise forbidden()
    return row


def update(request: Request) -> Response:
    """
    ``PUT /requests/{request}``: cancels, completes what failed, merges data; for all else it wants everything.

    :param request: the call.
    """
    row: ProcessRequest = request.bound["request"]
    if not policies.may_update(request.state, request.user, row):
        raise forbidden()
    status = request.body_input.get("status")
    if status == "CANCELED":
        return _cancel(request, row)
    if status == "COMPLETED":
        return _complete(request, row)
    if list(request.fields) in (["data"], ["data", "task_element_id"]):
        return _merge(request, row)
    _check(request)
    names = ("name", "status", "process_id", "callable_id", "user_id", "completed_at", "initiated_at")
    row.update(**{name: request.fields[name] for name in names if name in request.fields})
    row.data = dict(request.fields["data"])
    titles.renew(request.state.workflow, row)
    row.update(updated_at=request.state.clock.iso())
    return Response.nothing()


def _cancel(request: Request, row: ProcessRequest) -> Response:
    if not policies.has_right(request.state, request.user, row.process, "CANCEL"):
        raise forbidden("Not authorized to cancel this request.")
    request.state.engine.cancel(row)
    return Response.nothing()


def _complete(request: Request, row: ProcessRequest) -> Response:
    if not request.user.is_administrator:
        raise forbidden("Not authorized to complete this request.")
    if row.status != "ERROR":
        text = "Only requests with status: ERROR can be manually completed"
        raise validation.failure({"status": [text]})
    request.state.engine.terminate(row)
    text = f"{request.user.json()['fullname']} manually completed the request from an error state"
    comments.log(request, row, "Process Manually Completed", text)
    return Response.nothing()


def _merge(request: Request, row: ProcessRequest) -> Response:
    if not policies.may_edit_data(request.state, request.user, row):
        raise forbidden("Not authorized to edit request data.")
    what = "has edited the request data"
    if "task_element_id" in request.fields:
        tokens = (token for token in row.tokens if token.node.id == request.fields["task_element_id"])
        token = next(tokens, None)
        if token is None:
            return not_found()
        what = f"has edited the data for {token.node.name}"
    # Anything but an object or a list is an error in PHP's array_merge().
    row.data.update(_as_dict(request.fields["data"]))
    titles.renew(request.state.workflow, row)
    row.update(updated_at=request.state.clock.iso())
    comments.log(request, row, "Data edited", f"{request.user.json()['fullname']} {what}")
    return Response.nothing()


def _as_dict(value: Any) -> dict[str, Any]:
    if isinstance(value, list):
        return {str(index): item for index, item in enumerate(value)}
    if not isinstance(value, dict):
        raise TypeError("data is no array")
    return value


def _check(request: Request) -> None:
    validation.validate(
        request.input,
        {
            "name": [validation.required, validation.at_most(100), validation.matches(_NAME)],
            "data": [validation.required],
            "status": [validation.one_of(*_STATUSES)],
            "process_id": [validation.required],
        },
    )


def retry(request: Request) -> Response:
    """
    ``PUT /requests/{request}/retry``: 200 may say ``success: false``.

    :param request: the call.
    """
    row: ProcessRequest = request.bound["request"]
    if not policies.may_update(request.state, request.user, row):
        raise forbidden()
    if not request.user.is_administrator:
        raise forbidden("Not authorized to complete this request.")
    if row.status != "ERROR":
        body = {"message": "Only requests with ERROR status can be retried", "success": False}
        return Response.json(body, 422)
    done = request.state.engine.retry(row)
    return Response.json({"message": done or ["No tasks available to retry"], "success": bool(done)})


def destroy(request: Request) -> Response:
    """
    ``DELETE /requests/{request}``: for good.

    :param request: the call.
    """
    row: ProcessRequest = request.bound["request"]
    if not request.user.is_administrator and row.user_id != request.user.id:
        raise forbidden()
    request.state.engine.delete(row)
    return Response.nothing()


def count(request: Request) -> Response:
    """
    ``GET /requests/{process}/count``: takes a process, and anybody may ask.

    :param request: the call.
    """
    wanted = int(request.bound["any_process"])
    return Response.json({"meta": {"total": sum(row.process_id == wanted for row in request.state.workflow.requests)}})


def trigger(request: Request) -> Response:
    """
    ``POST /requests/{request}/events/{event}``: lets an event happen that the request waits for.

    :param request: the call.
    """
    row: ProcessRequest = request.bound["request"]
    # An id that is not in the diagram is an error in PHP.
    node = row.version.definition.nodes[request.bound["eventId"]]
    if node.kind not in {"intermediateCatchEvent", "startEvent", "boundaryEvent"}:
        text = f"Invalid element, not a catch event {node.php_class}"
        raise Abort(Response.json({"message": text}, 423, pretty=True))
    token = next((token for token in row.tokens if token.node.id == node.id and token.is_active), None)
    if token is None:
        return not_found()
    users, groups = node.attributes.get("allowedUsers", ""), node.attributes.get("allowedGroups", "")
    if users or groups:
        allowed = users.split(",") + [str(user_id) for user_id in _members(request, groups)]
        if str(request.user.id) not in allowed:
            raise forbidden("Not authorized to trigger this event.")
    request.state.engine.trigger(token, dict(request.fields))
    return Response.json([])


def _members(request: Request, groups: str) -> list[int]:
    wanted = {int(text) for text in groups.split(",") if text.strip().isdigit()}
    return [user.id for user in request.state.users if wanted & request.state.groups_of(user)]


_EXEMPT = frozenset({"data", "pmql"})
_ONE = "/requests/{request}"

ROUTES = [
    Route("GET", "/requests", index, exempt=_EXEMPT),
    Route("GET", _ONE, show, exempt=_EXEMPT),
    Route("PUT", _ONE, update, exempt=_EXEMPT),
    Route("DELETE", _ONE, destroy),
    Route("PUT", f"{_ONE}/retry", retry),
    Route("GET", "/requests/{any_process}/count", count),
    Route("POST", f"{_ONE}/events/{{eventId}}", trigger, exempt=_EXEMPT),
]
