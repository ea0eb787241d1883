"""A year of a machine, by a clock that leaps: ten thousand tasks, each a process of its own, and one live token."""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

from airflow_provider_processmaker.client import FileStore
from tests.tokens.inside import DAY, Process, Server

if TYPE_CHECKING:
    from pathlib import Path

RUNS = 10_000


def test_a_year_leaves_no_second_live_token(tmp_path: Path) -> None:
    server, chance = Server(access_token_seconds=7 * DAY), random.Random(5)
    begun = server.clock.now()
    for _ in range(RUNS):
        # Mostly minutes, now and then a night or a week in which nothing runs.
        server.clock.advance(
            chance.choices((60, 1800, DAY / 3, 9 * DAY), (500, 500, 30, 2))[0] * chance.uniform(0.5, 1.5)
        )
        Process(server, FileStore(tmp_path)).call()
        assert len(server.alive()) == 1
    assert server.clock.now() - begun > 365 * DAY
    assert {status for _, status in server.used} == {200}
    assert len(server.used) == RUNS
    assert server.grants[0] == ("password", "200")
    assert set(server.grants[1:]) == {("refresh_token", "200")}
    # One refresh a week of work, and nothing else; the files did not pile up either.
    assert 30 < len(server.grants) < 60
    assert sorted(path.suffix for path in tmp_path.glob("*/*")) == [".accepted", ".lock", ".token"]
