"""Both ways of the start operator to wait, side by side, and what goes on in ProcessMaker meanwhile."""

from __future__ import annotations

import re
from collections import Counter
from functools import partial
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer
    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]
    #: What happens to a request, so many seconds after its start.
    Step = tuple[float, Callable[[int], object]]

__all__ = ["BOTH", "both", "on_start", "plain", "starts", "statuses"]

BOTH = ("poke", "deferrable")

_TASKS = """
for mode in {modes}:
    ProcessMakerStartProcessOperator(
        task_id=mode, deferrable=mode == "deferrable", process="Order",
        **dict(poll_interval=0.2, retry_delay=0) | dict({arguments})
    )
"""


def both(run_dag: RunDag, arguments: str = "", modes: tuple[str, ...] = BOTH) -> Outcome:
    """Start the process ``Order`` by a task that waits on its worker, and by one that defers."""
    return run_dag(_TASKS.format(modes=modes, arguments=arguments))


def on_start(server: ProcessMakerServer, *steps: Step) -> None:
    """Let something happen to each request that is started through the API, by the clock of the server."""

    def plan() -> None:
        request_id = server.requests[-1].id
        for seconds, job in steps:
            server.after(seconds, partial(job, request_id))

    server.faults.add("POST", "/process_events/*", times=None, then=plan, then_when="after")


def starts(server: ProcessMakerServer) -> int:
    """How many starts the server was asked for."""
    return sum(call.method == "POST" and "/process_events/" in call.path for call in server.calls)


def statuses(server: ProcessMakerServer) -> dict[str, int]:
    """How many requests there are on the server, by status."""
    return dict(Counter(row.status for row in server.requests))


def plain(text: object) -> str:
    """A text without what differs between two requests: ids, numbers of cases, times, ports."""
    return re.sub(r"\d+", "#", str(text))
