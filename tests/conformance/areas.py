"""
What is not replayed: the one list, by the beginning of a recording's name, with the reason.

An area that gets built loses its line here, and nothing else changes.
"""

from __future__ import annotations

_ENGINE = "the process engine is not built yet"
_FILES = "files are not built yet"
_SCRIPTS = "scripts are not built yet"
_DESIGN = "categories, screens and other parts of the designer are not built yet"
_WEB = "needs a browser's session: the stand-in has no web side"
_OTHER = "this resource is not built yet"

NOT_SERVED = {
    "async_": _ENGINE,
    "bob_cancel": _ENGINE,
    "bob_edit": _ENGINE,
    "bob_files": _FILES,
    "bob_reassign": _ENGINE,
    "bob_request": _ENGINE,
    "bob_start": _ENGINE,
    "bob_task": _ENGINE,
    "call_parent": _ENGINE,
    "comments": _OTHER,
    "files": _FILES,
    "gateway": _ENGINE,
    "manual_task": _ENGINE,
    "message": _ENGINE,
    "notifications": _OTHER,
    "parallel": _ENGINE,
    "process_categories": _DESIGN,
    "process_events": _ENGINE,
    "processes": _ENGINE,
    "request_": _ENGINE,
    "requests": _ENGINE,
    "screen": _DESIGN,
    "script_categories": _DESIGN,
    "script_error": _ENGINE,
    "script_ok": _ENGINE,
    "scripts": _SCRIPTS,
    "security_logs": _OTHER,
    "self_service": _ENGINE,
    "signal": _ENGINE,
    "start_": _ENGINE,
    "task_": _ENGINE,
    "tasks": _ENGINE,
    "terminate": _ENGINE,
    "timer": _ENGINE,
    "two_steps": _ENGINE,
    "web_": _WEB,
}


def reason_not_served(name: str) -> str | None:
    """
    Why a recording is not replayed.

    :param name: of the recording.
    """
    for prefix, reason in NOT_SERVED.items():
        if name.startswith(prefix):
            return reason
    return None
