"""Which fields of a record are kept."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.resource_table import HIDDEN_FIELDS
from airflow_provider_processmaker.client.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

__all__ = ["FieldSelection", "drop_hidden", "without_hidden"]

#: Records after which a field that none of them had is taken for one that there is not.
ENOUGH = 100


class FieldSelection:
    """The records of a list with only some fields, None where a record lacks one that others have.

    :param fields: names to keep, in the order in which they are wanted.
    """

    def __init__(self, fields: tuple[str, ...]) -> None:
        self._fields = fields
        self._known: set[str] = set()
        self._seen = 0

    def of(self, records: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """The records of one page.

        :param records: the records.
        :raises InvalidInputError: if no record so far had one of the fields, and they were enough to say so.
        """
        rows = list(records)
        if not self._known.issuperset(self._fields):
            self._known.update(*rows)
            self._seen += len(rows)
            if self._seen >= ENOUGH:
                self.end()
        for row in rows:
            yield {field: row.get(field) for field in self._fields}

    def end(self) -> None:
        """Tell that there are no more records.

        :raises InvalidInputError: if there were some and none had one of the fields; names the nearest.
        """
        for field in self._fields:
            if self._seen and field not in self._known:
                raise InvalidInputError(f'No record has a field "{field}".', hint=did_you_mean(field, self._known))


def drop_hidden(records: list[dict[str, Any]]) -> None:
    """Take the fields that are never shown unasked out of records that hold them themselves, and nowhere deeper.

    :param records: the records; they are changed.
    """
    for name in HIDDEN_FIELDS:
        for record in records:
            record.pop(name, None)


def without_hidden(value: Any, body: bytes) -> Any:
    """The value itself, the fields that are never shown unasked taken out of it at every depth.

    :param value: decoded JSON; it is changed.
    :param body: what it was decoded from. How often the names of the fields stand there tells when all are found, which
        spares the walk through most of a large answer.
    """
    left = sum(body.count(name) for name in _NAMES)
    level = [value]
    while left and level:  # not by recursion: an answer may be nested deeper than Python's stack
        for item in level:
            if isinstance(item, dict):
                left -= sum(item.pop(name, item) is not item for name in HIDDEN_FIELDS)
        if left:
            level = [child for item in level for child in _children(item)]
    return value


#: The names as they stand in JSON.
_NAMES = tuple(f'"{name}"'.encode() for name in HIDDEN_FIELDS)


def _children(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return [child for child in item.values() if isinstance(child, dict | list)]
    return [child for child in item if isinstance(child, dict | list)] if isinstance(item, list) else ()
