"""Which tasks are in the list, and how many of them are late."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import Api


def test_late_ones_are_counted_on_the_page_alone_and_done_ones_too(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    for _ in range(3):
        server.start_request("Ask")
    server.clock.advance(3600 * 73)
    server.start_request("Ask")
    assert api.get("/tasks?order_by=id&per_page=2").json()["meta"]["in_overdue"] == 2
    assert api.get("/tasks?order_by=id&order_direction=desc&per_page=2").json()["meta"]["in_overdue"] == 1
    rows: list[dict[str, Any]] = api.get("/tasks?order_by=id&per_page=1").json()["data"]
    api.call("PUT", f"/tasks/{rows[0]['id']}", json={"status": "COMPLETED", "data": {}})
    assert api.get("/tasks?order_by=id&per_page=2").json()["meta"]["in_overdue"] == 2


def test_a_manager_sees_what_waits_in_his_processes(api: Api) -> None:
    server = api.server
    bob = server.user("bob").id
    managed, other = server.add_process("Managed", ["One", "Two"]), server.add_process("Other")
    body = {"name": "Managed", "description": "d", "manager_id": bob}
    assert api.call("PUT", f"/processes/{managed}", json=body).status_code == 200
    for name in ("Managed", "Other"):
        server.start_request(name)
    [task] = api.get(f"/tasks?process_id={managed}").json()["data"]
    api.call("PUT", f"/tasks/{task['id']}", json={"status": "COMPLETED", "data": {}})
    api.login("bob")
    assert api.get("/tasks").json()["data"] == []
    [mine] = api.get("/tasks?processesIManage=true").json()["data"]
    assert (mine["process_id"], mine["element_name"], mine["status"]) == (managed, "Two", "ACTIVE")
    api.login("admin")
    assert api.get("/tasks?processesIManage=true").json()["data"] == []
    assert {row["process_id"] for row in api.get("/tasks?processesIManage=1").json()["data"]} == {managed, other}
