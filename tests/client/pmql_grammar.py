"""What a ProcessMaker server does to a query: a parser of PMQL, and the rewriting before it.

Written from ProcessMaker's grammar, rule by rule, and not from our builder. As in a parsing expression grammar, the
first alternative that fits is taken and repetition never gives anything back.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

SPACE = " \t\n\r"

FORM_TAGS = ("form", "input", "textarea", "button", "select", "option", "optgroup", "fieldset", "label", "output")
ALL_TAGS = (
    r"(<\?((?!\?>)[\w\W])+\?>)",
    r"(<!--((?!-->)[\w\W])+-->)",
    r"<[a-zA-Z0-9]+[^>]*>",
    r"<\/[a-zA-Z0-9]+[^>]*>",
    r"<[a-zA-Z0-9]+[^>]*\/>",
)


class NotPmqlError(Exception):
    """The text is no PMQL."""


@dataclass(frozen=True)
class Now:
    amount: float = 0
    unit: str | None = None


@dataclass(frozen=True)
class Clause:
    field: str
    operator: str
    value: Any


@dataclass(frozen=True)
class Group:
    """A chain of clauses and groups; the first word is always AND."""

    items: tuple[tuple[str, Clause | Group], ...]


def sanitized(query: str) -> set[str]:
    """What the two ways of sanitizing make of a query, with leading and trailing space trimmed."""
    only_forms = every_tag = query.strip()
    for tag in FORM_TAGS:
        only_forms = re.sub(rf"<[\s\/]*{tag}[^>]*>", "", only_forms, flags=re.IGNORECASE)
    for pattern in ALL_TAGS:
        every_tag = re.sub(pattern, "", every_tag)
    return {only_forms, every_tag.replace("{{", "").replace("}}", "")}


def taken_for_date(value: str) -> bool:
    """Whether the server would convert a text: Y?m?d or Y?m?d H:i:s."""
    return bool(re.match(r"\d{1,4}[^0-9A-Za-z]\d\d[^0-9A-Za-z]\d\d( \d\d:\d\d:\d\d)?$", value, re.ASCII))


def meaning_of_like(pattern: str) -> list[str]:
    """A LIKE pattern as MySQL reads it: characters, and ``ANY`` and ``ONE`` for the wildcards."""
    found: list[str] = []
    rest = iter(pattern)
    for char in rest:
        if char == "\\":
            found.append(next(rest, "\\"))
        else:
            found.append({"%": "ANY", "_": "ONE"}.get(char, char))
    return found


def parse(query: str) -> Group:
    """The structure of a query.

    :raises NotPmqlError: if the grammar does not accept all of it.
    """
    parser = Parser(query)
    group = parser.full_expression()
    if parser.at != len(query):
        raise NotPmqlError(f"{query!r} ends at {parser.at}")
    return group


class Parser:
    def __init__(self, text: str) -> None:
        self.text = text
        self.at = 0

    def fail(self) -> NotPmqlError:
        return NotPmqlError(f"{self.text!r} at {self.at}: {self.text[self.at : self.at + 20]!r}")

    def space(self) -> None:
        while self.at < len(self.text) and self.text[self.at] in SPACE:
            self.at += 1

    def take(self, literal: str) -> bool:
        """Case does not count, as in the grammar's keywords."""
        fits = self.text[self.at : self.at + len(literal)].lower() == literal.lower()
        self.at += len(literal) if fits else 0
        return fits

    def need(self, literal: str) -> None:
        if not self.take(literal):
            raise self.fail()

    def match(self, pattern: str) -> str | None:
        found = re.compile(pattern, re.DOTALL | re.ASCII).match(self.text, self.at)
        if found is None:
            return None
        self.at = found.end()
        return found[0]

    def full_expression(self) -> Group:
        items = [("AND", self.logic_expression())]
        while True:
            start = self.at
            try:
                word = "AND" if self.take("AND") else "OR" if self.take("OR") else None
                if word is None:
                    raise self.fail()
                self.space()
                items.append((word, self.logic_expression()))
            except NotPmqlError:
                self.at = start
                return Group(tuple(items))

    def logic_expression(self) -> Clause | Group:
        start = self.at
        try:
            self.space()
            self.need("(")
            self.space()
            inner = self.full_expression()
            self.space()
            self.need(")")
            self.space()
        except NotPmqlError:
            self.at = start
            return self.comparison()
        return inner

    def comparison(self) -> Clause:
        self.space()
        field = self.field()
        self.space()
        after_field = self.at
        try:
            # "==" and "<>" stand after "=" and "<" in the grammar, so that they never fit.
            operator = next((sign for sign in ("<=", ">=", "<", ">", "=", "!=", "LIKE") if self.take(sign)), None)
            if operator is None:
                raise self.fail()
            self.space()
            value = self.value()
        except NotPmqlError:
            self.at = after_field
            operator = "IN" if self.take("IN") else "NOT IN" if self.take("NOT IN") else None
            if operator is None:
                raise self.fail() from None
            self.space()
            value = self.array()
        self.space()
        return Clause(field, operator, value)

    def field(self) -> str:
        """Without functions and CAST, which are refused: the builder never writes them."""
        name = self.match(r"[A-Za-z0-9_]+(\.[A-Za-z0-9_]+(\[[0-9]+\])?)*")
        if name is None or self.take("("):
            raise self.fail()
        return name

    def value(self) -> Any:
        if self.take("NOW"):
            start = self.at
            self.space()
            sign = self.match(r"[-+]")
            amount = self.number() if sign else None
            self.space()
            unit = next((unit for unit in ("day", "hour", "minute", "second") if self.take(unit)), None)
            if amount is None or unit is None:
                self.at = start
                return Now()
            return Now(-amount if sign == "-" else amount, unit)
        return self.literal()

    def literal(self) -> float | str:
        number = self.number()
        if number is not None:
            return number
        return self.string()

    def number(self) -> float | None:
        text = self.match(r"-?(0|[1-9][0-9]*)(\.[0-9]+)?(E[-+]?[0-9]+)?")
        if text is None:
            return None
        # As PHP's intval: what does not fit is cut, 1E-7 is 0.
        return (
            float(text)
            if "." in text
            else max(-(2**63), min(2**63 - 1, int(float(text)) if "E" in text else int(text)))
        )

    def string(self) -> str:
        """Nothing is unescaped: a backslash only takes the next character with it, and stays."""
        self.need('"')
        start = self.at
        while self.at < len(self.text) and self.text[self.at] != '"':
            self.at += 2 if self.text[self.at] == "\\" and self.at + 1 < len(self.text) else 1
        value = self.text[start : self.at]
        self.need('"')
        return value

    def array(self) -> list[Any]:
        self.need("[")
        self.space()
        values = [self.literal()]
        while self.take(","):
            self.space()
            values.append(self.literal())
        self.space()
        self.need("]")
        return values
