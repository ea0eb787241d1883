"""A thousand triggers in one real triggerer log in once."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.triggerer import triggerer

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = [pytest.mark.airflow, pytest.mark.xdist_group("standalone")]

COUNT = 1000


def test_a_thousand_triggers_log_in_once(tmp_path: Path) -> None:
    triggers = [("tests.tokens.probe_trigger.ProbeTrigger", {"number": number}) for number in range(COUNT)]
    with ProcessMakerServer(users=5) as server:
        with triggerer(tmp_path, server.conn_uri, triggers) as running:
            deadline = time.monotonic() + 180
            while len([call for call in server.calls if call.path == "/api/1.0/groups"]) < COUNT:
                running.check()
                assert time.monotonic() < deadline, running.log()[-3000:]
                time.sleep(0.5)

        assert server.token_calls == 1
        assert {call.status for call in server.calls} == {200}
