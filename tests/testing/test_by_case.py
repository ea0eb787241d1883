"""Requests and tasks by the number of their case, and what a case says of its own."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing.workflow import diagrams

if TYPE_CHECKING:
    from .conftest import Api


def case(api: Api) -> int:
    """A request with a subprocess, a script in it, and a task in both; returns its case."""
    script = api.server.add_script("nothing", lambda data, config: {})
    steps = (diagrams.script("node_2", "Script", script), diagrams.task("node_3", "Inner"), diagrams.end("node_4"))
    inner = diagrams.sequence(diagrams.start(), *steps)
    called = api.server.add_process("Called", bpmn=inner)
    call = diagrams.Part("callActivity", "node_3", "Call", f'calledElement="ProcessId-{called}"')
    parts = (diagrams.start(), diagrams.task("node_2", "Outer"), call, diagrams.end("node_4"))
    api.server.add_process("Caller", bpmn=diagrams.sequence(*parts))
    request = api.server.start_request("Caller")
    [task] = api.get(f"/tasks?process_request_id={request.id}").json()["data"]
    api.call("PUT", f"/tasks/{task['id']}", json={"status": "COMPLETED", "data": {}})
    return request.case_number


def rows(api: Api, path: str) -> list[dict[str, Any]]:
    """The rows of a list."""
    found: list[dict[str, Any]] = api.get(path).json()["data"]
    return found


def test_tasks_are_few_columns_of_all_requests_of_the_case(api: Api) -> None:
    number = case(api)
    [task] = rows(api, f"/tasks-by-case?case_number={number}")
    assert task.keys() == {
        "id", "element_name", "user_id", "process_id", "completed_at", "due_at", "process_request_id",
        "advanceStatus", "process", "user", "can_view_parent_request",
    }  # fmt: skip
    assert (task["element_name"], task["process"]["name"], task["user"]["username"]) == ("Inner", "Called", "admin")
    assert task["can_view_parent_request"] is True
    [closed] = rows(api, f"/tasks-by-case?case_number={number}&status=CLOSED")
    # Its status is not among the columns, so nothing tells that it is completed.
    assert (closed["element_name"], closed["advanceStatus"]) == ("Outer", "open")
    api.login("bob")
    assert rows(api, f"/tasks-by-case?case_number={number}") == []


def test_tasks_come_by_when_they_are_due(api: Api) -> None:
    parts = [diagrams.task(f"node_{n}", f"Due in {n}").xml().replace('dueIn="72"', f'dueIn="{n}"') for n in (9, 3, 6)]
    flows = [diagrams.start().xml(), *parts, diagrams.gateway("parallelGateway", "fork").xml()]
    text = diagrams.document([], [("node_1", "fork"), *(("fork", f"node_{n}") for n in (9, 3, 6))])
    text = text.replace("<bpmn:sequenceFlow", "".join(flows) + "<bpmn:sequenceFlow", 1)
    api.server.add_process("Fork", bpmn=text)
    path = f"/tasks-by-case?case_number={api.server.start_request('Fork').case_number}"
    assert [row["element_name"] for row in rows(api, path)] == ["Due in 3", "Due in 6", "Due in 9"]
    assert [row["element_name"][-1] for row in rows(api, f"{path}&order_direction=desc")] == ["9", "6", "3"]
    assert [row["element_name"][-1] for row in rows(api, f"{path}&order_by=id")] == ["9", "3", "6"]


@pytest.mark.parametrize("kind", ["requests", "tasks"])
@pytest.mark.parametrize("query", ["", "case_number=x", "case_number=1&order_by=nosuch", "case_number=1&page=0"])
def test_what_is_no_case_or_no_page_is_422(api: Api, kind: str, query: str) -> None:
    answer = api.get(f"/{kind}-by-case?{query}")
    assert (answer.status_code, list(answer.json())) == (422, ["message", "errors"])


def test_statuses_and_orders_of_tasks_by_case(api: Api) -> None:
    number = case(api)
    assert api.get(f"/tasks-by-case?case_number={number}&status=FOO").status_code == 422
    # Allowed, but no column of the query.
    answer = api.get(f"/tasks-by-case?case_number={number}&order_by=user.lastname")
    assert (answer.status_code, answer.json()) == (422, {"message": "PMQL Is Invalid."})


def test_a_case_counts_the_tokens_of_scripts_and_calls(api: Api) -> None:
    number = case(api)
    found = api.get("/api/1.1/cases/get_all_cases").json()["data"]
    [shown] = [row for row in found if row["case_number"] == number]
    # This version's cases know no stages.
    assert list(shown)[-2:] == ["initiated_at", "completed_at"]
    assert [task["name"] for task in shown["tasks"]] == ["Inner", "Outer"]
    assert {type(task["id"]) for task in shown["tasks"]} == {str}
    assert "element_type" not in shown["tasks"][0]
    assert len(shown["request_tokens"]) == 4
    assert {int(task["id"]) for task in shown["tasks"]} < set(shown["request_tokens"])
