"""How often ProcessMaker's token endpoint is called: real processes, real sockets, counted at the server."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import time
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import FileStore, LoginError, ProcessMakerClient, Settings
from airflow_provider_processmaker.client.token_store import login_of
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


def one_call(server: ProcessMakerServer, folder: Path, skew: float = 0, **changes: Any) -> int:
    """Call a server from this process, which does not remember tokens; how many token calls that took."""
    server.reset_calls()
    settings = Settings(**settings_of(server, **changes))
    with ProcessMakerClient(settings, token_store=FileStore(folder), clock=lambda: time.time() + skew) as client:
        client.get("groups", {"per_page": 1})
    return server.token_calls


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
        one_call(server, tmp_path)
        server.user("admin").password = hash_password("not the one that they know")  # only the refresh token can help
        server.clock.advance(601)

        assert all_done(swarm(server, tmp_path, skew=[601]))
        assert server.token_calls == 1


@pytest.mark.parametrize("spelling", ["8", "9"])
@pytest.mark.parametrize("reason", ["revoked", "expired", "garbage"])
def test_a_refused_refresh_token_costs_one_call_more(tmp_path: Path, reason: str, spelling: str) -> None:
    with short_lived(600, oauth_errors=spelling) as server:
        one_call(server, tmp_path)
        spoil(server, tmp_path, reason)

        assert all_done(swarm(server, tmp_path, processes=20, skew=[601]))
        assert token_statuses(server) == [{"8": 401, "9": 400}[spelling], 200]


def spoil(server: ProcessMakerServer, folder: Path, reason: str) -> None:
    """Let the access token be past its end and the refresh token be of no use."""
    if reason == "garbage":
        store, login = FileStore(folder), login_of(Settings(**settings_of(server)))
        token = store.load(login)
        assert token is not None
        store.save(login, replace(token, refresh_token="no-refresh-token"))
    elif reason == "expired":
        server.expire_tokens(refresh=True)
    else:
        server.revoke_all_tokens(refresh=True)
    server.clock.advance(601)


def token_statuses(server: ProcessMakerServer) -> list[int | None]:
    """What the token endpoint answered."""
    return [call.status for call in server.calls if call.path == "/oauth/token"]


def test_a_refused_refresh_token_and_a_refused_password_cost_one_call_each(tmp_path: Path) -> None:
    with short_lived(600) as server:
        one_call(server, tmp_path)
        spoil(server, tmp_path, "revoked")
        server.user("admin").password = hash_password("set by someone else")

        reports = swarm(server, tmp_path, processes=40, skew=[601], brake=600)

        assert {report["errors"][0][0] for report in reports} == {"LoginError"}
        assert token_statuses(server) == [401, 400]


def test_a_dead_token_and_a_refused_password_cost_one_call_each(server: ProcessMakerServer, tmp_path: Path) -> None:
    one_call(server, tmp_path)
    server.revoke_all_tokens()
    server.user("admin").password = hash_password("set by someone else")

    with pytest.raises(LoginError):
        one_call(server, tmp_path)
    reports = swarm(server, tmp_path, processes=40, brake=600)

    assert {report["errors"][0][0] for report in reports} == {"LoginError"}
    assert server.calls == [], "neither the dead token nor the password is tried again"


def test_a_token_that_is_revoked_right_after_it_was_issued(server: ProcessMakerServer, tmp_path: Path) -> None:
    """Another process got it, and another one had it accepted."""
    one_call(server, tmp_path)
    server.revoke_all_tokens()

    assert all_done(swarm(server, tmp_path, processes=8))
    assert server.token_calls == 1


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
    one_call(server, tmp_path)

    reports = swarm(server, tmp_path, processes=20, endpoint="/api/1.2/users")

    assert {error[0] for report in reports for error in report["errors"]} == {"UnauthenticatedError"}
    assert all("not part of the API" in report["errors"][0][1] for report in reports)
    assert server.token_calls == 0
    assert one_call(server, tmp_path) == 0  # and the token was kept


def test_wrong_credentials_are_tried_once_a_window(server: ProcessMakerServer, tmp_path: Path) -> None:
    wrong = settings_of(server, password="wrong-pass1!")

    reports = swarm(server, tmp_path, processes=40, settings=wrong)

    errors = [report["errors"][0] for report in reports]
    assert server.token_calls == 1
    assert {(name, retryable) for name, _, retryable in errors} == {("LoginError", False)}
    assert all("refuses the user name or the password" in text for _, text, _ in errors)

    # The corrected connection works at once; the wrong one is asked again when its window is over.
    assert one_call(server, tmp_path) == 1
    swarm(server, tmp_path, processes=5, settings=wrong, brake=0)
    assert server.token_calls == 5


def test_different_credentials_never_share_a_token(server: ProcessMakerServer, tmp_path: Path) -> None:
    server.grant("bob", "view-groups")
    assert all_done(swarm(server, tmp_path, processes=3))
    assert server.token_calls == 1
    bob = settings_of(server, username="bob", password="Bob-pass1!")
    assert all_done(swarm(server, tmp_path, processes=3, settings=bob))
    assert server.token_calls == 1

    # Another time-out is the same login; see test_sharing.py for all the fields.
    assert one_call(server, tmp_path, read_timeout=20, page_size=7) == 0

    # A password or secret that is no longer right does not find the token that the right one bought.
    for change in ({"password": "wrong-pass1!"}, {"client_secret": "wrong"}):
        with pytest.raises(LoginError):
            one_call(server, tmp_path, **change)


def test_one_waiter_sits_out_a_429_for_all(server: ProcessMakerServer, tmp_path: Path) -> None:
    server.faults.add(method="POST", path="/oauth/token", status=429, headers={"Retry-After": "2"}, times=1)

    started = time.monotonic()
    assert all_done(swarm(server, tmp_path, processes=30))

    assert token_statuses(server) == [429, 200]
    assert time.monotonic() - started >= 2


def test_a_429_that_is_not_waited_for_is_met_once(server: ProcessMakerServer, tmp_path: Path) -> None:
    server.faults.add(method="POST", path="/oauth/token", status=429, headers={"Retry-After": "600"}, times=None)

    reports = swarm(server, tmp_path, processes=30)

    errors = [report["errors"][0] for report in reports]
    assert {(name, retryable) for name, _, retryable in errors} == {("RateLimitedError", True)}
    assert token_statuses(server) == [429]


@pytest.mark.long
def test_a_hundred_machines_behind_one_address_spread_over_the_windows(tmp_path: Path) -> None:
    """Processes that share nothing, as pods do. The server's minute is made short, so that the test is."""
    with ProcessMakerServer(users=5, throttle=50) as server:
        server.throttle.window = 8
        reports = swarm(server, None, processes=100)

        assert all_done(reports)
        statuses = [call.status for call in server.calls if call.path == "/oauth/token"]
        assert statuses.count(200) == 100
        assert statuses.count(429) >= 25  # on a slow machine some begin only in the second window


@pytest.mark.long
def test_where_the_waits_do_not_suffice_the_error_can_be_retried(tmp_path: Path) -> None:
    with ProcessMakerServer(users=5, throttle=10) as server:
        server.throttle.window = 2
        reports = swarm(server, None, processes=100)

        errors = [report["errors"][0] for report in reports if report["errors"]]
        assert errors
        assert {(name, retryable) for name, _, retryable in errors} == {("RateLimitedError", True)}
        assert sum(report["done"] for report in reports) == 100 - len(errors) >= 30


@pytest.mark.parametrize("first", [0, -3600])
def test_clocks_that_are_an_hour_apart(tmp_path: Path, first: int) -> None:
    """Who is ahead finds the token old and renews it for all; who is behind finds it young, and it is."""
    with short_lived(600) as server:
        assert one_call(server, tmp_path, skew=first) == 1
        assert all_done(swarm(server, tmp_path, processes=20, skew=[first + 3600]))
        assert server.token_calls == 1
        assert one_call(server, tmp_path, skew=first) == one_call(server, tmp_path, skew=first + 3600) == 0
