"""
Mail about tasks for the replay.

The users that were made by the API wanted mail when a task came to them, on which the recorded server failed. For some
of them that was taken back in its database, which no exchange shows; but where one of them was to get a task, and
nothing failed, it must have happened by then.
"""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow.assignment import candidates

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.tables import Process

    from .recordings import Recording

_FAILED = "EmailProvider"


def prepare(state: State, recording: Recording) -> None:
    """
    Let those want no mail to whom a step of the engine brought a task without an error.

    :param state: our server's data.
    :param recording: maybe such a step.
    """
    body: Any = recording.body
    if recording.method == "GET" or recording.status >= 300 or not isinstance(body, dict):
        return
    process = state.workflow.processes.get(body.get("process_id") or 0)
    if process is not None and _FAILED not in json.dumps(body):
        silence(state, process)


def silence(state: State, process: Process) -> None:
    """
    Let those want no mail who may get a task of a process.

    :param state: our server's data.
    :param process: the process.
    """
    for node in process.version.definition.nodes.values():
        for user_id in candidates(state, node):
            user = state.users.get(user_id)
            if user is not None:
                user.columns["email_task_notification"] = 0
