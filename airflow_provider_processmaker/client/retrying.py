"""When a call is repeated, and how long we wait before it."""

from __future__ import annotations

import random
import time
from email.utils import parsedate_to_datetime
from typing import TYPE_CHECKING, Any

from urllib3.exceptions import MaxRetryError, ResponseError
from urllib3.util import Retry

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["LONGEST_WAIT", "SAFE_METHODS", "RetryPolicy", "parse_retry_after", "retry_policy"]

#: Methods that change nothing on the server.
SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})

#: Answers after which the same call is tried again. A 500 is not among them: on a list it means a bad
#: parameter, and it would come again.
REPEATED_STATUSES = frozenset({429, 502, 503, 504})

#: Seconds that we are ready to sit out inside one call; a longer wait is the caller's decision.
LONGEST_WAIT = 60.0


def parse_retry_after(headers: Mapping[str, str]) -> float | None:
    """Seconds that the server asks us to wait, from seconds or a date; None if it does not say.

    :param headers: headers of the answer.
    """
    value = headers.get("retry-after", "").strip()
    if not value:
        return None
    if value.isdigit():
        return float(value)
    try:
        return max(0.0, parsedate_to_datetime(value).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None


class RetryPolicy(Retry):
    """urllib3's Retry with ProcessMaker's rules.

    A 429 is repeated whatever the method, since the server has not looked at the call. A wait that is longer
    than :data:`LONGEST_WAIT` is not begun: the answer goes to the caller, who can come back later.
    """

    def is_retry(self, method: str, status_code: int, has_retry_after: bool = False) -> bool:
        """Tell whether an answer is to be tried again. Overridden for POST on 429.

        :param method: HTTP method.
        :param status_code: status of the answer.
        :param has_retry_after: whether the answer names a wait.
        """
        if status_code == 429:
            return bool(self.total)
        return super().is_retry(method, status_code, has_retry_after)

    def increment(self, *args: Any, **kwargs: Any) -> RetryPolicy:
        """The policy for the next attempt; gives up at once if the server asks for too long a wait."""
        response = kwargs.get("response")
        if response is not None:
            wait = self.get_retry_after(response)
            if wait is not None and wait > LONGEST_WAIT:
                reason = ResponseError(f"asked to wait {wait:.0f} s")
                raise MaxRetryError(kwargs.get("_pool"), "", reason)  # type: ignore[arg-type]
        return super().increment(*args, **kwargs)

    def sleep_for_retry(self, response: Any) -> bool:
        """Wait as the server asks, and a little more by chance, so that many waiters do not come back at once.

        :param response: urllib3's response.
        :return: whether the server had asked.
        """
        wait = self.get_retry_after(response)
        if wait is None:
            return False
        time.sleep(wait + random.uniform(0, self.backoff_jitter))  # noqa: S311
        return True

    def get_retry_after(self, response: Any) -> float | None:
        """Seconds that the server asks for, or None if it does not say or says nonsense.

        :param response: urllib3's response.
        """
        return parse_retry_after(response.headers)


def retry_policy(max_retries: int, *, repeatable: bool) -> RetryPolicy:
    """The policy for one kind of call.

    A connection that was never made is tried again for every method. Whatever comes after the call has left
    is tried again only if ``repeatable``.

    :param max_retries: attempts after the first.
    :param repeatable: whether the call may reach the server twice.
    """
    return RetryPolicy(
        total=max_retries,
        redirect=0,
        other=0,  # TLS and protocol errors do not mend themselves
        allowed_methods=None if repeatable else SAFE_METHODS,
        status_forcelist=REPEATED_STATUSES,
        backoff_factor=0.25,
        backoff_max=10,
        backoff_jitter=0.25,
        raise_on_status=False,
        respect_retry_after_header=True,
    )
