"""
ProcessMaker's query language, read as its grammar reads it: a parsing expression grammar, so the first match counts.

Hence ``==`` and ``<>`` never parse (``=`` and ``<`` match first), nothing is unescaped in a string, and a list needs
square brackets and at least one element.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


T = TypeVar("T")


class PmqlError(ValueError):
    """The query does not parse."""


class UnknownFieldError(ValueError):
    """The query names a column that the table does not have."""


@dataclass(frozen=True)
class Column:
    """A column, or an alias of one."""

    name: str


@dataclass(frozen=True)
class Path:
    """A path into a JSON column; ``keys`` are names and numbers."""

    name: str
    keys: tuple[str | int, ...]


@dataclass(frozen=True)
class Function:
    """A function of the database, or a cast."""

    name: str
    arguments: tuple[Operand, ...]


@dataclass(frozen=True)
class Now:
    """The server's time, moved by some seconds."""

    seconds: float = 0.0


Literal = str | int | float
Field = Column | Path | Function
Operand = Field | Now | Literal


@dataclass
class Comparison:
    """One clause. ``word`` joins it to what stands before it."""

    field: Field
    operator: str
    value: Literal | Now | list[Literal]
    word: str = "AND"


@dataclass
class Group:
    """Clauses in parentheses, or all of the query."""

    parts: list[Comparison | Group] = field(default_factory=list)
    word: str = "AND"


_BLANK = re.compile(r"[ \t\n\r]*")
_NAME = re.compile(r"[A-Za-z0-9_]+")
_NUMBER = re.compile(r"-?(0|[1-9][0-9]*)?(\.[0-9]+)?([Ee][+-]?[0-9]+)?")
_TEXT = re.compile(r'"((?:\\.|[^"\\])*)"', re.DOTALL)
_INDEX = re.compile(r"\[([0-9]+)\]")
_UNITS = {"DAY": 86_400, "HOUR": 3_600, "MINUTE": 60, "SECOND": 1}
_OPERATORS = ("<=", ">=", "<", ">", "=", "==", "!=", "<>", "LIKE")


class _Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def query(self) -> Group:
        found = self.group()
        if self.at != len(self.text):
            raise PmqlError(f"unexpected {self.text[self.at : self.at + 20]!r} at {self.at}")
        return found

    # -- small parts -------------------------------------------------------------------------------------------------

    def blank(self) -> None:
        match = _BLANK.match(self.text, self.at)
        self.at = match.end() if match else self.at

    def take(self, word: str) -> bool:
        piece = self.text[self.at : self.at + len(word)]
        if piece.upper() != word:
            return False
        self.at += len(word)
        return True

    def need(self, word: str) -> None:
        if not self.take(word):
            raise PmqlError(f"{word!r} expected at {self.at}")

    def match(self, pattern: re.Pattern[str], what: str) -> re.Match[str]:
        found = pattern.match(self.text, self.at)
        if found is None or not found.group():
            raise PmqlError(f"{what} expected at {self.at}")
        self.at = found.end()
        return found

    def attempt(self, rule: Callable[[], T]) -> T | None:
        before = self.at
        try:
            return rule()
        except PmqlError:
            self.at = before
            return None

    # -- the grammar -------------------------------------------------------------------------------------------------

    def group(self) -> Group:
        group = Group([self.clause()])
        while True:
            before = self.at
            self.blank()
            word = next((word for word in ("AND", "OR") if self.take(word)), None)
            if word is None:
                self.at = before
                return group
            self.blank()
            part = self.clause()
            part.word = word
            group.parts.append(part)

    def clause(self) -> Comparison | Group:
        return self.attempt(self.parentheses) or self.comparison()

    def parentheses(self) -> Group:
        self.blank()
        self.need("(")
        self.blank()
        found = self.group()
        self.blank()
        self.need(")")
        self.blank()
        return found

    def comparison(self) -> Comparison:
        field = self.field()
        self.blank()
        found = self.attempt(lambda: self.single(field)) or self.listed(field)
        self.blank()
        return found

    def single(self, field: Field) -> Comparison:
        operator = next((operator for operator in _OPERATORS if self.take(operator)), None)
        if operator is None:
            raise PmqlError(f"operator expected at {self.at}")
        self.blank()
        return Comparison(field, operator, self.value())

    def listed(self, field: Field) -> Comparison:
        operator = next((operator for operator in ("IN", "NOT IN") if self.take(operator)), None)
        if operator is None:
            raise PmqlError(f"operator expected at {self.at}")
        self.blank()
        self.need("[")
        self.blank()
        values = [self.literal()]
        while self.take(","):
            self.blank()
            values.append(self.literal())
        self.blank()
        self.need("]")
        return Comparison(field, operator, values)

    def field(self) -> Field:
        self.blank()
        return (
            self.attempt(self.cast)
            or self.attempt(self.function)
            or self.attempt(self.path)
            or Column(self.match(_NAME, "field").group())
        )

    def cast(self) -> Function:
        self.need("CAST")
        self.need("(")
        inner = self.field()
        self.blank()
        self.need("AS")
        self.blank()
        kind = self.match(_NAME, "type").group()
        self.need(")")
        return Function("cast", (inner, kind))

    def function(self) -> Function:
        name = self.match(_NAME, "function").group()
        self.need("(")
        arguments: list[Operand] = []
        first = self.attempt(self.argument)
        if first is not None:
            arguments.append(first)
            while self.attempt(self.comma) is not None:
                self.blank()
                arguments.append(self.argument())
        else:
            self.blank()
        self.need(")")
        return Function(name.lower(), tuple(arguments))

    def comma(self) -> bool:
        self.blank()
        self.need(",")
        return True

    def argument(self) -> Operand:
        found = self.attempt(self.value)
        return self.field() if found is None else found

    def path(self) -> Path:
        name = self.match(_NAME, "field").group()
        keys: list[str | int] = []
        while self.take("."):
            keys.append(self.match(_NAME, "key").group())
            index = _INDEX.match(self.text, self.at)
            if index is not None:
                self.at = index.end()
                keys.append(int(index.group(1)))
        if not keys:
            raise PmqlError(f"'.' expected at {self.at}")
        return Path(name, tuple(keys))

    def value(self) -> Literal | Now:
        self.blank()
        found: Literal | Now | None = self.attempt(self.moved_now)
        if found is not None:
            return found
        return Now() if self.take("NOW") else self.literal()

    def moved_now(self) -> Now:
        self.need("NOW")
        self.blank()
        sign = -1 if self.take("-") else 1
        if sign == 1:
            self.need("+")
        amount = float(self.number())
        self.blank()
        unit = next((unit for unit in _UNITS if self.take(unit)), None)
        if unit is None:
            raise PmqlError(f"unit expected at {self.at}")
        return Now(sign * amount * _UNITS[unit])

    def literal(self) -> Literal:
        if self.text[self.at : self.at + 1] == '"':
            # The backslash only keeps a quote from ending the text; both stay in the value.
            return self.match(_TEXT, "value").group(1)
        return self.number()

    def number(self) -> int | float:
        match = self.match(_NUMBER, "value")
        if match.group(1) is None:
            raise PmqlError(f"digit expected at {self.at}")
        text = match.group()
        return float(text) if "." in text else int(float(text)) if match.group(3) else int(text)


def parse(text: str) -> Group:
    """
    Parse a query.

    :param text: the query.
    """
    return _Parser(text).query()
