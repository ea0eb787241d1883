"""Who wants mail about his tasks brings the community's server into trouble: it lacks what sends it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import Api

_USER = {
    "username": "mia",
    "firstname": "Mia",
    "lastname": "Mail",
    "email": "mia@example.com",
    "status": "ACTIVE",
    "password": "Mia-pass1!",
}


def make(api: Api, **fields: Any) -> int:
    """A user, made as a client makes one."""
    answer = api.call("POST", "/users", json={**_USER, **fields})
    assert answer.status_code == 201
    return int(answer.json()["id"])


def test_the_request_is_in_error_and_the_task_is_there(api: Api) -> None:
    user_id = make(api)
    process_id = api.server.add_process("Ask", ["Question"], assignee="mia")
    answer = api.call("POST", f"/process_events/{process_id}?event=node_1", json={})
    request = answer.json()
    assert (answer.status_code, request["status"]) == (201, "ERROR")
    [error] = request["errors"]
    assert error["message"].endswith('ActionsByEmail\\EmailProvider" not found')
    # The step began at the start event, so that is what is blamed.
    assert (error["element_id"], error["element_name"]) == ("node_1", "Start Event")
    [task] = api.get(f"/tasks?process_request_id={request['id']}").json()["data"]
    assert (task["status"], task["user_id"], task["element_name"]) == ("ACTIVE", user_id, "Question")
    done = api.call("PUT", f"/tasks/{task['id']}", json={"status": "COMPLETED", "data": {}})
    assert done.json()["process_request"]["status"] == "COMPLETED"
    after = api.get(f"/requests/{request['id']}").json()
    assert (after["status"], after["errors"]) == ("COMPLETED", [error])


def test_a_task_that_comes_later_is_blamed_on_the_one_before(api: Api) -> None:
    make(api)
    process_id = api.server.add_process("Ask", ["One", "Two"], assignee="mia")
    request = api.call("POST", f"/process_events/{process_id}?event=node_1", json={}).json()
    [task] = api.get(f"/tasks?process_request_id={request['id']}").json()["data"]
    body = {"status": "COMPLETED", "data": {}}
    assert api.call("PUT", f"/tasks/{task['id']}", json=body).json()["process_request"]["status"] == "ERROR"
    errors = api.get(f"/requests/{request['id']}").json()["errors"]
    assert [error["element_name"] for error in errors] == ["Start Event", "One"]


def test_who_wants_no_mail_gets_his_task(api: Api) -> None:
    make(api, email_task_notification=0)
    api.server.add_user("ann", "Ann-pass1!")
    for name in ("mia", "ann", "bob", "user0001"):
        process_id = api.server.add_process(f"Ask {name}", assignee=name)
        answer = api.call("POST", f"/process_events/{process_id}?event=node_1", json={})
        assert answer.json()["status"] == "ACTIVE"
