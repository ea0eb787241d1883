"""``/groups`` and what is in a group."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, validation
from airflow_provider_processmaker.testing.errors import forbidden
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.state import GROUP_MODEL, USER_MODEL

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import Group

COLUMNS = (
    "id", "uuid", "name", "description", "status", "enabled_2fa", "created_at", "updated_at", "manager_id",
)  # fmt: skip
# Columns that users (or groups) and group_members both have: ambiguous in the join of the two.
_AMBIGUOUS = frozenset({"id", "created_at", "updated_at"})
_FILLABLE = ("name", "description", "status", "enabled_2fa", "manager_id")
_RELATIONS = frozenset({"permissions", "users", "groupMembers", "assigned", "manager"})


def index(request: Request) -> Response:
    """
    ``GET /groups``.

    :param request: the call.
    """
    if not request.state.can(
        request.user, "view-groups", "create-processes", "edit-processes", "create-projects", "view-projects"
    ):
        raise forbidden("Not authorized to view groups.")
    includes = {name for name in request.text("include").split(",") if name}
    if includes - _RELATIONS - {"membersCount"}:
        raise lists.QueryError("unknown relation")
    rows = lists.filtered(request, (group.json() for group in request.state.groups), ("name", "description"))
    status = request.text("status")
    rows = [row for row in rows if not status or row["status"] == status]
    if "membersCount" in includes:
        rows = [{**row, "group_members_count": _count(request, row["id"])} for row in rows]
    return lists.plain_list(request, lists.ordered(request, rows, "name", COLUMNS))


def _count(request: Request, group_id: int) -> int:
    return sum(row.group_id == group_id for row in request.state.memberships)


def _rules(request: Request, existing: Group | None) -> dict[str, Sequence[Callable[[Any], str | None]]]:
    def taken(name: str) -> bool:
        wanted = lists.fold(name)
        return any(
            lists.fold(group.columns["name"]) == wanted and group is not existing for group in request.state.groups
        )

    return {
        "name": [
            validation.required,
            validation.string,
            validation.matches(r"[\w\s\-'.]+"),
            validation.at_most(255),
            validation.unique(taken),
        ],
        "status": [validation.one_of("ACTIVE", "INACTIVE")],
    }


def store(request: Request) -> Response:
    """
    ``POST /groups``: answers with the fields that were sent, not with all columns.

    :param request: the call.
    """
    validation.validate(request.input, _rules(request, None))
    sent = {name: request.input[name] for name in _FILLABLE if name in request.input}
    group = request.state.new_group(sent["name"], sent.get("description"), sent.get("status") or "ACTIVE")
    group.columns.update({name: value for name, value in sent.items() if value is not None})
    stamps = {name: group.columns[name] for name in ("uuid", "updated_at", "created_at", "id")}
    return Response.json({**sent, **stamps}, 201)


def show(request: Request) -> Response:
    """
    ``GET /groups/{group}``.

    :param request: the call.
    """
    if not request.state.can(request.user, "view-groups", "create-processes", "edit-processes"):
        raise forbidden("Not authorized to view groups.")
    group: Group = request.bound["group"]
    return Response.json(group.json())


def update(request: Request) -> Response:
    """
    ``PUT /groups/{group}``.

    :param request: the call.
    """
    group: Group = request.bound["group"]
    validation.validate(request.input, _rules(request, group))
    group.columns.update({name: request.input[name] for name in _FILLABLE if name in request.input})
    group.columns["updated_at"] = request.state.clock.iso()
    return Response.nothing()


def destroy(request: Request) -> Response:
    """
    ``DELETE /groups/{group}``: for good, and its memberships with it.

    :param request: the call.
    """
    group: Group = request.bound["group"]
    for row in request.state.memberships:
        if row.group_id == group.id:
            request.state.memberships.remove(row.id)
    request.state.drop_memberships(GROUP_MODEL, group.id)
    request.state.groups.remove(group.id)
    return Response.nothing()


def _members(request: Request, member_type: str) -> list[dict[str, Any]]:
    # The join names no columns, so those of the membership overwrite the member's: id and the times are the
    # membership's, and the member is member_id. The row is of the member's model all the same: its times have a zone.
    group: Group = request.bound["group"]
    rows = []
    for row in request.state.memberships:
        if row.group_id == group.id and row.member_type == member_type:
            table = request.state.users if member_type == USER_MODEL else request.state.groups
            member = table.get(row.member_id)
            if member is not None:
                rows.append(_joined(member.json(), row.json()))
    return rows


def _joined(member: dict[str, Any], membership: dict[str, Any]) -> dict[str, Any]:
    fullname = member.pop("fullname", None)
    times = {name: f"{membership[name].replace(' ', 'T')}+00:00" for name in ("created_at", "updated_at")}
    joined = {**member, **membership, **times}
    return joined if fullname is None else {**joined, "fullname": fullname}


def users(request: Request) -> Response:
    """
    ``GET /groups/{group}/users``.

    :param request: the call.
    """
    rows = lists.filtered(request, _members(request, USER_MODEL), ("username", "firstname", "lastname", "fullname"))
    columns = {*request.user.columns, "group_id", "member_type", "member_id"} - _AMBIGUOUS
    return lists.plain_list(request, lists.ordered(request, rows, "username", columns))


def groups(request: Request) -> Response:
    """
    ``GET /groups/{group}/groups``.

    :param request: the call.
    """
    rows = lists.filtered(request, _members(request, GROUP_MODEL), ("name", "description"))
    columns = {*COLUMNS, "group_id", "member_type", "member_id"} - _AMBIGUOUS
    return lists.plain_list(request, lists.ordered(request, rows, "name", columns))


ROUTES = [
    Route("GET", "/groups", index),
    Route("POST", "/groups", store, "create-groups"),
    Route("GET", "/groups/{group}", show),
    Route("PUT", "/groups/{group}", update, "edit-groups"),
    Route("DELETE", "/groups/{group}", destroy, "delete-groups"),
    Route("GET", "/groups/{group}/users", users, "view-groups"),
    Route("GET", "/groups/{group}/groups", groups, "view-groups"),
]
