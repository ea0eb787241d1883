"""What a task's own page adds, and tasks passed on by the dozen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow import diagrams

if TYPE_CHECKING:
    from .conftest import Api


def task_of(api: Api, query: str = "") -> dict[str, Any]:
    """The only task there is."""
    [row] = api.get(f"/tasks?{query}").json()["data"]
    found: dict[str, Any] = row
    return found


def test_whether_one_may_see_the_request_and_those_above_it(api: Api) -> None:
    called = api.server.add_process("Called", ["Inner"], assignee="bob")
    call = diagrams.Part("callActivity", "node_2", "Call", f'calledElement="ProcessId-{called}"')
    text = diagrams.sequence(diagrams.start(), call, diagrams.end())
    api.server.add_process("Caller", bpmn=text)
    parent = api.server.start_request("Caller")
    task = task_of(api)
    path = f"/tasks/{task['id']}?include=userRequestPermission,loopContext,elementDestination"
    shown = api.get(path).json()
    ids = [task["process_request_id"], parent.id]
    assert shown["user_request_permission"] == [{"process_request_id": number, "allowed": True} for number in ids]
    assert (shown["loop_context"], shown["elementDestination"]) == ("", None)
    api.login("bob")
    allowed = [one["allowed"] for one in api.get(path).json()["user_request_permission"]]
    assert allowed == [True, False]


def test_a_completed_task_is_shown_with_what_was_asked_for(api: Api) -> None:
    api.server.add_process("Ask")
    api.server.start_request("Ask", {"a": 1})
    path = f"/tasks/{task_of(api)['id']}?include=data,bpmnTagName"
    done = api.call("PUT", path, json={"status": "COMPLETED", "data": {"b": 2}}).json()
    assert (done["status"], done["bpmn_tag_name"]) == ("CLOSED", "task")
    assert (done["data"]["a"], done["data"]["b"]) == (1, 2)


def test_passing_on_claims_first(api: Api) -> None:
    group = api.server.state.groups.rows[4]
    api.server.state.new_membership(group.id, api.server.user("bob").id)
    assignment = f'pm:assignment="self_service" pm:assignedGroups="{group.id}"'
    text = diagrams.sequence(diagrams.start(), diagrams.task("node_2", "Offered", assignment), diagrams.end())
    api.server.add_process("Offer", bpmn=text)
    api.server.start_request("Offer")
    task = task_of(api)
    admin, bob = api.server.user("admin").id, api.server.user("bob").id
    body = {"process_request_token": [task["id"]], "user_id": bob}
    answer = api.call("PUT", "/tasks/updateReassign", json=body)
    assert (answer.status_code, answer.content) == (200, b"")
    # The claim counts; to pass it on, a package of the enterprise's would be needed.
    assert (task_of(api)["user_id"], task_of(api)["is_self_service"]) == (admin, 0)
    assert (
        api.call("PUT", "/tasks/updateReassign", json={"process_request_token": [999], "user_id": bob}).status_code
        == 500
    )
    assert api.call("PUT", "/tasks/updateReassign", json={"user_id": bob}).status_code == 200
    api.login("bob")
    assert api.call("PUT", "/tasks/updateReassign", json=body).status_code == 403
