"""``/permissions``: the names there are, and who has them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request

# By the group in which the server shows them. The numbers are the server's.
_GROUPS: dict[str, dict[str, int]] = {
    "Auth Clients": {
        "create-auth_clients": 75, "delete-auth_clients": 78, "edit-auth_clients": 77, "view-auth_clients": 76,
    },
    "Cases and Requests": {
        "edit-request_data": 65, "edit-task_data": 66, "view-all_cases": 62, "view-all_requests": 63,
        "view-my_requests": 64,
    },
    "Environment Variables": {
        "create-environment_variables": 29, "delete-environment_variables": 30, "edit-environment_variables": 31,
        "view-environment_variables": 32,
    },
    "Files (API)": {"create-files": 67, "delete-files": 70, "edit-files": 69, "view-files": 68},
    "Groups": {"create-groups": 33, "delete-groups": 34, "edit-groups": 35, "view-groups": 36},
    "Process Templates": {
        "create-process-templates": 4, "delete-process-templates": 9, "edit-process-templates": 8,
        "export-process-templates": 7, "import-process-templates": 6, "view-process-templates": 5,
    },
    "Process Translations": {
        "cancel-process-translations": 16, "create-process-translations": 11, "delete-process-translations": 17,
        "edit-process-translations": 15, "export-process-translations": 14, "import-process-translations": 13,
        "view-process-translations": 12,
    },
    "Processes": {
        "archive-processes": 19, "create-process-categories": 25, "create-processes": 20,
        "delete-process-categories": 26, "edit-process-categories": 27, "edit-processes": 21, "export-processes": 22,
        "import-processes": 23, "view-process-categories": 28, "view-processes": 24,
    },
    "Screens": {
        "create-screen-categories": 43, "create-screens": 37, "delete-screen-categories": 44, "delete-screens": 38,
        "edit-screen-categories": 45, "edit-screens": 39, "export-screens": 41, "import-screens": 42,
        "view-screen-categories": 46, "view-screens": 40,
    },
    "Scripts": {
        "create-script-categories": 51, "create-scripts": 47, "delete-script-categories": 52, "delete-scripts": 48,
        "edit-script-categories": 53, "edit-scripts": 49, "view-script-categories": 54, "view-scripts": 50,
    },
    "Security Logs": {"create-security-logs": 10, "view-security-logs": 1},
    "Settings": {"update-settings": 3, "view-settings": 2},
    "Signals": {"create-signals": 79, "delete-signals": 82, "edit-signals": 81, "view-signals": 80},
    "Task Assignments (API)": {
        "create-task_assignments": 71, "delete-task_assignments": 74, "edit-task_assignments": 73,
        "view-task_assignments": 72,
    },
    "Username and Password": {"edit-user-and-password": 61},
    "Users": {
        "create-users": 55, "delete-users": 56, "edit-personal-profile": 60, "edit-users": 57,
        "publish-screen-templates": 18, "view-other-users-profiles": 59, "view-users": 58,
    },
}  # fmt: skip

NAMES = frozenset(name for group in _GROUPS.values() for name in group)


def index(request: Request) -> Response:
    """
    ``GET /permissions``: an object by group, no pages.

    :param request: the call.
    """
    stamp = request.state.clock.zoneless(request.state.started_at)

    def row(group: str, name: str, number: int) -> dict[str, Any]:
        title = name.replace("-", " ").replace("_", " ").title()
        return {
            "id": number,
            "title": title,
            "name": name,
            "group": group,
            "created_at": stamp,
            "updated_at": stamp,
        }

    return Response.json(
        {group: [row(group, name, number) for name, number in names.items()] for group, names in _GROUPS.items()}
    )


def update(request: Request) -> Response:
    """
    ``PUT /permissions``: replaces all permissions of a user or a group.

    :param request: the call.
    """
    state = request.state
    user_id, group_id = request.text("user_id"), request.text("group_id")
    names = request.input["permission_names"]
    if user_id:
        user = state.user(int(user_id))
        if user is None:
            return not_found()
        user.permissions = set(NAMES.intersection(names))
        if "is_administrator" in request.input and request.user.is_administrator:
            user.columns["is_administrator"] = bool(request.input["is_administrator"])
        return Response.nothing()
    # Neither of the two is a call on null in PHP: int("") fails as well.
    group = state.groups.get(int(group_id))
    if group is None:
        return not_found()
    group.permissions = set(NAMES.intersection(names))
    return Response.nothing()


ROUTES = [
    Route("GET", "/permissions", index),
    Route("PUT", "/permissions", update, "edit-users"),
]
