"""``/drafts``: what a task's form holds before it is completed, files included."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing import media
from airflow_provider_processmaker.testing.errors import not_found
from airflow_provider_processmaker.testing.http import Response
from airflow_provider_processmaker.testing.phpdata import as_stored
from airflow_provider_processmaker.testing.routing import Route
from airflow_provider_processmaker.testing.workflow.tables import REQUEST_MODEL, Row

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.http import Request
    from airflow_provider_processmaker.testing.multipart import Upload
    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.tables import Media, Token

_MODEL = "ProcessMaker\\Models\\TaskDraft"
# What a file in a draft remembers of the request that it is meant for, until it is there.
_MEANT_FOR = "parent_process_request_id"


def _of(state: State, task_id: int) -> Row | None:
    return next((row for row in state.workflow.drafts if row.columns["task_id"] == task_id), None)


def _new(state: State, task_id: int, data: Any) -> Row:
    draft_id, now = state.workflow.drafts.next_id(), state.clock.zoneless()
    stamps = {"updated_at": now, "created_at": now, "id": draft_id}
    return state.workflow.drafts.add(Row(draft_id, {"task_id": task_id, "data": data, **stamps}))


def _files(state: State, draft: Row) -> list[Media]:
    columns = {"model_type": _MODEL, "model_id": draft.id}.items()
    return [file for file in state.workflow.media if columns <= file.columns.items()]


def save(request: Request) -> Response:
    """
    ``PUT /drafts/{task}``: keeps what a form holds so far.

    :param request: the call.
    """
    row: Token = request.bound["task"]
    draft, data = _of(request.state, row.id), as_stored(request.fields)
    if draft is None:
        return Response.json(_new(request.state, row.id, data).columns, 201)
    draft.columns.update(data=data, updated_at=request.state.clock.zoneless())
    return Response.json(draft.columns)


def delete(request: Request) -> Response:
    """
    ``DELETE /drafts/{task}``: its files go with it.

    :param request: the call.
    """
    draft = _of(request.state, request.bound["task"].id)
    if draft is None:
        return not_found()
    for file in _files(request.state, draft):
        request.state.workflow.media.remove(file.id)
    request.state.workflow.drafts.remove(draft.id)
    return Response.nothing()


def upload(request: Request, task_id: int, request_id: int, file: Upload, properties: dict[str, Any]) -> Media:
    """
    Put a file into the draft of a task, which is made if need be; its data name the file.

    :param request: the call.
    :param task_id: the task.
    :param request_id: the request that the file is meant for.
    :param file: what came.
    :param properties: kept with it.
    """
    state = request.state
    draft = _of(state, task_id) or _new(state, task_id, [])
    meant = {_MEANT_FOR: request_id, "is_multiple": bool(request.text("multiple"))}
    stored = media.replace(request, file, (_MODEL, draft.id), properties, _files(state, draft))
    stored.columns["custom_properties"].update(meant)
    draft.columns["data"] = {**(draft.columns["data"] or {}), properties["data_name"]: stored.id}
    draft.columns["updated_at"] = state.clock.zoneless()
    return stored


def finish(state: State, task: Token) -> None:
    """
    A task is completed: its draft goes, and the draft's files become the request's, where they replace their like.

    :param state: the server's data.
    :param task: which.
    """
    draft = _of(state, task.id)
    if draft is None:
        return
    for file in _files(state, draft):
        properties = file.columns["custom_properties"]
        owner = {"model_type": REQUEST_MODEL, "model_id": properties.pop(_MEANT_FOR)}
        if not properties.pop("is_multiple"):
            theirs = [one for one in state.workflow.media if owner.items() <= one.columns.items()]
            for old in media.alike(theirs, properties):
                state.workflow.media.remove(old.id)
        file.columns.update(owner)
    state.workflow.drafts.remove(draft.id)


ROUTES = [
    Route("PUT", "/drafts/{task}", save),
    Route("DELETE", "/drafts/{task}", delete),
]
