"""What is remembered of a refusal, by whom, and for how long; by a clock that stands still."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    FileStore,
    LoginError,
    RateLimitedError,
    ServerError,
    Timing,
    TransportError,
)
from tests.tokens.inside import DAY, Process, Server

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_processmaker.client import Token

LIFE = 7 * DAY


@pytest.fixture
def server() -> Server:
    return Server(access_token_seconds=LIFE)


@pytest.fixture
def process(server: Server, tmp_path: Path) -> Callable[..., Process]:
    """Makes processes of one machine; each has a store of its own over the same folder."""

    def make(**changes: Any) -> Process:
        return Process(server, FileStore(tmp_path), **changes)

    return make


def refused(process: Process) -> LoginError:
    with pytest.raises(LoginError) as caught:
        process.call()
    return caught.value


@pytest.mark.parametrize("expired", [False, True], ids=["no token", "expired token"])
def test_a_refused_login_is_tried_once_a_window(server: Server, process: Callable[..., Process], expired: bool) -> None:
    if expired:
        process().call()
        server.clock.advance(LIFE + 1)
        server.revoke(refresh=True)
    server.set_password("another")
    begun, asked = server.clock.now(), {}
    for moment in (0, 10, 29, 31, 45, 60, 62):
        server.clock.offset = begun + moment
        server.outcomes()
        refused(process())
        asked[moment] = server.outcomes()

    # The refresh token is sent once, and never again.
    first = ["invalid_request", "invalid_grant"] if expired else ["invalid_grant"]
    assert asked == {0: first, 10: [], 29: [], 31: ["invalid_grant"], 45: [], 60: [], 62: ["invalid_grant"]}


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_jumps_while_a_refusal_is_kept(
    server: Server, process: Callable[..., Process], hours: int
) -> None:
    """The window is over, whichever way: nobody is locked out, and one call is made."""
    server.set_password("another")
    refused(process())
    server.clock.advance(hours * 3600)
    for _ in range(3):
        refused(process())
    assert server.outcomes() == ["invalid_grant"] * 2


def test_what_the_brake_says_tells_where_it_comes_from(server: Server, process: Callable[..., Process]) -> None:
    server.set_password("another")
    first = refused(process())
    server.clock.advance(7)
    later = refused(process())

    assert later.as_dict() == first.as_dict() | {"hint": later.hint}
    assert (later.status, later.method, later.path) == (400, "POST", "/oauth/token")
    assert later.server == "https://pm.example.com"
    assert later.server_message == "The user credentials were incorrect."
    assert "refused 7 s ago, and is not tried again with the same credentials for 30 s" in str(later)


def test_a_client_that_is_refused_at_a_refresh_is_remembered(server: Server, process: Callable[..., Process]) -> None:
    process().call()
    server.outcomes()
    server.client.revoked = True
    server.clock.advance(LIFE + 1)
    for _ in range(40):
        assert "refuses the client" in str(refused(process()))
    assert server.outcomes() == ["invalid_client"]

    server.client.revoked = False
    server.clock.advance(31)
    process().call()
    assert server.grants == [("refresh_token", "200")], "the refresh token was not to blame"


def test_a_lost_refresh_token_is_not_sent_again(server: Server, process: Callable[..., Process]) -> None:
    process().call()
    server.outcomes()
    server.clock.advance(LIFE + 1)
    server.next[:] = ["lost", "unreachable", "unreachable"]
    for _ in range(2):
        with pytest.raises(TransportError):
            process().call()
    process().call()
    assert server.grants == [
        ("refresh_token", "lost"),
        ("password", "unreachable"),
        ("password", "unreachable"),
        ("password", "200"),
    ]


def test_a_token_that_is_known_to_be_dead_is_forgotten(server: Server, process: Callable[..., Process]) -> None:
    process().call()
    server.outcomes()
    server.clock.advance(60)
    server.revoke()
    server.set_password("another")
    server.used.clear()
    for _ in range(40):
        refused(process())
    assert server.outcomes() == ["invalid_grant"]
    assert [status for _, status in server.used] == [401, 401]  # a call and its probe

    server.clock.advance(31)
    server.set_password()
    process().call()
    assert server.outcomes() == ["200"]


def test_a_corrected_path_is_another_door_to_the_same_token(server: Server, process: Callable[..., Process]) -> None:
    server.set_password("another")
    refused(process(base_url="https://pm.example.com/wrong"))
    server.set_password()  # as if the right path led to a server where it is right
    process(base_url="https://pm.example.com/right").call()
    assert server.outcomes() == ["invalid_grant", "200"]

    # The token is the same for all paths, also for the one that was refused.
    process(base_url="https://pm.example.com/wrong").call()
    assert server.outcomes() == []


def test_the_end_of_a_429_is_known_to_all(server: Server, process: Callable[..., Process]) -> None:
    server.next[:] = ["429"]
    for moment in (0, 20, 39):
        server.clock.advance(moment)
        with pytest.raises(RateLimitedError) as caught:
            process().call()
    assert caught.value.retryable
    assert caught.value.retry_after == 1
    assert (caught.value.status, caught.value.method, caught.value.path) == (429, "POST", "/oauth/token")
    assert "That was 59 s ago, and the token endpoint is left alone for 60 s." in str(caught.value)
    assert server.outcomes() == ["429"]

    server.clock.advance(1)
    process().call()
    assert server.outcomes() == ["200"]


def test_a_429_that_another_met_is_sat_out_by_who_has_the_time(server: Server, process: Callable[..., Process]) -> None:
    slept: list[float] = []

    def sleep(seconds: float) -> None:
        slept.append(seconds)
        server.clock.advance(seconds)

    server.next[:] = ["429"]
    with pytest.raises(RateLimitedError):
        process().call()
    server.clock.advance(20)
    process(sleep=sleep).call()
    process(sleep=sleep).call()

    assert slept == [40]
    assert server.outcomes() == ["429", "200"]


def test_but_not_one_that_lasts(
    server: Server, process: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_processmaker.client.tokens.LONGEST_WAIT", 30.0)
    server.next[:] = ["429"]
    for _ in range(2):
        with pytest.raises(RateLimitedError):
            process(sleep=lambda seconds: pytest.fail("it waited")).call()
    assert server.outcomes() == ["429"]


def test_the_button_passes_a_429(server: Server, process: Callable[..., Process]) -> None:
    server.next[:] = ["429"]
    with pytest.raises(RateLimitedError):
        process().call()
    process().tokens.log_in()
    process().call()
    assert server.outcomes() == ["429", "200"]


def test_a_wait_that_makes_no_sense_is_not_kept_for_ever(
    server: Server, process: Callable[..., Process], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("airflow_provider_processmaker.client.token_store.LONGEST_REST", 50.0)
    server.next[:] = ["429"]
    with pytest.raises(RateLimitedError):
        process().call()
    server.clock.advance(51)
    process().call()


@pytest.mark.parametrize("fault", ["429", "503", "unreachable", "client", "password"])
def test_a_token_that_is_still_good_is_used_though_its_early_renewal_fails(
    server: Server, process: Callable[..., Process], fault: str, caplog: pytest.LogCaptureFixture
) -> None:
    process().call()
    server.outcomes()
    server.clock.advance(LIFE - 40)
    if fault == "client":
        server.client.revoked = True
    elif fault == "password":
        server.revoke(refresh=True)
        server.set_password("another")
    else:
        server.next[:] = [fault, fault]
    one = process()
    with caplog.at_level(logging.WARNING):
        for _ in range(5):
            one.call()
        for _ in range(5):
            process().call()  # the others do not try it again either
    assert len(server.outcomes()) == (2 if fault in {"password", "503"} else 1)
    told = [record for record in caplog.records if "is used until its end" in record.getMessage()]
    assert len(told) == 6  # once by each process

    # Never past its end. What is no refusal is tried then, since there is no other way.
    server.next.clear()
    server.clock.advance(25 if fault == "unreachable" else 41)
    for _ in range(2):
        if fault in {"client", "password"}:
            refused(process())
        elif fault == "429":
            with pytest.raises(RateLimitedError):
                process().call()
        else:
            process().call()


def test_an_early_outage_does_not_brake_who_needs_a_token(server: Server, process: Callable[..., Process]) -> None:
    process().call()
    server.outcomes()
    server.clock.advance(LIFE - 10)
    server.next[:] = ["unreachable"]
    process().call()
    process().call()
    assert server.outcomes() == ["unreachable"]
    server.clock.advance(11)
    process().call()
    assert server.outcomes() == ["200"]


def test_a_renewal_that_lasts_past_the_end_is_an_error(server: Server, process: Callable[..., Process]) -> None:
    process().call()
    server.clock.advance(LIFE - 10)
    server.next[:] = ["unreachable"]
    server.on_grant = lambda form: server.clock.advance(20)
    server.used.clear()
    with pytest.raises(TransportError):
        process().call()
    assert server.used == []


def test_an_outage_is_met_by_everybody(server: Server, process: Callable[..., Process]) -> None:
    """It may be over any moment."""
    server.next[:] = ["503", "503"]
    for _ in range(2):
        with pytest.raises(ServerError):
            process().call()
    process().call()


def test_a_window_of_nothing(server: Server, process: Callable[..., Process]) -> None:
    server.set_password("another")
    for _ in range(3):
        refused(process(timing=Timing(brake_window=0)))
    assert server.outcomes() == ["invalid_grant"] * 3


def test_each_click_of_the_button_leaves_one_token(server: Server, process: Callable[..., Process]) -> None:
    """The password cannot be tried without a new token, and the old one cannot be given back."""
    process().call()
    for clicks in range(1, 4):
        process().tokens.log_in()
        process().call()
        assert len(server.alive()) == 1 + clicks
    assert server.used[-1][0] == server.alive()[-1], "the new one is kept"
    server.set_password("another")
    with pytest.raises(LoginError):
        process().tokens.log_in()
    process().call()
    assert len(server.alive()) == 4, "a click that fails leaves none, and what was kept is kept"


def test_every_token_that_is_issued_or_read_is_told_before_anything_is_done_with_it(
    server: Server, process: Callable[..., Process]
) -> None:
    told: list[str] = []

    def keep(token: Token) -> None:
        told.extend(token.secrets)

    process(on_token=keep).call()
    first = set(told)
    assert len(first) == 2

    # In a new process, of an expired token: its refresh token goes out before anything is called with it.
    told.clear()
    server.clock.advance(LIFE + 1)
    server.on_grant = lambda form: known_when_sent.append(form["refresh_token"] in told)
    known_when_sent: list[bool] = []
    process(on_token=keep).call()
    assert known_when_sent == [True]
    assert first < set(told)
    assert {text for text in told if text.startswith("def50200")} == set(server.state.tokens.refresh)


def test_a_token_of_another_process_that_is_revoked_at_once_costs_one_grant(
    server: Server, process: Callable[..., Process]
) -> None:
    process().call()
    server.revoke()
    server.outcomes()
    for _ in range(8):
        process().call()
    assert server.outcomes() == ["200"]
