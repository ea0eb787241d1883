"""``advanced_filter`` on requests and tasks."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

if TYPE_CHECKING:
    import requests

    from .conftest import Api


def item(kind: str, value: Any, operator: str = "=", subject: str | None = None, **more: Any) -> dict[str, Any]:
    """One condition."""
    return {"subject": {"type": kind, "value": subject}, "operator": operator, "value": value, **more}


def ask(api: Api, resource: str, *items: dict[str, Any]) -> requests.Response:
    return api.get(f"/{resource}", params={"advanced_filter": json.dumps(items), "order_by": "id"})


@pytest.fixture
def runs(api: Api) -> list[int]:
    """Four requests: 1 and 2 of bob's process, 3 of another one, 4 completed."""
    server = api.server
    server.add_process("Bob's", assignee="bob")
    server.add_process("Mine")
    ids = [server.start_request("Bob's", {"n": 9, "tags": ["a", "b"], "name": "X"}).id]
    ids.append(server.start_request("Bob's", {"n": 10, "tags": ["a"], "name": "x"}).id)
    ids.append(server.start_request("Mine", {"n": 11}).id)
    ids.append(server.start_request("Mine", {"n": 12}).id)
    server.complete_request(ids[3])
    return ids


@pytest.mark.parametrize(
    ("items", "expected"),
    [
        ([item("Field", 10, ">=", "data.n")], [2, 3, 4]),
        ([item("Field", [10, 11], "between", "data.n")], [2, 3]),
        ([item("Field", "x", subject="data.name")], [2]),
        ([item("Field", "X", "contains", "data.name")], [1, 2]),
        ([item("Field", "^x$", "regex", "data.name")], [1, 2]),
        ([item("Field", ["b", "a"], "in", "data.tags")], [1]),
        ([item("Process", 2)], [1, 2]),
        ([item("Status", ["In Progress"], "in"), item("Process", [3], "in")], [3]),
        ([item("Relationship", "Mi", "starts_with", "process.name")], [3, 4]),
        # What is in "or" must hold together.
        ([item("Process", 2, **{"or": [item("Process", 3), item("Status", "Completed")]})], [1, 2, 4]),
        ([], [1, 2, 3, 4]),
    ],
)
def test_both_lists_understand(api: Api, runs: list[int], items: list[dict[str, Any]], expected: list[int]) -> None:
    wanted = [runs[number - 1] for number in expected]
    assert [row["id"] for row in ask(api, "requests", *items).json()["data"]] == wanted
    assert [row["process_request_id"] for row in ask(api, "tasks", *items).json()["data"]] == wanted


def test_people(api: Api, runs: list[int]) -> None:
    bob = api.server.user("bob").id
    found = ask(api, "requests", item("Participants", [bob], "in")).json()["data"]
    assert [row["id"] for row in found] == runs[:2]
    found = ask(api, "tasks", item("Participants", bob)).json()["data"]
    assert [row["process_request_id"] for row in found] == runs[:2]
    found = ask(api, "tasks", item("AssigneesFullName", "Bob Plain")).json()["data"]
    assert [row["process_request_id"] for row in found] == runs[:2]
    assert ask(api, "requests", item("Participants", 999)).json()["data"] == []


@pytest.mark.parametrize("resource", ["requests", "tasks"])
def test_what_is_wrong(api: Api, runs: list[int], resource: str) -> None:
    answer = ask(api, resource, item("Field", 1, "~", "id"))
    assert (answer.status_code, answer.json()) == (422, {"message": "Invalid operator: ~"})
    assert ask(api, resource, item("Field", 1, "=", "nosuch")).status_code == {"requests": 500, "tasks": 422}[resource]
    assert ask(api, resource, item("Relationship", 1, "=", "nosuch.id")).status_code == 500
    assert ask(api, resource, {"operator": "="}).status_code == 500
    # What is no JSON is no filter.
    assert len(api.get(f"/{resource}?advanced_filter=x").json()["data"]) == len(runs)
