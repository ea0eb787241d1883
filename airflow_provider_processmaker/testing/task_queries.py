"""Which tasks a list is about, and in which order."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import advanced_filters, lists, pmql, request_queries
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.workflow import policies

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import Token

COLUMNS = (
    "id", "uuid", "user_id", "process_id", "process_request_id", "subprocess_request_id", "element_id", "element_type",
    "element_name", "status", "element_index", "subprocess_start_event_id", "completed_at", "due_at", "due_notified",
    "initiated_at", "riskchanges_at", "created_at", "updated_at", "version_id", "version_type", "is_self_service",
    "is_priority", "is_actionbyemail", "is_emailsent",
)  # fmt: skip
_WORDS = {"in progress": ("ACTIVE",), "completed": ("CLOSED", "COMPLETED")}
_EXACT = ("process_id", "element_id", "element_name", "status", "process_request_id")


def shown(request: Request) -> list[Token]:
    """
    The tasks that the parameters and the caller's rights leave.

    :param request: the call.
    """
    state = request.state
    rows = list(state.workflow.tokens)
    if request.text("all_tasks") != "true":
        rows = [row for row in rows if row.columns["element_type"] == "task"]
    rows = _managed(request, rows) if request.text("processesIManage") == "true" else visible(request, rows)
    rows = _by_parameters(request, rows)
    wanted = request.text("filter")
    if wanted not in {"", "0"}:
        rows = [row for row in rows if _occurs(wanted)(row)]
    return rows


def visible(request: Request, rows: list[Token]) -> list[Token]:
    """
    The tasks that the caller has or may take, or all if he sees all requests.

    :param request: the caller.
    :param rows: some tasks.
    """
    state, user = request.state, request.user
    if state.can(user, "view-all_requests"):
        return rows
    return [row for row in rows if row.user_id == user.id or policies.may_claim(state, user, row)]


def _managed(request: Request, rows: list[Token]) -> list[Token]:
    """Whoever has them: the tasks that wait in active processes of which the caller is the manager."""

    def test(row: Token) -> bool:
        process = row.request.process
        return row.is_active and process.status == "ACTIVE" and process.manager_id == request.user.id

    return [row for row in rows if test(row)]


def _by_parameters(request: Request, rows: list[Token]) -> list[Token]:
    given = request.input
    for column in _EXACT:
        value = given.get(column)
        if value is None:
            continue
        if column == "process_request_id" and given.get("include_sub_tasks"):
            rows = _with_children(request, rows, str(value))
            continue
        # Numbers are compared, other texts are patterns.
        test = _equals(column, value) if str(value).replace(".", "", 1).isdigit() else _like(column, str(value))
        rows = [row for row in rows if test(row)]
    if given.get("user_id") is not None:
        rows = _of_user(request, rows, str(given["user_id"]))
    if request.text("statusfilter"):
        statuses = {part.strip().upper() for part in request.text("statusfilter").split(",")}
        rows = [row for row in rows if row.status in statuses]
    if request.text("overdue"):
        now = request.state.clock.iso()
        rows = [row for row in rows if (row.columns["due_at"] or now) < now]
    return rows


def _equals(column: str, value: Any) -> Callable[[Token], bool]:
    return lambda row: pmql.compare("=", row.columns[column], value)


def _like(column: str, pattern: str) -> Callable[[Token], bool]:
    matches = lists.like(pattern)
    return lambda row: matches(row.columns[column])


def _with_children(request: Request, rows: list[Token], value: str) -> list[Token]:
    parent = request.state.workflow.requests.get(int(value))
    if parent is None:
        raise lists.QueryError("Call to a member function childRequests() on null")
    ids = {parent.id, *(child.id for child in parent.children)}
    return [row for row in rows if row.request.id in ids]


def _of_user(request: Request, rows: list[Token], value: str) -> list[Token]:
    user = request.state.user(int(value)) if value.isdigit() else None
    if user is None:
        raise lists.QueryError("Attempt to read property on null")
    return [row for row in rows if row.user_id == user.id or policies.may_claim(request.state, user, row)]


def _occurs(wanted: str) -> Callable[[Token], bool]:
    matches = lists.like(f"%{wanted}%")

    def test(row: Token) -> bool:
        columns = (row.columns[name] for name in ("element_name", "status", "id", "created_at", "due_at", "updated_at"))
        return any(matches(text) for text in (*columns, row.request.name, json.dumps(row.request.data)))

    return test


# -- pmql --------------------------------------------------------------------------------------------------------------


def _status_word(request: Request) -> Callable[[str, Any], Callable[[Any], bool]]:
    def status(operator: str, value: Any) -> Callable[[Token], bool]:
        word = str(value).lower()
        if word == "self service":
            return lambda row: policies.may_claim(request.state, request.user, row)
        if word in _WORDS:
            wanted = operator == "="
            return lambda row: not row.columns["is_self_service"] and (row.status in _WORDS[word]) is wanted
        return lambda row: not row.columns["is_self_service"] and pmql.compare(operator, row.status, word)

    return status


def _of(read: Callable[[Token], Any]) -> Callable[[str, Any], Callable[[Token], bool]]:
    return lambda operator, value: lambda row: pmql.compare(operator, read(row), value)


def _table(request: Request) -> pmql.Table:
    def assignee(row: Token) -> Any:
        user = None if row.user_id is None else request.state.users.get(row.user_id)
        return None if user is None else user.json()["fullname"]

    return pmql.Table(
        {name: request_queries.reader(name) for name in COLUMNS},
        lambda row: row.request.data,
        {
            "created": "created_at",
            "started": "created_at",
            "modified": "updated_at",
            "due": "due_at",
            "completed": "completed_at",
        },
        {
            "status": _status_word(request),
            "request": _of(lambda row: row.request.name),
            "process_name": _of(lambda row: row.request.name),
            "task": _of(lambda row: row.columns["element_name"]),
            "case_number": _of(lambda row: row.request.case_number),
            "case_title": _of(lambda row: row.request.columns["case_title"]),
            "assigneebyfullname": _of(assignee),
            "fulltext": lambda _, value: _occurs(str(value)),
        },
    )


def queried(request: Request, rows: list[Token]) -> list[Token]:
    """
    The rows that ``pmql`` means. One that does not parse is an error of the server, an unknown column is 422.

    :param request: carries the query.
    :param rows: all rows.
    """
    text = request.text("pmql")
    if text in {"", "0"}:
        return rows
    zone = request.user.columns["timezone"] or "UTC"
    try:
        return pmql.matching(text, _table(request), rows, now=request.state.clock.now(), timezone=zone)
    except pmql.UnknownFieldError as error:
        raise invalid() from error


def advanced(request: Request, rows: list[Token]) -> list[Token]:
    """
    The rows that ``advanced_filter`` means; an unknown column is 422, as with ``pmql``.

    :param request: carries the filter, as JSON text.
    :param rows: all rows.
    """
    words = _table(request).words
    users = request.state.users

    def process(_: str, value: Any) -> Callable[[Any], bool]:
        # Whatever the operator is, it is among them.
        wanted = value if isinstance(value, list) else [value]
        return lambda row: pmql.compare("IN", row.request.process_id, wanted)

    def owned(name: str) -> Callable[[Any], Any]:
        if name not in COLUMNS:
            raise invalid()
        return request_queries.reader(name)

    subjects = advanced_filters.Subjects(
        owned,
        lambda row: row.request.data,
        {
            "Status": words["status"],
            "Participants": _of(lambda row: row.user_id),
            "AssigneesFullName": words["assigneebyfullname"],
        },
        process,
        {
            "processRequest": lambda row: row.request.columns,
            "process": lambda row: row.request.process.columns,
            "user": lambda row: None if row.user_id is None else users.rows[row.user_id].json(),
        },
    )
    return advanced_filters.filtered(request, rows, subjects)


def invalid() -> Abort:
    """422 for what the database does not know, to be raised."""
    return Abort(Response.json({"message": "PMQL Is Invalid."}, 422))


# -- order -------------------------------------------------------------------------------------------------------------


def ordered(request: Request, rows: list[Token]) -> list[Token]:
    """
    Sort; by default by the last change, so that a page's rows move while one reads.

    :param request: carries ``order_by``, a list with commas, and ``order_direction``.
    :param rows: what to sort.
    """
    direction = request.text("order_direction", "asc").lower()
    if direction not in {"asc", "desc"}:
        raise lists.QueryError("Order direction must be asc or desc.")
    # What changed in the same second keeps the order in which it changed.
    rows = sorted(rows, key=lambda row: row.touched)
    for column in reversed(request.text("order_by", "updated_at").split(",")):
        rows = sorted(rows, key=_sorting(_key(request, column.strip())), reverse=direction == "desc")
    return rows


def _sorting(read: Callable[[Token], Any]) -> Callable[[Token], tuple[int, float, str]]:
    return lambda row: lists.sort_key(read(row))


def _key(request: Request, column: str) -> Callable[[Token], Any]:
    table, _, name = column.rpartition(".")
    if table == "data" or table.startswith("data."):
        return lambda row: pmql.json_text(row.request.data, column.split(".")[1:])
    if column == "user.name":
        users = request.state.users.rows
        return lambda row: None if row.user_id is None else users[row.user_id].json()["fullname"]
    if table in {"process_requests", "process_request", "processRequests"}:
        return lambda row: row.request.columns[name]
    if name not in COLUMNS:
        raise invalid()
    return lambda row: row.columns[name]
