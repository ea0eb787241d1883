"""``/tasks``: what waits for people."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import drafts, lists, notifications, rewriting, task_includes, task_queries
from airflow_provider_processmaker.testing.errors import forbidden
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import policies, rows, views

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import Token

_RELATIONS = frozenset({"data", "process", "processRequest", "user", "draft", "subProcessRequest", "scheduledTasks"})


def index(request: Request) -> Response:
    """
    ``GET /tasks``: ``meta`` counts those of the page that are past their time.

    :param request: the call.
    """
    words = [word for word in request.text("include").split(",") if word]
    if not _RELATIONS.issuperset(words):
        raise lists.QueryError("Call to undefined relationship")
    found = task_queries.queried(request, task_queries.shown(request))
    found = task_queries.ordered(request, task_queries.advanced(request, found))
    now = request.state.clock.iso()
    # Of this page alone, and done ones too.
    page = lists.paginate(request, found)[0]
    overdue = sum((row.columns["due_at"] or now) < now for row in page)
    return lists.plain_list(request, found, lambda row: _listed(request, row, words), in_overdue=overdue)


def _listed(request: Request, row: Token, words: list[str]) -> dict[str, Any]:
    shown = views.listed_task(request.state, row, request.user)
    if "data" in words:
        shown["data"] = views.task_data(request.state, row)
    return shown


def show(request: Request) -> Response:
    """
    ``GET /tasks/{task}``: for the assignee, not for whoever started the request.

    :param request: the call.
    """
    row = _allowed(request)
    return Response.json({**views.task(request.state, row, request.user), **task_includes.included(request, row)})


def _allowed(request: Request) -> Token:
    row: Token = request.bound["task"]
    if not policies.may_do(request.state, request.user, row):
        raise forbidden()
    return row


def update(request: Request) -> Response:
    """
    ``PUT /tasks/{task}``: completes, claims or reassigns.

    :param request: the call.
    """
    row = _allowed(request)
    if request.input.get("status") == "COMPLETED":
        return _complete(request, row)
    if request.input.get("user_id"):
        return _reassign(request, row)
    raise Abort(Response.json({"message": ""}, 422, pretty=True))


def _complete(request: Request, row: Token) -> Response:
    if row.status == "CLOSED":
        raise Abort(Response.json({"message": "Task already closed"}, 422, pretty=True))
    # The body once more, untrimmed; without "data" it is an error of PHP's.
    data = _cleaned(request.raw_json["data"])
    if isinstance(data, list):
        data = {str(index): item for index, item in enumerate(data)}
    if not isinstance(data, dict):
        raise TypeError("data is no array")
    state = request.state
    drafts.finish(state, row)
    state.engine.finish_task(row, data)
    state.engine.run_due()
    return _saved(request, row, draft=None)


def _cleaned(value: Any) -> Any:
    """Tags and mustaches out, at all depths; empty texts stay."""
    if isinstance(value, str):
        return rewriting.stripped(value)
    if isinstance(value, list):
        return [_cleaned(item) for item in value]
    if isinstance(value, dict):
        return {key: _cleaned(item) for key, item in value.items()}
    return value


def _saved(request: Request, row: Token, **more: Any) -> Response:
    shown = {**views.saved_task(request.state, row, request.user), **more}
    return Response.json({**shown, **task_includes.included(request, row)})


def _reassign(request: Request, row: Token) -> Response:
    _assign(request, row, request.text("user_id"))
    # Without a package the assignee stays who he was: 200, and nothing has changed.
    return _saved(request, row, user=views.user_of(request.state, row))


def reassign_all(request: Request) -> Response:
    """
    ``PUT /tasks/updateReassign``: claims each task and passes it on, as far as it comes; the page is empty.

    :param request: the call.
    """
    numbers = request.input.get("process_request_token")
    for number in numbers if isinstance(numbers, (list, dict)) else ():
        row = request.state.workflow.tokens.rows[int(number)]
        _assign(request, row, str(request.user.id))
        _assign(request, row, request.text("user_id"))
    return Response.html("")


def _assign(request: Request, row: Token, wanted: str) -> None:
    state = request.state
    unclaimed = row.columns["is_self_service"] and row.user_id is None
    if unclaimed and wanted == str(request.user.id):
        row.columns.update(user_id=request.user.id, is_self_service=0, updated_at=state.clock.iso())
        row.touched = state.workflow.touch()
        notifications.reassigned(request, row)
    elif not policies.may_reassign(request.user, row):
        raise forbidden("Not authorized to reassign this task")
    elif state.user(int(wanted)) is None:
        raise lists.QueryError("No query results for model")
    elif unclaimed:
        # Nobody may claim it any more, and nobody has it: then telling the assignee fails.
        row.columns["is_self_service"] = 0
        raise lists.QueryError("Call to a member function notify() on null")
    else:
        notifications.reassigned(request, row)


def set_priority(request: Request) -> Response:
    """
    ``PUT /tasks/{task}/setPriority``: nobody asks who may.

    :param request: the call.
    """
    row: Token = request.bound["task"]
    row.columns["is_priority"] = bool(request.input.get("is_priority", False))
    return Response.json(views.task(request.state, row, request.user))


def _previous(row: Token) -> Token | None:
    before = (token for token in row.request.tasks if token.id < row.id and token.node is not row.node)
    done = [token for token in before if token.status == "CLOSED"]
    return done[-1] if done else None


def _manages(request: Request) -> Token:
    row: Token = request.bound["task"]
    if not request.user.is_administrator and row.request.process.manager_id != request.user.id:
        raise forbidden()
    return row


def eligible_rollback(request: Request) -> Response:
    """
    ``GET /tasks/{task}/eligibleRollbackTask``: the task that one could go back to.

    :param request: the call.
    """
    previous = _previous(_manages(request))
    if previous is None:
        return Response.json({"message": "Task can not be rolled back"})
    return Response.json(views.task(request.state, previous, request.user))


def rollback(request: Request) -> Response:
    """
    ``POST /tasks/{task}/rollback``: goes back to the task before.

    :param request: the call.
    """
    row = _manages(request)
    previous = _previous(row)
    if previous is None:
        raise lists.QueryError("Task can not be rolled back")
    engine = request.state.engine
    engine.close(row)
    row.request.update(status="ACTIVE")
    new = rows.new_token(engine, row.request, previous.node)
    names = ("user_id", "is_self_service", "self_service_groups")
    new.columns.update({name: previous.columns[name] for name in names})
    return Response.json(views.task(request.state, new, request.user), 201)


_EXEMPT = frozenset({"data", "pmql"})
_ONE = "/tasks/{task}"

ROUTES = [
    Route("GET", "/tasks", index, exempt=_EXEMPT),
    Route("GET", _ONE, show, exempt=_EXEMPT),
    Route("PUT", _ONE, update, exempt=_EXEMPT),
    Route("PUT", "/tasks/updateReassign", reassign_all),
    Route("PUT", f"{_ONE}/setPriority", set_priority),
    Route("GET", f"{_ONE}/eligibleRollbackTask", eligible_rollback),
    Route("POST", f"{_ONE}/rollback", rollback),
]
