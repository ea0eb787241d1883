"""Memberships: ``/group_members`` and the lists of who is not yet a member."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing import lists, validation
from airflow_provider_processmaker.testing.errors import forbidden, not_found
from airflow_provider_processmaker.testing.groups import COLUMNS as GROUP_COLUMNS
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.state import GROUP_MODEL, USER_MODEL, user_json

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import Group, Membership, User

_COLUMNS = (
    "id", "group_id", "member_type", "member_id", "created_at", "updated_at", "name", "description",
)  # fmt: skip


def index(request: Request) -> Response:
    """
    ``GET /group_members``: administrators may ask for any member, all others see their own.

    :param request: the call.
    """
    if not request.state.can(request.user, "view-groups", "view-users"):
        raise forbidden("Not authorized to view groups.")
    wanted = request.text("member_id") if request.user.is_administrator else str(request.user.id)
    rows = []
    for row in request.state.memberships:
        group = request.state.groups.get(row.group_id)
        if group is not None and (not wanted or str(row.member_id) == wanted):
            names = {name: group.columns[name] for name in ("name", "description")}
            rows.append({**row.json(), **names})
    return lists.plain_list(request, lists.ordered(request, rows, "created_at", _COLUMNS))


def _member(request: Request, member_type: str, member_id: int) -> User | Group | None:
    if member_type == USER_MODEL:
        return request.state.user(member_id)
    if member_type == GROUP_MODEL:
        return request.state.groups.get(member_id)
    raise lists.QueryError("unknown class")


def store(request: Request) -> Response:
    """
    ``POST /group_members``: who is a member already gets 201 and an empty list.

    :param request: the call.
    """
    values = request.input
    for row in request.state.memberships:
        known = (str(row.group_id), row.member_type, str(row.member_id))
        if known == tuple(str(values.get(name)) for name in ("group_id", "member_type", "member_id")):
            return Response.json([], 201)
    names = ("group_id", "member_id", "member_type")
    validation.validate(values, {name: [validation.required] for name in names})
    group = request.state.groups.get(int(values["group_id"]))
    if group is None:
        return not_found()
    member = _member(request, str(values["member_type"]), int(values["member_id"]))
    if member is None:
        return not_found()
    row = request.state.new_membership(group.id, member.id, values["member_type"])
    body = {
        "group_id": row.group_id,
        "member_id": row.member_id,
        "member_type": row.member_type,
        "updated_at": row.created_at,
        "created_at": row.created_at,
        "id": row.id,
        "group": group.json(),
        "member": member.json(),
    }
    return Response.json(body, 201)


def show(request: Request) -> Response:
    """
    ``GET /group_members/{group_member}``.

    :param request: the call.
    """
    row: Membership = request.bound["group_member"]
    return Response.json(row.json())


def destroy(request: Request) -> Response:
    """
    ``DELETE /group_members/{group_member}``.

    :param request: the call.
    """
    request.state.memberships.remove(request.bound["group_member"].id)
    return Response.nothing()


def groups_available(request: Request) -> Response:
    """
    ``GET /group_members_available``: groups that a member is not in.

    :param request: the call.
    """
    group_id, member_id = request.text("group_id"), request.text("member_id")
    member_type = request.text("member_type")
    taken: set[int] = set()
    if group_id:
        taken = {int(group_id)} | {
            row.member_id
            for row in request.state.memberships
            if row.member_type == GROUP_MODEL and str(row.group_id) == group_id
        }
    elif member_id and member_type:
        taken = {
            row.group_id
            for row in request.state.memberships
            if row.member_type == member_type and str(row.member_id) == member_id
        }
    rows = [group.json() for group in request.state.groups if group.columns["status"] == "ACTIVE"]
    rows = lists.filtered(request, [row for row in rows if row["id"] not in taken], ("name",))
    return lists.collection_list(request, lists.ordered(request, rows, "name", GROUP_COLUMNS))


def users_available(request: Request) -> Response:
    """
    ``GET /user_members_available``: users that are not in a group, by first name.

    :param request: the call.
    """
    group_id = request.text("group_id")
    taken = {
        row.member_id
        for row in request.state.memberships
        if row.member_type == USER_MODEL and str(row.group_id) == group_id
    }
    rows = [
        user.columns
        for user in request.state.users
        if not (user.is_system or user.is_deleted or user.id in taken or user.columns["status"] == "INACTIVE")
    ]
    rows = lists.filtered(request, rows, ("firstname", "lastname", "username"))
    return lists.plain_list(request, lists.ordered(request, rows, "firstname", request.user.columns), user_json)


ROUTES = [
    Route("GET", "/group_members", index),
    Route("POST", "/group_members", store, "edit-groups"),
    Route("GET", "/group_members/{group_member}", show, "view-groups"),
    Route("DELETE", "/group_members/{group_member}", destroy, "edit-groups"),
    Route("GET", "/group_members_available", groups_available),
    Route("GET", "/user_members_available", users_available, "view-groups"),
]
