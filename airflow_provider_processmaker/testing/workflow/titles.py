"""
The titles of cases.

A request's title is rendered anew whenever its data change; a subprocess has its parent's (ProcessMaker's
``ProcessRequestObserver::saving``).
"""

from __future__ import annotations

import re
from html import escape
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.phpdata import as_text

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.workflow.tables import ProcessRequest, Workflow

_LONGEST = 200
_NAMES = ("case_title", "case_title_formatted")
# {{ name }}, and {{{ name }}} or {{& name }}, which are not escaped.
_TAG = re.compile(r"\{\{\{\s*([\w.]+)\s*\}\}\}|\{\{&\s*([\w.]+)\s*\}\}|\{\{\s*([\w.]+)\s*\}\}")


def renew(workflow: Workflow, request: ProcessRequest) -> None:
    """
    Give a request the title that goes with its data, and its direct subprocesses the same.

    :param workflow: has the requests.
    :param request: its data have changed, or it is new.
    """
    parent = None if request.parent_request_id is None else workflow.requests.get(request.parent_request_id)
    if parent is not None:
        request.update(**{name: parent.columns[name] for name in _NAMES})
        return
    template = request.process.columns["case_title"]
    if template:
        data = {**request.data, "_request": request.columns}
        request.update(case_title=plain(template, data), case_title_formatted=formatted(template, data))
    else:
        # The default names the request, and nothing of it is in bold.
        request.update(**dict.fromkeys(_NAMES, request.name))
    for child in request.children:
        child.update(**{name: request.columns[name] for name in _NAMES})


def plain(template: str, data: dict[str, Any]) -> str:
    """
    The title without mark-up of its own; Mustache escapes what HTML would read.

    :param template: text with ``{{ variables }}``.
    :param data: the variables.
    """
    return _rendered(template, data, bold=False)[:_LONGEST]


def formatted(template: str, data: dict[str, Any]) -> str:
    """
    The title with the values in bold; only its text counts for its length.

    :param template: text with ``{{ variables }}``.
    :param data: the variables.
    """
    left, title = _LONGEST, ""
    parts = re.split(r"(</?b>)", _rendered(template, data, bold=True))
    for number, part in enumerate(parts):
        if part in {"<b>", "</b>"}:
            title += part
        elif len(part) >= left:
            closing = "</b>" if parts[number + 1 : number + 2] == ["</b>"] else ""
            return title + part[:left] + closing
        else:
            title += part
            left -= len(part)
    return title


def _rendered(template: str, data: dict[str, Any], *, bold: bool) -> str:
    def fill(match: re.Match[str]) -> str:
        raw = match.group(1) or match.group(2)
        text = _value(raw or match.group(3), data)
        if raw:
            return text
        # The formatted title escapes both kinds of quotes, Mustache by itself the double ones.
        return f"<b>{escape(text).replace('&#x27;', '&#039;')}</b>" if bold else _escaped(text)

    return _TAG.sub(fill, template)


def _escaped(text: str) -> str:
    return escape(text, quote=False).replace('"', "&quot;")


def _value(path: str, data: dict[str, Any]) -> str:
    value: Any = data
    for key in path.split("."):
        value = value.get(key) if isinstance(value, dict) else None
    return "" if value is None or isinstance(value, (dict, list)) else as_text(value)
