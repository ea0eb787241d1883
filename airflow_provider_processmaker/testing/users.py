"""``/users``, ``/deleted_users``, ``/users_task_count`` and the groups of a user."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import lists, security_logs, validation
from airflow_provider_processmaker.testing.errors import forbidden
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.phpdata import as_stored
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.state import USER_MODEL, hash_password, user_json

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.state import User

_SEARCHED = ("username", "firstname", "lastname", "email")
_STATUSES = ("ACTIVE", "INACTIVE", "OUT_OF_OFFICE", "SCHEDULED", "BLOCKED")
_USERNAME = r"[a-zA-Z0-9.!#$*+=^_`|~\-@]+"

# What a client may set; is_administrator is not among them.
_FILLABLE = (
    "username", "email", "firstname", "lastname", "status", "address", "city", "state", "postal", "country", "phone",
    "fax", "cell", "title", "birthdate", "timezone", "datetime_format", "language", "meta", "connected_accounts",
    "delegation_user_id", "manager_id", "schedule", "force_change_password", "preferences_2fa",
    "email_task_notification",
)  # fmt: skip


def _columns(request: Request) -> Iterable[str]:
    return {*request.user.columns, "password"}


def _visible(request: Request) -> list[User]:
    return [user for user in request.state.users if not user.is_system and not user.is_deleted]


def index(request: Request) -> Response:
    """
    ``GET /users``.

    :param request: the call.
    """
    if not request.state.can(
        request.user, "view-users", "create-processes", "edit-processes", "create-projects", "view-projects"
    ):
        raise forbidden("Not authorized to view users.")
    rows = lists.filtered(request, (user.columns for user in _visible(request)), _SEARCHED)
    excluded = set(request.text("exclude_ids").split(","))
    rows = [row for row in rows if str(row["id"]) not in excluded]
    if "status" in request.input:
        status = lists.fold(request.text("status"))
        rows = [row for row in rows if lists.fold(row["status"]) == status]
    if "mention_username" in request.input:
        begins = lists.like(f"{request.text('mention_username')}%")
        rows = [row for row in rows if begins(row["username"])]
    return lists.plain_list(request, lists.ordered(request, rows, "username", _columns(request)), user_json)


def deleted(request: Request) -> Response:
    """
    ``GET /deleted_users``.

    :param request: the call.
    """
    gone = (user.columns for user in request.state.users if user.is_deleted)
    rows = lists.filtered(request, gone, _SEARCHED)
    return lists.plain_list(request, lists.ordered(request, rows, "username", _columns(request)), user_json)


def task_count(request: Request) -> Response:
    """
    ``GET /users_task_count``: always 50 a page.

    :param request: the call.
    """
    request.input.pop("per_page", None)
    people = (user.columns for user in _visible(request) if user.columns["status"] == "ACTIVE")
    rows = lists.ordered(request, lists.filtered(request, people, _SEARCHED), "username", _columns(request))
    active = (token for token in request.state.workflow.tokens if token.is_active)
    counts = Counter(token.user_id for token in active if token.columns["element_type"] == "task")
    return lists.plain_list(request, rows, lambda columns: _with_count(columns, counts[columns["id"]]), per_page=50)


def _with_count(columns: dict[str, Any], count: int) -> dict[str, Any]:
    names = {name: columns[name] for name in ("id", "username", "firstname", "lastname")}
    return {**names, "active_tasks_count": count, "fullname": user_json(columns)["fullname"]}


def show(request: Request) -> Response:
    """
    ``GET /users/{user}``: oneself, or with view-users.

    :param request: the call.
    """
    user: User = request.bound["user"]
    check_view(request, user)
    return Response.json(user.json())


def check_view(request: Request, user: User) -> None:
    """
    Raise 403 unless the caller may see a user.

    :param request: the call.
    :param user: whom.
    """
    if request.user.id != user.id and not request.state.can(request.user, "view-users", "create-projects"):
        raise forbidden("Not authorized to update this user.")


def _rules(request: Request, existing: User | None) -> dict[str, Sequence[Callable[[Any], str | None]]]:
    def taken(username: str) -> bool:
        # Deleted users keep their names.
        holder = request.state.user_named(username, deleted=True)
        return holder is not None and holder is not existing

    password: list[Callable[[Any], str | None]] = [
        validation.required,
        validation.upper_case,
        validation.at_least(8),
        validation.a_symbol,
        validation.a_number,
    ]
    if existing is not None:
        password.remove(validation.required)
    return {
        "username": [
            validation.required,
            validation.matches(_USERNAME),
            validation.at_least(2),
            validation.at_most(255),
            validation.unique(taken),
        ],
        "firstname": [validation.required, validation.at_most(50)],
        "lastname": [validation.required, validation.at_most(50)],
        "email": [validation.required, validation.email],
        "status": [validation.required, validation.one_of(*_STATUSES)],
        "password": password,
    }


def store(request: Request) -> Response:
    """
    ``POST /users``.

    :param request: the call.
    """
    validation.validate(request.input, _rules(request, None))
    fields = request.fields
    # The rules read the whole input, the row is made of the JSON alone: a form passes the first and not the second.
    values = {name: as_stored(fields[name]) for name in _FILLABLE if fields.get(name) is not None}
    # The columns that must have a value: without one the database refuses the row.
    values.update({name: str(fields[name]) for name in ("username", "firstname", "lastname")})
    values.update(password_changed_at=request.state.clock.zoneless())
    values.setdefault("email_task_notification", 1)
    user = request.state.new_user(values, hash_password(str(fields["password"])))
    security_logs.user_created(request, user)
    return Response.json(user.json(), 201)


def update(request: Request) -> Response:
    """
    ``PUT /users/{user}``: a full representation; what is left out of ``meta`` is lost.

    :param request: the call.
    """
    user: User = request.bound["user"]
    fields = request.fields
    # The middleware before the controller reads the name without looking whether it is there: 500.
    name_changed = fields["username"] != user.columns["username"]
    # PHP's in_array compares loosely: true equals any text.
    touches_password = any(value == "password" or value is True for value in fields.values())
    if (name_changed or touches_password) and not request.state.can(request.user, "edit-user-and-password"):
        raise forbidden("Not authorized to update the username and password.")
    if not _may_edit(request, user):
        raise forbidden("Not authorized to update this user.")
    validation.validate(request.input, _rules(request, user))
    _check_email_change(request, user)
    values = {name: as_stored(fields[name]) for name in _FILLABLE if name in fields}
    values.update({name: str(fields[name]) for name in ("username", "firstname", "lastname")})
    values.setdefault("meta", None)
    user.columns.update(values)
    if request.user.is_administrator and "is_administrator" in request.input:
        user.columns["is_administrator"] = bool(request.input["is_administrator"])
    if fields.get("password") is not None:
        user.password = hash_password(str(fields["password"]))
        user.columns["password_changed_at"] = request.state.clock.zoneless()
    user.columns["updated_at"] = request.state.clock.iso()
    return Response.nothing()


def _may_edit(request: Request, user: User) -> bool:
    if request.user.id == user.id and request.state.can(request.user, "edit-personal-profile"):
        return True
    return request.state.can(request.user, "edit-users")


def _check_email_change(request: Request, user: User) -> None:
    if request.input.get("email") == user.columns["email"]:
        return
    message = "A valid authentication is required for for update the email."
    password = request.input.get("valpassword")
    if password is None:
        raise validation.failure({"email": ["The password is required."]}, message)
    if not request.user.has_password(str(password)):
        raise validation.failure({"email": ["The authentication is incorrect."]}, message)


def destroy(request: Request) -> Response:
    """
    ``DELETE /users/{user}``.

    :param request: the call.
    """
    request.state.delete_user(request.bound["user"])
    return Response.nothing()


def restore(request: Request) -> Response:
    """
    ``PUT /users/restore``: 200 whether anybody was found or not.

    :param request: the call.
    """
    for name in ("id", "email", "username"):
        if name not in request.input:
            continue
        wanted = lists.fold(request.text(name))
        for user in request.state.users:
            if user.is_deleted and lists.fold(user.columns[name]) == wanted:
                user.columns.update(status="ACTIVE", deleted_at=None, updated_at=request.state.clock.iso())
                return Response.json([])
    return Response.json([])


def update_groups(request: Request) -> Response:
    """
    ``PUT /users/{user}/groups``: replaces all groups of a user.

    :param request: the call.
    """
    if "groups" not in request.input:
        return Response.json([], 400)
    groups = request.input["groups"]
    if not isinstance(groups, list):
        groups = [part for part in str(groups or "").split(",") if part]
    wanted = {int(group) for group in groups}
    if any(request.state.groups.get(group_id) is None for group_id in wanted):
        raise lists.QueryError("foreign key")
    user: User = request.bound["user"]
    for row in request.state.memberships:
        if row.member_type == USER_MODEL and row.member_id == user.id:
            if row.group_id in wanted:
                wanted.remove(row.group_id)
            else:
                request.state.memberships.remove(row.id)
    for group_id in sorted(wanted):
        request.state.new_membership(group_id, user.id)
    return Response.nothing()


def configuration(request: Request) -> Response:
    """
    ``GET /users/configuration``: how the user likes his screens; for API clients a way to learn who they are.

    :param request: the call.
    """
    return Response.json({"user_id": request.user.id, "ui_configuration": "{}"})


_EXEMPT = frozenset({"username", "password"})

ROUTES = [
    Route("GET", "/users", index, exempt=_EXEMPT),
    Route("POST", "/users", store, "create-users", _EXEMPT),
    Route("PUT", "/users/restore", restore, "create-users", _EXEMPT),
    Route("GET", "/users/configuration", configuration),
    Route("GET", "/users/{user}", show, exempt=_EXEMPT),
    Route("PUT", "/users/{user}", update, exempt=_EXEMPT),
    Route("DELETE", "/users/{user}", destroy, "delete-users", _EXEMPT),
    Route("PUT", "/users/{user}/groups", update_groups, "edit-users", _EXEMPT),
    Route("GET", "/deleted_users", deleted, "view-users", _EXEMPT),
    Route("GET", "/users_task_count", task_count, "view-users", _EXEMPT),
]
