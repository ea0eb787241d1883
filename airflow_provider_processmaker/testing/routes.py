"""The table of all routes, and how the ids in them become rows. A new area adds its module here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import (
    environment_variables,
    group_members,
    groups,
    permissions,
    unbuilt,
    user_tokens,
    users,
)
from airflow_provider_processmaker.testing.routing import Router

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.state import State

MODULES = (users, user_tokens, groups, group_members, environment_variables, permissions, unbuilt)

# Parts of a path that name a row; a missing row is 404, before permissions are looked at. Other parts stay texts.
BINDERS: dict[str, Callable[[State, int], Any]] = {
    "user": lambda state, row_id: state.user(row_id),
    "group": lambda state, row_id: state.groups.get(row_id),
    "group_member": lambda state, row_id: state.memberships.get(row_id),
    "environment_variable": lambda state, row_id: state.environment_variables.get(row_id),
}


def router() -> Router:
    """The router over the routes of all modules."""
    return Router(route for module in MODULES for route in module.ROUTES)
