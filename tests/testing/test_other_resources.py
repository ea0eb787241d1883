"""Categories, screens, scripts, signals, comments and so on: what the recordings do not show of them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Api


@pytest.mark.parametrize("kind", ["process", "screen", "script"])
def test_categories(api: Api, kind: str) -> None:
    path = f"/{kind}_categories"
    before = len(api.get(path).json()["data"])
    made = api.call("POST", path, json={"name": "Mine", "status": "ACTIVE"}).json()
    assert len(api.get(path).json()["data"]) == before + 1
    assert api.call("POST", path, json={"name": "mine", "status": "ACTIVE"}).status_code == 422
    one = f"{path}/{made['id']}"
    changed = api.call("PUT", one, json={"name": "Yours", "status": "INACTIVE"})
    assert (changed.status_code, changed.json()["name"]) == (200, "Yours")
    assert api.call("DELETE", one).status_code == 204
    assert api.get(one).status_code == 404
    api.login("bob")
    assert api.get(path).status_code == 403


def test_a_category_in_use_stays(api: Api) -> None:
    api.server.add_process("Ask")
    assert api.call("DELETE", "/process_categories/2").status_code == 422


def test_archived_and_inactive_processes(api: Api) -> None:
    process_id = api.server.add_process("Ask")
    body = {"name": "Ask", "description": "d", "status": "INACTIVE"}
    assert api.call("PUT", f"/processes/{process_id}", json=body).json()["status"] == "INACTIVE"
    assert len(api.get("/processes").json()["data"]) == 1
    assert api.get("/processes?status=all").json()["data"] == []
    assert api.get("/start_processes").json()["data"] == []
    assert api.call("POST", f"/process_events/{process_id}?event=node_1", json={}).status_code == 201
    assert api.call("DELETE", f"/processes/{process_id}").status_code == 204
    assert api.get("/processes").json()["data"] == []
    assert len(api.get("/processes?status=archived").json()["data"]) == 1
    assert api.call("PUT", f"/processes/{process_id}/restore").json()["status"] == "ACTIVE"
    assert api.get("/processes/99").status_code == 204


def test_processes_repeat_past_their_end(api: Api) -> None:
    for name in ("A", "B", "C"):
        api.server.add_process(name)
    names = [row["name"] for row in api.get("/processes?page=7").json()["data"]]
    assert names == ["A", "B", "C"]
    assert api.get("/processes?per_page=2&page=7").json()["data"] == []
    assert api.get("/processes?per_page=0").status_code == 500
    assert api.get("/processes?include=nosuch").status_code == 500


def test_signals(api: Api) -> None:
    server = api.server
    server.add_example_processes()
    waiting = server.start_request(7, {"w": 1})
    thrower = server.start_request(5, {"payload": "P"})
    assert (waiting.status, waiting.data) == ("COMPLETED", {"w": 1, "payload": "P"})
    started = server.requests[-1]
    assert (started.process_id, started.status, started.data) == (6, "ERROR", thrower.data)
    assert api.call("DELETE", "/signals/sig_seed").status_code == 403
    for number in range(12):
        server.state.workflow.signals[f"s{number:02}"] = {"id": f"s{number:02}", "name": f"S {number}", "detail": ""}
    last = api.get("/signals?page=9&per_page=5").json()
    assert [row["id"] for row in last["data"]] == ["s10", "s11", "sig_seed"]
    assert (last["meta"]["current_page"], last["meta"]["to"], last["meta"]["per_page"]) == (3, 15, "5")
    assert api.call("POST", "/signals", json={"id": "1 x", "name": "N"}).status_code == 422
    assert api.get("/signals/nosuch").content == b""


def test_comments_tell_what_was_done(api: Api) -> None:
    api.server.add_process("Ask")
    request = api.server.start_request("Ask")
    api.call("PUT", f"/requests/{request.id}", json={"data": {"x": 1}})
    api.server.fail_request(request.id)
    api.call("PUT", f"/requests/{request.id}", json={"status": "COMPLETED"})
    about = {"commentable_type": "ProcessMaker\\Models\\ProcessRequest", "commentable_id": request.id}
    api.call("POST", "/comments", json={**about, "subject": "S", "body": "B"})
    rows = api.get("/comments", params={**about, "type": "LOG"}).json()["data"]
    assert [row["subject"] for row in rows] == ["Data edited", "Process Manually Completed"]
    everything = api.get("/comments", params=about).json()
    assert (len(everything["data"]), everything["meta"]["per_page"]) == (3, 100)


def test_notifications_are_one_s_own(api: Api) -> None:
    made = api.call("POST", "/notifications", json={"type": "T", "data": '{"url": "/x"}', "notifiable_id": 1}).json()
    assert api.get(f"/notifications/{made['id']}").json()["url"] == "/x"
    assert api.call("PUT", "/read_notifications", json={"message_ids": [made["id"]]}).status_code == 201
    assert api.get("/notifications?status=unread").json()["data"] == []
    api.login("bob")
    assert api.get("/notifications").json()["data"] == []
    assert api.get(f"/notifications/{made['id']}").status_code == 404


def test_drafts(api: Api) -> None:
    api.server.add_process("Ask")
    api.server.start_request("Ask")
    task = api.server.tasks[0].id
    assert api.call("PUT", f"/drafts/{task}", json={"a": 1}).status_code == 201
    assert api.call("PUT", f"/drafts/{task}", json={"a": 2}).status_code == 200
    assert api.get("/tasks").json()["data"][0]["draft"]["data"] == {"a": 2}
    assert api.call("DELETE", f"/drafts/{task}").status_code == 204
    assert api.call("DELETE", f"/drafts/{task}").status_code == 404


@pytest.mark.parametrize(
    ("path", "query", "answer"),
    [
        ("/scripts", "==", {"message": "Your PMQL contains invalid syntax."}),
        ("/screens", "==", {"message": "Your PMQL contains invalid syntax."}),
        ("/settings", "==", {"error": "PMQL error"}),
    ],
)
def test_queries_of_the_designer_s_lists(api: Api, path: str, query: str, answer: dict[str, Any]) -> None:
    bad = api.get(path, params={"pmql": query})
    assert (bad.status_code, bad.json()) == (400, answer)
    assert api.get(path, params={"pmql": "id > 0"}).status_code == 200
    assert api.get(path, params={"pmql": "nosuch = 1"}).status_code == 500


def test_settings(api: Api) -> None:
    assert api.call("POST", "/settings", json={"key": "a.b", "name": "N"}).json() == []
    assert api.call("POST", "/settings", json={"key": "a.b"}).status_code == 409
    assert [row["key"] for row in api.get("/settings").json()["data"]] == ["a.b"]
    assert api.call("PUT", "/settings/1", json={"name": "M"}).status_code == 204
    assert api.call("DELETE", "/settings/1").status_code == 204


def test_active_tasks_of_users(api: Api) -> None:
    api.server.add_process("Ask", assignee="bob")
    api.server.add_requests("Ask", 3)
    rows = api.get("/users_task_count?filter=bob").json()["data"]
    assert [row["active_tasks_count"] for row in rows] == [3]


def test_created_users_are_logged(api: Api) -> None:
    body = {"username": "zoe", "firstname": "Z", "lastname": "Z", "email": "z@example.com", "status": "ACTIVE",
            "password": "Zoe-pass1!"}  # fmt: skip
    api.call("POST", "/users", json=body)
    rows = api.get("/security-logs", params={"pmql": 'event = "UserCreated"'}).json()["data"]
    assert [row["data"]["username"] for row in rows] == ["zoe"]
