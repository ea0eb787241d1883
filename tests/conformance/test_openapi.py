"""Every answer of an operation that ProcessMaker describes fits the description, but for what is known to differ."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest
import requests
from jsonschema import Draft4Validator

from airflow_provider_processmaker.testing import ProcessMakerServer
from airflow_provider_processmaker.testing.routes import MODULES

from .recordings import PROJECT, folder

if TYPE_CHECKING:
    from collections.abc import Iterator

PLACES = [folder().parent / "openapi.json", PROJECT.parent / "shared" / "facts" / "openapi.json"]
FILE = next((place for place in PLACES if place.is_file()), PLACES[0])
DESCRIPTION: dict[str, Any] = json.loads(FILE.read_text()) if FILE.is_file() else {"paths": {}}

# Where the real server answers with another status than it says: the recording or fact behind it.
OTHER_STATUS = {
    # Described as if reading created something; groups_show and users_show tell that reading is 200.
    ("GET", "/environment_variables/{environment_variable_id}"): {200: "201"},
    # users_tokens_create
    ("POST", "/users/{user_id}/tokens"): {200: "201"},
    # process_events_start
    ("POST", "/process_events/{process_id}"): {201: "200"},
    # message_event_trigger: 200 with an empty list
    ("POST", "/requests/{process_request_id}/events/{event_id}"): {200: "204"},
    # signals_create, signals_delete
    ("POST", "/signals"): {200: "201"},
    ("DELETE", "/signals/{signal_id}"): {201: "204"},
    # Read in the source, not recorded.
    ("PUT", "/task_assignments/{task_assignment}"): {200: "204"},
    ("DELETE", "/task_assignments/{task_assignment}"): {204: "200"},
}
# Answers whose shape is another than described.
OTHER_SHAPE = {
    # users_tokens_create: {"accessToken": ..., "token": {...}} instead of the bare token
    ("POST", "/users/{user_id}/tokens"),
    # processes_bpmn: the text itself
    ("GET", "/processes/{processId}/bpmn"),
    # notifications_list: data is an object, described as text
    ("GET", "/notifications"), ("POST", "/notifications"), ("GET", "/notifications/{notification_id}"),
    # security_logs: meta and data are objects, described as lists
    ("GET", "/security-logs"), ("GET", "/security-logs/{securityLog}"),
}  # fmt: skip
# Fields that differ in kind wherever they appear, with a recording that shows it.
OTHER_KINDS = {
    "id": "an integer, described as text in groups and memberships (groups_show)",
    "group_id": "an integer, described as text (group_members_show)",
    "member_id": "an integer, described as text (group_members_show)",
    "force_change_password": "0 or 1, described as boolean (users_create)",
    "user_id": "an integer, described as text (requests_show, tasks_show)",
    "process_id": "an integer, described as text (requests_show, tasks_show)",
    "process_request_id": "an integer, described as text (tasks_show)",
    "model_id": "an integer, described as text (files_post_generic)",
    "element_index": "an integer, described as text (tasks_show)",
    "process_category_id": "text, described as an integer (processes_show)",
    "script_category_id": "text, described as an integer (scripts_show)",
    "eventDefinitions": "a list, described as an object (processes_show)",
    "self_service_tasks": "a list where there are none, described as an object (processes_show)",
    "signal_events": "a list, described as an object (processes_show)",
    "manipulations": "a list where there are none, described as an object (files_show_ok)",
    "responsive_images": "a list where there are none, described as an object (files_show_ok)",
    "is_system": "0 or 1, described as boolean (signals_list)",
    "computed": "null, described as a list (tasks_show_include)",
    "watchers": "null, described as a list (tasks_show_include)",
    "scopes": "a list, described as an object (users_tokens_create)",
    "sort_order": 'empty or as it was sent, described as "asc" or "desc" (users_page_default, users_order_by_id_DESC)',
}
# Columns without a value are null, which the description never mentions (users_create); so is a user's meta.
NULLABLE = frozenset({"string", "integer", "boolean"})


def _loosened(schema: Any, name: str = "") -> Any:
    """The schema with what is known to differ let through."""
    if isinstance(schema, list):
        return [_loosened(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    if name in OTHER_KINDS:
        return {}
    result = {key: _loosened(value) for key, value in schema.items() if key not in {"properties", "nullable"}}
    if "properties" in schema:
        result["properties"] = {key: _loosened(value, key) for key, value in schema["properties"].items()}
    if name and (result.get("type") in NULLABLE or name == "meta") and "type" in result:
        result["type"] = [result["type"], "null"]
        if "enum" in result:
            result["enum"] = [*result["enum"], None]
    return result


def _validator(schema: dict[str, Any]) -> Draft4Validator:
    return Draft4Validator({"allOf": [_loosened(schema)], "components": _loosened(DESCRIPTION["components"])})


def problems(method: str, path: str, status: int, body: bytes) -> list[str]:
    """What an answer has against its description."""
    responses = DESCRIPTION["paths"][path][method.lower()]["responses"]
    described = responses.get(OTHER_STATUS.get((method, path), {}).get(status, str(status)))
    if described is None:
        return [f"status {status} is not described, but {sorted(responses)}"]
    if "$ref" in described:
        described = DESCRIPTION["components"]["responses"][described["$ref"].rpartition("/")[2]]
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is None or (method, path) in OTHER_SHAPE:
        return []
    if status == 204:
        return [f"a body with status 204: {body!r}"] if body else []
    if (method, path) == ("POST", "/group_members") and body == b"[]":
        # group_members_create_duplicate
        return []
    return [f"{error.json_path}: {error.message}" for error in _validator(schema).iter_errors(json.loads(body))]


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


def test_no_line_of_the_list_is_stale(answers: list[requests.Response], monkeypatch: pytest.MonkeyPatch) -> None:
    def bad_answers() -> int:
        pairs = zip(CALLS, answers, strict=True)
        return sum(bool(problems(call[0], call[1], answer.status_code, answer.content)) for call, answer in pairs)

    for name in list(OTHER_KINDS):
        with monkeypatch.context() as patch:
            patch.delitem(OTHER_KINDS, name)
            assert bad_answers() > 0, name
    for table in (OTHER_STATUS, NULLABLE):
        with monkeypatch.context() as patch:
            patch.setitem(globals(), "OTHER_STATUS" if table is OTHER_STATUS else "NULLABLE", type(table)())
            assert bad_answers() > 0
