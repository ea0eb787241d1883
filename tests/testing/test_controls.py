"""What a test can do with processes past the API, and what goes wrong when it says so."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import pytest
import requests

if TYPE_CHECKING:
    from .conftest import Api


def statuses(api: Api) -> list[str]:
    return [request.status for request in api.server.requests]


def test_life_of_a_request(api: Api) -> None:
    server = api.server
    process_id = server.add_process("Ask", ["One", "Two"])
    assert server.process("Ask").id == process_id
    request = server.start_request("Ask", {"a": 1}, username="bob")
    assert (request.process_id, request.user_id, request.name, request.status) == (process_id, 3, "Ask", "ACTIVE")
    server.fail_request(request.id, "Broken", "A step")
    assert (request.status, request.errors[0]["message"], request.errors[0]["element_name"]) == (
        "ERROR", "Broken", "A step",
    )  # fmt: skip
    server.resume_request(request.id)
    assert request.status == "ACTIVE"
    server.complete_request(request.id, {"b": 2})
    assert (request.status, request.data) == ("COMPLETED", {"a": 1, "b": 2})
    server.cancel_request(request.id)
    assert request.status == "CANCELED"
    server.delete_request(request.id)
    assert server.requests == []
    with pytest.raises(KeyError):
        server.request(request.id)
    with pytest.raises(KeyError):
        server.process("Nobody's")


def test_an_error_ends_when_a_task_is_completed(api: Api) -> None:
    api.server.add_process("Ask", ["One", "Two"])
    request = api.server.start_request("Ask")
    api.server.fail_request(request.id)
    api.server.complete_task(api.server.tasks[0].id)
    assert request.status == "ACTIVE"


def test_something_later(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    request = server.start_request("Ask")
    server.after(60, lambda: server.complete_request(request.id))
    assert api.get(f"/requests/{request.id}").json()["status"] == "ACTIVE"
    server.clock.advance(61)
    assert api.get(f"/requests/{request.id}").json()["status"] == "COMPLETED"


def test_what_is_due_at_once_happens_in_its_order(api: Api) -> None:
    api.server.add_process("Approval", ["Approve"])
    request = api.server.start_request("Approval")
    api.server.fail_request(request.id)
    api.server.after(60, lambda: api.server.resume_request(request.id))
    api.server.after(61, lambda: api.server.complete_request(request.id))

    api.server.clock.advance(100)  # nobody asks until both are due

    assert api.server.request(request.id).status == "COMPLETED"


def test_somebody_does_his_tasks(api: Api) -> None:
    server = api.server
    server.add_process("Ask", ["Approve", "File"])
    server.on_task("Approve", lambda data: {"approved": data["amount"] < 100})
    server.on_task("File", {"filed": True}, seconds=60)
    small, large = server.add_requests("Ask", 2, [{"amount": 5}, {"amount": 500}])
    assert [task.node.name for task in server.tasks] == ["File", "File"]
    server.cancel_request(large.id)
    server.clock.advance(61)
    assert api.get(f"/requests/{small.id}").json()["status"] == "COMPLETED"
    assert small.data == {"amount": 5, "approved": True, "filed": True}
    assert (large.status, large.data) == ("CANCELED", {"amount": 500, "approved": False})


def test_somebody_is_done_before_the_start_is_answered(api: Api) -> None:
    process = api.server.add_process("Ask", ["Approve"])
    api.server.on_task("Approve")
    assert api.call("POST", f"/process_events/{process}?event=node_1", json={}).status_code == 201
    assert statuses(api) == ["COMPLETED"]


def test_what_somebody_else_sees(api: Api) -> None:
    server = api.server
    server.add_process("Ask", start_users=["bob"])
    request = server.start_request("Ask", username="bob")
    api.login("bob")
    assert api.get(f"/requests/{request.id}").status_code == 200
    server.give_request(request.id, "ina")
    assert api.get(f"/requests/{request.id}").status_code == 403
    assert api.get(f"/requests?pmql=id = {request.id}").json()["data"] == []


def test_thousands_of_requests_are_made_fast(api: Api) -> None:
    api.server.add_process("Ask")
    began = time.perf_counter()
    made = api.server.add_requests("Ask", 5000, ({"n": number} for number in range(5000)))
    assert len(made) == len(api.server.requests) == 5000
    assert time.perf_counter() - began < 10


def test_churn_at_each_page(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    server.add_requests("Ask", 30)
    fault = server.faults.add("GET", "/requests", times=None, then=lambda: server.start_request("Ask"))
    for page in (1, 2, 3):
        assert api.get(f"/requests?order_by=id&page={page}").status_code == 200
    assert fault.hits == 3
    assert len(server.requests) == 33


def test_500_after_the_row_was_made(api: Api) -> None:
    server = api.server
    process_id = server.add_process("Ask")
    server.faults.add("POST", "/process_events/*", status=500, process=True)
    assert api.call("POST", f"/process_events/{process_id}?event=node_1", json={"a": 1}).status_code == 500
    assert [request.data for request in server.requests] == [{"a": 1}]


@pytest.mark.parametrize(("moment", "rows"), [("before", 0), ("after", 1)])
def test_lost_answers(api: Api, moment: str, rows: int) -> None:
    server = api.server
    process_id = server.add_process("Ask")
    server.faults.add("POST", "/process_events/*", reset=moment)
    with pytest.raises(requests.ConnectionError):
        api.call("POST", f"/process_events/{process_id}?event=node_1", json={})
    assert len(server.requests) == rows


def test_the_row_appears_though_the_caller_has_gone(api: Api) -> None:
    server = api.server
    process_id = server.add_process("Ask")
    server.faults.add("POST", "/process_events/*", delay=0.5)
    with pytest.raises(requests.Timeout):
        api.call("POST", f"/process_events/{process_id}?event=node_1", json={}, timeout=0.1)
    assert server.requests == []
    deadline = time.monotonic() + 10
    while not server.requests and time.monotonic() < deadline:
        time.sleep(0.05)
    assert statuses(api) == ["ACTIVE"]


def test_scripts_as_code_do_what_the_test_says(api: Api) -> None:
    sent = {"title": "Mine", "language": "php", "script_category_id": 1, "code": "<?php return 1;"}
    script = api.call("POST", "/scripts", json=sent).json()
    body = {"data": '{"a": 1}', "config": "{}", "sync": True}
    path = f"/scripts/execute/{script['id']}"
    assert api.call("POST", path, json=body).json() == {"output": []}
    api.server.on_script("Mine", lambda data, _: {"got": data["a"]})
    assert api.call("POST", path, json=body).json() == {"output": {"got": 1}}
    # Compact nested JSON loses its closing braces to the sanitizer, and then it is none.
    api.server.on_script("Mine", lambda data, _: {"got": data})
    assert api.call("POST", path, json={**body, "data": '{"a":{"b":1}}'}).json() == {"output": {"got": []}}
    assert api.call("POST", path, json={**body, "data": '{"a":{"b":1} }'}).json() == {
        "output": {"got": {"a": {"b": 1}}}
    }
    assert api.call("POST", path, json={**body, "data": {"a": 1}}).status_code == 500


def test_example_processes_all_start(api: Api) -> None:
    for process_id in api.server.add_example_processes():
        assert api.server.start_request(process_id).process_id == process_id
    assert {"ACTIVE", "COMPLETED", "ERROR"} == set(statuses(api))


def test_requests_of_another_day(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    old, new = server.start_request("Ask", age=86_400), server.start_request("Ask")
    query = "created > NOW -1 hour"
    assert [row["id"] for row in api.get("/requests", params={"pmql": query}).json()["data"]] == [new.id]
    assert old.columns["created_at"] < new.columns["created_at"]
    assert server.tasks[0].columns["due_at"] < server.tasks[1].columns["due_at"]
