"""``/groups/{id}/users`` and ``/groups/{id}/groups``: rows of two tables in one."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from .conftest import Api

_WITH_ZONE = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\+00:00")


@pytest.mark.parametrize("kind", ["User", "Group"])
def test_id_and_times_are_the_memberships(api: Api, kind: str) -> None:
    member_id = (
        api.server.user_ids[0] if kind == "User" else api.call("POST", "/groups", json={"name": "G"}).json()["id"]
    )
    group_id = api.call("POST", "/groups", json={"name": "Mine"}).json()["id"]
    api.server.clock.advance(3600)
    body = {"group_id": group_id, "member_id": member_id, "member_type": f"ProcessMaker\\Models\\{kind}"}
    membership = api.call("POST", "/group_members", json=body).json()
    path = f"/groups/{group_id}/{kind.lower()}s"
    [row] = api.get(path).json()["data"]
    assert (row["id"], row["member_id"], row["group_id"]) == (membership["id"], member_id, group_id)
    for name in ("created_at", "updated_at"):
        # A membership's own times have no zone; the row is of the member's model.
        assert _WITH_ZONE.fullmatch(row[name])
        assert row[name][:19] == api.get(f"/group_members/{membership['id']}").json()[name].replace(" ", "T")
    assert api.get(f"{path}?order_by=created_at").status_code == 500
