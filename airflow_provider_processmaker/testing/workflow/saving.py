"""New and changed processes: each save is a version."""

from __future__ import annotations

import uuid
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow import bpmn
from airflow_provider_processmaker.testing.workflow.tables import Process, Version

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.state import State

_UNCATEGORIZED = 2


def new_process(state: State, values: dict[str, Any], text: str, user_id: int | None = 1) -> Process:
    """
    Add a process.

    :param state: the server's data.
    :param values: columns that differ from a new one's.
    :param text: its BPMN.
    :param user_id: whose it is.
    """
    definition = bpmn.parse(text)
    process_id = state.workflow.processes.next_id()
    now = state.clock.iso()
    columns: dict[str, Any] = {
        "id": process_id,
        "uuid": str(uuid.uuid4()),
        "process_category_id": str(values.get("process_category_id") or _UNCATEGORIZED),
        "user_id": user_id,
        "description": values.get("description"),
        "name": values["name"],
        "cancel_screen_id": None,
        "request_detail_screen_id": None,
        "status": values.get("status") or "ACTIVE",
        "is_valid": 1,
        "package_key": None,
        "pause_timer_start": 0,
        "deleted_at": None,
        "created_at": now,
        "updated_at": now,
        "updated_by": user_id,
        "warnings": None,
        "properties": None,
        "is_template": 0,
        "case_title": values.get("case_title"),
        "launchpad_properties": None,
        "asset_type": None,
        "alternative": "A",
    }
    process = state.workflow.processes.add(Process(process_id, columns, text, definition))
    save(state, process)
    return process


def save_with_warnings(state: State, process: Process, text: str, error: bpmn.SchemaError) -> None:
    """
    Save a process with a diagram that nothing can run: what is wrong with it becomes its warnings.

    :param state: the server's data.
    :param process: changed.
    :param text: its new diagram.
    :param error: what is wrong.
    """
    words = str(error).removeprefix("DOMDocument::schemaValidate(): ")
    process.columns["warnings"] = [{"title": "Schema Validation", "text": words}]
    process.bpmn, process.definition = text, bpmn.Definition("", "", {}, {}, {})
    save(state, process)


def save(state: State, process: Process, text: str | None = None) -> None:
    """
    Save a process as a new version.

    :param state: the server's data.
    :param process: changed.
    :param text: its new BPMN, if that changed.
    """
    if text is not None:
        process.definition = bpmn.parse(text)
        process.bpmn = text
    process.columns["updated_at"] = state.clock.iso()
    version_id = state.workflow.versions.next_id()
    columns = {name: value for name, value in process.columns.items() if name != "uuid"}
    now = state.clock.zoneless()
    category = {"process_category_id": int(process.columns["process_category_id"])}
    own = {"id": version_id, "process_id": process.id, "draft": 0, "created_at": now, "updated_at": now}
    version = Version(version_id, process, {**columns, **own, **category}, process.definition)
    process.versions.append(state.workflow.versions.add(version))
