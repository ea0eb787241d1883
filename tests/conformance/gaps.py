"""Where the recordings have gaps, seen from a row: what happened to it there, nobody knows."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .recordings import Recording


class Gaps:
    """
    When a row was last seen, and whether exchanges were left out since then.

    :param recordings: all of them.
    """

    def __init__(self, recordings: list[Recording]) -> None:
        self.numbers = {recording.number for recording in recordings}
        self.seen: dict[tuple[str, int], int] = {}

    def note(self, kind: str, row_id: int, recording: Recording) -> None:
        """
        A row was shown, or came to be.

        :param kind: its table.
        :param row_id: its id.
        :param recording: where.
        """
        self.seen[kind, row_id] = recording.number

    def touched(self, kind: str, row_id: int, recording: Recording) -> None:
        """
        A row was changed without being shown: it is as well known after that as it was before.

        :param kind: its table.
        :param row_id: its id.
        :param recording: where.
        """
        if not self.before(kind, row_id, recording):
            self.note(kind, row_id, recording)

    def before(self, kind: str, row_id: int, recording: Recording) -> bool:
        """
        Whether there is a gap between the last sight of a row and an exchange; there is before the first sight.

        :param kind: its table.
        :param row_id: its id.
        :param recording: the exchange.
        """
        since = self.seen.get((kind, row_id))
        if since is None:
            return True
        return any(number not in self.numbers for number in range(since + 1, recording.number))
