"""The throttle of the token endpoint: so many calls a minute for one client address, good or bad alike."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing.errors import rendered

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.clock import Clock
    from airflow_provider_processmaker.testing.http import Request, Response

_MINUTE = 60.0


class Throttle:
    """
    A window of a minute that opens with an address's first call, as Laravel counts.

    :param clock: the server's clock.
    :param limit: calls a minute; ``None`` turns the throttle off.
    :param window: seconds of its minute; a test that must see several shortens it.
    """

    def __init__(self, clock: Clock, limit: int | None = 60, window: float = _MINUTE) -> None:
        self.clock = clock
        self.window = window
        self.limit = limit
        self._windows: dict[str, tuple[float, int]] = {}

    def reset(self) -> None:
        """Forget all calls so far."""
        self._windows.clear()

    def leave(self, calls: int, address: str = "127.0.0.1") -> None:
        """
        Let an address have so many calls left for the next minute.

        :param calls: how many, 0 for none.
        :param address: the client's.
        """
        if self.limit is not None:
            self._windows[address] = (self.clock.now() + self.window, self.limit - calls)

    def refuse(self, request: Request) -> Response | None:
        """
        Count a call; the answer if it is one too many.

        :param request: the call.
        """
        if self.limit is None:
            return None
        ends, calls = self._windows.get(request.client, (0.0, 0))
        now = self.clock.now()
        if now >= ends:
            ends, calls = now + self.window, 0
        if calls < self.limit:
            self._windows[request.client] = (ends, calls + 1)
            return None
        response = rendered(request, 429, "Too Many Attempts.")
        response.headers["X-RateLimit-Limit"] = str(self.limit)
        response.headers["X-RateLimit-Remaining"] = "0"
        response.headers["Retry-After"] = str(max(1, math.ceil(ends - now)))
        response.headers["X-RateLimit-Reset"] = str(math.ceil(ends))
        return response

    def label(self, request: Request, response: Response) -> None:
        """
        Say how many calls are left.

        :param request: the call.
        :param response: its answer.
        """
        if self.limit is None:
            return
        _, calls = self._windows.get(request.client, (0.0, 0))
        response.headers["X-RateLimit-Limit"] = str(self.limit)
        response.headers["X-RateLimit-Remaining"] = str(max(0, self.limit - calls))
