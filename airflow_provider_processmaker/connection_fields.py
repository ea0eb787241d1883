"""What a field of a connection is, and how its value is read. Standard library only at import."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

__all__ = ["Field"]


@dataclass(frozen=True, slots=True, kw_only=True)
class Field:
    """One field of the connection.

    :param name: key in the connection; ``host``, ``login`` and ``password`` are Airflow's own.
    :param label: what the form calls it.
    :param kind: ``text``, ``secret``, ``boolean``, ``integer``, ``number`` or ``object`` (a JSON object).
    :param help: one sentence for form and docs.
    :param default: what holds if it is left empty.
    :param secret: whether its value must never be shown.
    :param placeholder: an example for the empty field of the form.
    :param lowest: smallest number that makes sense.
    :param highest: largest one.
    :param standard: whether it is one of Airflow's own fields.
    :param setting: name in :class:`~airflow_provider_processmaker.client.Settings`, if it is another one.
    """

    name: str
    label: str
    kind: str
    help: str
    default: Any = None
    secret: bool = False
    placeholder: str = ""
    lowest: float | None = None
    highest: float | None = None
    standard: bool = False
    setting: str = ""

    @property
    def argument(self) -> str:
        """Its name in the settings."""
        return self.setting or self.name

    def schema(self) -> dict[str, Any]:
        """Its JSON schema, as Airflow 3.2 and later draw the form from it."""
        schema: dict[str, Any] = {"type": [_SCHEMA_TYPES[self.kind], "null"]}
        if self.secret:
            schema["format"] = "password"
        if self.default is not None:
            schema["default"] = self.default
        if self.lowest is not None:
            schema["minimum"], schema["maximum"] = self.lowest, self.highest
        return schema

    def read(self, value: Any) -> Any:
        """Its value from what a connection holds, which may be text; the default for an empty one.

        :param value: what the connection holds.
        :raises InvalidInputError: for a value that is not of this kind.
        """
        if value is None or (isinstance(value, str) and not value.strip()):
            return self.default
        return _READERS[self.kind](self, value)


#: A JSON object is typed into a masked field, as text: the form has no masked field for objects.
_SCHEMA_TYPES = {
    "text": "string",
    "secret": "string",
    "boolean": "boolean",
    "integer": "integer",
    "number": "number",
    "object": "string",
}


def _wrong(field: Field, value: Any, wanted: str) -> Exception:
    from airflow_provider_processmaker.client.errors import InvalidInputError

    shown = type(value).__name__ if field.secret or not isinstance(value, str | int | float) else repr(value)
    return InvalidInputError(f'"{field.label}" must be {wanted}, not {shown}.')


def _text(field: Field, value: Any) -> str:
    if isinstance(value, bool) or not isinstance(value, str | int):
        raise _wrong(field, value, "a text")
    # A password may begin or end with a space; anything else may not.
    return str(value) if field.name == "password" else str(value).strip()


def _boolean(field: Field, value: Any) -> bool:
    words = {
        "true": True,
        "yes": True,
        "on": True,
        "1": True,
        "false": False,
        "no": False,
        "off": False,
        "0": False,
    }
    found = words.get(str(value).strip().lower())
    if found is None:
        raise _wrong(field, value, "true or false")
    return found


def _number(field: Field, value: Any) -> float:
    try:
        number = float(value)
    except (TypeError, ValueError, OverflowError):
        raise _wrong(field, value, "a number") from None
    if isinstance(value, bool) or not math.isfinite(number):
        raise _wrong(field, value, "a number")
    lowest, highest = field.lowest, field.highest
    if (lowest is not None and number < lowest) or (highest is not None and number > highest):
        raise _wrong(field, value, f"between {lowest:g} and {highest:g}")
    return number


def _integer(field: Field, value: Any) -> int:
    number = _number(field, value)
    if number != int(number):
        raise _wrong(field, value, "a whole number")
    return int(number)


def _object(field: Field, value: Any) -> dict[str, str]:
    try:
        found = json.loads(value) if isinstance(value, str) else value
    except ValueError:
        raise _wrong(field, value, "a JSON object, and this text is not valid JSON") from None
    if not isinstance(found, dict):
        raise _wrong(field, value, "a JSON object")
    for key, item in found.items():
        if not isinstance(item, str | int | float) or isinstance(item, bool):
            raise _wrong(field, item, f'a JSON object of texts (as for "{key}")')
    return {str(key): str(item) for key, item in found.items()}


_READERS: dict[str, Callable[[Field, Any], Any]] = {
    "text": _text,
    "secret": _text,
    "boolean": _boolean,
    "integer": _integer,
    "number": _number,
    "object": _object,
}
