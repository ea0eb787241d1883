"""Which requests a list is about, and in which order: filter, advanced filter, PMQL."""

from __future__ import annotations

import json
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import advanced_filters, lists, pmql
from airflow_provider_processmaker.testing.http import Abort, Response

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest

COLUMNS = (
    "id", "uuid", "process_id", "process_collaboration_id", "collaboration_uuid", "user_id", "parent_request_id",
    "participant_id", "callable_id", "status", "name", "completed_at", "initiated_at", "created_at", "updated_at",
    "process_version_id", "case_title", "case_number", "case_title_formatted",
)  # fmt: skip
_TIMES = frozenset({"completed_at", "initiated_at", "created_at", "updated_at", "due_at", "riskchanges_at"})
_STATUSES = {"in progress": "ACTIVE", "completed": "COMPLETED", "error": "ERROR", "canceled": "CANCELED"}
_SEARCHED = ("id", "status", "initiated_at", "created_at", "updated_at")
INVALID = "Your PMQL contains invalid syntax."


def reader(name: str) -> Callable[[Any], Any]:
    """
    How to read a column of a row that has ``columns``; times become times.

    :param name: the column.
    """
    if name in _TIMES:
        return lambda row: None if row.columns[name] is None else datetime.fromisoformat(row.columns[name])
    return lambda row: row.columns[name]


def filtered(request: Request, rows: list[ProcessRequest]) -> list[ProcessRequest]:
    """
    The rows in which ``filter`` occurs: in the name, the data, the id, status or times.

    :param request: carries the filter.
    :param rows: all rows.
    """
    wanted = request.text("filter")
    return rows if wanted in {"", "0"} else [row for row in rows if _occurs(wanted)(row)]


def _occurs(wanted: str) -> Callable[[ProcessRequest], bool]:
    matches = lists.like(f"%{wanted}%")

    def test(row: ProcessRequest) -> bool:
        texts = (row.name, json.dumps(row.data, ensure_ascii=False), *(row.columns[name] for name in _SEARCHED))
        return any(matches(text) for text in texts)

    return test


def _status(value: Any) -> str:
    return _STATUSES.get(str(value).lower(), str(value))


def _words(request: Request) -> dict[str, Callable[[str, Any], Callable[[Any], bool]]]:
    """The fields of requests that are no columns."""
    state = request.state

    def status(operator: str, value: Any) -> Callable[[ProcessRequest], bool]:
        wanted = _status(value)
        return lambda row: pmql.compare(operator, row.status, wanted)

    def name(operator: str, value: Any) -> Callable[[ProcessRequest], bool]:
        # Processes are looked up, not requests.
        processes = {row.id for row in state.workflow.processes if pmql.compare(operator, row.name, value)}
        return lambda row: row.process_id in processes

    def requester(operator: str, value: Any) -> Callable[[ProcessRequest], bool]:
        user_id = _known_user(request, "requester", value)
        return lambda row: pmql.compare(operator, row.user_id, user_id)

    def participant(operator: str, value: Any) -> Callable[[ProcessRequest], bool]:
        user_id = _known_user(request, "participant", value)
        return lambda row: any(_has_part(token, operator, user_id) for token in row.tokens)

    def full_name(operator: str, value: Any) -> Callable[[ProcessRequest], bool]:
        ids = {user.id for user in state.users if pmql.compare(operator, user.json()["fullname"], value)}
        return lambda row: any(token.user_id in ids for token in row.tokens)

    def alternative(operator: str, value: Any) -> Callable[[ProcessRequest], bool]:
        return lambda row: pmql.compare(operator, row.version.columns["alternative"], value)

    return {
        "status": status,
        "request": name,
        "requester": requester,
        "participant": participant,
        "participantbyfullname": full_name,
        "alternative": alternative,
        "fulltext": lambda _, value: _occurs(str(value)),
    }


def _has_part(token: Any, operator: str, user_id: int) -> bool:
    kinds = {"task", "userTask", "startEvent"}
    return token.columns["element_type"] in kinds and pmql.compare(operator, token.user_id, user_id)


def _known_user(request: Request, field: str, value: Any) -> int:
    user = request.state.user_named(str(value))
    if user is None:
        text = f"The specified {field} username does not exist."
        raise Abort(Response.json({"message": text, "field": field}, 400))
    return user.id


def table(request: Request) -> pmql.Table:
    """
    What a query may ask of requests.

    :param request: the caller.
    """
    return pmql.Table(
        {name: reader(name) for name in COLUMNS},
        lambda row: row.data,
        {
            "created": "created_at",
            "modified": "updated_at",
            "started": "initiated_at",
            "completed": "completed_at",
        },
        _words(request),
    )


def matching(request: Request, text: str, rows: list[ProcessRequest]) -> list[ProcessRequest]:
    """
    The requests that a query means.

    :param request: the caller.
    :param text: the query.
    :param rows: all rows.
    """
    zone = request.user.columns["timezone"] or "UTC"
    return pmql.matching(text, table(request), rows, now=request.state.clock.now(), timezone=zone)


def queried(request: Request, rows: list[ProcessRequest]) -> list[ProcessRequest]:
    """
    The rows that ``pmql`` means; one that does not parse is 400, an unknown column an error of the database.

    :param request: carries the query.
    :param rows: all rows.
    """
    text = request.text("pmql")
    if text in {"", "0"}:
        return rows
    try:
        return matching(request, text, rows)
    except pmql.PmqlError as error:
        raise Abort(Response.json({"message": INVALID}, 400)) from error


def ordered(request: Request, rows: list[ProcessRequest], default: str = "name") -> list[ProcessRequest]:
    """
    Sort; rows that are equal keep their order.

    A dot in the column is a path in JSON, so there is no order by the columns of other tables.

    :param request: carries ``order_by`` and ``order_direction``.
    :param rows: what to sort.
    :param default: the column when none is named.
    """
    column, _, path = request.text("order_by").partition(".")
    if path:
        if column != "data":
            raise lists.QueryError(f"Unknown column '{column}'")
        return sorted(rows, key=lambda row: _json_key(row, path.split(".")), reverse=lists.descending(request))
    return lists.ordered_rows(request, rows, default, COLUMNS, lambda row: row.columns)


def _json_key(row: ProcessRequest, keys: list[str]) -> tuple[bool, str]:
    # Texts in JSON are ordered by their bytes, numbers by their digits; what is not there comes first.
    text = pmql.json_text(row.data, keys)
    return text is not None, text or ""


def advanced(request: Request, rows: list[ProcessRequest]) -> list[ProcessRequest]:
    """
    The rows that ``advanced_filter`` means.

    :param request: carries the filter, as JSON text.
    :param rows: all rows.
    """
    words = _words(request)
    users = request.state.users

    def participant(operator: str, value: Any) -> Callable[[Any], bool]:
        # By their ids, which become names for PMQL's word.
        user = users.get(int(value)) if str(value).isdigit() else None
        if user is None:
            return lambda _: False
        return words["participant"](operator, user.columns["username"])

    subjects = advanced_filters.Subjects(
        _column,
        lambda row: row.data,
        {
            "Status": words["status"],
            "Participants": participant,
            "ParticipantsFullName": words["participantbyfullname"],
            "Alternative": words["alternative"],
        },
        lambda operator, value: advanced_filters.compare(operator, reader("process_id"), value),
        {
            "process": lambda row: row.process.columns,
            "user": lambda row: None if row.user_id is None else users.rows[row.user_id].json(),
        },
    )
    return advanced_filters.filtered(request, rows, subjects)


def _column(name: str) -> Callable[[Any], Any]:
    if name not in COLUMNS:
        raise lists.QueryError(f"Unknown column '{name}'")
    return reader(name)
