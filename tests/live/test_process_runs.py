"""Process runs, from the start to every end, against a server of which nothing is assumed but an administrator's login.

As in ``test_flows.py``: against the stand-in in every test run, and against the ProcessMaker that
``PROCESSMAKER_LIVE_CONN`` names. What is left of a run there is an archived process.
"""

from __future__ import annotations

import secrets
from typing import TYPE_CHECKING, Any
from unittest.mock import patch

import pytest

from airflow_provider_processmaker.client import ForbiddenError, InvalidInputError
from airflow_provider_processmaker.client.errors import RequestFailedError, RequestGoneError, WaitTimeoutError
from airflow_provider_processmaker.client.pmql import field

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import ProcessMakerClient
    from tests.live.target import Target


@pytest.fixture
def process(target: Target) -> dict[str, Any]:
    return target.create_process()


def new_key() -> str:
    return f"live-{secrets.token_hex(8)}"


def started(target: Target, process: dict[str, Any], count: int = 1, **data: Any) -> list[int]:
    return [target.admin.start_process(process["name"], data)["id"] for _ in range(count)]


def requests_of(client: ProcessMakerClient, process: dict[str, Any]) -> list[int]:
    return [row["id"] for row in client.iter_records("requests", pmql=str(field("process_id") == process["id"]))]


class TestStarting:
    def test_the_start_event_is_found(self, target: Target, process: dict[str, Any]) -> None:
        for given in (process["name"], process["id"], str(process["id"])):
            found = target.admin.start_event(given)
            assert (found.process_id, found.event_id) == (process["id"], "node_1")
        assert target.admin.start_event(process["name"], "Begin").event_id == "node_1"
        with pytest.raises(InvalidInputError, match=r"no single start event.*Begin"):
            target.admin.start_event(process["name"], "Beginn")
        with pytest.raises(InvalidInputError, match=r"There is no process.*to start"):
            target.admin.start_event(f"{process['name']}-x")

    def test_once_for_a_key(self, target: Target, process: dict[str, Any]) -> None:
        key = new_key()
        first = target.admin.start_process(process["name"], {"order": 7, "text": "ü"}, key=key)
        again = target.admin.start_process(process["id"], {"order": 8}, key=key)
        other = target.admin.start_process(process["name"], {"order": 9}, key=new_key())
        assert first["status"] == "ACTIVE"
        assert (again["id"], other["id"] == first["id"]) == (first["id"], False)
        assert requests_of(target.admin, process) == [first["id"], other["id"]]
        data = target.admin.get_request(first["id"], data=True)["data"]
        assert (data["order"], data["text"], data["airflow_key"]) == (7, "ü", key)

    def test_the_key_is_found_by_what_the_server_says_of_it(self, target: Target, process: dict[str, Any]) -> None:
        start = target.admin.keyed_start(process["name"], key=new_key())
        assert start.found() == []
        row = start.start("1-2")
        assert [found["id"] for found in start.found()] == [row["id"]]
        assert start.found()[0]["data"]["airflow_generation"] == "1-2"

    def test_not_by_who_may_not(self, target: Target, process: dict[str, Any]) -> None:
        user, password = target.create_user()
        plain = target.as_user(user, password)
        with pytest.raises(InvalidInputError, match="There is no process"):
            plain.start_process(process["name"])
        with pytest.raises(ForbiddenError):
            plain.start_process(process["id"], start_event="node_1")
        assert requests_of(target.admin, process) == []


class TestWaiting:
    def test_many_are_few_calls(self, target: Target, process: dict[str, Any]) -> None:
        client = target.admin
        ids = started(target, process, 5)
        these = field("id").is_in(ids)
        assert client.count("requests", pmql=these) == 5
        with patch.object(client, "get", wraps=client.get) as calls:
            assert client.request_statuses(ids) == dict.fromkeys(ids, "ACTIVE")
            assert calls.call_count == 1
            client.cancel_request(ids[0])
            target.complete(ids[1], {})
            calls.reset_mock()
            expected = dict.fromkeys(ids, "ACTIVE") | {ids[0]: "CANCELED", ids[1]: "COMPLETED"}
            assert client.request_statuses(ids) == expected
            assert calls.call_count == 2
        ended = client.iter_records("requests", pmql=these & (field("status") != "ACTIVE"), fields=["id"])
        assert [row["id"] for row in ended] == ids[:2]
        assert [row["id"] for row in client.get_requests(reversed(ids))] == ids

    def test_one_that_a_person_completes(self, target: Target, process: dict[str, Any]) -> None:
        (request_id,) = started(target, process, amount=3)
        with pytest.raises(WaitTimeoutError, match=f"request {request_id} is still ACTIVE"):
            target.admin.wait_for_requests([request_id], poll_interval=0.2, timeout=0.5)
        target.complete(request_id, {"approved": True, "note": ""})
        (row,) = target.admin.wait_for_requests([request_id], poll_interval=0.5, timeout=60)
        assert (row["status"], row["name"]) == ("COMPLETED", process["name"])
        data = target.admin.get_request(request_id, data=True)["data"]
        assert (data["amount"], data["approved"]) == (3, True)
        assert not [name for name in data if name.startswith("_")]

    def test_one_that_is_canceled(self, target: Target, process: dict[str, Any]) -> None:
        (request_id,) = started(target, process)
        target.admin.cancel_request(request_id)
        with pytest.raises(RequestFailedError, match=f'process "{process["name"]}".* is CANCELED') as caught:
            target.admin.wait_for_requests([request_id], poll_interval=0.2, timeout=60)
        assert caught.value.request_id == request_id

    def test_one_that_is_deleted_or_hidden(self, target: Target, process: dict[str, Any]) -> None:
        gone, stays = started(target, process, 2)
        user, password = target.create_user()
        plain = target.as_user(user, password)
        assert plain.request_statuses([gone, stays]) == {gone: "HIDDEN", stays: "HIDDEN"}
        target.admin.delete(f"requests/{gone}")
        assert target.admin.request_statuses([gone, stays]) == {gone: "GONE", stays: "ACTIVE"}
        with pytest.raises(RequestGoneError, match="deleted"):
            target.admin.wait_for_requests([gone], poll_interval=0.2, timeout=60, error_grace=0)


class TestCancelling:
    def test_only_what_is_under_way(self, target: Target, process: dict[str, Any]) -> None:
        canceled, completed = started(target, process, 2)
        target.complete(completed, {})
        first, again = (target.admin.cancel_request(canceled) for _ in range(2))
        assert (first.found, first.status, first.cancelled) == ("ACTIVE", "CANCELED", True)
        assert (again.found, again.status, again.cancelled) == ("CANCELED", "CANCELED", False)
        left = target.admin.cancel_request(completed)
        assert (left.found, left.status, left.cancelled) == ("COMPLETED", "COMPLETED", False)
        assert target.admin.get_request(completed)["status"] == "COMPLETED"
        assert list(target.admin.iter_records("tasks", process_request_id=canceled, status="ACTIVE")) == []

    def test_not_by_who_may_not(self, target: Target, process: dict[str, Any]) -> None:
        (request_id,) = started(target, process)
        user, password = target.create_user()
        plain = target.as_user(user, password)
        with pytest.raises(ForbiddenError):
            plain.cancel_request(request_id)
        assert target.admin.get_request(request_id)["status"] == "ACTIVE"


class TestCleaningUp:
    def test_nothing_but_an_archived_process_is_left(self, target: Target, process: dict[str, Any]) -> None:
        started(target, process, 3)
        target.leftovers.clean_up()
        assert requests_of(target.admin, process) == []
        with pytest.raises(InvalidInputError, match="There is no process"):
            target.admin.start_event(process["name"])
        assert target.admin.get(f"processes/{process['id']}")["status"] == "ARCHIVED"
