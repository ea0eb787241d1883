"""The users whose names one begins to type."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Api


def test_by_the_first_letters(api: Api) -> None:
    for name in ("bobby", "bo_x", "jimbo"):
        api.server.add_user(name, "Some-pass1!")
    found = [row["username"] for row in api.get("/users?mention_username=BO&per_page=100").json()["data"]]
    assert found == ["bo_x", "bob", "bobby"]
    found = [row["username"] for row in api.get("/users?mention_username=bo_b&per_page=100").json()["data"]]
    # An underscore stands for any letter, as in all of the server's patterns.
    assert found == ["bobby"]
    assert len(api.get("/users?mention_username=&per_page=1000").json()["data"]) == len(api.server.user_ids)
