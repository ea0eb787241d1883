"""Which fields of a record are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.resources import HIDDEN_FIELDS
from airflow_provider_processmaker.client.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["select_fields", "without_hidden"]


def select_fields(records: Iterable[dict[str, Any]], fields: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    """The records of one page with only some fields, None where a record lacks one that others have.

    :param records: the records.
    :param fields: names to keep, in the order in which they are wanted.
    :raises InvalidInputError: if no record of the page has one of the fields; names the nearest.
    """
    rows = list(records)
    known = {name for row in rows for name in row}
    for field in fields:
        if rows and field not in known:
            raise InvalidInputError(f'No record has a field "{field}".', hint=did_you_mean(field, known))
    for row in rows:
        yield {field: row.get(field) for field in fields}


def without_hidden(value: Any) -> Any:
    """The value itself, the fields that are never shown unasked taken out of it at every depth.

    :param value: decoded JSON; it is changed.
    """
    waiting = [value]
    while waiting:  # not by recursion: an answer may be nested deeper than Python's stack
        item = waiting.pop()
        if isinstance(item, dict):
            for name in HIDDEN_FIELDS:
                item.pop(name, None)
            waiting += item.values()
        elif isinstance(item, list):
            waiting += item
    return value
