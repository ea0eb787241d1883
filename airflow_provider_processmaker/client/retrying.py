"""When a call is repeated, and how long we wait before it."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from urllib3.exceptions import InvalidHeader, MaxRetryError, ProtocolError
from urllib3.util import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LONGEST_WAIT", "SAFE_METHODS", "Attempts", "may_repeat", "parse_retry_after"]

#: Methods that change nothing on the server.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: Answers after which the same call is tried again. A 500 is not among them: on a list it means a bad
#: parameter, and it would come again.
REPEATED_STATUSES = frozenset({429, 502, 503, 504})

#: Seconds that we are ready to sit out inside one call; a longer wait is the caller's decision.
LONGEST_WAIT = 60.0

#: Seconds of a pause that nobody told us: the shortest, and the longest to which it grows.
FIRST_PAUSE = 0.25
LONGEST_PAUSE = 10.0


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks us to wait, from seconds or a date; None if it does not say.

    :param headers: headers of the answer.
    """
    value = headers.get("retry-after", "").strip()
    try:
        return float(Retry().parse_retry_after(value)) if value else None
    except OverflowError:
        return 21_600.0  # as newer versions of urllib3 cap it; older ones do not
    except (InvalidHeader, ValueError):
        return None


def may_repeat(status: int, *, repeatable: bool) -> bool:
    """Tell whether an answer lets the same call be tried again.

    A 429 does for every call, since the server has not looked at it.

    :param status: HTTP status of the answer.
    :param repeatable: whether the call may be processed twice.
    """
    return status == 429 or (repeatable and status in REPEATED_STATUSES)


class Attempts:
    """The attempts of one call, and the pauses between them: urllib3's Retry, asked by our own loop.

    A pause grows from one to the next and has some chance in it, so that many who wait do not come back at once.

    :param retries: attempts after the first.
    """

    def __init__(self, retries: int) -> None:
        self._retries = retries
        self._policy: Retry | None = None

    def pause(self, retry_after: float | None = None) -> float | None:
        """Seconds to wait before the next attempt; None if there is none.

        :param retry_after: seconds that the server asks for. If they are more than :data:`LONGEST_WAIT`, there is
            no next attempt: the caller can come back later.
        """
        if (retry_after or 0) > LONGEST_WAIT:
            return None
        # Made here: most calls need none, and making it is not for nothing.
        policy = self._policy or Retry(total=self._retries, backoff_factor=FIRST_PAUSE, backoff_max=LONGEST_PAUSE)
        try:
            self._policy = policy.increment("GET", error=ProtocolError())
        except MaxRetryError:
            return None
        pause = max(FIRST_PAUSE, self._policy.get_backoff_time()) if retry_after is None else retry_after
        return pause + random.uniform(0, max(FIRST_PAUSE, pause / 10))  # noqa: S311
