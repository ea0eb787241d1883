"""What a called process has of the one that calls it: title, tasks, and what becomes of it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow import diagrams

if TYPE_CHECKING:
    from .conftest import Api


def started(api: Api, process_id: int, data: dict[str, Any] | None = None) -> dict[str, Any]:
    """The answer to a start."""
    answer = api.call("POST", f"/process_events/{process_id}?event=node_1", json=data or {})
    assert answer.status_code == 201
    body: dict[str, Any] = answer.json()
    return body


def request_of(api: Api, request_id: int) -> dict[str, Any]:
    """A request as it is."""
    body: dict[str, Any] = api.get(f"/requests/{request_id}").json()
    return body


def caller(api: Api, called: int, **options: Any) -> int:
    """A process that calls another one and then has a task."""
    call = diagrams.Part("callActivity", "node_2", "Call", f'calledElement="ProcessId-{called}"')
    end = diagrams.end("node_4")
    text = diagrams.sequence(diagrams.start(), call, diagrams.task("node_3", "After"), end)
    return api.server.add_process("Caller", bpmn=text, **options)


def test_a_subprocess_has_the_title_of_its_parent(api: Api) -> None:
    called = api.server.add_process("Called", ["Inner"], assignee="bob", case_title="Inner {{ a }}")
    parent = started(api, caller(api, called, case_title="Order {{ a }}"), {"a": "1 & 2"})
    [child] = [row for row in api.get("/requests").json()["data"] if row["parent_request_id"] == parent["id"]]
    assert child["name"] == "Called"
    assert (child["case_title"], child["case_number"]) == ("Order 1 &amp; 2", parent["case_number"])
    assert child["case_title_formatted"] == "Order <b>1 &amp; 2</b>"
    assert api.call("PUT", f"/requests/{parent['id']}", json={"data": {"a": 3}}).status_code == 204
    assert request_of(api, parent["id"])["case_title"] == "Order 3"
    assert request_of(api, child["id"])["case_title"] == "Order 3"
    # Changed data of its own leave it the parent's title.
    assert api.call("PUT", f"/requests/{child['id']}", json={"data": {"a": 4}}).status_code == 204
    assert request_of(api, child["id"])["case_title"] == "Order 3"


def test_a_title_is_rendered_again_when_a_task_changes_the_data(api: Api) -> None:
    process_id = api.server.add_process("Ask", ["One", "Two"], case_title="{{ a.b }} of {{ _request.name }}")
    request = started(api, process_id, {"a": {"b": 1}})
    assert request["case_title"] == "1 of Ask"
    [task] = api.get(f"/tasks?process_request_id={request['id']}").json()["data"]
    api.call("PUT", f"/tasks/{task['id']}", json={"status": "COMPLETED", "data": {"a": {"b": "'x'" * 100}}})
    shown = request_of(api, request["id"])
    assert shown["case_title"] == ("'x'" * 100)[:200]
    assert shown["case_title_formatted"] == "<b>" + ("&#039;x&#039;" * 100)[:200] + "</b>"


def test_who_may_see_the_parent_of_a_task(api: Api) -> None:
    called = api.server.add_process("Called", ["Inner"], assignee="bob")
    parent = started(api, caller(api, called))
    [task] = api.get("/tasks").json()["data"]
    assert task["can_view_parent_request"] is True
    alone = started(api, called)
    [other] = api.get(f"/tasks?process_request_id={alone['id']}").json()["data"]
    assert other["can_view_parent_request"] is False
    api.login("bob")
    path = f"/tasks/{task['id']}"
    assert api.get(path).json()["can_view_parent_request"] is False
    api.server.grant("bob", "view-all_requests")
    assert api.get(path).json()["can_view_parent_request"] is True
    assert api.get(f"/requests/{parent['id']}").status_code == 200


def test_a_deleted_request_takes_its_subprocess_along(api: Api) -> None:
    called = api.server.add_process("Called", ["Inner"])
    process_id = caller(api, called)
    first, second = started(api, process_id), started(api, process_id)
    children = {row["parent_request_id"]: row["id"] for row in api.get("/requests").json()["data"]}
    assert api.call("DELETE", f"/requests/{children[second['id']]}").status_code == 204
    assert api.call("DELETE", f"/requests/{first['id']}").status_code == 204
    assert [row["id"] for row in api.get("/requests").json()["data"]] == [second["id"]]
    assert api.get(f"/tasks?process_request_id={second['id']}&include_sub_tasks=1").json()["data"] == []


def test_the_data_of_a_subprocess_say_where_it_was_called(api: Api) -> None:
    called = api.server.add_process("Called", ["Inner"])
    process_id = caller(api, called)
    parent = started(api, process_id, {"a": 1})
    [task] = api.get("/tasks?include=data").json()["data"]
    assert task["data"]["_parent"] == {"process_id": process_id, "request_id": parent["id"], "node_id": "node_2"}
    child = api.get(f"/requests/{task['process_request_id']}?include=data").json()
    assert child["data"] == {"a": 1}
    api.call("PUT", f"/tasks/{task['id']}", json={"status": "COMPLETED", "data": {"b": 2}})
    [after] = api.get("/tasks?include=data&status=ACTIVE").json()["data"]
    assert (after["element_name"], after["data"]["b"]) == ("After", 2)
    assert "_parent" not in after["data"]


def test_a_start_may_name_its_parent_itself(api: Api) -> None:
    api.server.add_process("Outer", ["Wait"], case_title="Case {{ n }}")
    inner = api.server.add_process("Inner", ["Wait too"])
    parent = started(api, 2, {"n": 7})
    child = started(api, inner, {"_parent": {"request_id": str(parent["id"])}})
    assert (child["parent_request_id"], child["case_number"]) == (parent["id"], parent["case_number"])
    assert (child["case_title"], child["parent_request"]["id"]) == ("Case 7", parent["id"])
    names = [
        row["element_name"] for row in api.get(f"/tasks-by-case?case_number={parent['case_number']}").json()["data"]
    ]
    assert sorted(names) == ["Wait", "Wait too"]
    # Nothing in the parent waits for it, so it does not end with it.
    api.call("PUT", f"/requests/{parent['id']}", json={"status": "CANCELED"})
    assert request_of(api, child["id"])["status"] == "ACTIVE"
    for said in ({"request_id": "x"}, {}, "x"):
        assert started(api, inner, {"_parent": said})["parent_request"] is None
    path = f"/process_events/{inner}?event=node_1"
    assert api.call("POST", path, json={"_parent": {"request_id": 999}}).status_code == 500
