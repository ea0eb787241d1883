"""A real triggerer in which tokens are refreshed: whoever else waits there goes on, and no log shows a token.

A thousand triggers with one login: tests/triggers/test_thousand.py. The same as here in Airflow 3.1, where a thread can
spoil the channel to the supervisor: tests/packaging/test_process_runs.py.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from airflow_provider_processmaker.testing.state import hash_password
from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger
from tests.triggerer import triggerer

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from tests.triggerer import Triggerer

pytestmark = [pytest.mark.long, pytest.mark.airflow, pytest.mark.xdist_group("standalone")]

#: Of each kind.
COUNT = 10
FOREIGN = "airflow.providers.standard.triggers.file.FileTrigger"


def test_others_go_on_while_tokens_are_refreshed(tmp_path: Path) -> None:
    ripe = tmp_path / "ripe"
    with ProcessMakerServer(users=5, access_token_seconds=12) as server:
        server.add_process("Order", ["Approve"])
        ids = [request.id for request in server.add_requests("Order", COUNT)]
        ours = [ProcessMakerRequestTrigger([one], poll_interval=1.0).serialize() for one in ids]
        theirs = [(FOREIGN, {"filepath": str(ripe), "poke_interval": 0.5})] * COUNT
        (home := tmp_path / "home").mkdir()
        with triggerer(home, server.conn_uri, [*ours, *theirs]) as running:
            wait_until(running, lambda: server.token_calls >= 1, "a first login")
            server.user("admin").password = hash_password("set by someone else")  # only refreshing helps from now on
            wait_until(running, lambda: server.token_calls >= 3, "two refreshes")
            ripe.touch()
            for one in ids[: COUNT // 2]:
                server.complete_request(one)
            wait_until(running, lambda: list(running.states().values()).count("scheduled") == 15, "most have fired")
            before = server.token_calls
            wait_until(running, lambda: server.token_calls > before, "one more refresh")
            for one in ids:
                server.complete_request(one)
            wait_until(running, lambda: set(running.states().values()) == {"scheduled"}, "all have fired")

        shown = "\n".join([running.log(), *running.logs().values()])
        assert {call.status for call in server.calls if call.path == "/oauth/token"} == {200}
        assert len(server.issued_tokens) >= 8
        assert shown.count("Trigger fired event") == 2 * COUNT
        for trouble in ("out of order", "Traceback", "exited with error", *server.issued_tokens, server.client_secret):
            assert trouble not in shown


def wait_until(running: Triggerer, is_so: Callable[[], bool], what: str, seconds: float = 120) -> None:
    deadline = time.monotonic() + seconds
    while not is_so():
        running.check()
        assert time.monotonic() < deadline, f"{what} did not come in time\n{running.log()[-3000:]}"
        time.sleep(0.2)
