"""Waiting for requests of a real stand-in: people and systems go on there, and the server has its bad days."""

from __future__ import annotations

import threading
import time
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    ForbiddenError,
    InvalidInputError,
    ProcessMakerError,
    RequestFailedError,
    RequestGoneError,
    ServerError,
    TransportError,
    UnauthenticatedError,
    WaitTimeoutError,
)
from tests.client.runs import HTML

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

ONE, ALL = "/requests/*", "/requests*"


def asked(server: ProcessMakerServer) -> int:
    """How many calls there were for requests."""
    return sum("/requests" in call.path for call in server.calls)


def at_look(server: ProcessMakerServer, number: int, job: Callable[[], Any], path: str = ONE) -> None:
    """Do something at the so-many-th look."""
    server.faults.add("GET", path, after=number - 1, then=job)


class TestTheirEnd:
    def test_one(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process)
        at_look(server, 3, lambda: server.complete_request(row.id))
        found = patient.wait_for_requests([row.id], poll_interval=0.01)
        assert [(one["id"], one["status"]) for one in found] == [(row.id, "COMPLETED")]

    def test_many(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        ids = [row.id for row in server.add_requests(process, 50)]
        for number, request_id in enumerate(ids, 1):
            at_look(server, number, lambda done=request_id: server.complete_request(done), "/requests")
        found = patient.wait_for_requests(reversed(ids), poll_interval=0.01)
        assert [(one["id"], one["status"]) for one in found] == [(one, "COMPLETED") for one in ids]

    def test_it_is_over_before(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process)
        server.complete_request(row.id)
        started = time.monotonic()
        patient.wait_for_requests([row.id], poll_interval=600)
        assert time.monotonic() - started < 60
        assert asked(server) == 2

    def test_another_wanted_status(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process)
        assert patient.wait_for_requests(row.id, "ACTIVE")[0]["status"] == "ACTIVE"
        server.cancel_request(row.id)
        found = patient.wait_for_requests(str(row.id), ["COMPLETED", "CANCELED"])
        assert found[0]["status"] == "CANCELED"

    def test_an_error_that_is_mended_in_time(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        row = server.start_request(process)
        at_look(server, 2, lambda: server.fail_request(row.id))
        at_look(server, 4, lambda: server.resume_request(row.id))
        at_look(server, 6, lambda: server.complete_request(row.id))
        assert patient.wait_for_requests([row.id], poll_interval=0.01, error_grace=600)[0]["status"] == "COMPLETED"

    def test_the_time_is_up(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process)
        with pytest.raises(WaitTimeoutError, match=f"request {row.id} is still ACTIVE") as caught:
            patient.wait_for_requests([row.id], poll_interval=0.05, timeout=0.2)
        assert caught.value.request_id == row.id
        assert f"{server.url}/cases/{row.columns['case_number']}" in str(caught.value)
        assert server.request(row.id).status == "ACTIVE"

    def test_the_time_is_up_for_several(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 4)]
        server.complete_request(ids[0])
        server.fail_request(ids[2])
        with pytest.raises(WaitTimeoutError, match=f"request {ids[1]} is still ACTIVE, and 2 more with it"):
            patient.wait_for_requests(ids, timeout=0)

    @pytest.mark.parametrize("options", [{"timeout": -1}, {"poll_interval": 0}, {"error_grace": -1}, {"statuses": "X"}])
    def test_what_makes_no_sense(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, options: dict[str, Any]
    ) -> None:
        with pytest.raises(InvalidInputError):
            patient.wait_for_requests([1], **options)
        assert server.calls == []


class TestGoneOrHidden:
    @pytest.mark.parametrize("count", [1, 3])
    def test_deleted(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, count: int) -> None:
        ids = [row.id for row in server.add_requests(process, count)]
        at_look(server, 2, lambda: server.delete_request(ids[-1]), ALL)
        with pytest.raises(RequestGoneError, match=f"Request {ids[-1]} is not there any more: it was deleted") as gone:
            patient.wait_for_requests(ids, poll_interval=0.01, error_grace=0)
        assert gone.value.request_id == ids[-1]

    @pytest.mark.parametrize("count", [1, 3])
    def test_invisible(self, server: ProcessMakerServer, connect: Connect, count: int) -> None:
        process = server.add_process("For Bob", ["Approve"], start_users=["bob"])
        ids = [row.id for row in server.add_requests(process, count, username="bob")]
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        at_look(server, 2, lambda: server.give_request(ids[-1], "ina"), ALL)
        with pytest.raises(RequestGoneError, match=f"Request {ids[-1]} may no longer be seen by bob") as hidden:
            bob.wait_for_requests(ids, poll_interval=0.01, error_grace=0)
        assert hidden.value.request_id == ids[-1]

    def test_of_somebody_else_from_the_start(self, server: ProcessMakerServer, connect: Connect, process: int) -> None:
        row = server.start_request(process)
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        with pytest.raises(RequestGoneError, match="take a connection of a user who has it"):
            bob.wait_for_requests([row.id], error_grace=0)

    def test_merely_late(self, server: ProcessMakerServer, connect: Connect, process: int) -> None:
        """Not to be seen for a moment, as on a replica of the database, or until a permission is there."""
        row = server.start_request(process)
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        at_look(server, 3, lambda: server.give_request(row.id, "bob"))
        at_look(server, 5, lambda: server.complete_request(row.id))
        assert bob.wait_for_requests([row.id], poll_interval=0.01, error_grace=600)[0]["status"] == "COMPLETED"

    def test_late_for_good(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        with pytest.raises(WaitTimeoutError):
            patient.wait_for_requests([99], poll_interval=0.05, error_grace=600, timeout=0.2)


FAULTS: dict[str, dict[str, Any]] = {
    "503": {"status": 503, "body": {"message": "Service Unavailable"}, "headers": {"Retry-After": "30"}},
    "500": {"status": 500},
    "502 of nginx": {"status": 502, "body": HTML, "content_type": "text/html"},
    "429": {"status": 429, "headers": {"Retry-After": "1"}},
    "HTML": {"status": 200, "body": HTML, "content_type": "text/html"},
    "a redirect": {"redirect": "/login"},
    "dropped": {"drop": "after"},
    "reset": {"reset": "before"},
    "cut off": {"truncate": 9},
    "a list without rows": {"status": 200, "body": {"data": None}},
    "nothing": {"status": 200, "body": ""},
}


class TestOutages:
    @pytest.mark.parametrize("count", [1, 3])
    @pytest.mark.parametrize("fault", FAULTS)
    def test_waited_out(
        self,
        server: ProcessMakerServer,
        patient: ProcessMakerClient,
        process: int,
        caplog: pytest.LogCaptureFixture,
        fault: str,
        count: int,
    ) -> None:
        caplog.set_level("INFO")
        ids = [row.id for row in server.add_requests(process, count)]
        outage = server.faults.add("GET", ALL, after=1, times=8, **FAULTS[fault])
        at_look(server, 11, lambda: [server.complete_request(one) for one in ids], ALL)
        patient.wait_for_requests(ids, poll_interval=0.01)
        assert caplog.text.count("ProcessMaker cannot be asked; waiting up to 600 s for it.") == 1
        assert caplog.text.count("ProcessMaker answers again") == 1
        assert outage.hits == 8
        # One call for each look before, while and after: nothing is asked twice. In the end the rows are read.
        assert asked(server) <= 8 + 3 + 3

    def test_the_server_is_away(
        self,
        server: ProcessMakerServer,
        patient: ProcessMakerClient,
        process: int,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """Stopped and started again on its port, as for an update."""
        caplog.set_level("INFO")
        row = server.start_request(process)
        away = threading.Event()

        def update() -> None:
            away.wait(60)
            server.stop()
            end = time.monotonic() + 60
            while "cannot be asked" not in caplog.text and time.monotonic() < end:
                time.sleep(0.05)
            server.complete_request(row.id)
            server.start()

        thread = threading.Thread(target=update)
        thread.start()
        try:
            at_look(server, 2, away.set)
            assert patient.wait_for_requests([row.id], poll_interval=0.05)[0]["status"] == "COMPLETED"
        finally:
            away.set()
            thread.join()
        assert caplog.text.count("ProcessMaker cannot be asked") == 1
        assert "ProcessMaker answers again" in caplog.text

    def test_longer_than_the_budget(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        row = server.start_request(process)
        server.faults.add("GET", ONE, times=None, after=1, status=503)
        with pytest.raises(ServerError, match=r"could not be asked \(outage_budget\)") as caught:
            patient.wait_for_requests([row.id], poll_interval=0.05, outage_budget=0.3)
        assert caught.value.retryable
        assert 3 <= asked(server) <= 9

    def test_the_rows_cannot_be_read_in_the_end(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        """It has all been waited for: a blip now must not spoil it."""
        row = server.start_request(process)
        server.complete_request(row.id)
        server.faults.add("GET", "/requests", times=3, status=503)
        assert patient.wait_for_requests([row.id], poll_interval=0.01)[0]["status"] == "COMPLETED"
        server.faults.add("GET", "/requests", times=None, status=503)
        with pytest.raises(ServerError):
            patient.wait_for_requests([row.id], poll_interval=0.01, outage_budget=0.1)

    def test_a_definite_error_is_not_waited_out(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 2)]
        server.faults.add("GET", "/requests", times=None, after=1, status=403)
        with pytest.raises(ForbiddenError):
            patient.wait_for_requests(ids, poll_interval=0.01)
        assert asked(server) == 2

    def test_the_token_is_revoked(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process)
        at_look(server, 2, server.revoke_all_tokens)
        at_look(server, 4, lambda: server.complete_request(row.id))
        patient.wait_for_requests([row.id], poll_interval=0.01)
        assert server.token_calls == 2

    def test_the_token_is_revoked_in_an_outage(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        row = server.start_request(process)
        at_look(server, 2, server.revoke_all_tokens)
        server.faults.add("POST", "/oauth/token", after=1, times=3, status=503)
        at_look(server, 7, lambda: server.complete_request(row.id))
        assert patient.wait_for_requests([row.id], poll_interval=0.01)[0]["status"] == "COMPLETED"

    def test_there_is_no_other_token(self, server: ProcessMakerServer, connect: Connect, process: int) -> None:
        token = server.issue_token("admin", personal=True)
        row = server.start_request(process)
        at_look(server, 2, lambda: server.revoke_token(token))
        with pytest.raises(UnauthenticatedError):
            connect(server, access_token=token, read_timeout=30).wait_for_requests([row.id], poll_interval=0.01)

    def test_no_server_at_all(self, server: ProcessMakerServer, connect: Connect) -> None:
        server.stop()
        with pytest.raises(TransportError, match="outage_budget"):
            connect(server).wait_for_requests([1], poll_interval=0.01, outage_budget=0.1)


def test_an_error_of_the_wait_is_one_of_ours() -> None:
    kinds = (RequestFailedError, RequestGoneError, WaitTimeoutError)
    assert all(issubclass(kind, ProcessMakerError) and not kind.retryable for kind in kinds)
