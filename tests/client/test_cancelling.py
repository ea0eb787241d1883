"""A request is canceled only while it is under way, and it is said whether it was."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.client import (
    ForbiddenError,
    NotFoundError,
    ServerError,
    StatusError,
    TransportError,
    UnknownOutcomeError,
)
from airflow_provider_processmaker.client.cancelling import Cancellation
from airflow_provider_processmaker.client.waiting import STATUSES
from tests.client.runs import LOST, calls

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

ONE = "/requests/*"


@pytest.fixture
def request_id(server: ProcessMakerServer, process: int) -> int:
    return server.start_request(process).id


def into(server: ProcessMakerServer, request_id: int, status: str) -> None:
    if status != "ACTIVE":
        end = {"COMPLETED": server.complete_request, "ERROR": server.fail_request, "CANCELED": server.cancel_request}
        end[status](request_id)  # type: ignore[operator]


def puts(server: ProcessMakerServer, request_id: int) -> int:
    return calls(server, "PUT", f"/requests/{request_id}")


class TestByStatus:
    @pytest.mark.parametrize("status", STATUSES)
    def test_only_one_under_way(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int, status: str
    ) -> None:
        into(server, request_id, status)
        done = patient.cancel_request(request_id)
        after = "CANCELED" if status == "ACTIVE" else status
        assert done == Cancellation(status, after)
        assert done.cancelled is (status == "ACTIVE")
        assert server.request(request_id).status == after
        assert puts(server, request_id) == (1 if status == "ACTIVE" else 0)

    @pytest.mark.parametrize("status", STATUSES)
    def test_whatever_its_status(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int, status: str
    ) -> None:
        into(server, request_id, status)
        done = patient.cancel_request(request_id, only=STATUSES)
        assert done == Cancellation(status, "CANCELED")
        assert done.cancelled is (status != "CANCELED")
        assert server.request(request_id).status == "CANCELED"

    def test_one_in_error_if_wanted(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int
    ) -> None:
        into(server, request_id, "ERROR")
        assert patient.cancel_request(request_id, only=("ACTIVE", "ERROR")) == Cancellation("ERROR", "CANCELED")

    def test_twice(self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int) -> None:
        assert patient.cancel_request(str(request_id)).cancelled  # type: ignore[arg-type]
        assert not patient.cancel_request(request_id).cancelled
        assert puts(server, request_id) == 1

    def test_it_completes_before(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int
    ) -> None:
        server.faults.add("GET", ONE, then=lambda: server.complete_request(request_id))
        assert patient.cancel_request(request_id) == Cancellation("COMPLETED", "COMPLETED")
        assert puts(server, request_id) == 0


class TestTheAnswerIsLost:
    @pytest.mark.parametrize("fault", [name for name in LOST if name != "broken gzip"])
    def test_looked_at_again(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int, fault: str
    ) -> None:
        how, done = LOST[fault]
        server.faults.add("PUT", ONE, **how)
        if done:
            assert patient.cancel_request(request_id) == Cancellation("ACTIVE", "CANCELED")
        else:
            with pytest.raises(UnknownOutcomeError, match="not confirmed: it is still ACTIVE") as caught:
                patient.cancel_request(request_id)
            assert caught.value.retryable
            assert (caught.value.method, caught.value.path) == ("PUT", f"/api/1.0/requests/{request_id}")
            assert server.request(request_id).status == "ACTIVE"
            assert patient.cancel_request(request_id).cancelled
        assert server.request(request_id).status == "CANCELED"
        assert puts(server, request_id) == (1 if done else 2)

    def test_done_in_words_only(self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int) -> None:
        """The server has waited 60 s for its own lock, and answers as if it had canceled."""
        server.faults.add("PUT", ONE, status=204)
        with pytest.raises(UnknownOutcomeError, match="it is still ACTIVE") as caught:
            patient.cancel_request(request_id)
        assert caught.value.retryable
        assert "A later try looks first." in str(caught.value)
        assert patient.cancel_request(request_id).cancelled

    def test_it_completes_meanwhile(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int
    ) -> None:
        server.faults.add("PUT", ONE, drop="before", then=lambda: server.complete_request(request_id))
        done = patient.cancel_request(request_id)
        assert done == Cancellation("ACTIVE", "COMPLETED")
        assert not done.cancelled

    def test_the_server_holds_it_for_long(self, server: ProcessMakerServer, connect: Connect, request_id: int) -> None:
        impatient = connect(server, read_timeout=30)
        server.faults.add("PUT", ONE, delay=2.0, delay_when="after")
        assert impatient.cancel_request(request_id, read_timeout=1.0) == Cancellation("ACTIVE", "CANCELED")

    def test_it_cannot_be_looked_at_before(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int
    ) -> None:
        server.faults.add("GET", ONE, status=503)
        with pytest.raises(ServerError) as caught:
            patient.cancel_request(request_id)
        assert caught.value.retryable
        assert puts(server, request_id) == 0

    def test_it_cannot_be_looked_at_afterwards(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int
    ) -> None:
        server.faults.add("GET", ONE, after=1, status=503)
        with pytest.raises(UnknownOutcomeError, match="sent and is not confirmed: it cannot be looked at") as caught:
            patient.cancel_request(request_id)
        assert caught.value.retryable
        assert puts(server, request_id) == 1


class TestTheServerRefuses:
    def test_without_the_right(self, server: ProcessMakerServer, connect: Connect) -> None:
        """To have started it is not enough."""
        process = server.add_process("For Bob", ["Approve"], start_users=["bob"])
        row = server.start_request(process, username="bob")
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        with pytest.raises(ForbiddenError, match="Not authorized to cancel this request"):
            bob.cancel_request(row.id)
        assert server.request(row.id).status == "ACTIVE"

    def test_with_the_right(self, server: ProcessMakerServer, connect: Connect) -> None:
        process = server.add_process("For Bob", ["Approve"], start_users=["bob"], cancel_users=["bob"])
        row = server.start_request(process, username="bob")
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        assert bob.cancel_request(row.id).cancelled

    def test_one_that_he_may_not_see(self, server: ProcessMakerServer, connect: Connect, request_id: int) -> None:
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        with pytest.raises(ForbiddenError):
            bob.cancel_request(request_id)
        assert puts(server, request_id) == 0

    def test_one_that_is_not_there(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        with pytest.raises(NotFoundError):
            patient.cancel_request(99)
        assert puts(server, 99) == 0

    @pytest.mark.parametrize("status", [401, 403, 404, 422, 429])
    def test_for_other_reasons(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, request_id: int, status: int
    ) -> None:
        server.faults.add("PUT", ONE, times=None, status=status, body={"message": "no"})
        with pytest.raises(StatusError) as caught:
            patient.cancel_request(request_id)
        assert caught.value.status == status
        assert server.request(request_id).status == "ACTIVE"

    def test_it_is_not_there(self, server: ProcessMakerServer, connect: Connect, request_id: int) -> None:
        server.stop()
        with pytest.raises(TransportError) as caught:
            connect(server).cancel_request(request_id)
        assert caught.value.retryable
