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
}
# Answers whose shape is another than described.
OTHER_SHAPE = {
    # users_tokens_create: {"accessToken": ..., "token": {...}} instead of the bare token
    ("POST", "/users/{user_id}/tokens"),
}
# Fields that differ in kind wherever they appear, with a recording that shows it.
OTHER_KINDS = {
    "id": "an integer, described as text in groups and memberships (groups_show)",
    "group_id": "an integer, described as text (group_members_show)",
    "member_id": "an integer, described as text (group_members_show)",
    "force_change_password": "0 or 1, described as boolean (users_create)",
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
    ("GET", "/process_categories", "/process_categories", None),
    ("GET", "/script_categories", "/script_categories", None),
    ("GET", "/screen_categories", "/screen_categories", None),
    ("GET", "/notifications", "/notifications", None),
    ("GET", "/security-logs", "/security-logs", None),
    ("GET", "/task_assignments", "/task_assignments", None),
]  # fmt: skip


@pytest.fixture(scope="module")
def answers() -> Iterator[list[requests.Response]]:
    """The answers to all calls."""
    if not FILE.is_file():
        pytest.skip(f"no description at {FILE}: set PROCESSMAKER_RECORDINGS to a folder beside it")
    with ProcessMakerServer(100) as server, requests.Session() as session:
        session.headers.update({"Authorization": f"Bearer {server.issue_token()}", "Accept": "application/json"})
        found: list[requests.Response] = []
        token = ""
        for method, _, path, body in CALLS:
            url = f"{server.url}/api/1.0{path.replace('<token>', token)}"
            found.append(session.request(method, url, json=body, timeout=10))
            if method == "POST" and path.endswith("/tokens"):
                token = found[-1].json()["token"]["id"]
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
    # Of what is not built yet, only the lists are there to be looked at.
    stubs = {(route.method, _shape(route.path)) for route in MODULES[-1].ROUTES if "{" in route.path}
    called = {(method, _shape(path)) for method, path, _, _ in CALLS}
    assert (described & served) - stubs - called == set()


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
