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
    """A copy without the fields that are never shown unasked, at every depth.

    :param value: decoded JSON.
    """
    if isinstance(value, dict):
        return {key: without_hidden(item) for key, item in value.items() if key not in HIDDEN_FIELDS}
    if isinstance(value, list):
        return [without_hidden(item) for item in value]
    return value
