"""PMQL over rows that are dictionaries of columns: scripts, screens, settings, security logs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, pmql
from airflow_provider_processmaker.testing.http import Abort, Response
from airflow_provider_processmaker.testing.request_queries import INVALID

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_processmaker.testing.http import Request

    Row = dict[str, Any]


def reader(name: str) -> Callable[[Row], Any]:
    """
    How to read a column.

    :param name: the column.
    """
    return lambda row: row[name]


def queried(
    request: Request, rows: Iterable[Row], columns: Iterable[str], searched: Sequence[str], refusal: Row | None = None
) -> list[Row]:
    """
    The rows that ``pmql`` means; one that does not parse is 400.

    :param request: carries the query.
    :param rows: all rows.
    :param columns: what may be asked about.
    :param searched: the columns of ``fulltext``.
    :param refusal: the answer to a query that does not parse.
    """
    text = request.text("pmql")
    if text in {"", "0"}:
        return list(rows)

    def full_text(_: str, value: Any) -> Callable[[Row], bool]:
        matches = lists.like(f"%{value}%")
        return lambda row: any(matches(row[name]) for name in searched)

    aliases = {"created": "created_at", "modified": "updated_at"}
    table = pmql.Table({name: reader(name) for name in columns}, None, aliases, {"fulltext": full_text})
    zone = request.user.columns["timezone"] or "UTC"
    try:
        return pmql.matching(text, table, rows, now=request.state.clock.now(), timezone=zone)
    except pmql.PmqlError as error:
        raise Abort(Response.json(refusal or {"message": INVALID}, 400)) from error
