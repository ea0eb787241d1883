"""``/processes`` and ``/start_processes``."""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, pmql, validation
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.request_queries import reader
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow import bpmn, diagrams, policies, saving, views

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.bpmn import Node
    from airflow_provider_processmaker.testing.workflow.tables import Process

COLUMNS = (
    "id", "uuid", "process_category_id", "user_id", "description", "name", "status", "is_valid", "created_at",
    "updated_at", "is_template", "case_title", "alternative",
)  # fmt: skip
_INCLUDES = frozenset({"events", "category", "categories", "user", "svg", "versions", "requests"})
_NAME = r"[\w\s\-'.,()&]+"
_FILLABLE = ("name", "description", "case_title", "properties", "pause_timer_start", "cancel_screen_id",
             "request_detail_screen_id")  # fmt: skip


def index(request: Request) -> Response:
    """
    ``GET /processes``.

    :param request: the call.
    """
    rows = _with_status(request, list(request.state.workflow.processes))
    rows = queried(request, _filtered(request, rows), {"error": "PMQL error"})
    rows = lists.ordered_rows(request, rows, "name", COLUMNS, lambda row: row.columns)
    return lists.collection_list(request, [_listed(request, row) for row in rows])


def _with_status(request: Request, rows: list[Process]) -> list[Process]:
    wanted = request.text("status")
    if wanted == "archived":
        return [row for row in rows if row.status == "ARCHIVED"]
    if wanted == "all":
        # Its name notwithstanding.
        return [row for row in rows if row.status == "ACTIVE"]
    return [row for row in rows if row.status != "ARCHIVED"]


def _filtered(request: Request, rows: list[Process]) -> list[Process]:
    category = request.text("category")
    if category:
        rows = [row for row in rows if row.columns["process_category_id"] == category]
    wanted = request.text("filter")
    if wanted in {"", "0"}:
        return rows
    matches = lists.like(f"%{wanted}%")
    return [row for row in rows if matches(row.name) or matches(row.columns["description"])]


def _table(request: Request) -> pmql.Table:
    state = request.state

    def of(read: Callable[[Process], Any]) -> Callable[[str, Any], Callable[[Any], bool]]:
        return lambda operator, value: lambda row: pmql.compare(operator, read(row), value)

    def owner(row: Process) -> Any:
        user = state.users.get(row.columns["user_id"])
        return None if user is None else user.columns["username"]

    def full_text(_: str, value: Any) -> Callable[[Process], bool]:
        matches = lists.like(f"%{value}%")
        return lambda row: matches(row.name) or matches(row.columns["description"])

    words = {
        "process": of(lambda row: row.name),
        "category": of(lambda row: _category(request, row)["name"]),
        "owner": of(owner),
        "fulltext": full_text,
    }
    aliases = {"created": "created_at", "modified": "updated_at"}
    return pmql.Table({name: reader(name) for name in COLUMNS}, None, aliases, words)


def queried(request: Request, rows: list[Process], refusal: dict[str, Any]) -> list[Process]:
    """
    The processes that ``pmql`` means; one that does not parse is 400.

    :param request: carries the query.
    :param rows: all processes.
    :param refusal: the answer to a query that does not parse.
    """
    text = request.text("pmql")
    if text in {"", "0"}:
        return rows
    zone = request.user.columns["timezone"] or "UTC"
    try:
        return pmql.matching(text, _table(request), rows, now=request.state.clock.now(), timezone=zone)
    except pmql.PmqlError as error:
        raise Abort(Response.json(refusal, 400)) from error


def _listed(request: Request, row: Process) -> dict[str, Any]:
    nodes = policies.startable(request.state, request.user, row)
    more = {
        "startEvents": _events(row, [node for node in nodes if _by_hand(node)]),
        "events": _events(row, nodes),
        "bookmark_id": 0,
        "launchpad": None,
    }
    return {**views.process(row), **more, **views.process_details(row), **_included(request, row)}


def _by_hand(node: Node) -> bool:
    """Whether people start a process there: not a timer, and not a form on the web."""
    return not node.has("timer") and "web_entry" not in node.attributes.get("config", "")


def _events(row: Process, nodes: list[Node]) -> list[dict[str, Any]]:
    return [row.version.definition.start_json(node) for node in nodes]


def _included(request: Request, row: Process) -> dict[str, Any]:
    words = [word for word in request.text("include").split(",") if word]
    if not _INCLUDES.issuperset(words):
        raise lists.QueryError("Call to undefined relationship")
    shown: dict[str, Any] = {}
    if "category" in words:
        shown["category"] = _category(request, row)
    if "user" in words:
        user = request.state.users.get(row.columns["user_id"])
        shown["user"] = None if user is None else user.json()
    if "events" in words:
        shown["events"] = _events(row, policies.startable(request.state, request.user, row))
    return shown


def _category(request: Request, row: Process) -> dict[str, Any]:
    table = request.state.workflow.categories["process_categories"]
    category = table.get(int(row.columns["process_category_id"]))
    return {"name": None} if category is None else category.columns


def start_list(request: Request) -> Response:
    """
    ``GET /start_processes``: what the caller may start by hand.

    :param request: the call.
    """
    plain = request.text("without_event_definitions") == "true"
    rows = [row for row in request.state.workflow.processes if row.status == "ACTIVE"]
    rows = [row for row in rows if _category(request, row).get("status") == "ACTIVE" and not row.columns["warnings"]]
    rows = queried(request, _filtered(request, rows), {"error": "PMQL error"})
    shown = []
    for row in lists.ordered_rows(request, rows, "name", COLUMNS, lambda row: row.columns):
        nodes = [
            node
            for node in policies.startable(request.state, request.user, row)
            if _by_hand(node) and not (plain and node.definitions)
        ]
        if nodes:
            events = {"startEvents": _events(row, nodes), "events": _events(row, nodes)}
            shown.append({**views.process(row), **_included(request, row), **events})
    return lists.collection_list(request, shown)


def show(request: Request) -> Response:
    """
    ``GET /processes/{process}``: a missing one is 204, not 404.

    :param request: the call.
    """
    row = request.state.workflow.processes.get(int(request.bound["any_process"]))
    if row is None:
        return Response.nothing()
    return Response.json({**views.process(row), **views.process_details(row), **_included(request, row)})


def _rules(request: Request, existing: Process | None) -> dict[str, Sequence[Callable[[Any], str | None]]]:
    def taken(name: str) -> bool:
        wanted = lists.fold(name)
        return any(lists.fold(row.name) == wanted and row is not existing for row in request.state.workflow.processes)

    return {
        "name": [validation.required, validation.unique(taken), validation.matches(_NAME)],
        "description": [validation.required],
        "status": [validation.one_of("ACTIVE", "INACTIVE", "ARCHIVED")],
    }


def store(request: Request) -> Response:
    """
    ``POST /processes``: without a diagram it gets one with a start event.

    :param request: the call.
    """
    validation.validate(request.input, _rules(request, None))
    text = request.text("bpmn") or diagrams.sequence(diagrams.start())
    try:
        row = saving.new_process(request.state, request.input, text, request.user.id)
    except bpmn.BpmnError as error:
        raise _bad_bpmn(error) from error
    shown = {**views.process(row), **views.process_details(row)}
    return Response.json({**shown, "category": _category(request, row), "user": request.user.json()}, 201)


def _bad_bpmn(error: bpmn.BpmnError) -> Abort:
    return validation.failure({"bpmn": [str(error)]}, "The bpm definition is not valid")


def update(request: Request) -> Response:
    """
    ``PUT /processes/{process}``: takes a diagram that is no BPMN too, and notes what is wrong with it.

    :param request: the call.
    """
    row: Process = request.bound["process"]
    rules = _rules(request, row)
    if "name" not in request.input:
        del rules["name"]
    validation.validate(request.input, rules)
    changed = {name: request.input[name] for name in _FILLABLE if name in request.input}
    if request.input.get("process_category_id") is not None:
        changed["process_category_id"] = request.text("process_category_id")
    if request.input.get("status") is not None:
        changed["status"] = request.text("status")
    _grant(request, row)
    row.columns.update(changed, updated_by=request.user.id, warnings=None)
    text = request.text("bpmn") or None
    try:
        # What is no XML at all nobody catches.
        saving.save(request.state, row, text)
    except bpmn.SchemaError as error:
        saving.save_with_warnings(request.state, row, str(text), error)
    shown = {**views.process(row), **views.process_details(row)}
    return Response.json({**shown, "category": _category(request, row)})


def _grant(request: Request, row: Process) -> None:
    from airflow_provider_processmaker.testing.workflow.tables import Rights

    for field, right in (("cancel_request", "CANCEL"), ("edit_data", "EDIT_DATA")):
        value = request.input.get(field)
        if isinstance(value, dict):
            row.rights[right] = Rights(
                {int(item) for item in value.get("users") or []}, {int(item) for item in value.get("groups") or []}
            )
    manager = request.input.get("manager_id")
    if manager is not None:
        row.manager_id = int(manager)


def destroy(request: Request) -> Response:
    """
    ``DELETE /processes/{process}``: archives.

    :param request: the call.
    """
    row: Process = request.bound["process"]
    row.columns["status"] = "ARCHIVED"
    saving.save(request.state, row)
    return Response.nothing()


def restore(request: Request) -> Response:
    """
    ``PUT /processes/{process}/restore``.

    :param request: the call.
    """
    row: Process = request.bound["process"]
    row.columns["status"] = "ACTIVE"
    saving.save(request.state, row)
    return Response.json({**views.process(row), **views.process_details(row)})


def diagram(request: Request) -> Response:
    """
    ``GET /processes/{process}/bpmn``: a file.

    :param request: the call.
    """
    row: Process = request.bound["process"]
    response = Response.html(row.bpmn)
    response.headers["Content-Disposition"] = "attachment; filename=bpmnProcess.bpmn"
    return response


def export(request: Request) -> Response:
    """
    ``POST /processes/{process}/export``: where the file would be.

    :param request: the call.
    """
    row: Process = request.bound["process"]
    return Response.json({"url": f"{request.base_url}/processes/{row.id}/download/{secrets.token_hex(20)}"})


_EXEMPT = frozenset({"bpmn", "svg", "case_title"})
_ONE = "/processes/{process}"

ROUTES = [
    Route("GET", "/processes", index, "view-processes", _EXEMPT),
    Route("POST", "/processes", store, "create-processes", _EXEMPT),
    Route("GET", "/processes/{any_process}", show, "view-processes", _EXEMPT),
    Route("PUT", _ONE, update, "edit-processes", _EXEMPT),
    Route("DELETE", _ONE, destroy, "archive-processes"),
    Route("PUT", f"{_ONE}/restore", restore, "archive-processes"),
    Route("GET", f"{_ONE}/bpmn", diagram, "view-processes"),
    Route("POST", f"{_ONE}/export", export, "export-processes"),
    Route("GET", "/start_processes", start_list, exempt=_EXEMPT),
]
