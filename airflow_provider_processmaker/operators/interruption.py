"""Whether a task was killed. A DAG file pays for this module, so it is a small one."""

from __future__ import annotations

import time

from airflow.providers.common.compat.sdk import AirflowException

__all__ = ["Interruption"]


class Interruption:
    """Whether the task was killed, for loops in its main thread: Airflow lets them run on for a while.

    :param sleep_in_steps_of: seconds after which a sleep looks whether the task was killed.
    """

    def __init__(self, sleep_in_steps_of: float = 0.5) -> None:
        self.killed = False
        self.sleep_in_steps_of = sleep_in_steps_of

    def check(self) -> None:
        """Stop if the task was killed.

        :raises AirflowException: so that a retry, if there is one, goes on.
        """
        if self.killed:
            raise AirflowException("The task was killed while it waited for its request.")

    def sleep(self, seconds: float) -> None:
        """Sleep, and stop early if the task is killed meanwhile.

        :param seconds: how long.
        """
        end = time.monotonic() + seconds
        self.check()
        while (left := end - time.monotonic()) > 0:
            # A signal handler runs between two steps; it does not end a sleep.
            time.sleep(min(left, self.sleep_in_steps_of))
            self.check()
