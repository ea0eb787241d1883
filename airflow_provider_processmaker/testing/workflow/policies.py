"""Who may do what with processes, requests and tasks."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow_provider_processmaker.testing.workflow.assignment import numbers

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.state import State, User
    from airflow_provider_processmaker.testing.workflow.bpmn import Node
    from airflow_provider_processmaker.testing.workflow.tables import Process, ProcessRequest, Token


def may_start(state: State, user: User, process: Process, node: Node | None) -> bool:
    """
    Whether a user may start a process at an event.

    :param state: the server's data.
    :param user: who.
    :param process: which.
    :param node: the event; ``None`` for one that is not there, which only an administrator gets to hear.
    """
    if user.is_administrator:
        return True
    if node is None:
        return False
    attributes = node.attributes
    if attributes.get("assignment") == "process_manager":
        return process.manager_id == user.id
    if user.id in numbers(attributes.get("assignedUsers", "")):
        return True
    return bool(state.groups_of(user).intersection(numbers(attributes.get("assignedGroups", ""))))


def startable(state: State, user: User, process: Process) -> list[Node]:
    """
    The events at which a user may start a process.

    :param state: the server's data.
    :param user: who.
    :param process: which.
    """
    return [node for node in process.version.definition.starts if may_start(state, user, process, node)]


def has_right(state: State, user: User, process: Process, right: str) -> bool:
    """
    Whether a user has a right on a process.

    :param state: the server's data.
    :param user: who.
    :param process: which.
    :param right: ``CANCEL`` or ``EDIT_DATA``.
    """
    if user.is_administrator:
        return True
    rights = process.rights.get(right)
    if rights is None:
        return False
    return user.id in rights.users or bool(rights.groups & state.groups_of(user))


def takes_part(user: User, request: ProcessRequest) -> bool:
    """
    Whether a user started a request or has or had a task in it.

    :param user: who.
    :param request: which.
    """
    return request.user_id == user.id or any(token.user_id == user.id for token in request.tokens)


def is_offered(state: State, user: User, token: Token) -> bool:
    """
    Whether a task is or was there for a user to take.

    :param state: the server's data.
    :param user: who.
    :param token: the task.
    """
    if not token.columns["is_self_service"]:
        return False
    allowed = token.columns["self_service_groups"]
    groups = {str(group_id) for group_id in state.groups_of(user)}
    return str(user.id) in allowed["users"] or bool(groups.intersection(allowed["groups"]))


def may_claim(state: State, user: User, token: Token) -> bool:
    """
    Whether a user may take a task that is nobody's.

    :param state: the server's data.
    :param user: who.
    :param token: the task.
    """
    return token.is_active and token.user_id is None and is_offered(state, user, token)


def may_list(state: State, user: User, request: ProcessRequest) -> bool:
    """
    Whether a request is in the list of a user: also one with a task that he may take.

    :param state: the server's data.
    :param user: who.
    :param request: which.
    """
    return may_see(state, user, request) or any(is_offered(state, user, token) for token in request.tokens)


def may_see(state: State, user: User, request: ProcessRequest) -> bool:
    """
    Whether a user may see a request.

    :param state: the server's data.
    :param user: who.
    :param request: which.
    """
    if state.can(user, "view-all_requests", "edit-request_data") or takes_part(user, request):
        return True
    return has_right(state, user, request.process, "EDIT_DATA")


def may_update(state: State, user: User, request: ProcessRequest) -> bool:
    """
    Whether a user may try to change a request.

    :param state: the server's data.
    :param user: who.
    :param request: which.
    """
    if user.is_administrator or request.user_id == user.id or state.can(user, "edit-request_data"):
        return True
    return any(has_right(state, user, request.process, right) for right in ("CANCEL", "EDIT_DATA"))


def may_edit_data(state: State, user: User, request: ProcessRequest) -> bool:
    """
    Whether a user may change a request's data.

    :param state: the server's data.
    :param user: who.
    :param request: which.
    """
    permission = "edit-task_data" if request.status == "ACTIVE" else "edit-request_data"
    return state.can(user, permission) or has_right(state, user, request.process, "EDIT_DATA")


def may_do(state: State, user: User, token: Token) -> bool:
    """
    Whether a user may see and complete a task; to have started the request is not enough.

    :param state: the server's data.
    :param user: who.
    :param token: the task.
    """
    if user.is_administrator or user.id in {token.user_id, token.request.process.manager_id}:
        return True
    return may_claim(state, user, token)


def may_reassign(user: User, token: Token) -> bool:
    """
    Whether a user may give a task to another.

    :param user: who.
    :param token: the task.
    """
    if user.is_administrator or token.request.process.manager_id == user.id:
        return True
    return token.user_id == user.id and token.node.attributes.get("allowReassignment") == "true"
