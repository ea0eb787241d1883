"""
What must have been there, of requests and tasks that no recorded answer describes.

The exchange itself tells: which event it calls, which task it names, and by the way in which the caller was let in or
refused, whose the row was and in which state.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow import examples

from .forms import shown
from .kinds import kind_of

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.workflow.examples import Example

    from .recordings import Recording

_ADMINISTRATOR = 1
# Refused before it was asked what the caller wants: he has nothing to do with the row.
_STRANGER = "This action is unauthorized."


def is_insider(recording: Recording) -> bool:
    """
    Whether the caller has to do with the row of the path, for he got further than one who has not.

    :param recording: the exchange.
    """
    message = recording.body.get("message") if isinstance(recording.body, dict) else None
    return recording.status not in {401, 404} and message != _STRANGER and "/events/" not in recording.path


def owner_for(exchanges: list[Recording], caller: Callable[[Recording], int | None]) -> int:
    """
    Whose a row is: the first user's who got at it, and is no administrator.

    :param exchanges: those about it.
    :param caller: tells who called.
    """
    for one in exchanges:
        user_id = caller(one)
        if user_id not in {None, _ADMINISTRATOR} and is_insider(one):
            return int(user_id or _ADMINISTRATOR)
    return _ADMINISTRATOR


def example_for(exchanges: list[Recording]) -> Example:
    """
    The process that suits all exchanges about some request: the simplest with the elements that they name.

    :param exchanges: those about it.
    """
    good = [one for one in exchanges if one.status < 400]
    named = {name for one in good for name in re.findall(r"\bnode_\d+\b", f"{one.path} {one.body}")}
    refused = [one for one in exchanges if one.status in {403, 404} and "/events/" in one.path]
    named |= {name for one in refused for name in re.findall(r"/events/(\w+)", one.path)}
    fits = [one for one in examples.EXAMPLES if all(f'id="{name}"' in one.bpmn for name in named)]
    if any(one.status == 403 for one in refused):
        fits = [one for one in fits if "allowedUsers" in one.bpmn]
    return fits[0] if fits else examples.EXAMPLES[0]


def request_for(
    exchanges: list[Recording], caller: Callable[[Recording], int | None], case_number: int
) -> dict[str, Any]:
    """
    A request that some exchanges are about.

    :param exchanges: those about it.
    :param caller: tells who called.
    :param case_number: a free one.
    """
    owner = owner_for(exchanges, caller)
    return {"process_id": example_for(exchanges).id, "user_id": owner, "case_number": case_number}


def request_of_task(task: dict[str, Any], case_number: int) -> dict[str, Any]:
    """
    The request that a task is shown in.

    :param task: as an answer shows it.
    :param case_number: a free one.
    """
    marks = (f'id="{task["element_id"]}"', f'name="{task["element_name"]}"')
    fits = (one.id for one in examples.EXAMPLES if all(mark in one.bpmn for mark in marks))
    process_id = task.get("process_id") or next(fits, examples.EXAMPLES[0].id)
    return {"process_id": process_id, "user_id": _ADMINISTRATOR, "case_number": case_number}


def parent_for(child: dict[str, Any], case_number: int) -> dict[str, Any]:
    """
    The request that another was called from.

    :param child: as an answer shows it.
    :param case_number: a free one.
    """
    called = f'calledElement="ProcessId-{child["process_id"]}"'
    fits = (one.id for one in examples.EXAMPLES if called in one.bpmn)
    return {
        "process_id": next(fits, examples.EXAMPLES[0].id),
        "user_id": child["user_id"],
        "case_number": child.get("case_number", case_number),
    }


def task_for(exchanges: list[Recording], caller: Callable[[Recording], int | None], request_id: int) -> dict[str, Any]:
    """
    A task that some exchanges are about: the first of the simplest process, or the one after the task that is shown.

    :param exchanges: those about it.
    :param caller: tells who called.
    :param request_id: a free one.
    """
    known: dict[str, Any] = {"process_request_id": request_id, "process_id": examples.EXAMPLES[0].id}
    seen = (value for one in exchanges for value in shown(one) if kind_of(value) == "tasks")
    before = next(seen, {"element_id": None})
    known.update({name: before[name] for name in known if name in before})
    bpmn = next((one.bpmn for one in examples.EXAMPLES if one.id == known["process_id"]), examples.EXAMPLES[0].bpmn)
    elements = re.findall(r'<bpmn:(?:manualT|t)ask id="(node_\d+)" name="([^"]*)"', bpmn)
    after = (element for element in elements if element[0] != before["element_id"])
    element_id, name = next(after, elements[0])
    return {**known, "element_id": element_id, "element_name": name, "user_id": owner_for(exchanges, caller)}
