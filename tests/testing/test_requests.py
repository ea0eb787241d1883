"""Requests from start to end, beyond what the recordings show."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import requests

    from .conftest import Api


def start(api: Api, process_id: int, data: Any = None, event: str = "node_1") -> requests.Response:
    return api.call("POST", f"/process_events/{process_id}?event={event}", json=data)


def data_of(api: Api, request_id: int) -> Any:
    return api.get(f"/requests/{request_id}?include=data").json()["data"]


# -- starting ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("sent", "kept"),
    [
        ({"a": " x ", "b": "", "_user": 1}, {"a": "x", "b": None}),
        (
            {"a": "1<2 and 3>2", "b": "<3", "c": "List<int>", "d": "{{x}}"},
            {"a": "12", "b": "<3", "c": "List", "d": "x"},
        ),
        ({"in": {"a": " <b>x</b> {{y}} ", "b": ""}}, {"in": {"a": "<b>x</b> {{y}}", "b": None}}),
        ({"a": {}, "b": {"1": "x", "2": "y"}, "c": 1.0, "d": 2**70}, {"a": [], "b": ["x", "y"], "c": 1, "d": 2.0**70}),
        ({"_hidden": 1, "seen": 2}, {"seen": 2}),
        ({"event": "nosuch", "page": "x"}, {"event": "nosuch", "page": "x"}),
        ({"1": "a", "2": "b"}, ["a", "b"]),
        ([1, 2], [1, 2]),
        ({}, []),
        (None, []),
    ],
)
def test_start_data(api: Api, sent: Any, kept: Any) -> None:
    process_id = api.server.add_process("Ask")
    answer = start(api, process_id, sent)
    assert (answer.status_code, answer.json()["status"]) == (201, "ACTIVE")
    assert data_of(api, answer.json()["id"]) == kept


def test_malformed_json_starts_with_no_data(api: Api) -> None:
    process_id = api.server.add_process("Ask")
    headers = {"Content-Type": "application/json"}
    answer = api.call("POST", f"/process_events/{process_id}?event=node_1", data=b'{"a": 1', headers=headers)
    assert answer.status_code == 201
    assert data_of(api, answer.json()["id"]) == []


def test_who_may_start(api: Api) -> None:
    process_id = api.server.add_process("For bob", start_users=["bob"])
    assert start(api, process_id, {}).status_code == 201
    assert start(api, process_id, {}, "nosuch").status_code == 404
    assert start(api, process_id, {}, "node_2").status_code == 500
    assert start(api, 99, {}).status_code == 404
    api.login("ina")
    assert start(api, process_id, {}).status_code == 403
    api.login("bob")
    assert start(api, process_id, {}).status_code == 201
    # Of an event that is not there, only an administrator hears.
    assert start(api, process_id, {}, "nosuch").status_code == 403
    listed = api.get("/start_processes").json()["data"]
    assert [row["id"] for row in listed] == [process_id]
    assert [event["id"] for event in listed[0]["startEvents"]] == ["node_1"]


def test_several_starts_and_an_end_at_once(api: Api) -> None:
    process_id = api.server.add_process("Tell", (), starts=["One", "Two"])
    events = api.get(f"/processes/{process_id}").json()["start_events"]
    assert [(event["id"], event["name"]) for event in events] == [("node_1", "One"), ("node_1_2", "Two")]
    answer = start(api, process_id, {"a": 1}, "node_1_2").json()
    assert answer["status"] == "COMPLETED"
    assert answer["completed_at"]
    assert api.server.requests[0].data == {"a": 1}


def test_start_into_error(api: Api) -> None:
    process_id = api.server.add_process("Bad", fails="No such luck")
    answer = start(api, process_id, {"a": 1})
    assert (answer.status_code, answer.json()["status"]) == (201, "ERROR")
    shown = api.get(f"/requests/{answer.json()['id']}").json()
    assert [(error["message"], error["element_name"]) for error in shown["errors"]] == [("No such luck", "Failing")]


def test_diagram_by_the_api(api: Api) -> None:
    api.server.add_example_processes()
    text = api.get("/processes/13/bpmn").text
    sent = {"name": "Mine", "description": "d", "bpmn": text}
    created = api.call("POST", "/processes", json=sent)
    assert created.status_code == 201
    request = start(api, created.json()["id"], {}).json()
    tasks = api.get(f"/tasks?process_request_id={request['id']}&order_by=id").json()["data"]
    assert [task["element_name"] for task in tasks] == ["Left", "Right"]


# -- tasks -------------------------------------------------------------------------------------------------------------


def test_completing_keeps_empty_texts_and_cleans_at_all_depths(api: Api) -> None:
    api.server.add_process("Ask")
    request = api.server.start_request("Ask", {"a": 1})
    task = api.server.tasks[0].id
    body = {"status": "COMPLETED", "data": {"b": "", "deep": [{"c": " <i>x</i> "}], "a": 2}}
    answer = api.call("PUT", f"/tasks/{task}", json=body)
    assert (answer.status_code, answer.json()["status"]) == (200, "CLOSED")
    assert answer.json()["process_request"]["status"] == "COMPLETED"
    assert data_of(api, request.id) == {"a": 2, "b": "", "deep": [{"c": " x "}]}
    again = api.call("PUT", f"/tasks/{task}", json=body)
    assert (again.status_code, again.json()) == (422, {"message": "Task already closed"})


def test_a_task_is_not_for_whoever_started_the_request(api: Api) -> None:
    api.server.add_process("Ask", assignee="ina", start_users=["bob"])
    api.server.start_request("Ask", username="bob")
    task = api.server.tasks[0].id
    api.login("bob")
    assert api.get(f"/tasks/{task}").status_code == 403
    assert api.get("/tasks").json()["data"] == []
    assert len(api.get("/requests").json()["data"]) == 1
    api.login("ina")
    assert api.get(f"/tasks/{task}").status_code == 200
    assert len(api.get("/requests").json()["data"]) == 1


def test_completion_that_takes_its_time(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    request = server.start_request("Ask")
    server.task_seconds = 30
    answer = api.call("PUT", f"/tasks/{server.tasks[0].id}", json={"status": "COMPLETED", "data": {"x": 1}})
    assert (answer.status_code, answer.json()["status"]) == (200, "ACTIVE")
    server.clock.advance(31)
    assert server.request(request.id).status == "COMPLETED"


def test_a_start_of_which_only_the_row_is_there(api: Api) -> None:
    server = api.server
    process_id = server.add_process("Ask")
    server.start_seconds = 5
    request_id = start(api, process_id, {"a": 1}).json()["id"]
    cancelled = start(api, process_id, {}).json()["id"]
    server.cancel_request(cancelled)
    assert api.get(f"/requests/{request_id}").json()["status"] == "ACTIVE"
    assert server.tasks == []
    server.clock.advance(6)
    assert [task.request.id for task in server.tasks] == [request_id]


def test_claiming(api: Api) -> None:
    server = api.server
    server.add_example_processes()
    server.start_request(11)
    task = server.tasks[0].id
    api.login("bob")
    assert api.call("PUT", f"/tasks/{task}", json={"user_id": 3, "is_self_service": 0}).status_code == 403
    server.state.new_membership(4, 3)
    assert [row["id"] for row in api.get("/tasks").json()["data"]] == [task]
    claimed = api.call("PUT", f"/tasks/{task}", json={"user_id": 3, "is_self_service": 0})
    assert (claimed.status_code, claimed.json()["user_id"], claimed.json()["is_self_service"]) == (200, 3, 0)
    assert api.get("/notifications").json()["data"][0]["data"]["type"] == "TASK_REASSIGNED"


# -- scripts -----------------------------------------------------------------------------------------------------------


def test_scripts_that_take_their_time(api: Api) -> None:
    server = api.server
    process_id = server.add_process("Sum", [lambda data, _: {"sum": data["a"] + 1}, "Check"], script_seconds=10)
    request = start(api, process_id, {"a": 1}).json()
    assert request["status"] == "ACTIVE"
    assert api.get(f"/tasks?process_request_id={request['id']}").json()["data"] == []
    server.clock.advance(11)
    assert data_of(api, request["id"]) == {"a": 1, "sum": 2}
    assert len(api.get(f"/tasks?process_request_id={request['id']}").json()["data"]) == 1


def test_scripts_are_done_after_the_answer_by_default(api: Api) -> None:
    process_id = api.server.add_process("Sum", [lambda *_: {"b": 2}])
    request = start(api, process_id, {}).json()
    assert request["status"] == "ACTIVE"
    assert api.server.request(request["id"]).status == "COMPLETED"
    assert data_of(api, request["id"]) == {"b": 2}


def test_a_failing_script_and_its_retry(api: Api) -> None:
    luck = iter([False, True])

    def run(*_: Any) -> dict[str, int]:
        if not next(luck):
            raise ValueError("no luck")
        return {"ok": 1}

    process_id = api.server.add_process("Try", [run])
    request_id = start(api, process_id, {}).json()["id"]
    shown = api.get(f"/requests/{request_id}").json()
    assert (shown["status"], shown["errors"][0]["element_name"]) == ("ERROR", "run")
    assert "no luck" in shown["errors"][0]["message"]
    retried = api.call("PUT", f"/requests/{request_id}/retry").json()
    assert retried == {"success": True, "message": [f"Retrying ScriptTask (node_2) for Request::{request_id}"]}
    assert api.get(f"/requests/{request_id}").json()["status"] == "COMPLETED"


# -- the end -----------------------------------------------------------------------------------------------------------


def test_cancelling_looks_at_nothing(api: Api) -> None:
    api.server.add_process("Tell", ())
    request = api.server.start_request("Tell")
    assert request.status == "COMPLETED"
    answer = api.call("PUT", f"/requests/{request.id}", json={"status": "CANCELED"})
    assert (answer.status_code, request.status) == (204, "CANCELED")


def test_who_may_cancel_and_edit(api: Api) -> None:
    server = api.server
    server.add_process("Ask", start_users=["bob"], cancel_users=["ina"], edit_data_users=["blo"])
    request = server.start_request("Ask", username="bob")
    path = f"/requests/{request.id}"
    api.login("bob")
    refused = api.call("PUT", path, json={"status": "CANCELED"})
    assert (refused.status_code, refused.json()) == (403, {"message": "Not authorized to cancel this request."})
    assert api.call("PUT", path, json={"data": {"x": 1}}).status_code == 403
    assert api.call("PUT", path, json={"status": "COMPLETED"}).status_code == 403
    api.login("blo")
    assert api.call("PUT", path, json={"data": {"x": 1}}).status_code == 204
    assert request.data == {"x": 1}
    api.login("ina")
    assert api.call("PUT", path, json={"status": "CANCELED"}).status_code == 204
    assert request.status == "CANCELED"
    assert [token.status for token in request.tasks] == ["CLOSED"]


def test_completing_by_hand_is_for_errors_only(api: Api) -> None:
    api.server.add_process("Ask")
    request = api.server.start_request("Ask")
    path = f"/requests/{request.id}"
    refused = api.call("PUT", path, json={"status": "COMPLETED"})
    assert (refused.status_code, list(refused.json()["errors"])) == (422, ["status"])
    api.server.fail_request(request.id)
    assert api.call("PUT", path, json={"status": "COMPLETED"}).status_code == 204
    assert request.status == "COMPLETED"


def test_subprocess(api: Api) -> None:
    server = api.server
    server.add_example_processes()
    parent = server.start_request(16, {"a": 1})
    child = server.requests[-1]
    assert (child.parent_request_id, child.case_number) == (parent.id, parent.case_number)
    assert api.get(f"/tasks?process_request_id={parent.id}").json()["data"] == []
    assert len(api.get(f"/tasks?process_request_id={parent.id}&include_sub_tasks=1").json()["data"]) == 1
    server.complete_task(server.tasks[0].id, {"b": 2})
    assert (parent.status, child.status, parent.data) == ("COMPLETED", "COMPLETED", {"a": 1, "b": 2})
    other = server.start_request(16)
    server.cancel_request(other.id)
    assert server.requests[-1].status == "COMPLETED"
    assert len(api.get(f"/requests-by-case?case_number={other.case_number}").json()["data"]) == 2


def test_gateways_timer_and_terminate(api: Api) -> None:
    server = api.server
    server.add_example_processes()
    for amount, name in ((101, "Big"), (100, "Small")):
        request = server.start_request(12)
        server.complete_task(request.tasks[0].id, {"amount": amount})
        assert [token.node.name for token in request.tasks if token.is_active] == [name]
    joined = server.start_request(13)
    left, right = joined.tasks
    server.complete_task(right.id)
    assert joined.status == "ACTIVE"
    server.complete_task(left.id)
    assert joined.status == "COMPLETED"
    cut = server.start_request(18)
    server.complete_task(cut.tasks[0].id)
    assert (cut.status, [token.status for token in cut.tasks]) == ("COMPLETED", ["CLOSED", "CLOSED"])
    timer = server.start_request(17)
    server.clock.advance(3601)
    assert server.request(timer.id).status == "COMPLETED"


# -- lists -------------------------------------------------------------------------------------------------------------


def test_walk_by_pages_and_by_key(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    server.add_requests("Ask", 250, ({"n": number} for number in range(250)))
    seen: list[int] = []
    for page in (1, 2, 3, 4):
        answer = api.get(f"/requests?per_page=100&page={page}&order_by=id&order_direction=asc").json()
        seen += [row["id"] for row in answer["data"]]
        assert answer["meta"]["total"] == 250
    assert seen == [request.id for request in server.requests]
    rows = api.get("/requests?per_page=10&order_by=id&pmql=id > 240").json()["data"]
    assert [row["id"] for row in rows] == list(range(241, 251))
    assert api.get('/requests?total=true&pmql=(id IN [1,2,3]) AND (status = "ACTIVE")').json() == {"meta": {"total": 3}}
    assert api.get("/requests?per_page=0").status_code == 500
    assert len(api.get("/tasks?per_page=0").json()["data"]) == 15
    assert api.get("/requests?order_by=nosuch").status_code == 500
    assert api.get("/tasks?order_by=nosuch").status_code == 422


def test_tasks_move_while_one_reads(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    server.add_requests("Ask", 3)
    first = server.tasks[0].id
    server.complete_task(first)
    assert [row["id"] for row in api.get("/tasks").json()["data"]][-1] == first
    assert api.get("/tasks?order_by=id").json()["data"][0]["id"] == first


def test_cases(api: Api) -> None:
    server = api.server
    server.add_process("Ask", case_title="Order {{ order.id }}")
    server.add_process("Tell", ())
    request = server.start_request("Ask", {"order": {"id": 7}})
    server.start_request("Tell")
    assert request.columns["case_title"] == "Order 7"
    assert request.columns["case_title_formatted"] == "Order <b>7</b>"
    cases = api.get("/api/1.1/cases/get_in_progress").json()
    assert [(case["case_number"], case["case_status"]) for case in cases["data"]] == [(1, "IN_PROGRESS")]
    assert cases["meta"] == {"total": 1, "perPage": 15, "currentPage": 1, "lastPage": 1}
    assert len(api.get("/api/1.1/cases/get_all_cases?sortBy=case_number:desc").json()["data"]) == 2
    assert api.get("/api/1.1/cases/get_all_cases?sortBy=nosuch:asc").status_code == 422
    assert api.get("/api/1.1/nosuch").status_code == 401
