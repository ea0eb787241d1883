"""What a task's form holds before the task is completed."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from .conftest import Api


@pytest.fixture
def task(api: Api) -> dict[str, Any]:
    """A task that waits."""
    api.server.add_process("Ask")
    request = api.server.start_request("Ask")
    [row] = api.get(f"/tasks?process_request_id={request.id}").json()["data"]
    found: dict[str, Any] = row
    return found


def upload(api: Api, task: dict[str, Any], content: bytes, **fields: Any) -> int:
    """A file of the variable ``doc``; returns its id."""
    path = f"/requests/{task['process_request_id']}/files"
    answer = api.call("POST", path, files={"file": ("a.txt", content)}, data={"data_name": "doc", **fields})
    return int(answer.json()["fileUploadId"])


def names(api: Api, task: dict[str, Any]) -> list[int]:
    """The ids of the request's files."""
    return [row["id"] for row in api.get(f"/requests/{task['process_request_id']}/files").json()["data"]]


def test_a_file_of_a_task_waits_in_its_draft(api: Api, task: dict[str, Any]) -> None:
    old = upload(api, task, b"old")
    first = upload(api, task, b"first", task_id=task["id"])
    new = upload(api, task, b"new", task_id=task["id"])
    assert names(api, task) == [old]
    path = f"/tasks/{task['id']}"
    assert api.get(f"{path}?include=draft").json()["draft"]["data"] == {"doc": new}
    assert api.get(f"/files/{first}").status_code == 404
    api.call("PUT", path, json={"status": "COMPLETED", "data": {"doc": new}})
    assert names(api, task) == [new]
    assert api.get(f"/requests/{task['process_request_id']}/files/{new}").content == b"new"
    assert api.get(f"{path}?include=draft").json()["draft"] is None


def test_a_file_of_a_draft_that_is_thrown_away_goes_with_it(api: Api, task: dict[str, Any]) -> None:
    file_id = upload(api, task, b"x", task_id=task["id"])
    path = f"/drafts/{task['id']}"
    assert api.call("PUT", path, json={"a": 1}).status_code == 200
    assert api.call("DELETE", path).status_code == 204
    assert api.get(f"/files/{file_id}").status_code == 404
    assert api.call("PUT", path, json={"a": 1}).status_code == 201
