"""Whose a task is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow.bpmn import self_service_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.bpmn import Node
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest

_NO_MANAGER = "Task cannot be assigned since there is no Process Manager associated to the process."


# The mail about a new task needs a package that the community's server lacks: the task is there, then the step fails.
_NO_MAIL = 'Class "ProcessMaker\\Packages\\Connectors\\ActionsByEmail\\EmailProvider" not found'


class EngineError(Exception):
    """
    Something that stops a request.

    :param message: what.
    :param node: where, if it is not where the step began.
    """

    def __init__(self, message: str, node: Node | None = None) -> None:
        super().__init__(message)
        self.node = node


def numbers(text: str) -> list[int]:
    """
    Ids from an attribute.

    :param text: such as ``"1, 2"``.
    """
    return [int(part) for part in text.split(",") if part.strip().isdigit()]


def assign(state: State, request: ProcessRequest, node: Node) -> dict[str, Any]:
    """
    The columns of a task that say whose it is.

    :param state: the server's data.
    :param request: which the task is of.
    :param node: the task.
    """
    if "standInError" in node.attributes:
        raise EngineError(node.attributes["standInError"], node)
    rule = node.attributes.get("assignment", "requester")
    if rule == "self_service":
        return {"user_id": None, "is_self_service": 1, "self_service_groups": self_service_of(node)}
    user_id = _user(state, request, node, rule)
    if user_id is None:
        request.fresh.add("process_version.manager")
        user_id = request.process.manager_id
    if user_id is None:
        raise EngineError(_NO_MANAGER, node)
    return {"user_id": user_id, "is_self_service": 0, "self_service_groups": []}


def _user(state: State, request: ProcessRequest, node: Node, rule: str) -> int | None:
    if rule == "requester":
        return request.user_id
    if rule == "process_manager":
        return None
    if rule == "previous_task_assignee":
        done = [token.user_id for token in request.tasks if token.status == "CLOSED"]
        return done[-1] if done else request.user_id
    users = candidates(state, node)
    if len(users) < 2:
        return users[0] if users else None
    # By turns, beginning with the first.
    turns = sum(
        token.node.id == node.id and token.request.process is request.process for token in state.workflow.tokens
    )
    return users[turns % len(users)]


def check_mail(state: State, user_id: int | None) -> None:
    """
    Raise if the assignee of a new task wants to hear of it by mail.

    :param state: the server's data.
    :param user_id: whom; ``None`` for nobody.
    """
    user = None if user_id is None else state.users.get(user_id)
    if user is not None and user.columns["email_task_notification"]:
        raise EngineError(_NO_MAIL)


def candidates(state: State, node: Node) -> list[int]:
    """
    The ids of the users that an element's attributes name, by themselves or by their groups.

    :param state: the server's data.
    :param node: the element.
    """
    users = numbers(node.attributes.get("assignedUsers", ""))
    groups = set(numbers(node.attributes.get("assignedGroups", "")))
    if groups:
        users += [user.id for user in state.users if user.id not in users and state.groups_of(user) & groups]
    return users
