"""Which table an object of an answer is a row of."""

from __future__ import annotations

from typing import Any

# By fields that objects of no other kind have together; the first that fits.
_MARKS: dict[str, frozenset[str]] = {
    "requests": frozenset({"callable_id", "id", "process_id"}),
    "tasks": frozenset({"element_id", "process_request_id", "id"}),
    "versions": frozenset({"start_events", "draft", "id"}),
    "processes": frozenset({"start_events", "id"}),
    "scripts": frozenset({"script_executor_id", "id", "title"}),
    "files": frozenset({"order_column", "id"}),
    "screens": frozenset({"screen_category_id", "config", "id"}),
    "group_members": frozenset({"member_type", "member_id", "id", "group_id"}),
    "users": frozenset({"username", "firstname", "id"}),
    "groups": frozenset({"enabled_2fa", "id"}),
    "security_logs": frozenset({"occurred_at", "event", "id"}),
    "signals": frozenset({"detail", "processes", "id"}),
}
_VARIABLE = frozenset({"id", "uuid", "name", "description", "created_at", "updated_at"})


def kind_of(value: dict[str, Any]) -> str | None:
    """
    The table that an object is a row of, if it is one.

    :param value: the object.
    """
    names = value.keys()
    if names == _VARIABLE:
        return "environment_variables"
    kind = next((kind for kind, marks in _MARKS.items() if marks <= names), None)
    # In the list of a group's users, the id is the membership's.
    return None if kind == "users" and "member_id" in names else kind
