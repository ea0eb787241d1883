"""What ProcessMaker describes of its answers, and where the real server is known to differ."""

from __future__ import annotations

import json
from typing import Any

from jsonschema import Draft4Validator

from .recordings import PROJECT, folder

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
_NOTE = {
    "type": "object",
    "required": ["id", "type", "notifiable_id", "data", "read_at"],
    "properties": {"id": {"type": "string"}, "type": {"type": "string"}, "data": {"type": ["object", "array"]}},
}
_LOG = {
    "type": "object",
    "required": ["id", "event", "ip", "meta", "user_id", "occurred_at", "data"],
    "properties": {"id": {"type": "integer"}, "meta": {"type": "object"}, "data": {"type": ["object", "array"]}},
}
# Answers whose shape is another than described, as it is instead.
OTHER_SHAPE: dict[tuple[str, str], dict[str, Any]] = {
    # processes_bpmn: the text itself
    ("GET", "/processes/{processId}/bpmn"): {"type": "string", "pattern": r"^<\?xml"},
    # notifications_list: data is an object, described as text
    ("GET", "/notifications"): {"type": "object", "required": ["data", "links", "meta"],
                                "properties": {"data": {"type": "array", "items": _NOTE}}},
    ("POST", "/notifications"): _NOTE, ("GET", "/notifications/{notification_id}"): _NOTE,
    # security_logs: meta and data are objects, described as lists
    ("GET", "/security-logs"): {"type": "object", "required": ["data", "meta"],
                                "properties": {"data": {"type": "array", "items": _LOG}}},
    ("GET", "/security-logs/{securityLog}"): _LOG,
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
    "process_collaboration_id": "an integer, described as text (call_parent_show)",
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
# Columns without a value are null, which the description never mentions (users_create).
NULLABLE = {"string": "address (users_create)", "integer": "manager_id (users_create)"}
# Objects that may be missing altogether.
NULLABLE_NAMES = {
    "meta": "of a user without any (users_create)",
    "user": "of a task that is nobody's yet (signal_started_tasks, self_service_tasks_as_admin)",
}
# Objects that are lists where they are empty, as PHP has it.
EMPTY_LISTS = {"data": "of a request without any (timer_after)"}
# What else the answer to an operation may be than its description's.
NOTHING = {("POST", "/group_members"): "an empty list where the membership was there (group_members_create_duplicate)"}
_ERROR = {
    "type": "object",
    "properties": {
        "error": {"type": "string"},
        "message": {"type": ["string", "array"]},
        "errors": {"type": "object", "minProperties": 1},
        "success": {"enum": [False]},
    },
    "additionalProperties": False,
    "anyOf": [{"required": ["error"]}, {"required": ["message"]}, {"required": ["errors"]}],
}


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
    if name in EMPTY_LISTS and result.get("type") == "object":
        return {"anyOf": [result, {"type": "array", "maxItems": 0}]}
    if name and (result.get("type") in NULLABLE or name in NULLABLE_NAMES) and "type" in result:
        result["type"] = [result["type"], "null"]
        if "enum" in result:
            result["enum"] = [*result["enum"], None]
    return result


def _validator(schema: dict[str, Any]) -> Draft4Validator:
    return Draft4Validator({"allOf": [_loosened(schema)], "components": _loosened(DESCRIPTION["components"])})


def is_error(status: int, body: bytes) -> bool:
    """
    Whether an answer is one of the errors that any operation may have (section 2.3 of the facts).

    :param status: of the answer.
    :param body: of the answer.
    """
    try:
        value = json.loads(body)
    except ValueError:
        # Who does not ask for JSON gets a page.
        return status == 503 and b"<title>Service Unavailable</title>" in body
    if status in {401, 404} and (not isinstance(value, dict) or value.keys() != {"error"}):
        return False
    # Groups without the key are an empty list (10.2), a dangerous file is a bare one (9.3).
    return Draft4Validator(_ERROR).is_valid(value) or (status in {400, 422} and isinstance(value, list))


def problems(method: str, path: str, status: int, body: bytes) -> list[str]:
    """
    What an answer has against its description.

    :param method: of the call.
    :param path: of the description.
    :param status: of the answer.
    :param body: of the answer.
    """
    responses = DESCRIPTION["paths"][path][method.lower()]["responses"]
    described = responses.get(OTHER_STATUS.get((method, path), {}).get(status, str(status)))
    if described is None and status == 304:
        # For all that is read with a tag (users_etag_if_none_match).
        return [f"a body with status 304: {body!r}"] if body else []
    if described is None and status >= 400:
        return [] if is_error(status, body) else [f"{body[:80]!r} is no error body for {status}"]
    if described is None:
        return [f"status {status} is not described, but {sorted(responses)}"]
    if "$ref" in described:
        described = DESCRIPTION["components"]["responses"][described["$ref"].rpartition("/")[2]]
    schema = described.get("content", {}).get("application/json", {}).get("schema")
    if schema is None:
        return []
    if status == 204:
        return [f"a body with status 204: {body!r}"] if body else []
    if (method, path) in NOTHING and body == b"[]":
        return []
    if status < 300 and (method, path) in OTHER_SHAPE:
        checks = Draft4Validator(OTHER_SHAPE[method, path])
    else:
        checks = _validator(schema)
    try:
        value = json.loads(body)
    except ValueError:
        value = body.decode()
    return [f"{error.json_path}: {error.message}" for error in checks.iter_errors(value)]
