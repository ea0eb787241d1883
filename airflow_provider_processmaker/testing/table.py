"""Tables in memory."""

from __future__ import annotations

from typing import TYPE_CHECKING, Generic, Protocol, TypeVar

if TYPE_CHECKING:
    from collections.abc import Iterator


class _Row(Protocol):
    """Anything with an id."""

    id: int


RowT = TypeVar("RowT", bound=_Row)


class Table(Generic[RowT]):
    """
    Rows by id, in the order of their ids; ids of deleted rows are not used again.

    :param first: the first id.
    """

    def __init__(self, first: int = 1) -> None:
        self.rows: dict[int, RowT] = {}
        self._last_id = first - 1
        self._expected_id: int | None = None

    def __iter__(self) -> Iterator[RowT]:
        # Of a copy: whoever walks it may remove rows meanwhile.
        return iter(list(self.rows.values()))

    def __len__(self) -> int:
        return len(self.rows)

    def next_id(self) -> int:
        """The id of the next row."""
        row_id = self._last_id + 1 if self._expected_id is None else self._expected_id
        self._expected_id = None
        self._last_id = max(self._last_id, row_id)
        return row_id

    def expect_id(self, row_id: int | None) -> None:
        """
        Let the next row have this id.

        :param row_id: the id; ``None`` for the next unused one.
        """
        self._expected_id = row_id

    def add(self, row: RowT) -> RowT:
        """
        Store a row.

        :param row: made with :meth:`next_id`.
        """
        disordered = bool(self.rows) and row.id < next(reversed(self.rows))
        self.rows[row.id] = row
        if disordered:
            self.rows = dict(sorted(self.rows.items()))
        return row

    def get(self, row_id: int) -> RowT | None:
        """
        One row.

        :param row_id: its id.
        """
        return self.rows.get(row_id)

    def remove(self, row_id: int) -> None:
        """
        Take a row away.

        :param row_id: its id.
        """
        self.rows.pop(row_id, None)
