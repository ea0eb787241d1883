"""What comes before the API itself: proxies, tags, counters, and who needs no permission."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Api


@pytest.mark.parametrize(
    ("host", "status"),
    [("127.0.0.1", 200), ("a.127.0.0.1", 200), ("evil.example.com", 400), ("127.0.0.1:80", 400), ("127x0.0.1", 400)],
)
def test_a_proxy_may_name_the_server_s_own_domain_only(api: Api, host: str, status: int) -> None:
    answer = api.get("/users?per_page=1", headers={"X-Forwarded-Host": host})
    assert answer.status_code == status
    if status == 400:
        assert answer.json() == {"message": "Invalid Host Header"}


def test_counters_are_there_for_everybody(api: Api) -> None:
    del api.session.headers["Authorization"]
    answer = api.session.get(f"{api.server.url}/metrics", timeout=10)
    assert (answer.status_code, answer.headers["Content-Type"].partition(";")[0]) == (200, "text/plain")
    assert 'php_info{version="' in answer.text
    assert api.session.post(f"{api.server.url}/metrics", timeout=10).status_code == 405


def test_the_tag_of_what_one_may_start_knows_of_processes_only(api: Api) -> None:
    process_id = api.server.add_process("Ask", start_users=["bob"])
    path = "/start_processes"
    first = api.get(path)
    tag = {"If-None-Match": first.headers["ETag"]}
    assert api.get(path, headers=tag).status_code == 304
    # Another page, but no process has changed.
    assert api.get(f"{path}?per_page=1&page=2", headers=tag).status_code == 304
    api.server.clock.advance(2)
    api.call("PUT", f"/processes/{process_id}", json={"description": "changed"})
    changed = api.get(path, headers=tag)
    assert (changed.status_code, changed.json()["data"][0]["description"]) == (200, "changed")
    api.login("bob")
    assert api.get(path).headers["ETag"] != changed.headers["ETag"]


def test_screens_may_be_read_without_a_permission(api: Api) -> None:
    body = {"title": "S", "description": "d", "type": "FORM", "screen_category_id": "2"}
    screen = api.call("POST", "/screens", json=body).json()
    api.login("bob")
    assert [row["id"] for row in api.get("/screens").json()["data"]] == [screen["id"]]
    assert api.get(f"/screens/{screen['id']}").status_code == 200
    assert api.call("POST", "/screens", json={**body, "title": "T"}).status_code == 403
    assert api.call("DELETE", f"/screens/{screen['id']}").status_code == 403
