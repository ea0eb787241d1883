"""``/scripts``: what is run for a process, or at once."""

from __future__ import annotations

import json
import secrets
import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, plain_queries, validation
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.phpdata import as_stored
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import scripting
from airflow_provider_processmaker.testing.workflow.tables import Script

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import State

_COLUMNS = (
    "id", "uuid", "key", "title", "description", "language", "timeout", "run_as_user_id", "created_at", "updated_at",
    "status", "script_category_id", "script_executor_id",
)  # fmt: skip
_FILLABLE = (
    "title", "language", "script_executor_id", "description", "run_as_user_id", "timeout", "script_category_id", "code",
    "status", "retry_attempts", "retry_wait_time", "key",
)  # fmt: skip
_SEARCHED = ("title", "description", "language")
_RESULT_SECONDS = 60


def index(request: Request) -> Response:
    """
    ``GET /scripts``.

    :param request: the call.
    """
    rows = (row.columns for row in request.state.workflow.scripts)
    rows_meant = plain_queries.queried(request, rows, _COLUMNS, _SEARCHED)
    found = lists.filtered(request, rows_meant, _SEARCHED)
    return lists.plain_list(request, lists.ordered(request, found, "title", _COLUMNS))


def _rules(request: Request, existing: Script | None) -> dict[str, Sequence[Callable[[Any], str | None]]]:
    def taken(title: str) -> bool:
        wanted = lists.fold(title)
        rows = request.state.workflow.scripts
        return any(lists.fold(row.columns["title"]) == wanted and row is not existing for row in rows)

    return {"title": [validation.unique(taken)], "script_category_id": [validation.required]}


def new_script(state: State, values: dict[str, Any], run: Callable[[Any, Any], Any] | None = None) -> Script:
    """
    Add a script.

    :param state: the server's data.
    :param values: columns that differ from a new one's.
    :param run: what it does.
    """
    now = state.clock.iso()
    row_id = state.workflow.scripts.next_id()
    columns = {
        "id": row_id,
        "uuid": str(uuid.uuid4()),
        **dict.fromkeys(("key", "title", "description", "language", "code", "run_as_user_id")),
        "retry_wait_time": 5,
        "retry_attempts": 0,
        "timeout": 60,
        "status": "ACTIVE",
        "script_category_id": "1",
        "script_executor_id": None,
        "is_template": 0,
        "asset_type": None,
        "projects": "[]",
        **values,
        "created_at": now,
        "updated_at": now,
    }
    return state.workflow.scripts.add(Script(row_id, columns, run))


def store(request: Request) -> Response:
    """
    ``POST /scripts``.

    :param request: the call.
    """
    validation.validate(request.input, _rules(request, None))
    # Without a language there is no executor to be found: an error in PHP.
    sent = {name: request.input[name] for name in _FILLABLE if name in request.input}
    sent["script_category_id"] = request.text("script_category_id")
    row = new_script(request.state, {**sent, "title": sent["title"], "language": sent["language"]})
    names = ("uuid", "updated_at", "created_at", "id", "projects")
    return Response.json({**sent, **{name: row.columns[name] for name in names}}, 201)


def show(request: Request) -> Response:
    """
    ``GET /scripts/{script}``.

    :param request: the call.
    """
    row: Script = request.bound["script"]
    return Response.json(row.columns)


def update(request: Request) -> Response:
    """
    ``PUT /scripts/{script}``.

    :param request: the call.
    """
    row: Script = request.bound["script"]
    validation.validate({**row.columns, **request.input}, _rules(request, row))
    row.columns.update({name: request.input[name] for name in _FILLABLE if name in request.input})
    row.columns["script_category_id"] = str(row.columns["script_category_id"])
    row.columns["updated_at"] = request.state.clock.iso()
    return Response.nothing()


def destroy(request: Request) -> Response:
    """
    ``DELETE /scripts/{script}``.

    :param request: the call.
    """
    request.state.workflow.scripts.remove(request.bound["script"].id)
    return Response.nothing()


def _decoded(request: Request, name: str) -> Any:
    """JSON text, that is; an object is an error in PHP, and bad JSON silently becomes nothing."""
    value = request.input.get(name)
    if value is not None and not isinstance(value, str):
        raise TypeError("json_decode(): Argument #1 ($json) must be of type string, array given")
    try:
        return json.loads(value or "[]")
    except ValueError:
        return []


def execute(request: Request) -> Response:
    """
    ``POST /scripts/execute/{script}``: by anybody. Its result comes with the answer only if ``sync`` is true.

    :param request: the call.
    """
    data, config = _decoded(request, "data"), _decoded(request, "config")
    # A missing script is an error in PHP, no 404.
    row = request.state.workflow.scripts.rows[int(request.bound["script_number"])]
    if request.input.get("sync") is True:
        output = scripting.call(request.state.workflow, row, data, config)
        return Response.json({"output": as_stored(output)})
    watcher = request.input.get("watcher")
    key = watcher or _key("scr")
    try:
        result: Any = {"output": as_stored(scripting.call(request.state.workflow, row, data, config))}
    except scripting.ScriptError as error:
        result = {"exception": "Exception", "message": error.message}
    # The result lies under another key, which only the websocket tells.
    now = request.state.clock.now()
    request.state.workflow.results[_key("srn")] = (now + _RESULT_SECONDS, result)
    return Response.json({"status": "success", "key": key})


def _key(prefix: str) -> str:
    return f"{prefix}{secrets.token_hex(7)}.{secrets.randbelow(10**8):08}"


def execution(request: Request) -> Response:
    """
    ``GET /scripts/execution/{key}``: ``{}`` for a key that is not known.

    :param request: the call.
    """
    expires, result = request.state.workflow.results.get(request.bound["keyId"], (0.0, {}))
    return Response.json(result if expires > request.state.clock.now() else {})


def preview(request: Request) -> Response:  # noqa: ARG001 - as all handlers
    """
    ``POST /scripts/{script}/preview``: the result goes to the websocket only.

    :param request: the call.
    """
    return Response.json({"status": "success"})


_EXEMPT = frozenset({"code"})
_ONE = "/scripts/{script}"

ROUTES = [
    Route("GET", "/scripts", index, "view-scripts", _EXEMPT),
    Route("POST", "/scripts", store, "create-scripts", _EXEMPT),
    Route("GET", _ONE, show, "view-scripts"),
    Route("PUT", _ONE, update, "edit-scripts", _EXEMPT),
    Route("DELETE", _ONE, destroy, "delete-scripts"),
    Route("POST", "/scripts/execute/{script_number}", execute, exempt=_EXEMPT),
    Route("GET", "/scripts/execution/{keyId}", execution),
    Route("POST", f"{_ONE}/preview", preview, "view-scripts", _EXEMPT),
]
