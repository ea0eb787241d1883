"""What becomes of a process's diagram, given or not, sound or not."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import requests

    from .conftest import Api


def put(api: Api, process_id: int, **fields: Any) -> requests.Response:
    return api.call("PUT", f"/processes/{process_id}", json={"description": "d", **fields})


def test_a_new_process_without_a_diagram_can_be_started(api: Api) -> None:
    made = api.call("POST", "/processes", json={"name": "Empty", "description": "d"})
    assert made.status_code == 201
    [event] = made.json()["start_events"]
    answer = api.call("POST", f"/process_events/{made.json()['id']}?event={event['id']}", json={})
    assert (answer.status_code, answer.json()["status"]) == (201, "COMPLETED")


def test_what_is_no_bpmn_is_saved_with_warnings(api: Api) -> None:
    process_id = api.server.add_process("Ask")
    shown = put(api, process_id, bpmn="<x/>")
    assert (shown.status_code, shown.json()["start_events"]) == (200, [])
    [warning] = shown.json()["warnings"]
    assert warning["title"] == "Schema Validation"
    assert warning["text"].startswith("Element 'x': No matching global declaration")
    assert api.get("/start_processes").json()["data"] == []
    assert api.call("POST", f"/process_events/{process_id}?event=node_1", json={}).status_code == 422
    assert put(api, process_id, bpmn="no XML").status_code == 500
    # The next save without a diagram forgets the warnings, and the name may be left out.
    assert put(api, process_id).json()["warnings"] is None
    assert api.get(f"/processes/{process_id}").json()["name"] == "Ask"
    assert put(api, process_id, name="").status_code == 422
