"""Every list can be filled past its first page, and what was added is what it shows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer

    from .conftest import Api


def _request(server: ProcessMakerServer) -> int:
    server.add_process("Ask")
    return server.start_request("Ask").id


FILLED: dict[str, Callable[[ProcessMakerServer], list[Any]]] = {
    "/groups": lambda server: server.add_groups(12),
    "/environment_variables": lambda server: server.add_environment_variables(12),
    "/process_categories": lambda server: server.add_categories("process", 12),
    "/screen_categories": lambda server: server.add_categories("screen", 12),
    "/script_categories": lambda server: server.add_categories("script", 12),
    "/screens": lambda server: server.add_screens(12),
    "/scripts": lambda server: server.add_scripts(12),
    "/signals": lambda server: server.add_signals(12),
    "/settings": lambda server: server.add_settings(12),
    "/security-logs": lambda server: server.add_security_logs(12),
    "/notifications": lambda server: server.add_notifications(12),
    "/files": lambda server: server.add_files(_request(server), 12),
    "/task_assignments": lambda server: server.add_task_assignments(server.add_process("Ask"), 12),
}


@pytest.mark.parametrize("path", FILLED)
def test_what_was_added_is_listed(api: Api, path: str) -> None:
    before = [row["id"] for row in api.get(path, params={"per_page": 100}).json()["data"]]
    made = FILLED[path](api.server)
    shown = [row["id"] for row in api.get(path, params={"per_page": 100}).json()["data"]]
    assert len(made) == 12
    assert sorted(shown) == sorted([*before, *made])
    assert api.get(path).json()["meta"]["last_page"] > 1 or path == "/settings", "settings come 25 a page"


def test_names_do_not_repeat_when_more_are_added(api: Api) -> None:
    for add in (api.server.add_groups, api.server.add_screens, api.server.add_signals, api.server.add_settings):
        assert not set(add(3)) & set(add(3))
    names = [row["name"] for row in api.get("/groups?per_page=100").json()["data"]]
    assert len(names) == len(set(names))


def test_rows_look_like_those_that_the_api_made(api: Api) -> None:
    """So a client cannot tell by the columns, which is where rows made by hand go wrong."""
    server = api.server
    request = _request(server)
    made: dict[str, dict[str, Any]] = {
        "/groups": {"name": "Mine"},
        "/environment_variables": {"name": "MINE", "description": "d"},
        "/screens": {"title": "Mine", "description": "d", "type": "FORM", "screen_category_id": "2"},
        "/scripts": {"title": "Mine", "language": "php", "script_category_id": "1", "code": "x"},
        "/signals": {"id": "mine", "name": "Mine"},
        "/settings": {"key": "mine", "name": "Mine"},
        "/security-logs": {"event": "login"},
        "/notifications": {"type": "T", "data": "{}", "notifiable_id": 1},
        "/task_assignments": {"process_id": 2, "process_task_id": "n", "assignment_id": 1, "assignment_type": "User"},
    }
    for path, body in made.items():
        assert api.call("POST", path, json=body).status_code in {200, 201}, path
        if path == "/task_assignments":
            server.add_task_assignments(2)
        else:
            FILLED[path](server)
        rows = api.get(path, params={"per_page": 100}).json()["data"]
        assert len({frozenset(row) for row in rows}) == 1, path
    api.call("POST", f"/requests/{request}/files", files={"file": ("a.txt", b"a")})
    server.add_files(request)
    rows = api.get("/files").json()["data"]
    assert len(rows) == 2
    assert set(rows[0]) == set(rows[1])


def test_members(api: Api) -> None:
    group, other = api.server.add_groups(2)
    ids = api.server.add_members(group, user_ids=[1, 3], group_ids=[other])
    rows = [api.get(f"/group_members/{number}").json() for number in ids]
    assert [row["member_id"] for row in rows] == [1, 3, other]
    assert {row["group_id"] for row in rows} == {group}


def test_files_and_comments_belong_to_their_request(api: Api) -> None:
    one = _request(api.server)
    two = api.server.start_request("Ask").id
    files = api.server.add_files(two, 3)
    assert [row["id"] for row in api.get(f"/requests/{two}/files").json()["data"]] == files
    assert api.get(f"/requests/{one}/files").json()["data"] == []
    assert api.get(f"/requests/{two}/files/{files[1]}").content == b"file 2"
    comments = api.server.add_comments(two, 2)
    about = {"commentable_type": "ProcessMaker\\Models\\ProcessRequest", "commentable_id": two}
    assert [row["id"] for row in api.get("/comments", params=about).json()["data"]] == comments


def test_notifications_are_somebody_s(api: Api) -> None:
    mine, his = api.server.add_notifications(2), api.server.add_notifications(1, username="bob")
    assert {row["id"] for row in api.get("/notifications").json()["data"]} == set(mine)
    api.login("bob")
    assert [row["id"] for row in api.get("/notifications").json()["data"]] == his
