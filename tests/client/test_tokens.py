"""How tokens are got, kept, renewed and replaced."""

from __future__ import annotations

import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    CallRefusedError,
    LoginError,
    MemoryStore,
    NotFoundError,
    RateLimitedError,
    ServerError,
    Token,
    UnauthenticatedError,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.token_store import login_of
from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.client.conftest import SECRET, Clock

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient

    Connect = Callable[..., ProcessMakerClient]


def token_grants(server: ProcessMakerServer) -> list[int | None]:
    return [call.status for call in server.calls if call.path == "/oauth/token"]


def api_calls(server: ProcessMakerServer) -> list[tuple[str, int | None]]:
    return [(call.path.removeprefix("/api/1.0"), call.status) for call in server.calls if call.path != "/oauth/token"]


def without_refresh_tokens(server: ProcessMakerServer) -> None:
    server.faults.add("POST", "/oauth/token", times=None, change=lambda body: {**body, "refresh_token": None})


class TestPasswordGrant:
    def test_nothing_is_sent_before_the_first_call(self, server: ProcessMakerServer, connect: Connect) -> None:
        connect(server)
        assert server.calls == []

    def test_one_login_serves_all_calls_of_all_clients_of_a_store(
        self, server: ProcessMakerServer, connect: Connect
    ) -> None:
        store = MemoryStore()
        for _ in range(3):
            assert connect(server, store=store).whoami()["username"] == "admin"
        assert token_grants(server) == [200]

    def test_other_credentials_have_a_token_of_their_own(self, server: ProcessMakerServer, connect: Connect) -> None:
        store = MemoryStore()
        server.add_user("o'neil", "pass&word=1+1% ", ["view-users"])
        assert connect(server, store=store).whoami()["username"] == "admin"
        other = connect(server, store=store, username="o'neil", password="pass&word=1+1% ")
        assert other.whoami()["username"] == "o'neil"
        assert token_grants(server) == [200, 200]

    def test_the_client_counts_its_token_calls(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        client.whoami()
        client.get("groups")
        assert client.token_calls == server.token_calls == 1

    @pytest.mark.parametrize(
        ("changes", "options", "status", "words"),
        [
            ({"password": "wrong!"}, {}, 400, "refuses the user name or the password"),
            ({"username": "nobody"}, {}, 400, "not the e-mail address"),
            ({"username": "admin@example.com"}, {}, 400, "not the e-mail address"),
            ({"password": "wrong!"}, {"oauth_errors": "7"}, 401, "refuses the user name or the password"),
            ({"client_secret": "wrong-secret"}, {}, 401, "Enable Password Grant"),
            ({"client_id": "99"}, {}, 401, "refuses the client"),
            ({"client_id": "1"}, {}, 401, "refuses the client"),
            ({}, {"password_grant": False}, 400, "upgrade to 4.14.2"),
        ],
    )
    def test_what_is_refused_is_said_once(
        self, connect: Connect, changes: dict[str, str], options: dict[str, Any], status: int, words: str
    ) -> None:
        with ProcessMakerServer(users=1, client_secret=SECRET, **options) as server:
            with pytest.raises(LoginError, match=words) as caught:
                connect(server, max_retries=3, **changes).get("users")
            assert len(server.calls) == 1
        assert (caught.value.status, caught.value.path, caught.value.retryable) == (status, "/oauth/token", False)
        assert caught.value.server_message

    def test_each_attempt_counts_and_is_logged(
        self, server: ProcessMakerServer, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.faults.add("POST", "/oauth/token", status=503, body={"message": "later"})
        client = connect(server, max_retries=1)
        with caplog.at_level("INFO"):
            client.token()
        assert client.token_calls == server.token_calls == 2
        asked = [record for record in caplog.records if hasattr(record, "processmaker_token_call")]
        assert [(record.levelname, record.processmaker_token_call) for record in asked] == [("INFO", "password")] * 2
        got = [record for record in caplog.records if hasattr(record, "processmaker_grant")]
        assert [record.processmaker_grant for record in got] == ["password"]

    def test_a_refused_login_counts_once(self, server: ProcessMakerServer, connect: Connect) -> None:
        client = connect(server, max_retries=3, password="wrong!")
        for _ in range(3):
            with pytest.raises(LoginError):
                client.token()
        assert client.token_calls == server.token_calls == 1

    def test_throttled(self, connect: Connect) -> None:
        with ProcessMakerServer(users=1, client_secret=SECRET, throttle=2) as server:
            for _ in range(2):
                connect(server).token()
            with pytest.raises(RateLimitedError) as caught:
                connect(server).token()
        assert caught.value.status == 429
        assert caught.value.retryable
        assert 0 < (caught.value.retry_after or 0) <= 60

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_a_password_grant_is_repeated(self, server: ProcessMakerServer, connect: Connect, status: int) -> None:
        server.faults.add("POST", "/oauth/token", status=status, body={"message": "later"})
        assert connect(server, max_retries=1).token()
        assert token_grants(server) == [status, 200]

    @pytest.mark.parametrize("fault", [{"drop": "before"}, {"drop": "after"}, {"reset": "body"}, {"truncate": 30}])
    def test_a_lost_token_is_asked_for_again(self, server: ProcessMakerServer, connect: Connect, fault: Any) -> None:
        server.faults.add("POST", "/oauth/token", **fault)
        assert connect(server, max_retries=1).whoami()["username"] == "admin"
        assert server.token_calls == 2


class TestExpiry:
    def test_an_expired_token_is_refreshed(self, server: ProcessMakerServer, connect: Connect) -> None:
        clock = Clock()
        client = connect(server, clock=clock)
        first = client.token()
        clock.offset = 31_536_000
        second = client.token()
        assert second.access_token != first.access_token
        assert server.token_calls == 2
        # The refresh killed the old pair; a password grant would not have.
        assert not server.state.tokens.valid(first.access_token)
        assert client.whoami()["username"] == "admin"

    def test_real_time(self, connect: Connect) -> None:
        with ProcessMakerServer(users=1, client_secret=SECRET, access_token_seconds=1) as server:
            client = connect(server)
            client.whoami()
            time.sleep(1.05)
            client.whoami()
            assert {status for _, status in api_calls(server)} == {200}, "expired tokens are not even tried"
            assert server.token_calls == 2

    @pytest.mark.parametrize("spelling", ["8", "9"])
    @pytest.mark.parametrize("reason", ["revoked", "expired"])
    def test_a_refused_refresh_token_falls_back_to_the_password(
        self, connect: Connect, spelling: str, reason: str
    ) -> None:
        clock = Clock()
        with ProcessMakerServer(users=1, client_secret=SECRET, oauth_errors=spelling) as server:
            client = connect(server, clock=clock)
            client.token()
            server.revoke_all_tokens(refresh=True) if reason == "revoked" else server.expire_tokens(refresh=True)
            clock.offset = 31_536_000
            assert client.whoami()["username"] == "admin"
            assert token_grants(server) == [200, 401 if spelling == "8" else 400, 200]

    @pytest.mark.parametrize(
        "fault",
        [
            {"drop": "after"},
            {"drop": "before"},
            {"reset": "body"},
            {"status": 500, "process": True},
            {"status": 200, "body": "<html>", "process": True},
            {"status": 200, "body": '{"access_tok', "process": True},
            {"delay": 0.6, "delay_when": "after"},
        ],
    )
    def test_a_lost_refresh_falls_back_to_the_password(
        self, server: ProcessMakerServer, connect: Connect, fault: dict[str, Any]
    ) -> None:
        clock = Clock()
        client = connect(server, clock=clock, max_retries=2, read_timeout=0.4)
        client.token()
        clock.offset = 31_536_000
        server.faults.add("POST", "/oauth/token", **fault)
        assert client.whoami()["username"] == "admin"
        assert server.token_calls == 3, "the refresh is never sent twice"

    def test_a_refused_client_is_not_tried_with_the_password(
        self, server: ProcessMakerServer, connect: Connect
    ) -> None:
        clock = Clock()
        client = connect(server, clock=clock)
        client.token()
        server.revoke_client(server.client_id)
        clock.offset = 31_536_000
        with pytest.raises(LoginError, match="refuses the client"):
            client.token()
        assert token_grants(server) == [200, 401]

    def test_without_a_refresh_token_the_password_is_used(self, server: ProcessMakerServer, connect: Connect) -> None:
        clock = Clock()
        without_refresh_tokens(server)
        client = connect(server, clock=clock)
        assert client.token().refresh_token is None
        clock.offset = 31_536_000
        client.token()
        assert token_grants(server) == [200, 200]

    @pytest.mark.parametrize("hours", [-1, 1])
    def test_a_clock_an_hour_off(self, connect: Connect, hours: int) -> None:
        """Lifetimes are counted by our clock from the moment we asked, so only its jumps could matter."""
        clock = Clock()
        clock.offset = hours * 3600
        with ProcessMakerServer(users=1, client_secret=SECRET, access_token_seconds=1800) as server:
            client = connect(server, clock=clock)
            for _ in range(3):
                client.whoami()
            assert server.token_calls == 1
            # Now the clock is put right, in one jump.
            clock.offset = 0
            for _ in range(3):
                client.whoami()
            # Then a token of an hour ahead looks young, and one of an hour ago looks old.
            assert server.token_calls == (1 if hours > 0 else 2)

    def test_a_server_whose_clock_runs_ahead(self, server: ProcessMakerServer, connect: Connect) -> None:
        """It finds tokens expired that we think good: one probe, one login."""
        server.oauth.access_token_seconds = 1800
        clock = Clock()
        client = connect(server, clock=clock)
        client.whoami()
        server.clock.advance(3600)
        clock.offset = 60
        client.whoami()
        assert api_calls(server) == [("/users/1", 200), ("/users/1", 401), ("/users/1", 401), ("/users/1", 200)]
        assert server.token_calls == 2


class TestTokenAnswers:
    @pytest.mark.parametrize(
        ("expires_in", "lifetime"),
        [
            (120, 120),
            ("120", 120),
            (120.5, 120.5),
            # What makes no sense: the token's own claims tell its life.
            (None, 31_536_000),
            (0, 31_536_000),
            (-5, 31_536_000),
            ("soon", 31_536_000),
            (True, 31_536_000),
            ([1], 31_536_000),
            ({}, 31_536_000),
            (10**400, 31_536_000),
            (float("inf"), 31_536_000),
        ],
    )
    def test_lifetime(
        self, server: ProcessMakerServer, client: ProcessMakerClient, expires_in: Any, lifetime: float
    ) -> None:
        server.faults.add("POST", "/oauth/token", change=lambda body: {**body, "expires_in": expires_in})
        token = client.token()
        assert (token.expires_at or 0) - token.issued_at == pytest.approx(lifetime, abs=1)
        assert client.whoami()["username"] == "admin"
        assert server.token_calls == 1

    def test_no_lifetime_told_at_all(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        def change(body: Any) -> Any:
            return {"access_token": "opaque-token", "token_type": "Bearer"}

        server.faults.add("POST", "/oauth/token", change=change)
        token = client.token()
        assert (token.expires_at or 0) - token.issued_at == 300

    @pytest.mark.parametrize(
        "body",
        [
            {},
            [],
            None,
            "token",
            {"access_token": None},
            {"access_token": ""},
            {"access_token": 5},
            {"access_token": "two words"},
            {"access_token": "line\r\nX-Injected: 1"},
            {"access_token": "tökén"},
            {"access_token": "x" * 100_000},
        ],
    )
    def test_answers_without_a_usable_token(
        self, server: ProcessMakerServer, client: ProcessMakerClient, body: Any
    ) -> None:
        server.faults.add("POST", "/oauth/token", change=lambda _: body)
        with pytest.raises(UnexpectedAnswerError, match="without a token"):
            client.get("users")
        assert server.token_calls == len(server.calls) == 1

    @pytest.mark.parametrize("refresh_token", [None, "", 5, [], "two words", "r" * 100_000])
    def test_odd_refresh_tokens_are_not_kept(
        self, server: ProcessMakerServer, client: ProcessMakerClient, refresh_token: Any
    ) -> None:
        server.faults.add("POST", "/oauth/token", change=lambda body: {**body, "refresh_token": refresh_token})
        assert client.token().refresh_token is None

    @pytest.mark.parametrize("claims", ["e30", "eyJzdWIiOlsxXX0", "eyJzdWIiOiIuLi8uLi94In0", "%%%", "W10", "Wzov"])
    def test_tokens_that_do_not_tell_their_user(
        self, server: ProcessMakerServer, client: ProcessMakerClient, claims: str
    ) -> None:
        """Empty claims, a list, a path, no base64, no object, no JSON: whose it is then comes from the server."""
        assert Token(f"a.{claims}.c").user_id is None


class TestPersonalAccessToken:
    def test_is_used_as_it_is(self, server: ProcessMakerServer, connect: Connect) -> None:
        client = connect(server, access_token=server.issue_token("bob", personal=True))
        assert client.whoami()["username"] == "bob"
        assert server.token_calls == client.token_calls == 0

    def test_revoked(self, server: ProcessMakerServer, connect: Connect) -> None:
        token = server.issue_token(personal=True)
        client = connect(server, access_token=token)
        client.whoami()
        server.revoke_token(token)
        with pytest.raises(UnauthenticatedError, match="API Tokens") as caught:
            client.get("users")
        assert caught.value.status == 401
        assert not caught.value.retryable
        assert server.token_calls == 0

    def test_wrong_path(self, server: ProcessMakerServer, connect: Connect) -> None:
        client = connect(server, access_token=server.issue_token(personal=True))
        with pytest.raises(UnauthenticatedError, match="not part of the API"):
            client.get("/api/1.2/users")


class TestRefused:
    """The 401 rule."""

    def test_a_revoked_token_is_replaced_once(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        client.whoami()
        server.revoke_all_tokens()
        assert client.get("users")["meta"]["total"] == 24
        assert api_calls(server)[1:] == [("/users", 401), ("/users/1", 401), ("/users", 200)]
        assert server.token_calls == 2

    def test_a_write_is_replayed_too(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        client.whoami()
        server.revoke_all_tokens()
        assert client.post("groups", {"name": "After the revocation", "status": "ACTIVE"})["id"]
        names = [group["name"] for group in client.iter_records("groups")]
        assert names.count("After the revocation") == 1

    def test_sixteen_threads_log_in_once(self, server: ProcessMakerServer, connect: Connect) -> None:
        client = connect(server, read_timeout=10)
        client.whoami()
        server.revoke_all_tokens()
        server.faults.add("GET", "/users", times=None, delay=0.02)
        start = threading.Barrier(16)

        def work(_: int) -> int:
            start.wait(10)
            return int(client.get("users")["meta"]["total"])

        with ThreadPoolExecutor(16) as pool:
            assert set(pool.map(work, range(16))) == {24}
        assert server.token_calls == 2

    def test_thirty_two_cold_threads_log_in_once(self, server: ProcessMakerServer, connect: Connect) -> None:
        client = connect(server, read_timeout=10)
        server.faults.add("POST", "/oauth/token", times=None, delay=0.1)
        start = threading.Barrier(32)

        def work(_: int) -> str:
            start.wait(10)
            return str(client.whoami()["username"])

        with ThreadPoolExecutor(32) as pool:
            assert set(pool.map(work, range(32))) == {"admin"}
        assert server.token_calls == 1

    def test_a_token_renewed_by_another_client_is_found(self, server: ProcessMakerServer, connect: Connect) -> None:
        """Someone refreshes while our call is under way with the old token."""
        store, clock = MemoryStore(), Clock()
        mine, other = connect(server, store=store), connect(server, store=store, clock=clock)
        mine.whoami()
        clock.offset = 31_536_000
        server.reset_calls()
        server.faults.add("GET", "/groups", delay=0.4)
        with ThreadPoolExecutor(1) as pool:
            answer = pool.submit(mine.get, "groups")
            time.sleep(0.1)
            other.token()
            assert answer.result()["data"]
        assert api_calls(server) == [("/groups", 401), ("/groups", 200)], "no probe: the store had the answer"
        assert server.token_calls == 1

    @pytest.mark.parametrize("path", ["/api/1.2/users", "/api/2.0/groups"])
    def test_a_wrong_path_is_not_the_tokens_fault(
        self, server: ProcessMakerServer, client: ProcessMakerClient, path: str
    ) -> None:
        first = client.token()
        with pytest.raises(UnauthenticatedError, match="not part of the API") as caught:
            client.get(path)
        assert (caught.value.status, caught.value.path) == (401, path)
        assert client.token() == first
        assert server.token_calls == 1

    def test_a_wrong_path_of_an_opaque_token(self, server: ProcessMakerServer, connect: Connect) -> None:
        """It does not tell its user; the probe takes a path that any good token finds."""
        store = MemoryStore()
        client = connect(server, store=store)
        client.token()
        with server.state.lock:
            table = server.state.tokens.access
            table["opaque"] = next(iter(table.values()))
        store.save(login_of(client.settings), Token("opaque"))
        with pytest.raises(UnauthenticatedError, match="not part of the API"):
            client.get("/api/1.2/users")
        assert server.token_calls == 1

    def test_a_fresh_token_that_was_never_accepted_is_not_replaced(
        self, server: ProcessMakerServer, client: ProcessMakerClient
    ) -> None:
        """As behind a proxy that drops the Authorization header."""
        server.faults.add(
            when=lambda call: call.path.startswith("/api"), times=None, status=401, body={"error": "Unauthenticated."}
        )
        for _ in range(2):
            with pytest.raises(UnauthenticatedError, match="issued a token and does not accept it"):
                client.get("users")
        assert server.token_calls == 1

    def test_the_user_was_deleted(self, server: ProcessMakerServer, connect: Connect) -> None:
        """A refresh would still give a token, which nobody accepts; the password tells the truth."""
        user = server.add_user("gone", "Gone-pass1!")
        client = connect(server, username="gone", password="Gone-pass1!")
        client.whoami()
        server.delete_user(user)
        with pytest.raises(LoginError, match="user name or the password"):
            client.get(f"users/{user}")
        assert token_grants(server) == [200, 400]

    @pytest.mark.parametrize("status", [429, 500, 503])
    def test_a_probe_that_cannot_tell_costs_no_login(
        self, server: ProcessMakerServer, client: ProcessMakerClient, status: int
    ) -> None:
        client.whoami()
        server.revoke_all_tokens()
        server.faults.add("GET", "/users/1", status=status, body={"message": "not now"})
        with pytest.raises((ServerError, RateLimitedError)) as caught:
            client.get("groups")
        assert caught.value.retryable
        assert server.token_calls == 1
        assert client.get("groups")["data"]

    def test_the_second_refusal_is_final(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        client.whoami()
        server.faults.add(
            when=lambda call: call.path.startswith("/api"), times=None, status=401, body={"error": "Unauthenticated."}
        )
        with pytest.raises(UnauthenticatedError) as caught:
            client.get("users")
        assert caught.value.status == 401
        assert server.token_calls == 2

    def test_other_errors_say_nothing_of_the_token(
        self, server: ProcessMakerServer, client: ProcessMakerClient
    ) -> None:
        with pytest.raises(NotFoundError):
            client.get("users/999999")
        assert server.token_calls == 1


class TestWrongAddress:
    @pytest.mark.parametrize("path", ["/workflow", "/api"])
    def test_no_token_endpoint_there(self, server: ProcessMakerServer, connect: Connect, path: str) -> None:
        with pytest.raises(CallRefusedError, match="no ProcessMaker token endpoint"):
            connect(server, base_url=server.url + path).token()
        assert len(server.calls) == 1

    def test_processmaker_3(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        body = {"error": {"code": 404, "message": "Not Found"}}
        server.faults.add("POST", "/oauth/token", status=404, body=body)
        with pytest.raises(UnexpectedAnswerError, match="This is a ProcessMaker 3"):
            client.token()


def test_on_token_is_told_before_the_token_is_used(server: ProcessMakerServer, connect: Connect) -> None:
    told: list[str] = []
    seen_at_call: list[int] = []
    server.faults.add("GET", "/groups", times=None, then=lambda: seen_at_call.append(len(set(told))))
    client = connect(server, on_token=lambda token: told.extend(token.secrets))
    client.get("groups")
    assert seen_at_call == [2]
    client.token()
    server.revoke_all_tokens()
    client.get("groups")
    assert set(told) == set(server.issued_tokens)
    assert connect(server, on_token=lambda token: told.append("direct")).token()
    assert told[-1] == "direct", "also a caller of token() may log it"
