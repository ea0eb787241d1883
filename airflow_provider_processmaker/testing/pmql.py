"""Which rows a query means: what the database makes of it, with the server's own words for fields and values."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from airflow_provider_processmaker.testing.lists import fold
from airflow_provider_processmaker.testing.pmql_parser import (
    Column,
    Function,
    Group,
    Now,
    Path,
    PmqlError,
    UnknownFieldError,
    parse,
)

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence

    from airflow_provider_processmaker.testing.pmql_parser import Comparison, Field

__all__ = ["PmqlError", "Table", "UnknownFieldError", "matching"]

_NOTHING = object()
# Of a JSON value, only so much is compared.
_LONGEST = 255
_MOMENT = re.compile(r"(\d{4})\D(\d{1,2})\D(\d{1,2})(?: (\d{1,2}):(\d{2}):(\d{2}))?")
_PREFIX = re.compile(r"\s*[-+]?(\d+\.?\d*([eE][-+]?\d+)?|\.\d+)")
_STAMP = re.compile(r"(\d{4}-\d\d?-\d\d?)(?:[T ](\d\d?:\d\d(?::\d\d)?))?.*", re.DOTALL)


@dataclass(frozen=True)
class Table:
    """
    What a query may ask about.

    :param columns: how to read a row's columns.
    :param data: how to read a row's JSON, for ``data.x``.
    :param aliases: other names of columns.
    :param words: fields of the server's own making, by lower-case name: given operator and value, a test of a row.
    """

    columns: Mapping[str, Callable[[Any], Any]]
    data: Callable[[Any], Any] | None = None
    aliases: Mapping[str, str] = field(default_factory=dict)
    words: Mapping[str, Callable[[str, Any], Callable[[Any], bool]]] = field(default_factory=dict)


def matching(text: str, table: Table, rows: Iterable[Any], *, now: float, timezone: str = "UTC") -> list[Any]:
    """
    The rows that a query means.

    :param text: the query.
    :param table: what may be asked.
    :param rows: all rows.
    :param now: the server's time.
    :param timezone: of the caller, in which his dates are read.
    """
    test = _Compiler(table, now, timezone).group(parse(text))
    return [row for row in rows if test(row)]


def compare(operator: str, cell: Any, value: Any, *, binary: bool = False) -> bool:
    """
    Compare as SQL does; with null, nothing is true.

    :param operator: one of ``= != < > <= >= LIKE IN``, ``NOT IN``.
    :param cell: of the row.
    :param value: of the query.
    :param binary: whether case matters.
    """
    if cell is None:
        return False
    if operator == "IN":
        return any(compare("=", cell, item, binary=binary) for item in value)
    if operator == "NOT IN":
        return all(compare("!=", cell, item, binary=binary) for item in value)
    if operator == "LIKE":
        return _like(str(value), binary)(_text(cell))
    left, right = _comparable(cell, value, binary)
    if operator == "=":
        return bool(left == right)
    if operator == "!=":
        return bool(left != right)
    if operator.startswith("<"):
        return bool(left < right or (left == right and operator == "<="))
    return bool(left > right or (left == right and operator == ">="))


def _comparable(cell: Any, value: Any, binary: bool) -> tuple[Any, Any]:
    if isinstance(cell, datetime):
        moment = value if isinstance(value, datetime) else _moment(str(value))
        return (cell, moment) if moment is not None else (1, 0)
    if isinstance(value, datetime):
        value = value.strftime("%Y-%m-%d %H:%M:%S")
    if isinstance(cell, (int, float)) or isinstance(value, (int, float)):
        return _number(cell), _number(value)
    return (_text(cell), str(value)) if binary else (fold(cell), fold(value))


def _number(value: Any) -> float:
    if isinstance(value, (int, float)):
        return value
    match = _PREFIX.match(str(value))
    return float(match.group()) if match else 0.0


def _text(value: Any) -> str:
    return value.strftime("%Y-%m-%d %H:%M:%S") if isinstance(value, datetime) else str(value)


def _moment(text: str) -> datetime | None:
    match = _STAMP.fullmatch(text)
    if match is None:
        return None
    day, clock = match.groups()
    try:
        return datetime.fromisoformat(f"{_padded(day)} {clock or '00:00:00'}").replace(tzinfo=UTC)
    except ValueError:
        return None


def _padded(day: str) -> str:
    year, month, date = day.split("-")
    return f"{year}-{int(month):02}-{int(date):02}"


def _like(pattern: str, binary: bool) -> Callable[[str], bool]:
    parts = []
    letters = iter(pattern if binary else fold(pattern))
    for letter in letters:
        if letter == "\\":
            parts.append(re.escape(next(letters, "\\")))
        else:
            parts.append({"%": ".*", "_": "."}.get(letter, re.escape(letter)))
    compiled = re.compile("".join(parts), re.DOTALL)
    return lambda text: compiled.fullmatch(text if binary else fold(text)) is not None


def matches_pattern(pattern: str, cell: Any) -> bool:
    """
    SQL's REGEXP.

    :param pattern: the pattern.
    :param cell: of the row.
    """
    return cell is not None and re.search(pattern, str(cell), re.IGNORECASE) is not None


def _inside(value: Any, key: str | int) -> Any:
    if isinstance(value, dict) and isinstance(key, str):
        return value.get(key, _NOTHING)
    if isinstance(value, list) and isinstance(key, int) and key < len(value):
        return value[key]
    return _NOTHING


def json_text(value: Any, keys: Sequence[str | int]) -> str | None:
    """
    What ``->>`` makes of a JSON value: a text, the first 255 characters of it.

    :param value: the JSON.
    :param keys: the path.
    """
    for key in keys:
        value = _inside(value, key)
        if value is _NOTHING:
            return None
    return (value if isinstance(value, str) else json.dumps(value, ensure_ascii=False))[:_LONGEST]


def _among(read: Callable[[Any], Any], numbers: frozenset[float], wanted: bool) -> Callable[[Any], bool]:
    def test(row: Any) -> bool:
        cell = read(row)
        return cell is not None and (_number(cell) in numbers) is wanted

    return test


class _Compiler:
    def __init__(self, table: Table, now: float, timezone: str) -> None:
        self.table = table
        self.now = now
        self.timezone = timezone

    def group(self, group: Group) -> Callable[[Any], bool]:
        # AND binds closer than OR, as in SQL: the clauses are chained without parentheses of their own.
        choices: list[list[Callable[[Any], bool]]] = [[]]
        for index, part in enumerate(group.parts):
            if index and part.word == "OR":
                choices.append([])
            choices[-1].append(self.group(part) if isinstance(part, Group) else self.comparison(part))
        return lambda row: any(all(test(row) for test in tests) for tests in choices)

    def comparison(self, part: Comparison) -> Callable[[Any], bool]:
        word = self.table.words.get(part.field.name.lower()) if isinstance(part.field, Column) else None
        if word is not None:
            return self._word(word, part)
        value = self._value(part.value)
        read, binary = self._reader(part.field)
        operator = part.operator
        if isinstance(value, list) and all(isinstance(item, (int, float)) for item in value):
            # The common question about many ids.
            return _among(read, frozenset(value), operator == "IN")
        return lambda row: compare(operator, read(row), value, binary=binary)

    @staticmethod
    def _word(word: Callable[[str, Any], Callable[[Any], bool]], part: Comparison) -> Callable[[Any], bool]:
        if not isinstance(part.value, list):
            return word(part.operator, part.value)
        tests = [word("=", item) for item in part.value]
        wanted = part.operator == "IN"
        return lambda row: any(test(row) for test in tests) is wanted

    def _value(self, value: Any) -> Any:
        if isinstance(value, list):
            return [self._value(item) for item in value]
        if isinstance(value, Now):
            return datetime.fromtimestamp(int(self.now), UTC) + timedelta(seconds=value.seconds)
        if isinstance(value, str):
            return self._local(value)
        return value

    def _local(self, text: str) -> str:
        """What looks like a date is read in the caller's zone; midnight stays that day, whatever the zone."""
        match = _MOMENT.fullmatch(text)
        if match is None:
            return text
        try:
            numbers = [int(number or 0) for number in match.groups()]
            moment = datetime(*numbers, tzinfo=self._zone())  # type: ignore[misc,arg-type]
        except ValueError:
            return text
        if numbers[3:] == [0, 0, 0]:
            return moment.strftime("%Y-%m-%d")
        return moment.astimezone(UTC).strftime("%Y-%m-%d %H:%M:%S")

    def _zone(self) -> ZoneInfo:
        try:
            return ZoneInfo(self.timezone)
        except (ZoneInfoNotFoundError, ValueError):
            return ZoneInfo("UTC")

    def _reader(self, field: Field) -> tuple[Callable[[Any], Any], bool]:
        """How to read a field of a row, and whether case matters there."""
        if isinstance(field, Path):
            data, keys = self.table.data, field.keys
            if data is None or field.name.lower() != "data":
                raise UnknownFieldError(field.name)
            return (lambda row: json_text(data(row), keys)), True
        if isinstance(field, Function):
            return self._function(field)
        name = field.name.lower()
        read = self.table.columns.get(self.table.aliases.get(name, name))
        if read is None:
            raise UnknownFieldError(field.name)
        return read, False

    def _function(self, field: Function) -> tuple[Callable[[Any], Any], bool]:
        arguments = [argument for argument in field.arguments if isinstance(argument, (Column, Path, Function))]
        if not arguments or field.name not in _FUNCTIONS:
            raise UnknownFieldError(field.name)
        read, binary = self._reader(arguments[0])
        if field.name == "cast":
            numeric = str(field.arguments[1]).lower() == "number"
            return (lambda row: _cast(read(row), numeric)), binary
        change = _FUNCTIONS[field.name]
        return (lambda row: None if (cell := read(row)) is None else change(_text(cell))), binary


def _cast(cell: Any, numeric: bool) -> Any:
    if cell is None:
        return None
    return _number(cell) if numeric else _text(cell)


_FUNCTIONS: dict[str, Callable[[str], Any]] = {
    "cast": str, "lower": str.lower, "upper": str.upper, "length": len, "trim": str.strip,
}  # fmt: skip
