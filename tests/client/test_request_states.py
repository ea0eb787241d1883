"""The states of many requests in few and small calls, each of them right."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pytest

from airflow_provider_processmaker.client import (
    InvalidInputError,
    NotFoundError,
    ServerError,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.request_states import GONE, HIDDEN, NOT_TOLD, id_batches

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from airflow_provider_processmaker.testing.calls import Call

    Connect = Callable[..., ProcessMakerClient]

#: What nginx in front of ProcessMaker takes for a URL.
LONGEST_URL = 8000


def looks(server: ProcessMakerServer) -> list[Call]:
    return [call for call in server.calls if "/requests" in call.path]


def counts(server: ProcessMakerServer) -> int:
    return sum("total=true" in call.query for call in looks(server))


def is_rows(call: Call) -> bool:
    return call.path == "/api/1.0/requests" and "total=true" not in call.query


def rows(server: ProcessMakerServer) -> int:
    return sum(is_rows(call) for call in looks(server))


@pytest.fixture
def ready(server: ProcessMakerServer, patient: ProcessMakerClient) -> ProcessMakerClient:
    """A client with its token, and a server without a call on its list."""
    patient.token()
    server.reset_calls()
    return patient


def of_each_kind(server: ProcessMakerServer, process: int) -> dict[int, str]:
    ids = [row.id for row in server.add_requests(process, 4)]
    server.complete_request(ids[1])
    server.fail_request(ids[2])
    server.cancel_request(ids[3])
    return dict(zip(ids, ["ACTIVE", "COMPLETED", "ERROR", "CANCELED"], strict=True))


class TestStatuses:
    def test_of_one(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        states = of_each_kind(server, process)
        for one, status in states.items():
            assert ready.request_statuses([one]) == {one: status}
        assert [call.path for call in looks(server)] == [f"/api/1.0/requests/{one}" for one in states]

    def test_of_one_of_each_kind(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        states = of_each_kind(server, process)
        assert ready.request_statuses(states) == states
        assert len(looks(server)) == 2

    def test_while_all_are_active(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        ids = [row.id for row in server.add_requests(process, 2)]
        assert ready.request_statuses(ids) == dict.fromkeys(ids, "ACTIVE")
        assert (len(looks(server)), counts(server)) == (1, 1)

    def test_of_none(self, server: ProcessMakerServer, ready: ProcessMakerClient) -> None:
        with pytest.raises(InvalidInputError, match="No id of a request"):
            ready.request_statuses([])
        assert server.calls == []

    def test_of_a_thousand(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        ids = [row.id for row in server.add_requests(process, 1000)]
        assert ready.request_statuses(ids) == dict.fromkeys(ids, "ACTIVE")
        assert len(looks(server)) == 2
        assert all(len(call.path) + len(call.query) < LONGEST_URL for call in looks(server))

    def test_of_a_thousand_of_which_some_have_ended(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 1000)]
        expected = dict.fromkeys(ids, "ACTIVE")
        for end, status, some in [
            (server.complete_request, "COMPLETED", ids[::7]),
            (server.fail_request, "ERROR", ids[1::70]),
            (server.cancel_request, "CANCELED", ids[2::70]),
        ]:
            for one in some:
                end(one)  # type: ignore[operator]
                expected[one] = status
        assert ready.request_statuses(ids) == expected
        assert (len(looks(server)), counts(server), rows(server)) == (4, 2, 2)
        assert all(len(call.path) + len(call.query) < LONGEST_URL for call in looks(server))

    def test_one_of_many_was_deleted(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        ids = [row.id for row in server.add_requests(process, 500)]
        server.delete_request(ids[250])
        assert ready.request_statuses(ids) == {**dict.fromkeys(ids, "ACTIVE"), ids[250]: GONE}
        paths = [call.path for call in looks(server)]
        assert len(paths) == 4
        assert paths[-1] == f"/api/1.0/requests/{ids[250]}"

    def test_deleted_and_hidden_are_told_apart(self, server: ProcessMakerServer, connect: Connect) -> None:
        process = server.add_process("For Bob", ["Approve"], start_users=["bob"])
        ids = [row.id for row in server.add_requests(process, 4, username="bob")]
        server.delete_request(ids[1])
        server.give_request(ids[2], "ina")
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        states = dict(zip(ids, ["ACTIVE", GONE, HIDDEN, "ACTIVE"], strict=True))
        assert bob.request_statuses(ids) == states
        assert {one: bob.request_statuses([one])[one] for one in ids} == states

    def test_of_many_that_are_missing_a_few_are_looked_up(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 40)]
        for one in ids[10:]:
            server.delete_request(one)
        found = ready.request_statuses(ids)
        assert [found[one] for one in ids[:10]] == ["ACTIVE"] * 10
        assert sorted(found[one] for one in ids[10:]) == [GONE] * 10 + [NOT_TOLD] * 20
        assert len(looks(server)) == 13

    def test_each_of_them_has_its_turn(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 30)]
        for one in ids:
            server.delete_request(one)
        told: set[int] = set()
        for _ in range(60):
            told |= {one for one, status in ready.request_statuses(ids).items() if status == GONE}
        assert told == set(ids)

    def test_whatever_the_order(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        states = of_each_kind(server, process)
        given = [*reversed(states), *(str(one) for one in states)]
        assert ready.request_statuses(given) == states  # type: ignore[arg-type]

    @pytest.mark.parametrize(
        ("end", "status"),
        [("complete_request", "COMPLETED"), ("fail_request", "ERROR"), ("cancel_request", "CANCELED")],
    )
    def test_one_ends_between_the_two_calls(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int, end: str, status: str
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 5)]
        server.complete_request(ids[0])
        server.faults.add("GET", "/requests", when=is_rows, then=lambda: getattr(server, end)(ids[2]))
        assert ready.request_statuses(ids) == {
            **dict.fromkeys(ids, "ACTIVE"),
            ids[0]: "COMPLETED",
            ids[2]: status,
        }
        assert len(looks(server)) == 3

    def test_one_is_deleted_between_the_two_calls(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 5)]
        server.complete_request(ids[0])
        server.faults.add("GET", "/requests", when=is_rows, then=lambda: server.delete_request(ids[0]))
        assert ready.request_statuses(ids) == {**dict.fromkeys(ids, "ACTIVE"), ids[0]: GONE}

    def test_one_is_mended_between_the_two_calls(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 3)]
        server.fail_request(ids[0])
        server.faults.add("GET", "/requests", when=is_rows, then=lambda: server.resume_request(ids[0]))
        assert ready.request_statuses(ids) == dict.fromkeys(ids, "ACTIVE")

    def test_the_subprocesses_of_others_do_not_count(
        self, server: ProcessMakerServer, ready: ProcessMakerClient
    ) -> None:
        server.add_example_processes()
        parents = [row.id for row in server.add_requests("Call Parent", 3)]
        assert ready.request_statuses(parents) == dict.fromkeys(parents, "ACTIVE")
        assert len(looks(server)) == 1

    @pytest.mark.parametrize("body", [{}, {"meta": {}}, {"meta": {"total": None}}, {"data": []}, [], None, "OK"])
    def test_a_count_that_is_none(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int, body: Any
    ) -> None:
        ids = [row.id for row in server.add_requests(process, 2)]
        server.faults.add("GET", "/requests", status=200, body=body if body is not None else "null")
        with pytest.raises(UnexpectedAnswerError):
            ready.request_statuses(ids)

    @pytest.mark.parametrize("row", [{}, {"id": 1}, {"status": "ERROR"}, {"id": None, "status": "ERROR"}])
    def test_a_row_that_is_none(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int, row: dict[str, Any]
    ) -> None:
        ids = [one.id for one in server.add_requests(process, 2)]
        server.complete_request(ids[0])
        server.faults.add("GET", "/requests", when=is_rows, status=200, body={"data": [row], "meta": {"total": 1}})
        with pytest.raises(UnexpectedAnswerError, match="without id or status"):
            ready.request_statuses(ids)

    def test_a_failure_is_raised(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        ids = [row.id for row in server.add_requests(process, 2)]
        server.faults.add("GET", "/requests", status=503)
        with pytest.raises(ServerError):
            ready.request_statuses(ids)


class TestBatches:
    @pytest.mark.parametrize("highest", [9, 99_999, 2**63 - 1])
    def test_they_fit_and_lose_none(self, highest: int) -> None:
        ids = range(max(1, highest - 4_999), highest + 1)
        batches = list(id_batches([*ids, *ids]))
        assert [one for batch in batches for one in batch] == list(ids)
        for batch in batches:
            assert sum(len(str(one)) + len("%2C%20") for one in batch) < 6_000
        if len(batches) > 1:
            assert min(len(batch) for batch in batches[:-1]) > 200

    def test_none(self) -> None:
        assert list(id_batches([])) == []


class TestRequests:
    def test_by_their_ids(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        ids = [row.id for row in server.add_requests(process, 5)]
        server.delete_request(ids[1])
        found = ready.get_requests([ids[4], ids[0], ids[1], 999, ids[2], ids[0]])
        assert [row["id"] for row in found] == [ids[0], ids[2], ids[4]]
        assert all("data" not in row for row in found)
        assert len(looks(server)) == 1

    def test_with_their_data(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process, {"a": 1, "_b": 2})
        assert ready.get_requests([row.id], data=True)[0]["data"] == {"a": 1}

    def test_a_thousand(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        ids = [row.id for row in server.add_requests(process, 1000)]
        assert [row["id"] for row in ready.get_requests(reversed(ids))] == ids
        assert len(looks(server)) == 2

    def test_one(self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
        row = server.start_request(process, {"a": 1})
        assert ready.get_request(row.id)["status"] == "ACTIVE"
        assert "data" not in ready.get_request(row.id)
        assert ready.get_request(row.id, data=True)["data"] == {"a": 1}
        with pytest.raises(NotFoundError):
            ready.get_request(999)

    @pytest.mark.parametrize("body", [{}, [], "null", {"id": 2, "status": "ACTIVE"}, {"id": 1}, "OK"])
    def test_one_that_is_none(
        self, server: ProcessMakerServer, ready: ProcessMakerClient, process: int, body: Any
    ) -> None:
        server.start_request(process)
        server.faults.add("GET", "/requests/1", status=200, body=body)
        with pytest.raises(UnexpectedAnswerError):
            ready.get_request(1)

    @pytest.mark.parametrize("given", [0, -1, None, True, 1.5, "x", "1.5", "", [1], 2**63])
    def test_what_is_no_id(self, server: ProcessMakerServer, ready: ProcessMakerClient, given: Any) -> None:
        for call in (ready.get_request, ready.cancel_request):
            with pytest.raises(InvalidInputError, match="A request is given by its id"):
                call(given)
        assert server.calls == []


def test_the_query_is_as_it_was_measured(server: ProcessMakerServer, ready: ProcessMakerClient, process: int) -> None:
    """On a real server a count of this form takes a sixteenth of the time of the rows."""
    ids = [row.id for row in server.add_requests(process, 3)]
    ready.request_statuses(ids)
    assert parse_qs(looks(server)[0].query) == {
        "pmql": [f'((id IN [{ids[0]}, {ids[1]}, {ids[2]}]) AND (status = "ACTIVE"))'],
        "total": ["true"],
    }
