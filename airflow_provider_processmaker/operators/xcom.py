"""What fits into an XCom."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

__all__ = ["MAX_BYTES", "MAX_RECORDS", "check_limits", "check_size", "checked_xcom", "collect", "seen_by"]

#: An XCom is a row of Airflow's database. These limits are generous for that, and far from what breaks it.
MAX_RECORDS = 10_000
MAX_BYTES = 2_000_000

_INSTEAD = (
    "Narrow it down with a query, keep only some fields, or raise the limit; for a large list, loop over "
    "ProcessMakerHook(...).client.iter_records(...) in a @task and write to object storage as you go."
)

_BROKEN = "Airflow cannot keep it. Leave the field out: choose others by fields, or take it away in response_filter."

_PLAIN = "Make it of plain values, with texts as keys, in response_filter."

_LESS = "Keep less of it with response_filter, ask for less, or raise the limit."


def collect(records: Iterable[dict[str, Any]], *, max_records: int, max_bytes: int) -> list[dict[str, Any]]:
    """The records as a list, if that is small enough for an XCom.

    :param records: a stream of records; it is read no further than the limits allow.
    :param max_records: most records.
    :param max_bytes: most bytes of their JSON, as Airflow stores it.
    :raises InvalidInputError: past a limit; nothing is cut silently.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    found: list[dict[str, Any]] = []
    size = 2
    for record in records:
        size += _size(record) + (2 if found else 0)
        if len(found) >= max_records:
            raise InvalidInputError(f"The list has more than {max_records:,} records (max_records).", hint=_INSTEAD)
        if size > max_bytes:
            raise InvalidInputError(
                f"The list is larger than {max_bytes:,} bytes (max_bytes) after {len(found):,} records.",
                hint=_INSTEAD,
            )
        found.append(record)
    return found


def check_limits(**limits: Any) -> None:
    """Refuse a limit that is none.

    :param limits: by their names.
    :raises InvalidInputError: for one that is no whole number above 0.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    for name, limit in limits.items():
        if isinstance(limit, bool) or not isinstance(limit, int) or limit < 1:
            raise InvalidInputError(f"{name} must be a whole number from 1, not {limit!r}.")


def seen_by(resource: str) -> str:
    """A word for the log about a list that leaves out what its reader may not see.

    :param resource: name of the list.
    """
    shortened = {"requests", "tasks", "group_members", "start_processes"}
    return ", those that the user of the connection may see" if resource in shortened else ""


def check_size(value: Any, *, max_bytes: int, instead: str = _LESS) -> Any:
    """The value itself, if its JSON is small enough for an XCom.

    :param value: a result.
    :param max_bytes: most bytes of its JSON, as Airflow stores it.
    :param instead: what to do if it is larger.
    :raises InvalidInputError: if it is larger.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    size = _size(value)
    if size > max_bytes:
        raise InvalidInputError(
            f"The answer is {size:,} bytes of JSON, more than {max_bytes:,} (max_bytes).",
            hint=instead,
        )
    return value


def checked_xcom(value: Any) -> Any:
    """The value itself, if Airflow can keep it as an XCom.

    :param value: a result.
    :raises Exception: what Airflow raises if it cannot.
    """
    from airflow.providers.common.compat.sdk import XCom

    XCom.serialize_value(value)
    return value


def _size(value: Any) -> int:
    """Bytes of a value in Airflow's database: JSON with a space after each comma and colon, and all but ASCII escaped.

    :raises InvalidInputError: for a value of which Airflow can make no XCom.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    try:
        # What JSON does not know (an object of a response_filter, say) counts by its text, as a rough measure.
        text = json.dumps(value, default=str)
        if "\\ud" in text:  # a character beyond the first 65,536 is written so, and a half of one
            json.dumps(value, default=str, ensure_ascii=False).encode()
    except UnicodeEncodeError:
        raise InvalidInputError("A text holds half a character (a lone surrogate).", hint=_BROKEN) from None
    except (TypeError, ValueError, RecursionError) as error:
        raise InvalidInputError(f"The result cannot be written as JSON: {error}.", hint=_PLAIN) from None
    return len(text)
