"""The server's clock, which a test may move, and the date formats of the API."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from email.utils import format_datetime


class Clock:
    """The clock that token lifetimes, the throttle, the ``Date`` header and all timestamps follow."""

    def __init__(self) -> None:
        self.offset = 0.0

    def now(self) -> float:
        """Seconds since the epoch, as this server sees it."""
        return time.time() + self.offset

    def advance(self, seconds: float) -> None:
        """
        Move the clock forward, or back with a negative number.

        :param seconds: how far.
        """
        self.offset += seconds

    def _moment(self, at: float | None) -> datetime:
        return datetime.fromtimestamp(int(self.now() if at is None else at), UTC)

    def iso(self, at: float | None = None) -> str:
        """``2026-11-24T20:13:56+00:00``: users, groups and most other models."""
        return self._moment(at).isoformat()

    def zoneless(self, at: float | None = None) -> str:
        """``2026-11-24 20:13:56``: memberships, environment variables, permissions."""
        return self._moment(at).strftime("%Y-%m-%d %H:%M:%S")

    def micro(self, at: float | None = None) -> str:
        """``2026-11-24T20:13:56.000000Z``: tokens and OAuth clients."""
        return self._moment(at).strftime("%Y-%m-%dT%H:%M:%S.000000Z")

    def http_date(self) -> str:
        """The ``Date`` header."""
        return format_datetime(self._moment(None), usegmt=True)
