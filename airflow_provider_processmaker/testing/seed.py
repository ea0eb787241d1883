"""What is in the server when it starts: the users, groups and variables of the recorded server."""

from __future__ import annotations

import secrets
import string
from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing.state import Client, hash_password

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.state import State

SEED_PASSWORD = "Seed-pass1!"

_FIRST_NAMES = (
    "Ana", "Bjørn", "Chloé", "Dmitri", "Elif", "François", "Gül", "Hanako", "Íñigo", "José",
    "Kwame", "Łukasz", "Mei", "Núria", "Olu", "Pál", "Quinn", "Rasa", "Søren", "Tünde",
)  # fmt: skip
_LAST_NAMES = (
    "García", "Müller", "O'Neil", "Nguyễn", "Smith", "Šimek", "山田", "Ivanov", "Åkesson", "de la Cruz",
)  # fmt: skip

_BUILT_IN_GROUPS = (
    ("Requesters", "Users can view and start new requests."),
    ("Process Designers", "Users can design processes."),
    ("Administrators", "Users can administrate users, groups, and auth clients."),
)
_TEAMS = 12
_VARIABLES = 37


def fill(state: State, users: int, client_secret: str | None) -> Client:
    """
    Fill an empty server; returns the client for the password grant.

    :param state: empty.
    :param users: how many of ``user0001``, ``user0002``, ...
    :param client_secret: of the password client; ``None`` makes one up.
    """
    client = _add_clients(state, client_secret)
    _add_named_users(state)
    numbers = add_numbered_users(state, 1, users)
    for name, description in _BUILT_IN_GROUPS:
        state.new_group(name, description)
    for team in range(1, _TEAMS + 1):
        group = state.new_group(f"Team {team:02}", f"Seed group {team}")
        for number, user_id in numbers.items():
            if number % _TEAMS == team % _TEAMS:
                state.new_membership(group.id, user_id)
    for number in range(1, _VARIABLES + 1):
        state.new_environment_variable(f"SEED_VAR_{number:02}", f"Seed variable {number}", f"value {number}")
    return client


def _add_clients(state: State, client_secret: str | None) -> Client:
    url = "http://localhost"
    state.clients.add(Client(state.clients.next_id(), "PmApi", _secret(), url, personal_access=True))
    state.clients.add(Client(state.clients.next_id(), "Swagger UI Auth", _secret(), f"{url}/api/oauth2-callback"))
    secret = client_secret or _secret()
    return state.clients.add(Client(state.clients.next_id(), "Password Grant", secret, url, password=True))


def _secret() -> str:
    alphabet = string.ascii_letters + string.digits
    return "".join(secrets.choice(alphabet) for _ in range(40))


def _add_named_users(state: State) -> None:
    state.new_user(
        {
            "username": "admin",
            "email": "admin@processmaker.com",
            "firstname": "Admin",
            "lastname": "User",
            "timezone": "America/Los_Angeles",
            "is_administrator": True,
        },
        hash_password("admin123"),
    )
    anonymous = {"username": "_pm4_anon_user", "email": "anonymous-pm4-user@processmaker.com", "is_system": 1}
    state.new_user({**anonymous, "firstname": "Anonymous", "lastname": "User"}, hash_password(_secret()))
    for username, first, last, status in (
        ("bob", "Bob", "Plain", "ACTIVE"),
        ("ina", "Ina", "Ctive", "INACTIVE"),
        ("blo", "Blo", "Cked", "BLOCKED"),
    ):
        values = {"username": username, "firstname": first, "lastname": last, "status": status}
        values.update(email=f"{username}@example.com", password_changed_at=state.clock.zoneless())
        password = hash_password(f"{username.capitalize()}-pass1!")
        # By the API made users want mail about their tasks, on which the community's server fails: here nobody does.
        state.new_user(values, password)


def add_numbered_users(state: State, first: int, count: int) -> dict[int, int]:
    """
    Add ``user0001`` and so on; returns their ids by number.

    :param state: where.
    :param first: the first number.
    :param count: how many.
    """
    password = hash_password(SEED_PASSWORD)
    ids = {}
    for number in range(first, first + count):
        user = state.new_user(
            {
                "username": f"user{number:04}",
                "email": f"user{number:04}@example.com",
                "firstname": _FIRST_NAMES[number % len(_FIRST_NAMES)],
                "lastname": _LAST_NAMES[number % len(_LAST_NAMES)],
                "title": "Analyst" if number % 2 else None,
                "status": "INACTIVE" if number % 13 == 0 else "ACTIVE",
            },
            password,
        )
        ids[number] = user.id
    return ids
