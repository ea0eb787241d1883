"""The table of all routes, and how the ids in them become rows. A new area adds its module here."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import (
    by_case,
    cases,
    categories,
    comments,
    drafts,
    environment_variables,
    files,
    group_members,
    groups,
    notifications,
    permissions,
    process_events,
    process_requests,
    processes,
    request_tokens,
    screens,
    scripts,
    security_logs,
    settings,
    signals,
    start_events,
    task_assignments,
    tasks,
    user_tokens,
    users,
)
from airflow_provider_processmaker.testing.routing import Router

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.state import State

MODULES = (
    users, user_tokens, groups, group_members, environment_variables, permissions, processes, process_events,
    start_events, process_requests, request_tokens, tasks, drafts, files, cases, by_case, categories, scripts, screens,
    signals, notifications, comments, security_logs, settings, task_assignments,
)  # fmt: skip

# Parts of a path that name a row; a missing row is 404, before permissions are looked at. Other parts stay texts.
BINDERS: dict[str, Callable[[State, int], Any]] = {
    "user": lambda state, row_id: state.user(row_id),
    "group": lambda state, row_id: state.groups.get(row_id),
    "group_member": lambda state, row_id: state.memberships.get(row_id),
    "environment_variable": lambda state, row_id: state.environment_variables.get(row_id),
    "process": lambda state, row_id: state.workflow.processes.get(row_id),
    "request": lambda state, row_id: state.workflow.requests.get(row_id),
    "task": lambda state, row_id: state.workflow.tokens.get(row_id),
    "file": lambda state, row_id: state.workflow.media.get(row_id),
    "script": lambda state, row_id: state.workflow.scripts.get(row_id),
    "screen": lambda state, row_id: state.workflow.screens.get(row_id),
}


def router() -> Router:
    """The router over the routes of all modules."""
    return Router(route for module in MODULES for route in module.ROUTES)
