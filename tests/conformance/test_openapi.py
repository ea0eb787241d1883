"""Every answer of an operation that ProcessMaker describes fits the description, but for what is known to differ."""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_processmaker.testing import ProcessMakerServer
from airflow_provider_processmaker.testing.routes import MODULES

from . import description
from .description import DESCRIPTION, FILE, problems
from .recordings import all_recordings

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from .replay import Result

    Answer = tuple[str, str, int, bytes]

USER = {
    "username": "zoe",
    "firstname": "Z",
    "lastname": "Z",
    "email": "z@example.com",
    "status": "ACTIVE",
    "password": "Zoe-pass1!",
}
MEMBER = {"group_id": 4, "member_id": 3, "member_type": "ProcessMaker\\Models\\User"}

ASSIGNMENT = {
    "process_id": 2,
    "process_task_id": "node_2",
    "assignment_id": 1,
    "assignment_type": "ProcessMaker\\Models\\User",
}


def _category_calls(kind: str, category_id: int) -> list[tuple[str, str, str, Any]]:
    described, real = f"/{kind}_categories/{{{kind}_category_id}}", f"/{kind}_categories/{category_id}"
    body = {"name": "New", "status": "ACTIVE"}
    return [
        ("POST", f"/{kind}_categories", f"/{kind}_categories", body),
        ("GET", described, real, None),
        ("PUT", described, real, body),
        ("DELETE", described, real, None),
    ]


# A call for each operation: path of the description, real path, body. In this order: one builds on the other.
CALLS: list[tuple[str, str, str, Any]] = [
    ("GET", "/users", "/users?order_by=id&order_direction=asc", None),
    ("POST", "/users", "/users", USER),
    ("POST", "/users", "/users", {}),
    ("GET", "/users/{user_id}", "/users/3", None),
    ("GET", "/users/{user_id}", "/users/99999", None),
    ("PUT", "/users/{user_id}", "/users/3", {**USER, "username": "bob", "email": "bob@example.com"}),
    ("PUT", "/users/{user_id}", "/users/3", {"username": "bob"}),
    ("PUT", "/users/{user_id}", "/users/99999", {"username": "bob"}),
    ("PUT", "/users/{user_id}/groups", "/users/3/groups", {"groups": [5]}),
    ("DELETE", "/users/{user_id}", "/users/7", None),
    ("DELETE", "/users/{user_id}", "/users/7", None),
    ("PUT", "/users/restore", "/users/restore", {"id": 7}),
    ("GET", "/users_task_count", "/users_task_count", None),
    ("POST", "/users/{user_id}/tokens", "/users/3/tokens", {"name": "x"}),
    ("GET", "/users/{user_id}/tokens", "/users/3/tokens", None),
    ("GET", "/users/{user_id}/tokens/{token_id}", "/users/3/tokens/<token>", None),
    ("DELETE", "/users/{user_id}/tokens/{token_id}", "/users/3/tokens/<token>", None),
    ("GET", "/groups", "/groups?order_direction=desc", None),
    ("POST", "/groups", "/groups", {"name": "Zeta"}),
    ("POST", "/groups", "/groups", {}),
    ("GET", "/groups/{group_id}", "/groups/4", None),
    ("GET", "/groups/{group_id}", "/groups/99", None),
    ("PUT", "/groups/{group_id}", "/groups/16", {"name": "Eta"}),
    ("DELETE", "/groups/{group_id}", "/groups/16", None),
    ("DELETE", "/groups/{group_id}", "/groups/16", None),
    ("GET", "/groups/{group_id}/users", "/groups/4/users", None),
    ("GET", "/groups/{group_id}/groups", "/groups/4/groups", None),
    ("GET", "/group_members", "/group_members", None),
    ("POST", "/group_members", "/group_members", MEMBER),
    ("POST", "/group_members", "/group_members", MEMBER),
    ("GET", "/group_members/{group_member_id}", "/group_members/1", None),
    ("DELETE", "/group_members/{group_member_id}", "/group_members/1", None),
    ("GET", "/group_members_available", "/group_members_available", None),
    ("GET", "/user_members_available", "/user_members_available?group_id=4", None),
    ("GET", "/environment_variables", "/environment_variables", None),
    ("POST", "/environment_variables", "/environment_variables", {"name": "NEW", "description": "d", "value": "v"}),
    ("GET", "/environment_variables/{environment_variable_id}", "/environment_variables/1", None),
    ("PUT", "/environment_variables/{environment_variable_id}", "/environment_variables/1",
     {"name": "NEWER", "description": "d"}),
    ("DELETE", "/environment_variables/{environment_variable_id}", "/environment_variables/1", None),
    ("PUT", "/permissions", "/permissions", {"user_id": 3, "permission_names": ["view-users"]}),
    ("GET", "/requests", "/requests", None),
    ("GET", "/tasks", "/tasks", None),
    ("GET", "/processes", "/processes", None),
    ("GET", "/start_processes", "/start_processes", None),
    ("GET", "/files", "/files", None),
    ("GET", "/scripts", "/scripts", None),
    ("GET", "/screens", "/screens", None),
    ("GET", "/signals", "/signals", None),
    ("GET", "/process_categories", "/process_categories", None),
    ("GET", "/script_categories", "/script_categories", None),
    ("GET", "/screen_categories", "/screen_categories", None),
    ("GET", "/notifications", "/notifications", None),
    ("GET", "/security-logs", "/security-logs", None),
    ("GET", "/task_assignments", "/task_assignments", None),
    ("POST", "/process_events/{process_id}", "/process_events/2?event=node_1", {"a": 1}),
    ("GET", "/requests/{process_request_id}", "/requests/1", None),
    ("GET", "/requests/{process_request_id}", "/requests/99", None),
    ("PUT", "/requests/{process_request_id}", "/requests/1", {"data": {"b": 2}}),
    ("POST", "/requests/{request_id}/files", "/requests/1/files", b"content"),
    ("GET", "/requests/{request_id}/files", "/requests/1/files", None),
    ("GET", "/requests/{request_id}/files/{file_id}", "/requests/1/files/1", None),
    ("GET", "/files", "/files", None),
    ("GET", "/files/{file_id}", "/files/1", None),
    ("GET", "/files/{file_id}/contents", "/files/1/contents", None),
    ("DELETE", "/requests/{request_id}/files/{file_id}", "/requests/1/files/1", None),
    ("POST", "/files", "/files?model=User&model_id=1&data_name=x", b"content"),
    ("DELETE", "/files/{file_id}", "/files/2", None),
    ("GET", "/requests", "/requests", None),
    ("GET", "/tasks", "/tasks", None),
    ("GET", "/tasks/{task_id}", "/tasks/2", None),
    ("GET", "/tasks/{task_id}", "/tasks/99", None),
    ("PUT", "/tasks/{task_id}", "/tasks/2", {"status": "COMPLETED", "data": {}}),
    ("PUT", "/tasks/{task_id}", "/tasks/2", {"status": "COMPLETED", "data": {}}),
    ("DELETE", "/requests/{process_request_id}", "/requests/1", None),
    ("POST", "/process_events/{process_id}", "/process_events/3?event=node_1", {}),
    ("POST", "/requests/{process_request_id}/events/{event_id}", "/requests/2/events/node_20", {}),
    ("GET", "/processes", "/processes", None),
    ("GET", "/start_processes", "/start_processes", None),
    ("POST", "/processes", "/processes", {"name": "New", "description": "d"}),
    ("GET", "/processes/{processId}", "/processes/2", None),
    ("PUT", "/processes/{processId}", "/processes/2", {"name": "Simple Task", "description": "e"}),
    ("GET", "/processes/{processId}/bpmn", "/processes/2/bpmn", None),
    ("POST", "/processes/{processId}/export", "/processes/2/export", {}),
    ("DELETE", "/processes/{processId}", "/processes/2", None),
    ("PUT", "/processes/{processId}/restore", "/processes/2/restore", {}),
    *(call for kind, one in (("process", 3), ("screen", 3), ("script", 2)) for call in _category_calls(kind, one)),
    ("POST", "/screens", "/screens",
     {"title": "S", "description": "d", "type": "FORM", "screen_category_id": 2, "config": []}),
    ("GET", "/screens/{screens_id}", "/screens/3", None),
    ("PUT", "/screens/{screens_id}", "/screens/3", {"description": "e"}),
    ("DELETE", "/screens/{screens_id}", "/screens/3", None),
    ("POST", "/scripts", "/scripts", {"title": "S", "language": "php", "script_category_id": 1, "code": "<?php"}),
    ("GET", "/scripts/{script_id}", "/scripts/7", None),
    ("PUT", "/scripts/{script_id}", "/scripts/7", {"title": "T"}),
    ("POST", "/scripts/execute/{script_id}", "/scripts/execute/7", {"data": "{}", "config": "{}", "sync": True}),
    ("GET", "/scripts/execution/{key}", "/scripts/execution/x", None),
    ("POST", "/scripts/{script_id}/preview", "/scripts/7/preview", {"data": "{}"}),
    ("DELETE", "/scripts/{script_id}", "/scripts/7", None),
    ("POST", "/signals", "/signals", {"id": "s1", "name": "S"}),
    ("GET", "/signals/{signal_id}", "/signals/s1", None),
    ("PUT", "/signals/{signal_id}", "/signals/s1", {"id": "s1", "name": "T"}),
    ("DELETE", "/signals/{signal_id}", "/signals/s1", None),
    ("POST", "/notifications", "/notifications", {"type": "T", "data": "{}"}),
    ("GET", "/notifications", "/notifications", None),
    ("GET", "/notifications/{notification_id}", "/notifications/<notification>", None),
    ("PUT", "/read_notifications", "/read_notifications", {"message_ids": []}),
    ("PUT", "/unread_notifications", "/unread_notifications", {"message_ids": []}),
    ("PUT", "/read_all_notifications", "/read_all_notifications", {}),
    ("DELETE", "/notifications/{notification_id}", "/notifications/<notification>", None),
    ("GET", "/security-logs/{securityLog}", "/security-logs/1", None),
    ("GET", "/settings", "/settings", None),
    ("PUT", "/settings/{setting_id}", "/settings/99", {"name": "x"}),
    ("POST", "/task_assignments", "/task_assignments", ASSIGNMENT),
    ("PUT", "/task_assignments/{task_assignment}", "/task_assignments/1", ASSIGNMENT),
    ("DELETE", "/task_assignments/{task_assignment}", "/task_assignments/1", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> Iterator[list[requests.Response]]:
    """The answers to all calls."""
    if not FILE.is_file():
        pytest.skip(f"no description at {FILE}: set PROCESSMAKER_RECORDINGS to a folder beside it")
    with ProcessMakerServer(100) as server, requests.Session() as session:
        server.add_example_processes()
        session.headers.update({"Authorization": f"Bearer {server.issue_token()}", "Accept": "application/json"})
        found: list[requests.Response] = []
        names = {"<token>": "", "<notification>": ""}
        for method, _, path, body in CALLS:
            url = f"{server.url}/api/1.0{path}"
            for name, value in names.items():
                url = url.replace(name, value)
            sent: dict[str, Any] = {"files": {"file": ("a.txt", body)}} if isinstance(body, bytes) else {"json": body}
            found.append(session.request(method, url, **sent, timeout=10))
            if method == "POST" and path.endswith("/tokens"):
                names["<token>"] = found[-1].json()["token"]["id"]
            if method == "POST" and path == "/notifications":
                names["<notification>"] = found[-1].json()["id"]
        yield found


@pytest.mark.parametrize("number", range(len(CALLS)), ids=[f"{call[0]} {call[2]}" for call in CALLS])
def test_answer_fits_its_description(number: int, answers: list[requests.Response]) -> None:
    method, described, _, _ = CALLS[number]
    answer = answers[number]
    assert problems(method, described, answer.status_code, answer.content) == []


def _shape(path: str) -> str:
    return "/".join("{}" if part.startswith("{") else part for part in path.split("/"))


def test_every_described_operation_that_is_served_is_called(answers: list[requests.Response]) -> None:
    described = {(method.upper(), _shape(path)) for path, item in DESCRIPTION["paths"].items() for method in item}
    served = {(route.method, _shape(route.path)) for module in MODULES for route in module.ROUTES}
    called = {(method, _shape(path)) for method, path, _, _ in CALLS}
    assert (described & served) - called == set()


def test_the_check_bites(answers: list[requests.Response]) -> None:
    user = answers[3].json()
    good = json.dumps(user).encode()
    assert problems("GET", "/users/{user_id}", 200, good) == []
    assert problems("GET", "/users/{user_id}", 201, good) != []
    for name, value in (("email", 1), ("status", "GONE"), ("meta", "text"), ("is_administrator", "yes")):
        assert problems("GET", "/users/{user_id}", 200, json.dumps({**user, name: value}).encode()) != []


def _described(method: str, path: str) -> str | None:
    """The path of the description that a real path is of, the one with the fewest names in it."""
    fits = [
        shape
        for shape, item in DESCRIPTION["paths"].items()
        if method.lower() in item and re.fullmatch("/api/1.0" + re.sub(r"\\{\w+\\}", "[^/]+", re.escape(shape)), path)
    ]
    return min(fits, key=lambda shape: shape.count("{"), default=None)


@pytest.fixture(scope="module")
def replayed_answers(replay_results: Mapping[str, Result]) -> list[Answer]:
    """The answers of the replay to operations that are described."""
    found = []
    for one in all_recordings():
        shape = _described(one.method, one.path)
        result = replay_results.get(one.file)
        if shape is not None and result is not None:
            found.append((one.method, shape, result.status, result.body))
    return found


def test_answers_of_the_replay_fit_their_descriptions(replayed_answers: list[Answer]) -> None:
    assert replayed_answers
    wrong = [(answer[:3], found) for answer in replayed_answers if (found := problems(*answer))]
    assert wrong == []


@pytest.mark.parametrize(
    ("status", "body"),
    [(401, b'{"message":"x"}'), (404, b'{"message":"x"}'), (500, b"{}"), (422, b'{"data":[]}'), (503, b"<html>")],
)
def test_other_errors_are_found(status: int, body: bytes) -> None:
    assert not description.is_error(status, body)


LINES = [
    (name, line)
    for name in ("OTHER_KINDS", "OTHER_STATUS", "OTHER_SHAPE", "NULLABLE", "NULLABLE_NAMES", "EMPTY_LISTS", "NOTHING")
    for line in getattr(description, name)
]


@pytest.mark.parametrize(("table", "line"), LINES)
def test_no_line_of_the_lists_is_stale(
    table: str,
    line: Any,
    answers: list[requests.Response],
    replayed_answers: list[Answer],
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    monkeypatch.delitem(getattr(description, table), line)
    called = [(call[0], call[1], one.status_code, one.content) for call, one in zip(CALLS, answers, strict=True)]
    # Lines for one operation need no other answers.
    wanted = [one for one in [*called, *replayed_answers] if not isinstance(line, tuple) or one[:2] == line]
    assert any(problems(*one) for one in wanted)
