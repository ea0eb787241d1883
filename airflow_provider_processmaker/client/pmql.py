r"""PMQL, ProcessMaker's query language, built so that a value can never change the query.

>>> ours = (field("process_id") == 2) & (field("data.airflow_key") == "af1-3f9c")
>>> str(ours | (field("updated_at") > now(minutes=-10)))
'(((process_id = 2) AND (data.airflow_key = "af1-3f9c")) OR (updated_at > NOW -10 minute))'

The server unescapes nothing in a text and rewrites some: what would not arrive as given is refused. The language
has no NOT and no test for null; as in SQL, ``!=`` and ``not_in`` never find a row whose field is null.
Standard library only.
"""

from __future__ import annotations

import math
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, date, datetime
from decimal import Decimal
from itertools import accumulate
from typing import TYPE_CHECKING, Any, NoReturn
from urllib.parse import quote as percent_encode
from zoneinfo import ZoneInfo

from airflow_provider_processmaker.client.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Callable
    from datetime import tzinfo

__all__ = ["Expression", "Field", "at", "field", "now", "raw", "split_in"]

#: Of a ``data.*`` text the server compares only the first characters.
LONGEST_DATA_TEXT = 255
#: Percent-encoded bytes of a query; servers answer 414 to a URL of 8 kB.
LONGEST_QUERY = 6000

_FIELD = re.compile(r"[A-Za-z0-9_]+(?:\.[A-Za-z0-9_]+(?:\[[0-9]+\])?)*")
#: What no JSON text or URL carries faithfully: control characters but tab and line ends, halves of surrogate pairs.
_UNSENDABLE = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f\ud800-\udfff]")
#: What the server would take for a date and convert (Y?m?d, Y?m?d H:i:s, any separator).
_DATE_LIKE = re.compile(r"[0-9]{1,4}([^0-9A-Za-z][0-9]{1,2}){2}(\s+[0-9]{1,2}:[0-9]{1,2}:[0-9]{1,2})?\n?")
#: What the server's sanitizer would cut out of a query: form tags everywhere, the rest on some endpoints.
_FORM_TAGS = r"<[\s/]*(?:form|input|textarea|button|select|option|optgroup|fieldset|label|output)"
_SANITIZED = re.compile(rf"{_FORM_TAGS}|</?[a-z0-9]|<\?|<!--|{{{{|}}}}", re.IGNORECASE)
_SANITIZED_EVERYWHERE = re.compile(_FORM_TAGS, re.IGNORECASE)
#: What LIKE or the sanitizer would read otherwise; a backslash before it stops both.
_SPECIAL_IN_LIKE = re.compile(r'[\\"%_{}]|(?<=<).', re.DOTALL)


@dataclass(frozen=True, slots=True)
class Expression:
    """A query, or a part of one, made by comparing a :func:`field` and joined with ``&`` and ``|``.

    :param parts: its clauses, each safe as it stands; ``str()`` puts them in parentheses.
    :param operator: the word between them.
    """

    parts: tuple[str, ...]
    operator: str = ""

    def __and__(self, other: Expression) -> Expression:
        return self._join("AND", other)

    def __or__(self, other: Expression) -> Expression:
        return self._join("OR", other)

    def _join(self, operator: str, other: Expression) -> Expression:
        if not isinstance(other, Expression):
            raise InvalidInputError(
                f"Only a comparison can be joined with {operator}, not a {type(other).__name__}.",
                hint='Put each in parentheses: (field("id") > 5) & (field("id") < 9).',
            )
        # A chain stays flat, so that a long one doesn't nest the server's parser.
        first = self.parts if self.operator == operator else (str(self),)
        return Expression((*first, str(other)), operator)

    def __bool__(self) -> NoReturn:
        raise InvalidInputError(
            "A query is neither true nor false: and, or, not, in, if and a < b < c would lose a part of it.",
            hint="Join comparisons with & and |, each in parentheses.",
        )

    def __str__(self) -> str:
        return f"({f' {self.operator} '.join(self.parts)})"

    def __repr__(self) -> str:
        return f"<Expression {self}>"


@dataclass(frozen=True, slots=True)
class _Moment:
    text: str


def _comparison(operator: str) -> Callable[[Field, object], Expression]:
    return lambda self, value: Expression((f"{self.name} {operator} {_value(self.name, value)}",))


@dataclass(frozen=True, slots=True, eq=False)
class Field:
    """A field to compare, made by :func:`field`.

    :param name: letters, digits and ``_``, in a path also ``.`` and ``[0]``.
    """

    name: str

    def __post_init__(self) -> None:
        if not isinstance(self.name, str) or not _FIELD.fullmatch(self.name):
            raise InvalidInputError(
                f"PMQL has no field {self.name!r}.",
                hint="Letters, digits and _ only, in data with dots and [0]: status, data.customer.items[0].id.",
            )

    def __hash__(self) -> int:
        return hash((Field, self.name))

    __eq__ = _comparison("=")  # type: ignore[assignment]
    __ne__ = _comparison("!=")  # type: ignore[assignment]
    __lt__, __le__, __gt__, __ge__ = map(_comparison, ("<", "<=", ">", ">="))

    def is_in(self, values: Iterable[float | str]) -> Expression:
        """The field is one of these. Servers before 4.2 don't know it.

        :param values: at least one; all numbers or all texts. :func:`split_in` cuts up a long list.
        """
        return self._is("IN", f"[{', '.join(_list(self.name, values))}]")

    def not_in(self, values: Iterable[float | str]) -> Expression:
        """The field is none of these, and not null.

        :param values: as for :meth:`is_in`.
        """
        return self._is("NOT IN", f"[{', '.join(_list(self.name, values))}]")

    def like(self, pattern: str) -> Expression:
        r"""The text matches a pattern: ``%`` is any text, ``_`` any character, ``\%`` and ``\_`` themselves.

        :param pattern: yours; for a text from elsewhere take :meth:`contains` or its neighbours.
        """
        return self._is("LIKE", _text(self.name, pattern))

    def contains(self, text: str) -> Expression:
        """This text stands somewhere in the field (in ``data.*``: in its first 255 characters).

        :param text: any text; no character of it is special.
        """
        return self._is("LIKE", f'"%{_in_like(self.name, text)}%"')

    def startswith(self, text: str) -> Expression:
        """The field begins with this text.

        :param text: any text; no character of it is special.
        """
        return self._is("LIKE", f'"{_in_like(self.name, text)}%"')

    def exactly(self, text: str) -> Expression:
        """The field is this text; by a LIKE, for what ``==`` refuses: quotes, tags, what looks like a date.

        :param text: any text; no character of it is special.
        """
        escaped = _in_like(self.name, _whole(self.name, text))
        return self._is("LIKE", f'"\\{escaped}"' if _DATE_LIKE.fullmatch(text) else f'"{escaped}"')

    def _is(self, operator: str, value: str) -> Expression:
        return Expression((f"{self.name} {operator} {value}",))


def field(name: str) -> Field:
    """A field to compare with ``== != < <= > >=`` or the methods of :class:`Field`.

    A value is an int, a float, a text, a ``date`` (its midnight, in the server's zone), :func:`now`, :func:`at`, or
    an aware ``datetime``, which takes the server's zone to be UTC. With an int, the text in a ``data.*`` field is
    compared as the number that it begins with; ``"abc"`` counts as 0.

    :param name: a column, an alias of the server's, or a path such as ``data.items[0].price``; none from strangers.
    :raises InvalidInputError: if it is not the name of a field; on comparing: for a value that would not arrive.
    """
    return Field(name)


def now(*, days: int = 0, hours: int = 0, minutes: int = 0, seconds: int = 0) -> _Moment:
    """The server's own clock when it answers, or a while from then; no zone can go wrong.

    :param days: days from now, negative for the past; and so on.
    """
    given = {"day": days, "hour": hours, "minute": minutes, "second": seconds}
    if any(isinstance(count, bool) or not isinstance(count, int) or abs(count) >= 10**9 for count in given.values()):
        raise InvalidInputError("now() takes whole numbers of days, hours, minutes or seconds, below 10^9.")
    used = {unit: count for unit, count in given.items() if count}
    if len(used) > 1:
        used = {"second": ((days * 24 + hours) * 60 + minutes) * 60 + seconds}
    return _Moment(next((f"NOW {count:+d} {unit}" for unit, count in used.items() if count), "NOW"))


def at(moment: datetime, server_zone: str | tzinfo = "UTC") -> _Moment:
    """A point in time, written in the server's zone, so that the server compares it as it stands.

    (A text ``2026-11-24 20:30:00`` would be read in the zone of the caller's profile, at midnight in the server's.)

    :param moment: an aware datetime.
    :param server_zone: the server's APP_TIMEZONE: the one whose offset its answers' dates have.
    :raises InvalidInputError: for a datetime without a zone, or an unknown zone.
    """
    if not isinstance(moment, datetime) or moment.utcoffset() is None:
        raise InvalidInputError(
            f"Not a datetime with a zone: {moment!r}.", hint="Say which: datetime(..., tzinfo=UTC)."
        )
    try:
        zone = UTC if server_zone == "UTC" else ZoneInfo(server_zone) if isinstance(server_zone, str) else server_zone
        local = moment.astimezone(zone)
    except (LookupError, ValueError, OSError, OverflowError, TypeError) as error:
        raise InvalidInputError(f"{moment} cannot be written in the zone {server_zone!r}: {error}.") from None
    plain = datetime(*local.timetuple()[:6], local.microsecond)  # noqa: DTZ001
    return _Moment(f'"{plain.isoformat()}"')  # the T keeps the server from converting it


def raw(pmql: str, *, cleaned: bool = True) -> Expression:
    """A query written by hand, to be joined with others; quotes, parentheses and tags are checked.

    :param pmql: yours: put nothing into it that others chose.
    :param cleaned: whether it is for a list whose server cuts out what looks like a tag (``<5 OR id >``) before it
        reads the query, as all do but ``requests`` and ``tasks``.
    :raises InvalidInputError: if it is empty, could reach out of its parentheses, or would not arrive as it is.
    """
    if not isinstance(pmql, str) or not pmql.strip(" \t\r\n"):
        raise InvalidInputError("The query is empty.")
    outside = re.sub(r'"(?:\\.|[^"\\])*"', "", pmql, flags=re.DOTALL)
    depths = list(accumulate({"(": 1, ")": -1}.get(sign, 0) for sign in outside))
    if '"' in outside or min(depths, default=0) < 0 or (depths and depths[-1]):
        raise InvalidInputError("The query has a quote or a parenthesis too many or too few.")
    if found := (_SANITIZED if cleaned else _SANITIZED_EVERYWHERE).search(pmql):
        raise InvalidInputError(
            f'The query has "{found[0]}" in it, from where on the server takes it for a tag and cuts it out.',
            hint='Put a space behind "<"; in a text, contains(), startswith() and exactly() of a field carry it.',
        )
    return Expression((pmql.strip(" \t\r\n"),))


def split_in(name: str, values: Iterable[float | str], *, longest: int = LONGEST_QUERY) -> list[Expression]:
    """:meth:`Field.is_in` for a list of any length: queries each short enough for a URL; none for no values.

    :param name: the field.
    :param values: all numbers or all texts; each comes once, in its order.
    :param longest: bytes that the percent-encoded text of each may have; leave room for what is joined to it.
    :raises InvalidInputError: for a value as in :meth:`Field.is_in`, or one that is too long on its own.
    """
    where, batches, comma = field(name), list[list[str]](), _bytes(", ")
    frame = _bytes(f"({name} IN [])")
    used = 0
    for text in _list(name, values, least=0):
        size = _bytes(text)
        if frame + size > longest:
            raise _refusal(name, "a value that is too long for a URL")
        used += comma + size
        if not batches or used > longest:
            batches.append([])
            used = frame + size
        batches[-1].append(text)
    return [where._is("IN", f"[{', '.join(batch)}]") for batch in batches]  # noqa: SLF001


def _bytes(text: str) -> int:
    return len(percent_encode(text, safe=""))


def _refusal(name: str, why: str, hint: str | None = None) -> InvalidInputError:
    return InvalidInputError(f'The field "{name}" cannot be compared with {why}.', hint=hint)


def _value(name: str, value: Any) -> str:
    """A value as it stands in a query."""
    if isinstance(value, bool):
        hint = f'In data write == "{str(value).lower()}"; for a column {value:d}.'
        raise _refusal(name, "true or false, which PMQL has no words for", hint)
    if value is None:
        raise _refusal(name, "null, which PMQL has no test for", "Filter the records that come back.")
    if isinstance(value, int | float):
        return _number(name, value)
    if isinstance(value, str):
        return _text(name, _whole(name, value))
    if isinstance(value, datetime):
        value = at(value)
    if isinstance(value, _Moment):
        if "." in name:
            raise _refusal(name, "a point in time: data holds texts", "Compare with the text that the process stores.")
        return value.text
    if isinstance(value, date):
        return f'"{value.year:04d}-{value.month:02d}-{value.day:02d}"'
    raise _refusal(name, f"a {type(value).__name__}", "Give an int, a float, a text, a date or a datetime.")


def _number(name: str, value: float) -> str:
    if isinstance(value, int):
        if not -(2**63) <= value < 2**63:
            raise _refusal(name, "an integer of more than 64 bits")
        return int.__repr__(value)
    if not math.isfinite(value):
        raise _refusal(name, "infinity or not-a-number")
    if "." in name:
        hint = 'Give an int, or for equality the text as it is stored: == "1.5".'
        raise _refusal(name, "a float: the server would compare the two as texts", hint)
    # Without an exponent, and always with a point: the server would read 1e-7 as the integer 0.
    text = format(Decimal(float.__repr__(value)), "f")
    return text if "." in text else f"{text}.0"


def _sendable(name: str, text: Any) -> str:
    if not isinstance(text, str):
        raise _refusal(name, f"a {type(text).__name__}: it has to be a text")
    if not text:
        raise _refusal(name, "an empty text", "ProcessMaker mostly stores it as null, which PMQL has no test for.")
    if _UNSENDABLE.search(text):
        raise _refusal(name, "a text with control characters or half of a surrogate pair in it")
    if "." in name and len(text) > LONGEST_DATA_TEXT:
        raise _refusal(name, f"more than {LONGEST_DATA_TEXT} characters: in data the server looks only at so many")
    return str.__str__(text)


def _whole(name: str, text: str) -> str:
    """A text that is compared as a whole: a longer one that begins so would be found by it."""
    if "." in name and isinstance(text, str) and len(text) >= LONGEST_DATA_TEXT:
        raise _refusal(
            name,
            f"{LONGEST_DATA_TEXT} characters or more: in data the server looks only at so many",
            f'field("{name}").startswith(...) takes up to {LONGEST_DATA_TEXT}.',
        )
    return text


def _text(name: str, value: str) -> str:
    """A text in quotes; refused if the server would not see it as it is."""
    text = _sendable(name, value)
    hint = f'field("{name}").exactly(...), .contains(...) and .startswith(...) take any text.'
    if '"' in text or (len(text) - len(text.rstrip("\\"))) % 2:
        raise _refusal(name, "a text that has a double quote in it or ends in a backslash", hint)
    if _DATE_LIKE.fullmatch(text):
        hint = f"Give a date or a datetime if it is one; if not: {hint}"
        raise _refusal(name, "a text that looks like a date: the server would convert it", hint)
    if found := _SANITIZED.search(text):
        raise _refusal(name, f'a text with "{found[0]}" in it, which the server removes from queries', hint)
    return f'"{text}"'


def _in_like(name: str, text: str) -> str:
    return _SPECIAL_IN_LIKE.sub(r"\\\g<0>", _sendable(name, text))


def _list(name: str, values: Any, least: int = 1) -> list[str]:
    """The values of a list, as they stand in a query."""
    if isinstance(values, str | bytes | dict) or not isinstance(values, Iterable):
        raise _refusal(name, f"a {type(values).__name__} as a list", "Give a list of values.")
    given = list(values)
    if len(given) < least:
        raise _refusal(name, "an empty list, which PMQL cannot express", "Ask nothing: no record can match.")
    if not any(all(isinstance(item, kind) for item in given) for kind in (str, (int, float))):
        kinds = sorted({type(item).__name__ for item in given})
        raise _refusal(name, f"a list of {' and '.join(kinds)}", "Lists hold numbers or texts, not both.")
    return [_value(name, item) for item in given]
