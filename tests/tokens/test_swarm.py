"""How often ProcessMaker's token endpoint is called: real processes, real sockets, counted at the server."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from airflow_provider_processmaker.testing.state import hash_password

if TYPE_CHECKING:
    from collections.abc import Iterator

ROOT = Path(__file__).parents[2]


def settings_of(server: ProcessMakerServer, **changes: Any) -> dict[str, Any]:
    """Settings of a client of a server, as the administrator."""
    return {
        "base_url": server.url,
        "username": "admin",
        "password": "admin123",
        "client_id": server.client_id,
        "client_secret": server.client_secret,
        **changes,
    }


class Swarm:
    """Processes on the way."""

    def __init__(self, job: dict[str, Any]) -> None:
        self._process = subprocess.Popen(
            [sys.executable, "-m", "tests.tokens.swarm"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
            cwd=ROOT,
        )
        assert self._process.stdin is not None
        assert self._process.stdout is not None
        self._process.stdin.write(json.dumps(job))
        self._process.stdin.close()
        self._out = self._process.stdout
        assert self._out.readline() == "ready\n"

    def reports(self) -> list[dict[str, Any]]:
        """What each process tells, when all have ended."""
        with self._out:
            found = [json.loads(line) for line in self._out]
        assert self._process.wait() == 0
        return found


def swarm(server: ProcessMakerServer, folder: Path | None, processes: int = 50, **job: Any) -> list[dict[str, Any]]:
    """Run processes that call a server at once, and count from zero."""
    server.reset_calls()
    job = {
        "settings": job.pop("settings", None) or settings_of(server),
        "folder": str(folder) if folder else None,
        "processes": processes,
        **job,
    }
    reports = Swarm(job).reports()
    assert len(reports) == processes
    return reports


def all_done(reports: list[dict[str, Any]]) -> bool:
    """Did every call of every process succeed?"""
    assert [report["errors"] for report in reports if report["errors"]] == []
    return True


@pytest.fixture
def server() -> Iterator[ProcessMakerServer]:
    with ProcessMakerServer(users=5) as started:
        yield started


@contextlib.contextmanager
def short_lived(seconds: float, **options: Any) -> Iterator[ProcessMakerServer]:
    """A server whose access tokens end soon."""
    with ProcessMakerServer(users=5, access_token_seconds=seconds, **options) as started:
        yield started


def test_fifty_processes_log_in_once_and_then_not_at_all(server: ProcessMakerServer, tmp_path: Path) -> None:
    assert all_done(swarm(server, tmp_path))
    assert server.token_calls == 1

    assert all_done(swarm(server, tmp_path))
    assert server.token_calls == 0


def test_without_a_shared_folder_each_logs_in(server: ProcessMakerServer) -> None:
    """The count that the file saves us from; if it were 1 here, the tests above would prove nothing."""
    assert all_done(swarm(server, None, processes=10))
    assert server.token_calls == 10


def test_at_the_moment_of_expiry_there_is_one_refresh(tmp_path: Path) -> None:
    with short_lived(600) as server:
        assert all_done(swarm(server, tmp_path, processes=1))
        server.user("admin").password = hash_password("not the one that they know")  # only the refresh token can help
        server.clock.advance(601)

        assert all_done(swarm(server, tmp_path, skew=[601]))
        assert server.token_calls == 1


@pytest.mark.parametrize("spelling", ["8", "9"])
def test_a_refused_refresh_token_costs_one_call_more(tmp_path: Path, spelling: str) -> None:
    with short_lived(600, oauth_errors=spelling) as server:
        assert all_done(swarm(server, tmp_path, processes=1))
        server.revoke_all_tokens(refresh=True)
        server.clock.advance(601)

        assert all_done(swarm(server, tmp_path, skew=[601]))
        statuses = [call.status for call in server.calls if call.path == "/oauth/token"]
        assert statuses == [{"8": 401, "9": 400}[spelling], 200]


def test_a_token_revoked_under_running_calls_is_replaced_once(server: ProcessMakerServer, tmp_path: Path) -> None:
    server.reset_calls()
    job = {
        "settings": settings_of(server),
        "folder": str(tmp_path),
        "processes": 8,
        "threads": 16,
        "calls": 12,
        "pause": 0.15,
    }
    running = Swarm(job)
    wait_for_calls(server, 200)
    server.revoke_all_tokens()
    reports = running.reports()

    assert all_done(reports)
    assert sum(report["done"] for report in reports) == 8 * 16 * 12
    assert server.token_calls == 2  # the first login, and one after the revocation
    assert any(call.status == 401 for call in server.calls)


def wait_for_calls(server: ProcessMakerServer, count: int) -> None:
    """Until a server has seen so many calls."""
    deadline = time.monotonic() + 30
    while len(server.calls) < count:
        assert time.monotonic() < deadline, "the calls did not come"
        time.sleep(0.01)


def test_a_path_that_answers_401_to_everyone_costs_no_login(server: ProcessMakerServer, tmp_path: Path) -> None:
    assert all_done(swarm(server, tmp_path, processes=1))

    reports = swarm(server, tmp_path, processes=20, endpoint="/api/1.2/users")

    assert {error[0] for report in reports for error in report["errors"]} == {"UnauthenticatedError"}
    assert all("not part of the API" in report["errors"][0][1] for report in reports)
    assert server.token_calls == 0
    assert all_done(swarm(server, tmp_path, processes=1))
    assert server.token_calls == 0  # and the token was kept


def test_wrong_credentials_are_tried_once_a_window(server: ProcessMakerServer, tmp_path: Path) -> None:
    wrong = settings_of(server, password="wrong-pass1!")

    reports = swarm(server, tmp_path, processes=40, settings=wrong)

    errors = [report["errors"][0] for report in reports]
    assert server.token_calls == 1
    assert {(name, retryable) for name, _, retryable in errors} == {("LoginError", False)}
    assert all("refuses the user name or the password" in text for _, text, _ in errors)

    # The corrected connection works at once; the wrong one is asked again when its window is over.
    assert all_done(swarm(server, tmp_path, processes=1))
    swarm(server, tmp_path, processes=5, settings=wrong, brake=0)
    assert server.token_calls == 5


def test_different_credentials_never_share_a_token(server: ProcessMakerServer, tmp_path: Path) -> None:
    server.grant("bob", "view-groups")
    assert all_done(swarm(server, tmp_path, processes=3))
    assert server.token_calls == 1
    bob = settings_of(server, username="bob", password="Bob-pass1!")
    assert all_done(swarm(server, tmp_path, processes=3, settings=bob))
    assert server.token_calls == 1

    # Another path or time-out is the same login.
    same = settings_of(server, read_timeout=20, base_url=f"{server.url}/api/1.0", page_size=7)
    assert all_done(swarm(server, tmp_path, processes=3, settings=same))
    assert server.token_calls == 0

    # A password or secret that is no longer right does not find the token that the right one bought.
    for change in ({"password": "wrong-pass1!"}, {"client_secret": "wrong"}):
        reports = swarm(server, tmp_path, processes=1, settings=settings_of(server, **change))
        assert reports[0]["errors"][0][0] == "LoginError"


def test_one_waiter_sits_out_a_429_for_all(server: ProcessMakerServer, tmp_path: Path) -> None:
    server.faults.add(method="POST", path="/oauth/token", status=429, headers={"Retry-After": "2"}, times=1)

    started = time.monotonic()
    assert all_done(swarm(server, tmp_path, processes=30))

    assert [call.status for call in server.calls if call.path == "/oauth/token"] == [429, 200]
    assert time.monotonic() - started >= 2


def test_a_hundred_machines_behind_one_address_spread_over_the_windows(tmp_path: Path) -> None:
    """Processes that share nothing, as pods do. The server's minute is made short, so that the test is."""
    with ProcessMakerServer(users=5, throttle=50) as server:
        server.throttle.window = 8
        reports = swarm(server, None, processes=100)

        assert all_done(reports)
        statuses = [call.status for call in server.calls if call.path == "/oauth/token"]
        assert statuses.count(200) == 100
        assert statuses.count(429) >= 25  # on a slow machine some begin only in the second window


def test_where_the_waits_do_not_suffice_the_error_can_be_retried(tmp_path: Path) -> None:
    with ProcessMakerServer(users=5, throttle=10) as server:
        server.throttle.window = 2
        reports = swarm(server, None, processes=100)

        errors = [report["errors"][0] for report in reports if report["errors"]]
        assert errors
        assert {(name, retryable) for name, _, retryable in errors} == {("RateLimitedError", True)}
        assert sum(report["done"] for report in reports) == 100 - len(errors) >= 30


@pytest.mark.parametrize("skew", [3600, -3600])
def test_clocks_that_are_an_hour_off(tmp_path: Path, skew: int) -> None:
    """Processes whose clocks jump: a token looks old or young to some, and all calls succeed."""
    with short_lived(600) as server:
        reports = swarm(server, tmp_path, processes=20, calls=3, skew=[0, skew])

        assert all_done(reports)
        assert server.token_calls <= 20
