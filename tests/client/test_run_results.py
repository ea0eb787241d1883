"""What is told of a request that was waited for: its result in a few fields, its page, or its error."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    RequestFailedError,
)
from airflow_provider_processmaker.client.run_results import error_of_run, result_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

ONE, ALL = "/requests/*", "/requests*"


def at_look(server: ProcessMakerServer, number: int, job: Callable[[], Any], path: str = ONE) -> None:
    """Do something at the so-many-th look."""
    server.faults.add("GET", path, after=number - 1, then=job)


class TestWhatTheErrorTells:
    def test_of_one_in_error(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        server.add_example_processes()
        row = server.start_request("Script Error")
        with pytest.raises(RequestFailedError) as caught:
            patient.wait_for_requests([row.id], poll_interval=0.01, error_grace=0)
        text = str(caught.value)
        assert f'Request {row.id} of the process "Script Error", case {row.columns["case_number"]} is ERROR' in text
        assert 'element "Run failing script" (node_40)' in text
        assert "boom from script" in text
        assert "Mend it and retry it in ProcessMaker." in text
        assert text.endswith(f"{server.url}/cases/{row.columns['case_number']}")
        assert (caught.value.request_id, caught.value.request_status) == (row.id, "ERROR")
        assert "#0 {main}" not in text, "no trace"

    def test_on_a_server_without_cases(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        server.faults.add("GET", "/api/1.1/cases/*", times=None, status=404)
        row = server.start_request(process)
        server.fail_request(row.id, "No printer", "Print")
        with pytest.raises(RequestFailedError, match=f"{server.url}/requests/{row.id}$"):
            patient.wait_for_requests([row.id], error_grace=0)

    def test_of_one_that_was_canceled(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 3)]
        at_look(server, 2, lambda: server.cancel_request(ids[1]), "/requests")
        with pytest.raises(RequestFailedError, match=f"Request {ids[1]} .* is CANCELED. Somebody canceled") as caught:
            patient.wait_for_requests(ids, poll_interval=0.01)
        assert (caught.value.request_id, caught.value.request_status) == (ids[1], "CANCELED")

    def test_of_one_that_completed_too_early(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        row = server.start_request(process)
        server.complete_request(row.id)
        with pytest.raises(RequestFailedError, match="is COMPLETED") as caught:
            patient.wait_for_requests([row.id], ["CANCELED"])
        assert caught.value.request_status == "COMPLETED"

    def test_of_a_status_that_is_new(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        row = server.start_request(process)
        server.faults.add("GET", ONE, times=None, change=lambda body: {**body, "status": "PAUSED"})
        with pytest.raises(RequestFailedError, match="is PAUSED, a status that this version does not know"):
            patient.wait_for_requests([row.id])

    def test_when_the_server_does_not_tell_more(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        row = server.start_request(process)
        server.cancel_request(row.id)
        server.faults.add("GET", ONE, after=1, times=None, status=503)
        with pytest.raises(RequestFailedError, match=f"Request {row.id} is CANCELED") as caught:
            patient.wait_for_requests([row.id])
        assert f"{server.url}/requests/{row.id}" in str(caught.value)

    @pytest.mark.parametrize(
        ("errors", "said"),
        [
            (None, "is ERROR. Mend"),
            ([], "is ERROR. Mend"),
            ("text", "is ERROR. Mend"),
            ([None, 5], "is ERROR. Mend"),
            ([{"element_name": "A", "element_id": "n", "message": "m."}], 'is ERROR: element "A" (n): m. Mend'),
            ({"n": {"element_name": "A", "element_id": "n", "message": "m"}}, 'is ERROR: element "A" (n): m. Mend'),
            ([{"element_name": "A", "element_id": "n", "message": None}], 'element "A" (n): no message. Mend'),
            ([{"element_name": "A", "element_id": "n", "message": "m"}] * 9, 'is ERROR: element "A" (n): m. Mend'),
            (
                [{"element_name": name, "element_id": name, "message": "m"} for name in "ABCDE"],
                'is ERROR: element "C" (C): m; element "D" (D): m; element "E" (E): m. Mend',
            ),
        ],
    )
    def test_shapes_of_errors(self, errors: Any, said: str) -> None:
        error = error_of_run({"id": 5, "errors": errors}, "ERROR", "https://pm/requests/5")
        assert said in str(error)

    def test_a_long_message_is_cut(self) -> None:
        errors = [{"element_name": "A", "element_id": "n", "message": "x" * 100_000}]
        assert len(str(error_of_run({"id": 5, "errors": errors}, "ERROR", "https://pm"))) < 1000


class TestResults:
    def test_in_a_few_fields(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process, {"amount": 5, "_secret": 1})
        server.complete_request(row.id, {"approved": True})
        found = patient.get_request(row.id, data=True)
        assert result_of(found, patient.link_of(found), data=True) == {
            "request_id": row.id, "process_id": process, "name": "Approval", "case_number": 1, "status": "COMPLETED",
            "initiated_at": found["initiated_at"], "completed_at": found["completed_at"],
            "url": f"{server.url}/cases/1", "data": {"amount": 5, "approved": True},
        }  # fmt: skip
        assert "data" not in result_of(found, "x")

    @pytest.mark.parametrize("data", [[], None, {"_a": 1}])
    def test_no_data(self, data: Any) -> None:
        assert result_of({"id": 1, "status": "ACTIVE", "data": data}, "x", data=True)["data"] == {}

    def test_whether_there_are_cases_is_asked_once(
        self, server: ProcessMakerServer, patient: ProcessMakerClient
    ) -> None:
        assert patient.link(5) == f"{server.url}/requests/5"
        assert [patient.link(5, number) for number in (7, 8)] == [f"{server.url}/cases/{number}" for number in (7, 8)]
        assert sum("/cases/" in call.path for call in server.calls) == 1

    def test_a_link_needs_no_server(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        server.stop()
        assert patient.link(5, 7) == f"{server.url}/requests/5"
