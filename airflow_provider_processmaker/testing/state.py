"""All that the server knows: plain tables in memory under one lock."""

from __future__ import annotations

import hashlib
import secrets
import threading
import uuid
from dataclasses import dataclass, field
from typing import Any

from airflow_provider_processmaker.testing.clock import Clock
from airflow_provider_processmaker.testing.table import Table
from airflow_provider_processmaker.testing.tokens import TokenTable
from airflow_provider_processmaker.testing.workflow.engine import Engine
from airflow_provider_processmaker.testing.workflow.tables import Workflow

USER_MODEL = "ProcessMaker\\Models\\User"
GROUP_MODEL = "ProcessMaker\\Models\\Group"


@dataclass
class User:
    """A user: ``columns`` are the JSON of the API without the computed ``fullname``."""

    id: int
    columns: dict[str, Any]
    password: bytes = field(repr=False)
    permissions: set[str] = field(default_factory=set)

    @property
    def is_administrator(self) -> bool:
        """Administrators may do all."""
        return bool(self.columns["is_administrator"])

    @property
    def is_system(self) -> bool:
        """System users are hidden from the lists."""
        return bool(self.columns["is_system"])

    @property
    def is_deleted(self) -> bool:
        """Deleted users keep their row and their user name."""
        return self.columns["deleted_at"] is not None

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        return user_json(self.columns)

    def has_password(self, text: str) -> bool:
        """
        Whether this is the password.

        :param text: what was typed.
        """
        return secrets.compare_digest(self.password, hash_password(text))


def user_json(columns: dict[str, Any]) -> dict[str, Any]:
    """
    A user as the API shows it.

    :param columns: of the table.
    """
    return {**columns, "fullname": f"{columns['firstname']} {columns['lastname']}"}


@dataclass
class Group:
    """A group of users and of groups."""

    id: int
    columns: dict[str, Any]
    permissions: set[str] = field(default_factory=set)

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        return dict(self.columns)


@dataclass
class Membership:
    """A user or a group in a group."""

    id: int
    group_id: int
    member_type: str
    member_id: int
    created_at: str

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        return {
            "id": self.id,
            "group_id": self.group_id,
            "member_type": self.member_type,
            "member_id": self.member_id,
            "created_at": self.created_at,
            "updated_at": self.created_at,
        }


@dataclass
class EnvironmentVariable:
    """A variable; its value never leaves the server."""

    id: int
    columns: dict[str, Any]
    value: str | None = field(default=None, repr=False)

    def json(self) -> dict[str, Any]:
        """As the API shows it."""
        return dict(self.columns)


@dataclass
class Client:
    """An OAuth client."""

    id: int
    name: str
    secret: str = field(repr=False)
    redirect: str
    personal_access: bool = False
    password: bool = False
    revoked: bool = False

    def json(self, created_at: str) -> dict[str, Any]:
        """
        As a list of tokens shows it.

        :param created_at: clients keep no times of their own here.
        """
        return {
            "id": self.id,
            "user_id": None,
            "name": self.name,
            "provider": None,
            "redirect": self.redirect,
            "personal_access_client": self.personal_access,
            "password_client": self.password,
            "revoked": self.revoked,
            "created_at": created_at,
            "updated_at": created_at,
        }


class State:
    """The database, so to say. Whoever reads or writes it holds :attr:`lock`."""

    def __init__(self, clock: Clock | None = None) -> None:
        self.lock = threading.RLock()
        self.clock = clock or Clock()
        self.started_at = self.clock.now()
        self.users: Table[User] = Table()
        self.groups: Table[Group] = Table()
        self.memberships: Table[Membership] = Table()
        self.environment_variables: Table[EnvironmentVariable] = Table()
        self.clients: Table[Client] = Table()
        self.tokens = TokenTable(self.clock)
        self.workflow = Workflow(self.clock)
        self.engine = Engine(self)

    def new_user(self, values: dict[str, Any], password: bytes) -> User:
        """
        Add a user.

        :param values: columns that differ from a new user's.
        :param password: hashed, see :func:`hash_password`.
        """
        user_id = self.users.next_id()
        now = self.clock.iso()
        columns: dict[str, Any] = {
            "id": user_id,
            "uuid": str(uuid.uuid4()),
            **dict.fromkeys(("email", "firstname", "lastname", "username")),
            "status": "ACTIVE",
            **dict.fromkeys(
                ("address", "city", "state", "postal", "country", "phone", "fax", "cell", "title", "birthdate")
            ),
            "timezone": "UTC",
            "datetime_format": "m/d/Y H:i",
            "language": "en",
            "meta": None,
            "connected_accounts": None,
            "is_administrator": False,
            "is_system": 0,
            **dict.fromkeys(("expires_at", "loggedin_at", "active_at", "remember_token")),
            "created_at": now,
            "updated_at": now,
            **dict.fromkeys(("deleted_at", "delegation_user_id", "manager_id", "schedule")),
            "force_change_password": 0,
            "avatar": None,
            "password_changed_at": None,
            "preferences_2fa": None,
            "email_task_notification": 0,
        }
        columns.update(values)
        return self.users.add(User(user_id, columns, password))

    def new_group(self, name: str, description: str | None, status: str = "ACTIVE") -> Group:
        """
        Add a group.

        :param name: its name.
        :param description: shown in the lists.
        :param status: ACTIVE or INACTIVE.
        """
        group_id = self.groups.next_id()
        now = self.clock.iso()
        columns = {
            "id": group_id,
            "uuid": str(uuid.uuid4()),
            "name": name,
            "description": description,
            "status": status,
            "enabled_2fa": False,
            "created_at": now,
            "updated_at": now,
            "manager_id": None,
        }
        return self.groups.add(Group(group_id, columns))

    def new_membership(self, group_id: int, member_id: int, member_type: str = USER_MODEL) -> Membership:
        """
        Put a user or a group into a group.

        :param group_id: the group.
        :param member_id: the user or the group.
        :param member_type: the class name that tells which.
        """
        row = Membership(self.memberships.next_id(), group_id, member_type, member_id, self.clock.zoneless())
        return self.memberships.add(row)

    def new_environment_variable(self, name: str, description: str | None, value: str | None) -> EnvironmentVariable:
        """
        Add a variable.

        :param name: its name.
        :param description: shown in the lists.
        :param value: never shown.
        """
        row_id = self.environment_variables.next_id()
        now = self.clock.zoneless()
        columns = {
            "id": row_id,
            "uuid": str(uuid.uuid4()),
            "name": name,
            "description": description,
            "created_at": now,
            "updated_at": now,
        }
        return self.environment_variables.add(EnvironmentVariable(row_id, columns, value))

    def user(self, user_id: int | None) -> User | None:
        """
        A user who is there and not deleted.

        :param user_id: the id.
        """
        user = None if user_id is None else self.users.get(user_id)
        return None if user is None or user.is_deleted else user

    def user_named(self, username: str, *, deleted: bool = False) -> User | None:
        """
        A user by name; MySQL compares names without regard to case.

        :param username: the name.
        :param deleted: whether deleted ones count.
        """
        wanted = username.casefold()
        for user in self.users.rows.values():
            if user.columns["username"].casefold() == wanted and (deleted or not user.is_deleted):
                return user
        return None

    def delete_user(self, user: User) -> None:
        """
        Delete softly: the row stays, INACTIVE, out of all groups.

        :param user: whom.
        """
        now = self.clock.iso()
        user.columns.update(status="INACTIVE", deleted_at=now, updated_at=now)
        self.drop_memberships(USER_MODEL, user.id)

    def drop_memberships(self, member_type: str, member_id: int) -> None:
        """
        Take a member out of all groups.

        :param member_type: class name of the member.
        :param member_id: its id.
        """
        for row in self.memberships:
            if row.member_type == member_type and row.member_id == member_id:
                self.memberships.remove(row.id)

    def groups_of(self, user: User) -> set[int]:
        """
        The ids of the groups of a user, those of groups in groups included.

        :param user: whom.
        """
        found: set[int] = set()
        wanted = {(USER_MODEL, user.id)}
        while wanted:
            new = {row.group_id for row in self.memberships if (row.member_type, row.member_id) in wanted} - found
            found |= new
            wanted = {(GROUP_MODEL, group_id) for group_id in new}
        return found

    def can(self, user: User, *permissions: str) -> bool:
        """
        Whether a user has one of these permissions, by himself or by a group.

        :param user: whom.
        :param permissions: names such as ``view-users``.
        """
        if user.is_administrator or user.permissions.intersection(permissions):
            return True
        groups = (self.groups.get(group_id) for group_id in self.groups_of(user))
        return any(group and group.permissions.intersection(permissions) for group in groups)


def hash_password(text: str) -> bytes:
    """
    Hash a password: fast on purpose, these are no real ones.

    :param text: the password.
    """
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
