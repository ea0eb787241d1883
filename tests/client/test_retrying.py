"""What is sent again, what never, and how long we wait."""

from __future__ import annotations

import time
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    NotFoundError,
    ProcessMakerError,
    RateLimitedError,
    ServerError,
    TransportError,
    UnknownOutcomeError,
)
from airflow_provider_processmaker.client.retrying import LONGEST_WAIT, Attempts, parse_retry_after
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

BODY = {"name": "Once", "status": "ACTIVE"}

LOST = [
    {"drop": "before"},
    {"drop": "after"},
    {"reset": "before"},
    {"reset": "after"},
    {"reset": "body"},
    {"truncate": 5},
    {"gzip": "truncated"},
    {"gzip": "corrupt"},
    {"delay": 0.7, "delay_when": "after"},
    {"hang": True},
    {"raw": b"HTTP/1.1 200 OK\r\nContent-Length: 5\r\n\r\n[1"},
    {"raw": b"garbage\r\n\r\n"},
]


def calls(server: ProcessMakerServer, method: str, path: str) -> int:
    return sum((call.method, call.path) == (method, f"/api/1.0{path}") for call in server.calls)


@pytest.fixture
def warm(server: ProcessMakerServer, connect: Connect) -> ProcessMakerClient:
    """A client that has its token, with two retries and a short read time-out."""
    client = connect(server, max_retries=2, read_timeout=0.4)
    client.token()
    return client


class TestReads:
    @pytest.mark.parametrize("fault", LOST)
    def test_repeated_after_a_lost_answer(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, fault: dict[str, Any]
    ) -> None:
        server.faults.add("GET", "/users", **fault)
        assert warm.get("users")["meta"]["total"] == 24
        assert calls(server, "GET", "/users") == 2

    @pytest.mark.parametrize("status", [429, 502, 503, 504])
    def test_repeated_after(self, server: ProcessMakerServer, warm: ProcessMakerClient, status: int) -> None:
        server.faults.add("GET", "/users", times=2, status=status, body={"message": "later"})
        assert warm.get("users")["meta"]["total"] == 24
        assert calls(server, "GET", "/users") == 3

    @pytest.mark.parametrize("status", [400, 401, 403, 404, 405, 422, 500, 501, 505])
    def test_not_repeated_after(self, server: ProcessMakerServer, warm: ProcessMakerClient, status: int) -> None:
        server.faults.add("GET", "/users", times=None, status=status, body={"message": "no"})
        with pytest.raises(ProcessMakerError) as caught:
            warm.get("users")
        assert caught.value.status == status
        assert calls(server, "GET", "/users") == 1

    def test_given_up_in_the_end(self, server: ProcessMakerServer, warm: ProcessMakerClient) -> None:
        server.faults.add("GET", "/users", times=None, status=503, body={"message": "later"})
        with pytest.raises(ServerError):
            warm.get("users")
        assert calls(server, "GET", "/users") == 3

    def test_all_kinds_of_faults_share_the_retries(self, server: ProcessMakerServer, warm: ProcessMakerClient) -> None:
        """Two retries are two, also when each attempt fails in its own way."""
        server.faults.add("GET", "/users", status=503, body={"message": "later"})
        server.faults.add("GET", "/users", after=1, truncate=5)
        server.faults.add("GET", "/users", after=2, drop="after")
        with pytest.raises(TransportError):
            warm.get("users")
        assert calls(server, "GET", "/users") == 3

    def test_without_retries(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        server.faults.add("GET", "/users", drop="after")
        with pytest.raises(TransportError) as caught:
            client.get("users")
        assert caught.value.retryable
        assert calls(server, "GET", "/users") == 1

    def test_a_retry_is_told_in_the_log(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.faults.add("GET", "/users", status=503, body={"message": "later"})
        warm.get("users")
        assert "GET /api/1.0/users is tried again" in caplog.text
        assert "answered 503" in caplog.text


class TestWrites:
    @pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
    @pytest.mark.parametrize("fault", LOST)
    def test_a_lost_answer_is_an_unknown_outcome(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, method: str, fault: dict[str, Any]
    ) -> None:
        server.faults.add(
            method, "/groups", times=None, status=None if "raw" in fault else 200, body="[1,2,3]" * 9, **fault
        )
        with pytest.raises(UnknownOutcomeError, match="Look before sending it again") as caught:
            warm.request(method, "groups", json=BODY)
        assert not caught.value.retryable
        assert (caught.value.method, caught.value.path) == (method, "/api/1.0/groups")
        assert calls(server, method, "/groups") == 1

    @pytest.mark.parametrize("status", [500, 502, 503, 504])
    def test_a_server_failure_is_an_unknown_outcome(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, status: int
    ) -> None:
        server.faults.add("POST", "/groups", times=None, status=status, body={"message": "oh"}, process=True)
        with pytest.raises(UnknownOutcomeError) as caught:
            warm.post("groups", BODY)
        assert caught.value.status == status
        assert calls(server, "POST", "/groups") == 1

    @pytest.mark.parametrize("body", ['{"id": 5, "na', "\x00\x01", "OK"])
    def test_an_unreadable_answer_is_an_unknown_outcome(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, body: str
    ) -> None:
        server.faults.add("POST", "/groups", status=201, body=body, content_type="application/json", process=True)
        with pytest.raises(UnknownOutcomeError) as caught:
            warm.post("groups", BODY)
        assert caught.value.status == 201
        assert calls(server, "POST", "/groups") == 1

    def test_repeated_after_429(self, server: ProcessMakerServer, warm: ProcessMakerClient) -> None:
        server.faults.add(
            "POST", "/groups", status=429, body={"message": "Too Many Attempts."}, headers={"Retry-After": "0"}
        )
        assert warm.post("groups", BODY)["id"]
        assert calls(server, "POST", "/groups") == 2

    def test_repeated_when_no_connection_was_made(self, server: ProcessMakerServer, warm: ProcessMakerClient) -> None:
        """The server is away for a moment; the client comes back until it is there again."""
        import threading

        warm.close()
        server.stop()
        timer = threading.Timer(0.35, server.start)
        timer.start()
        try:
            assert warm.post("groups", BODY)["id"]
        finally:
            timer.join()
        assert calls(server, "POST", "/groups") == 1

    def test_refused_for_good(self, server: ProcessMakerServer, warm: ProcessMakerClient) -> None:
        warm.close()
        server.stop()
        with pytest.raises(TransportError, match=r"No connection.*refused") as caught:
            warm.post("groups", BODY)
        assert caught.value.retryable, "nothing was done, so Airflow may try again"

    @pytest.mark.parametrize("status", [500, 503])
    def test_idempotent_writes_are_like_reads(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, status: int
    ) -> None:
        group = warm.post("groups", BODY)["id"]
        server.faults.add("PUT", "/groups/*", status=status, body={"message": "oh"})
        if status == 503:
            assert warm.put(f"groups/{group}", {**BODY, "description": "x"}, idempotent=True) is None
        else:
            with pytest.raises(ServerError):
                warm.put(f"groups/{group}", BODY, idempotent=True)
        assert calls(server, "PUT", f"/groups/{group}") == (2 if status == 503 else 1)

    def test_a_lost_idempotent_write_is_repeated(self, server: ProcessMakerServer, warm: ProcessMakerClient) -> None:
        group = warm.post("groups", BODY)["id"]
        server.faults.add("DELETE", "/groups/*", drop="after")
        with pytest.raises(NotFoundError):
            warm.delete(f"groups/{group}", idempotent=True)
        assert calls(server, "DELETE", f"/groups/{group}") == 2

    def test_a_read_can_be_declared_unrepeatable(self, server: ProcessMakerServer, warm: ProcessMakerClient) -> None:
        server.faults.add("GET", "/users", times=None, drop="after")
        with pytest.raises(ProcessMakerError):
            warm.request("GET", "users", idempotent=False)
        assert calls(server, "GET", "/users") == 1


class TestWaiting:
    @pytest.mark.parametrize("status", [429, 503])
    @pytest.mark.parametrize("as_date", [False, True])
    def test_as_long_as_the_server_asks(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, status: int, as_date: bool
    ) -> None:
        # A date has whole seconds only: 1 to 2 of them.
        date = format_datetime(datetime.now(UTC) + timedelta(seconds=2), usegmt=True)
        headers = {"Retry-After": date if as_date else "1"}
        server.faults.add("GET", "/users", status=status, body={"message": "later"}, headers=headers)
        started = time.monotonic()
        warm.get("users")
        assert 0.9 <= time.monotonic() - started < 2.6
        assert calls(server, "GET", "/users") == 2

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize("as_date", [False, True])
    def test_not_longer_than_the_cap(
        self, server: ProcessMakerServer, warm: ProcessMakerClient, method: str, as_date: bool
    ) -> None:
        headers = {"Retry-After": format_datetime(datetime.now(UTC) + timedelta(hours=1)) if as_date else "3600"}
        server.faults.add(method, "/groups", status=429, body={"message": "later"}, headers=headers)
        started = time.monotonic()
        with pytest.raises(RateLimitedError) as caught:
            warm.request(method, "groups", json=BODY if method == "POST" else None)
        assert time.monotonic() - started < 0.3
        assert caught.value.retry_after == pytest.approx(3600, abs=3)
        assert calls(server, method, "/groups") == 1

    @pytest.mark.parametrize(
        ("value", "seconds"),
        [
            ("0", 0),
            (" 17 ", 17),
            ("", None),
            ("soon", None),
            ("-5", None),
            ("1.5", None),
            ("²", None),
            ("٣", None),
            ("9" * 500, 21_600),
            ("Wed, 21 Oct 2015 07:28:00 GMT", 0),
            ("Wed, 21 Oct 99999 07:28:00 GMT", None),
            ("Wed, 99 Oct 2015 07:28:00 GMT", 0),
            (",", None),
        ],
    )
    def test_what_the_header_may_hold(self, value: str, seconds: float | None) -> None:
        assert parse_retry_after({"retry-after": value}) == seconds

    def test_no_header(self) -> None:
        assert parse_retry_after({}) is None

    def test_pauses_grow_and_have_chance_in_them(self) -> None:
        attempts = Attempts(8)
        pauses = [attempts.pause() or 0 for _ in range(8)]
        for pause, least in zip(pauses, [0.25, 0.5, 1, 2, 4, 8, 10, 10], strict=True):
            assert least <= pause <= 1.1 * least + 0.25
        assert attempts.pause() is None
        assert len({Attempts(1).pause() for _ in range(20)}) > 1

    def test_the_longest_wait(self) -> None:
        assert Attempts(1).pause(LONGEST_WAIT) is not None
        assert Attempts(1).pause(LONGEST_WAIT + 1) is None


def test_each_attempt_takes_the_token_of_its_moment(connect: Connect) -> None:
    answers = iter([http(503, {"message": "later"}, {"Retry-After": "0"}), http(200, [])])
    with RawServer(lambda request, wire: next(answers)) as server:
        client = connect(server, access_token="token", max_retries=1)
        assert client.get("users") == []
        assert [request.headers["authorization"] for request in server.requests] == ["Bearer token"] * 2
