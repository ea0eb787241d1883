"""What the map of a request tells of an element."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from .conftest import Api


def answer(api: Api, request_id: int, element: str) -> Any:
    return api.get(f"/requests/{request_id}/tokens?element_id={element}")


def complete(api: Api, request_id: int) -> None:
    [task] = api.get(f"/tasks?process_request_id={request_id}&status=ACTIVE").json()["data"]
    api.call("PUT", f"/tasks/{task['id']}", json={"status": "COMPLETED", "data": {}})


def test_an_element(api: Api) -> None:
    api.server.add_process("Ask", ["One"])
    request_id = api.server.start_request("Ask").id
    waiting = answer(api, request_id, "node_2").json()
    assert (waiting["status_translation"], waiting["completed_by"]) == ("In Progress", "-")
    assert (waiting["completed_at"], waiting["completed_at_formatted"]) == (None, "-")
    assert waiting["is_sequence_flow"] is False
    complete(api, request_id)
    done = answer(api, request_id, "node_2").json()
    assert (done["status_translation"], done["completed_by"]) == ("Completed", done["user"]["fullname"])
    assert done["user"].keys() == {"id", "username", "firstname", "lastname", "fullname"}
    assert (done["count"], done["repeat_message"]) == (1, "The path was repeated one time")
    year, month, day, time = re.findall(r"..(..)-(..)-(..)T(..:..).*", done["completed_at"])[0]
    assert done["completed_at_formatted"] == f"{month}/{day}/{year} {time}"
    assert answer(api, request_id, "nosuch").status_code == 404
    assert api.get(f"/requests/{request_id}/tokens").status_code == 422


def test_a_flow_is_told_by_its_ends(api: Api) -> None:
    api.server.add_process("Ask", ["One", "Two"])
    request_id = api.server.start_request("Ask").id
    first, second = "flow_1", "flow_2"
    shown = answer(api, request_id, first).json()
    # Both ends were visited once: the target is told.
    assert (shown["is_sequence_flow"], shown["element_id"], shown["count"]) == (True, "node_2", 1)
    # The task before the second flow still waits, and nobody has been behind it.
    assert answer(api, request_id, second).status_code == 404
    complete(api, request_id)
    assert answer(api, request_id, second).json()["element_id"] == "node_3"
