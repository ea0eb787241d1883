"""A server in which every list has several pages, and what is in each: by the server's own tables, not by its lists."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_processmaker.testing import ProcessMakerServer
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest

#: More than two pages of five.
ROWS = 12

REQUEST_MODEL = "ProcessMaker\\Models\\ProcessRequest"


@dataclass
class Contents:
    """
    What is in a list.

    :param rows: the value of each field by which its rows can be told apart.
    :param query: what the list has to be told.
    """

    rows: dict[str, list[Any]]
    query: dict[str, Any] = field(default_factory=dict)


def fill(server: ProcessMakerServer) -> dict[str, Contents]:
    """
    Fill all lists that a community server has; returns what is in each, by its name.

    :param server: fresh.
    """
    process = server.add_process("Process 01", starts=[f"Start {number}" for number in range(1, ROWS + 1)])
    for number in range(2, ROWS + 1):
        server.add_process(f"Process {number:02}")
    # First those of one person each, so that only later pages show that the number of a case may repeat.
    request = [*server.add_requests(process, ROWS), *_start_shared(server)][0].id
    for done in [*server.add_requests(process, ROWS), *_start_shared(server)]:
        server.complete_request(done.id)
    for user_id in server.add_users(ROWS):
        server.delete_user(user_id)
    for _ in range(ROWS):
        server.issue_token("bob", personal=True)
    group, *inner = server.add_groups(ROWS + 1)
    # Against the order of ids, so that memberships and members do not happen to be in the same.
    server.add_members(group, user_ids=server.user_ids[::-1][:ROWS], group_ids=inner[::-1])
    _fill_the_rest(server, process, request)
    contents = {name: Contents({"id": ids}) for name, ids in _tables(server.state).items()}
    return {**contents, **_cases(server.state), **_with_a_query(server, process, request, group)}


def _start_shared(server: ProcessMakerServer) -> list[ProcessRequest]:
    """Start requests in which two people have a task each, besides who started them."""
    name = f"Shared {len(server.requests)}"
    started = server.add_requests(server.add_process(name, ("First", "Second"), assignee="bob"), ROWS)
    for row in started:
        server.complete_task(row.tasks[0].id)
        row.tasks[1].columns["user_id"] = server.user("ina").id
    return started


def _fill_the_rest(server: ProcessMakerServer, process: int, request: int) -> None:
    for kind in ("process", "screen", "script"):
        server.add_categories(kind, ROWS)
    # The middle ones have no place on the page and so come first.
    server.add_settings(4, order=100)
    server.add_settings(ROWS)
    server.add_settings(4, order=50)
    server.add_screens(ROWS)
    server.add_scripts(ROWS)
    server.add_signals(ROWS)
    server.add_task_assignments(process, ROWS)
    server.add_files(request, ROWS)
    server.add_comments(request, ROWS)
    server.add_notifications(ROWS)
    server.add_notifications(1, username="bob")
    server.add_security_logs(ROWS)


def _ids(rows: Iterable[Any]) -> list[Any]:
    return [row.id for row in rows]


def _tables(state: State) -> dict[str, list[Any]]:
    """The ids of the lists that need no query."""
    tables = state.workflow
    shown = [user for user in state.users if not user.is_system]
    mine = [number for number, row in tables.notifications.items() if row["notifiable_id"] == 1]
    kinds = {
        name: _ids(row for row in rows if not row.columns["is_system"]) for name, rows in tables.categories.items()
    }
    return {
        "users": _ids(user for user in shown if not user.is_deleted),
        "deleted_users": _ids(user for user in shown if user.is_deleted),
        "groups": _ids(state.groups),
        "group_members": _ids(state.memberships),
        "environment_variables": _ids(state.environment_variables),
        "processes": _ids(tables.processes),
        "start_processes": _ids(tables.processes),
        **kinds,
        "screens": _ids(tables.screens),
        "scripts": _ids(tables.scripts),
        "signals": list(tables.signals),
        "task_assignments": _ids(tables.task_assignments),
        "requests": _ids(tables.requests),
        "tasks": _ids(token for token in tables.tokens if token.columns["element_type"] == "task"),
        "files": _ids(tables.media),
        "notifications": mine,
        "settings": _ids(tables.settings),
        "security_logs": _ids(tables.security_logs),
    }


def _cases(state: State) -> dict[str, Contents]:
    """All cases come once; those of a status come once for everyone who takes part, so that their numbers repeat."""
    rows = list(state.workflow.requests)
    people = {row.case_number: {token.user_id for token in row.tokens} - {None} for row in rows}
    shared = {
        status: [row.case_number for row in rows if row.status == status for _ in people[row.case_number]]
        for status in ("ACTIVE", "COMPLETED")
    }
    return {
        "cases": Contents({"case_number": [row.case_number for row in rows]}),
        "cases_in_progress": Contents({"case_number": shared["ACTIVE"]}),
        "cases_completed": Contents({"case_number": shared["COMPLETED"]}),
    }


def _with_a_query(server: ProcessMakerServer, process: int, request: int, group: int) -> dict[str, Contents]:
    state = server.state
    bob = server.user("bob").id
    members = [row for row in state.memberships if row.group_id == group]
    users = [row for row in members if row.member_type.endswith("User")]
    groups = [row for row in members if row.member_type.endswith("Group")]
    about = {"commentable_type": REQUEST_MODEL, "commentable_id": request}
    starts = [node.id for node in server.process(process).version.definition.starts]
    return {
        "user_tokens": Contents({"id": _ids(state.tokens.personal_of(bob))}, {"user_id": bob}),
        "group_users": Contents(_both(users), {"group_id": group}),
        "group_groups": Contents(_both(groups), {"group_id": group}),
        "start_events": Contents({"id": starts}, {"process_id": process}),
        "request_files": Contents({"id": _ids(state.workflow.media)}, {"request_id": request}),
        "comments": Contents({"id": _ids(state.workflow.comments)}, about),
    }


def _both(members: list[Any]) -> dict[str, list[Any]]:
    return {"id": _ids(members), "member_id": [row.member_id for row in members]}
