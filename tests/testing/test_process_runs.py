"""What whoever starts a process and waits for it relies on."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing.workflow import diagrams

if TYPE_CHECKING:
    from .conftest import Api

TIMER = '<bpmn:timerEventDefinition id="timer"><bpmn:timeDuration>PT1H</bpmn:timeDuration></bpmn:timerEventDefinition>'
SIGNAL = '<bpmn:signalEventDefinition id="signal" signalRef="go" />'


def rows(api: Api, **query: Any) -> list[dict[str, Any]]:
    answer = api.get("/requests", params={"order_by": "id", "order_direction": "asc", **query})
    found: list[dict[str, Any]] = answer.json()["data"]
    return found


def ids(api: Api, query: str) -> list[int]:
    return [row["id"] for row in rows(api, pmql=query, per_page=100)]


def count(api: Api, query: str) -> Any:
    return api.get("/requests", params={"pmql": query, "total": "true"}).json()


# -- starting ----------------------------------------------------------------------------------------------------------


def test_a_start_is_found_by_its_key_as_soon_as_it_is_answered(api: Api) -> None:
    first, other = api.server.add_process("Ask", start_users=["bob"]), api.server.add_process("Other")
    api.login("bob")
    started = api.call("POST", f"/process_events/{first}?event=node_1", json={"airflow_key": "af1-x", "a": 1}).json()
    api.server.start_request("Other", {"airflow_key": "af1-x"}, username="bob")
    by_key = 'process_id = {} AND data.airflow_key = "{}"'
    (found,) = rows(api, pmql=by_key.format(first, "af1-x"), include="data")
    assert (found["id"], found["data"]) == (started["id"], {"airflow_key": "af1-x", "a": 1})
    assert ids(api, by_key.format(first, "af1-X")) == [], "keys are compared letter by letter"
    assert ids(api, by_key.format(other, "af1-x")) == [2]
    assert "data" not in rows(api)[0]
    api.login("ina")
    assert ids(api, by_key.format(first, "af1-x")) == [], "only who may see it finds it"


def test_a_called_process_has_the_key_of_its_caller_and_says_who_that_is(api: Api) -> None:
    server = api.server
    server.add_example_processes()
    parent = server.start_request(16, {"airflow_key": "af1-x"})
    found = rows(api, pmql='data.airflow_key = "af1-x"')
    assert [(row["id"], row["parent_request_id"]) for row in found] == [(parent.id, None), (parent.id + 1, parent.id)]
    assert len({row["case_number"] for row in found}) == 1


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", ["Again", "By signal", "Plain", "Two"]),
        ("?without_event_definitions=true", ["Again", "Plain", "Two"]),
        ("?filter=again", ["Again"]),
        ('?pmql=name = "Plain"', ["Plain"]),
    ],
)
def test_what_may_be_started_by_hand(api: Api, query: str, expected: list[str]) -> None:
    server = api.server
    server.add_process("Plain", start_users=["bob"])
    server.add_process("Two", starts=["One", "Other"], start_users=["bob"])
    server.add_process("Not for bob", start_users=["ina"])
    server.add_process("Off", status="INACTIVE", start_users=["bob"])
    server.add_process("Gone", status="ARCHIVED", start_users=["bob"])
    hidden = server.add_process("In a hidden category", start_users=["bob"])
    shelf = api.call("POST", "/process_categories", json={"name": "Shelf", "status": "INACTIVE"}).json()
    body = {"name": "In a hidden category", "description": "d", "process_category_id": shelf["id"]}
    assert api.call("PUT", f"/processes/{hidden}", json=body).status_code == 200
    bob = str(server.user("bob").id)
    web = diagrams.Part(
        "startEvent", "node_1", "Form", f'pm:assignedUsers="{bob}" pm:config="{{&#34;web_entry&#34;:1}}"'
    )
    for name, start in {
        "By timer": diagrams.start(users=bob, inside=TIMER),
        "By signal": diagrams.start(users=bob, inside=SIGNAL),
        "By a web entry": web,
        "Again": diagrams.start(users=bob),
    }.items():
        text = diagrams.sequence(start, diagrams.end(), more='<bpmn:signal id="go" name="Go" />')
        server.add_process(name, bpmn=text)
    api.login("bob")
    found = api.get(f"/start_processes{query}").json()["data"]
    assert [row["name"] for row in found] == expected
    assert all(row["startEvents"] == row["events"] for row in found)
    events = {row["name"]: [event["name"] for event in row["startEvents"]] for row in found}
    assert events.get("Two", ["One", "Other"]) == ["One", "Other"]


# -- waiting -----------------------------------------------------------------------------------------------------------


@pytest.fixture
def five(api: Api) -> Api:
    """Requests 1 to 5: ACTIVE, COMPLETED, ERROR, CANCELED, and one that is deleted."""
    api.server.add_process("Ask")
    api.server.add_requests("Ask", 5)
    api.server.complete_request(2)
    api.server.fail_request(3)
    api.server.cancel_request(4)
    api.server.delete_request(5)
    return api


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ('(id IN [1, 2, 3, 4, 5]) AND (status = "ACTIVE")', [1]),
        ('(id IN [1, 2, 3, 4, 5]) AND (status != "ACTIVE")', [2, 3, 4]),
        ('(id IN [2, 3]) AND (status != "ACTIVE")', [2, 3]),
        ('status != "In Progress"', [2, 3, 4]),
        ('status != "active"', [2, 3, 4]),
        ('status NOT IN ["ACTIVE", "ERROR"]', [2, 4]),
        ("id IN [5, 4, 1, 1, 99]", [1, 4]),
        ("id NOT IN [1, 2]", [3, 4]),
    ],
)
def test_the_states_of_many_are_one_question(five: Api, query: str, expected: list[int]) -> None:
    assert ids(five, query) == expected
    assert count(five, query) == {"meta": {"total": len(expected)}}


def test_what_is_missing_in_a_list_is_told_apart_singly(five: Api) -> None:
    five.server.give_request(1, "ina")
    five.login("bob")
    assert ids(five, "id IN [1, 5]") == []
    assert count(five, "id IN [1, 5]") == {"meta": {"total": 0}}
    assert [five.get(f"/requests/{number}").status_code for number in (1, 5)] == [403, 404]


def test_data_whose_names_begin_with_an_underscore_is_hidden_in_a_request_and_not_in_its_task(api: Api) -> None:
    process_id = api.server.add_process("Ask")
    data = {"_secret": 1, "seen": {"_inner": 2}, "_user": {"id": 7}}
    request_id = api.call("POST", f"/process_events/{process_id}?event=node_1", json=data).json()["id"]
    shown = api.get(f"/requests/{request_id}?include=data").json()["data"]
    assert shown == rows(api, include="data")[0]["data"] == {"seen": {"_inner": 2}}
    task = api.server.tasks[0].id
    in_task = api.get(f"/tasks/{task}?include=data").json()["data"]
    assert (in_task["_secret"], in_task["_user"]["id"]) == (1, 1)


def test_a_case_of_who_asks_counts_for_him(api: Api) -> None:
    api.server.add_process("Ask", start_users=["bob"])
    api.server.start_request("Ask", username="bob")
    api.server.start_request("Ask")
    path = "/api/1.1/cases/get_my_cases_counters"
    for username, mine in (("bob", 1), ("ina", 0)):
        api.login(username)
        counters = api.get(path).json()
        assert (counters["totalAllCases"], counters["totalMyCases"], counters["totalInProgress"]) == (2, mine, mine)


# -- errors and cancellation -------------------------------------------------------------------------------------------


def test_after_a_retry_errors_are_an_object(api: Api) -> None:
    def run(*_: Any) -> None:
        raise ValueError("no luck")

    process_id = api.server.add_process("Try", [run])
    request_id = api.call("POST", f"/process_events/{process_id}?event=node_1", json={}).json()["id"]
    api.server.fail_request(request_id, "elsewhere")
    assert [error["element_id"] for error in api.get(f"/requests/{request_id}").json()["errors"]] == [
        "node_2",
        "node_1",
    ]
    assert api.call("PUT", f"/requests/{request_id}/retry").json()["success"] is True
    errors = api.get(f"/requests/{request_id}").json()["errors"]
    assert {key: error["element_id"] for key, error in errors.items()} == {"node_1": "node_1", "0": "node_2"}
    assert api.server.request(request_id).errors[0]["message"] == "elsewhere"


def test_a_canceled_request_is_canceled_whatever_it_was(five: Api) -> None:
    for number in (1, 2, 3, 4):
        assert five.call("PUT", f"/requests/{number}", json={"status": "CANCELED"}).status_code == 204
        assert five.get(f"/requests/{number}").json()["status"] == "CANCELED"
    assert five.call("PUT", "/requests/5", json={"status": "CANCELED"}).status_code == 404
    assert five.server.tasks == []
