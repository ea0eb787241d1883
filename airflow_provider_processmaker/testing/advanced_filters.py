"""
``advanced_filter``: a list, as JSON text, of what must hold of a row.

After ProcessMaker's ``Filters/BaseFilter.php``: what stands in an item's ``or`` must hold together, where the item
itself does not.
"""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, pmql
from airflow_provider_processmaker.testing.http import Abort, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_processmaker.testing.http import Request

Test = Callable[[Any], bool]

_PLAIN = frozenset({"=", "!=", ">", "<", ">=", "<="})
_OPERATORS = _PLAIN | {"between", "in", "contains", "regex", "starts_with"}


@dataclass(frozen=True)
class Subjects:
    """
    What a filter may ask of rows.

    :param column: how to read a column; raises :class:`~.lists.QueryError` or 422 if there is none.
    :param data: the data of the row's request.
    :param words: types of subjects that words of PMQL stand for.
    :param process: the type ``Process``.
    :param relations: rows that belong to a row, as columns.
    """

    column: Callable[[str], Callable[[Any], Any]]
    data: Callable[[Any], dict[str, Any]]
    words: Mapping[str, Callable[[str, Any], Test]]
    process: Callable[[str, Any], Test]
    relations: Mapping[str, Callable[[Any], Mapping[str, Any] | None]]


def filtered(request: Request, rows: list[Any], subjects: Subjects) -> list[Any]:
    """
    The rows that ``advanced_filter`` means; a text that is no JSON means all.

    :param request: carries the filter.
    :param rows: all rows.
    :param subjects: what it may ask of them.
    """
    try:
        items = json.loads(request.text("advanced_filter") or "[]")
    except ValueError:
        return rows
    tests = [_item(item, subjects) for item in items or []]
    return [row for row in rows if all(test(row) for test in tests)]


def _item(item: dict[str, Any], subjects: Subjects) -> Test:
    first = _one(item, subjects)
    others = [_item(other, subjects) for other in item.get("or") or []]
    if not others:
        return first
    return lambda row: first(row) or all(test(row) for test in others)


def _one(item: dict[str, Any], subjects: Subjects) -> Test:
    operator, value, subject = item["operator"], item["value"], item["subject"]
    kind, name = subject["type"], str(subject.get("value"))
    if kind in subjects.words:
        return _word(subjects.words[kind], _known(operator), value)
    if kind == "Process":
        return subjects.process(operator, value)
    if kind == "Relationship":
        relation, _, column = name.partition(".")
        if relation not in subjects.relations:
            raise lists.QueryError("Call to undefined relationship")
        related = subjects.relations[relation]
        return compare(operator, lambda row: (related(row) or {}).get(column), value)
    if kind == "Field" and name.startswith("data."):
        return _of_data(operator, name.split(".")[1:], value, subjects)
    return compare(operator, subjects.column(name), value)


def _known(operator: str) -> str:
    if operator not in _OPERATORS:
        raise Abort(Response.json({"message": f"Invalid operator: {operator}"}, 422, pretty=True))
    return operator


def _word(word: Callable[[str, Any], Test], operator: str, value: Any) -> Test:
    """Of several values any will do; PMQL's words know no lists."""
    value = _pattern(operator, value)
    values = value if isinstance(value, list) else [value]
    plain = {"in": "=", "contains": "LIKE", "starts_with": "LIKE"}.get(operator, operator)
    tests = [word(plain, one) for one in values]
    return lambda row: any(test(row) for test in tests)


def _pattern(operator: str, value: Any) -> Any:
    if operator == "contains":
        return f"%{value}%"
    return f"{value}%" if operator == "starts_with" else value


def _of_data(operator: str, keys: list[str], value: Any, subjects: Subjects) -> Test:
    if operator == "in":
        # JSON_CONTAINS: a list in the data that has all of these.
        return lambda row: _contains(_inner(subjects.data(row), keys), value)
    # Texts in JSON are compared as they are; only patterns do not mind capitals.
    binary = operator in _PLAIN or operator == "between"
    return compare(operator, lambda row: pmql.json_text(subjects.data(row), keys), value, binary=binary)


def _inner(value: Any, keys: list[str]) -> Any:
    for key in keys:
        value = value.get(key) if isinstance(value, dict) else None
    return value


def _contains(cell: Any, value: Any) -> bool:
    wanted = value if isinstance(value, list) else [value]
    if isinstance(cell, list):
        return all(one in cell for one in wanted)
    return cell is not None and not isinstance(value, list) and bool(cell == value)


def compare(operator: str, read: Callable[[Any], Any], value: Any, *, binary: bool = False) -> Test:
    """
    One comparison.

    :param operator: of the filter.
    :param read: the cell of a row.
    :param value: to compare with.
    :param binary: whether capitals matter.
    """
    if operator == "between":
        low, high = value
        return lambda row: (
            pmql.compare(">=", read(row), low, binary=binary) and pmql.compare("<=", read(row), high, binary=binary)
        )
    if operator == "in":
        return lambda row: pmql.compare("IN", read(row), value, binary=binary)
    if _known(operator) == "regex":
        return lambda row: pmql.matches_pattern(str(value), read(row))
    pattern = _pattern(operator, value)
    plain = operator if operator in _PLAIN else "LIKE"
    return lambda row: pmql.compare(plain, read(row), pattern, binary=binary)
