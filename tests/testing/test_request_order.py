"""The order of requests by what is in their data."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .conftest import Api


def test_by_data_as_texts(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    data = [{"n": {"x": 9}}, {"n": {"x": 10}}, {"n": {"x": "b"}}, {"n": {"x": "B"}}, {}]
    ids = [server.start_request("Ask", one).id for one in data]
    # What has none comes first, capitals before small letters, and 10 before 9.
    expected = [ids[4], ids[1], ids[0], ids[3], ids[2]]
    assert [row["id"] for row in api.get("/requests?order_by=data.n.x").json()["data"]] == expected
    down = api.get("/requests?order_by=data.n.x&order_direction=desc").json()["data"]
    assert [row["id"] for row in down] == expected[::-1]
    assert api.get("/requests?order_by=process.name").status_code == 500
