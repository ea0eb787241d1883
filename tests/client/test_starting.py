"""A process is started once for a key. The requests on the server are counted each time."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    CallRefusedError,
    ForbiddenError,
    InvalidInputError,
    NotFoundError,
    ProcessMakerError,
    RateLimitedError,
    TransportError,
    UnauthenticatedError,
    UnknownOutcomeError,
)
from airflow_provider_processmaker.client.starting import GENERATION, KEY, checked_key
from tests.client.runs import OURS, calls, requests, starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

PATH = "/process_events/*"


class TestWithoutFaults:
    def test_a_start(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        row = patient.start_process(process, {"amount": 5}, key=OURS)
        assert (row["id"], row["status"], row["process_id"]) == (1, "ACTIVE", process)
        assert server.request(1).data == {"amount": 5, KEY: OURS}
        assert requests(server) == {"ACTIVE": 1}

    def test_the_same_key_is_the_same_start(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        first = patient.start_process(process, {"amount": 5}, key=OURS)
        again = patient.start_process("Approval", {"amount": 6}, key=OURS)
        assert again["id"] == first["id"]
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 1

    @pytest.mark.parametrize("other", ["orders.2026-11.18", OURS.upper(), f"{OURS}.1", OURS[:-1]])
    def test_another_key_is_another_start(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, other: str
    ) -> None:
        """As of another installation of Airflow on the same server."""
        first = patient.start_process(process, key=OURS)
        assert patient.start_process(process, key=other)["id"] != first["id"]
        assert requests(server) == {"ACTIVE": 2}
        assert requests(server, OURS) == {"ACTIVE": 1}

    def test_without_a_key_each_start_is_its_own(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        ids = {patient.start_process(process)["id"] for _ in range(3)}
        assert len(ids) == 3
        assert requests(server) == {"ACTIVE": 3}
        keys = {row.data[KEY] for row in server.requests}
        assert len(keys) == 3
        assert all(key.startswith("af1-") for key in keys)

    @pytest.mark.parametrize("status", ["COMPLETED", "ERROR", "CANCELED"])
    def test_one_that_has_ended_is_given_back(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, status: str
    ) -> None:
        first = patient.start_process(process, key=OURS)
        end = {"COMPLETED": server.complete_request, "ERROR": server.fail_request, "CANCELED": server.cancel_request}
        end[status](first["id"])  # type: ignore[operator]
        again = patient.start_process(process, key=OURS)
        assert (again["id"], again["status"]) == (first["id"], status)
        assert requests(server) == {status: 1}

    @pytest.mark.parametrize("lost", [False, True])
    @pytest.mark.parametrize("status", ["ERROR", "COMPLETED"])
    def test_an_answer_that_tells_of_the_end_already(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, status: str, lost: bool
    ) -> None:
        steps: dict[str, Any] = {"fails": "Nobody to assign"} if status == "ERROR" else {"steps": ()}
        process = server.add_process("At once", **steps)
        if lost:
            server.faults.add("POST", PATH, drop="after")
        row = patient.start_process(process, key=OURS)
        assert (row["id"], row["status"]) == (1, status)
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {status: 1}
        assert starts(server) == 1

    @pytest.mark.parametrize("key", ["", " ", "a b", "-a", "a-", "ä", "a\n", "x" * 201, 'a"b', "2026-11-24", 5, b"a"])
    def test_keys_that_could_not_be_found(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, key: Any
    ) -> None:
        with pytest.raises(InvalidInputError):
            patient.start_process(process, key=key)
        assert server.calls == []

    @pytest.mark.parametrize(
        "key", ["a", "7", "0", "x" * 200, "a:b_c.d-e", "1e5", "true", "null", "2026-11-24T10:00:00Z"]
    )
    def test_keys_that_are_found(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, key: str
    ) -> None:
        assert checked_key(key) == key
        first = patient.start_process(process, key=key)
        assert patient.start_process(process, key=key)["id"] == first["id"]
        assert requests(server) == {"ACTIVE": 1}

    @pytest.mark.parametrize("window", [-1, 3601, float("nan"), "long"])
    def test_settle_windows_that_make_no_sense(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, window: Any
    ) -> None:
        with pytest.raises(InvalidInputError, match="settle_window"):
            patient.start_process(process, settle_window=window)
        assert server.calls == []


class TestTheServerRefuses:
    def test_too_many_calls_for_a_moment(self, server: ProcessMakerServer, connect: Connect, process: int) -> None:
        stubborn = connect(server, max_retries=2, read_timeout=30)
        server.faults.add("POST", PATH, times=2, status=429, headers={"Retry-After": "0"})
        assert stubborn.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 3

    def test_too_many_calls_for_long(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        server.faults.add("POST", PATH, status=429, headers={"Retry-After": "3600"})
        with pytest.raises(RateLimitedError) as caught:
            patient.start_process(process, key=OURS)
        assert caught.value.retryable
        assert requests(server) == {}
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}

    def test_the_token_was_revoked(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        server.faults.add("POST", PATH, then=server.revoke_all_tokens)
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 2
        assert server.token_calls == 2

    def test_a_personal_token_was_revoked(
        self, server: ProcessMakerServer, connect: Connect, patient: ProcessMakerClient, process: int
    ) -> None:
        token = server.issue_token("admin", personal=True)
        server.faults.add("POST", PATH, then=lambda: server.revoke_token(token))
        with pytest.raises(UnauthenticatedError):
            connect(server, access_token=token, read_timeout=30).start_process(process, key=OURS)
        assert requests(server) == {}
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}

    @pytest.mark.parametrize("status", [400, 403, 404, 405, 413, 422])
    def test_for_good(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, status: int) -> None:
        server.faults.add("POST", PATH, status=status, body={"message": "no"})
        with pytest.raises(ProcessMakerError) as caught:
            patient.start_process(process)
        assert (caught.value.status, caught.value.retryable) == (status, False)
        assert not isinstance(caught.value, UnknownOutcomeError)
        assert requests(server) == {}
        assert (starts(server), calls(server, "GET", "/requests")) == (1, 0)

    @pytest.mark.parametrize("status", [408, 409, 425])
    def test_for_now(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, status: int) -> None:
        """It was not done, and nothing here is wrong with it: Airflow may try it again."""
        server.faults.add("POST", PATH, status=status, body={"message": "not now"})
        with pytest.raises(ProcessMakerError) as caught:
            patient.start_process(process)
        assert (caught.value.status, caught.value.retryable) == (status, True)
        assert requests(server) == {}
        assert starts(server) == 1

    def test_by_its_own_rules(self, server: ProcessMakerServer, patient: ProcessMakerClient, connect: Connect) -> None:
        process = server.add_process("Admins only", ["Approve"])
        endless = server.add_process("No start", starts=())
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        with pytest.raises(ForbiddenError, match='"bob" lacks the permission'):
            bob.start_process(process, start_event="node_1", key=OURS)
        with pytest.raises(NotFoundError):
            patient.start_process(999, start_event="node_1", key=OURS)
        with pytest.raises(CallRefusedError) as caught:
            patient.start_process(endless, start_event="node_1", key=OURS)
        assert caught.value.status == 422
        assert requests(server) == {}
        assert starts(server) == 3

    def test_it_is_not_there(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        start = patient.keyed_start(process, key=OURS)
        patient.close()
        server.stop()
        with pytest.raises(TransportError) as caught:
            start.start()
        assert caught.value.retryable, "nothing was done, so Airflow may try again"
        assert requests(server) == {}
        server.start()
        assert start.start()["id"] == 1
        assert requests(server) == {"ACTIVE": 1}


def test_the_generation_is_kept_in_the_data(
    server: ProcessMakerServer, patient: ProcessMakerClient, process: int
) -> None:
    start = patient.keyed_start(process, {"a": 1}, key=OURS)
    start.start("3")
    assert server.request(1).data == {"a": 1, KEY: OURS, GENERATION: "3"}
