"""Laravel's validation in small: rules that a field passes or not, and the English messages."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.http import Abort, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

_NAMES = {"firstname": "First Name", "lastname": "Last Name"}
_EMAIL = re.compile(r"[^@\s<>\"(),:;\[\]\\]+@[^@\s<>\"(),:;\[\]\\]+")


def _label(field: str) -> str:
    return _NAMES.get(field) or field.replace("_", " ").capitalize()


def failure(errors: Mapping[str, list[str]], message: str | None = None) -> Abort:
    """
    422, to be raised.

    :param errors: messages by field.
    :param message: the first line; Laravel makes it of the first error and a count.
    """
    if message is None:
        texts = [text for messages in errors.values() for text in messages]
        more = len(texts) - 1
        message = texts[0]
        if more:
            message += f" (and {more} more error{'s' if more > 1 else ''})"
    return Abort(Response.json({"message": message, "errors": errors}, 422))


def validate(values: Mapping[str, Any], rules: Mapping[str, Sequence[Callable[[Any], str | None]]]) -> None:
    """
    Raise 422 unless all fields pass.

    A field that is absent or null only meets :func:`required`: the other rules speak of a value.

    :param values: the input.
    :param rules: rules by field, in the order in which Laravel would complain.
    """
    errors: dict[str, list[str]] = {}
    for field, checks in rules.items():
        value = values.get(field)
        absent = value is None or value in ([], {})
        for check in checks:
            if absent and check is not required:
                continue
            message = check(value)
            if message is not None:
                errors.setdefault(field, []).append(message.replace(":attribute", _label(field)))
    if errors:
        raise failure(errors)


def required(value: Any) -> str | None:
    """
    There must be a value.

    :param value: of the field.
    """
    return "The :attribute field is required." if value in (None, "", [], {}) else None


def string(value: Any) -> str | None:
    """
    The value must be text.

    :param value: of the field.
    """
    return None if isinstance(value, str) else "The :attribute field must be a string."


def integer(value: Any) -> str | None:
    """
    The value must be a whole number.

    :param value: of the field.
    """
    return None if re.fullmatch(r"[+-]?\d+", str(value)) else "The :attribute field must be an integer."


def positive(value: Any) -> str | None:
    """
    A whole number must be at least 1.

    :param value: of the field.
    """
    return None if integer(value) or int(value) >= 1 else "The :attribute field must be at least 1."


def at_least(length: int) -> Callable[[Any], str | None]:
    """
    The text must not be shorter.

    :param length: in characters.
    """
    return lambda value: (
        None if len(str(value)) >= length else f"The :attribute field must be at least {length} characters."
    )


def at_most(length: int) -> Callable[[Any], str | None]:
    """
    The text must not be longer.

    :param length: in characters.
    """
    return lambda value: (
        None if len(str(value)) <= length else f"The :attribute field must not be greater than {length} characters."
    )


def matches(pattern: str, message: str = "The :attribute field format is invalid.") -> Callable[[Any], str | None]:
    """
    The text must have a form.

    :param pattern: a regular expression for the whole of it.
    :param message: what to say.
    """
    compiled = re.compile(pattern)
    return lambda value: None if compiled.fullmatch(str(value)) else message


def one_of(*allowed: str) -> Callable[[Any], str | None]:
    """
    The value must be one of these.

    :param allowed: the values.
    """
    return lambda value: None if value in allowed else "The selected :attribute is invalid."


def email(value: Any) -> str | None:
    """
    The value must look like an e-mail address.

    :param value: of the field.
    """
    return None if _EMAIL.fullmatch(str(value)) else "The :attribute field must be a valid email address."


def unique(taken: Callable[[str], bool]) -> Callable[[Any], str | None]:
    """
    No other row may have the value.

    :param taken: tells whether one has.
    """
    return lambda value: "The :attribute has already been taken." if taken(str(value)) else None


def upper_case(value: Any) -> str | None:
    """
    A password needs an upper-case letter; the server's own rule, so its text differs from Laravel's.

    :param value: of the field.
    """
    if any(letter.isupper() for letter in str(value)):
        return None
    return "The password must contain at least one uppercase character."


def a_symbol(value: Any) -> str | None:
    """
    A password needs a character that is neither letter nor digit.

    :param value: of the field.
    """
    if any(not letter.isalnum() for letter in str(value)):
        return None
    return "The :attribute field must contain at least one symbol."


def a_number(value: Any) -> str | None:
    """
    A password needs a digit.

    :param value: of the field.
    """
    if any(letter.isnumeric() for letter in str(value)):
        return None
    return "The :attribute field must contain at least one number."
