"""Renew the parts of the docs that are made from the code.

``uv run scripts/refresh_docs.py`` writes them; with ``--check`` it only says whether they are as they should be.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path
from typing import TYPE_CHECKING

from airflow_provider_processmaker.client.resource_table import RESOURCES
from airflow_provider_processmaker.connection import FIELDS

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import Resource

DOCS = Path(__file__).resolve().parents[1] / "docs"


def fields() -> str:
    """The table of connection fields."""
    rows = ["| label | key | default | |", "|---|---|---|---|"]
    for field in FIELDS:
        default = "" if field.default is None else f"`{str(field.default).lower()}`"
        secret = " **Secret.**" if field.secret else ""
        rows.append(f"| {field.label} | `{field.name}` | {default} | {field.help}{secret} |")
    return "\n" + "\n".join(rows) + "\n"


def resources() -> str:
    """The names of the lists."""
    return ", ".join(f"`{name}`" for name in RESOURCES)


def lists() -> str:
    """The table of lists."""
    rows = ["| list | endpoint | needs | parameters | walked | who may |", "|---|---|---|---|---|---|"]
    remarks = []
    for name, resource in RESOURCES.items():
        path = resource.path if resource.path.startswith("/") else f"/{resource.path}"
        needs = ", ".join(f"`{need}`" for need in (*resource.path_names, *resource.required))
        parameters = ", ".join(f"`{parameter}`" for parameter in resource.parameters)
        permission = (
            f"`{resource.permission}`" if re.fullmatch(r"[a-z_-]+", resource.permission) else resource.permission
        )
        rows.append(f"| `{name}` | `{path}` | {needs} | {parameters} | {_walk(resource)} | {permission} |")
        told = [*(_choice(*choice) for choice in resource.choices), *resource.quirks]
        remarks += [f"- `{name}`: {' '.join(told)}"] if told else []
    return "\n" + "\n".join([*rows, "", "To know of some:", "", *remarks]) + "\n"


def _walk(resource: Resource) -> str:
    if not resource.paged:
        return "whole"
    if not resource.ascending:
        return "by pages"
    return "by key" if resource.pmql else "by checked pages"


def _choice(name: str, values: tuple[str, ...]) -> str:
    what = "is any of" if name == "include" else "is"
    return f"`{name}` {what} {', '.join(f'`{value}`' for value in values[:-1])} or `{values[-1]}`."


PARTS = {"connection.md": {"fields": fields}, "lists.md": {"lists": lists}, "operators.md": {"resources": resources}}


def renewed(page: str) -> str:
    """A page with its made parts as they should be."""
    text = (DOCS / page).read_text(encoding="utf-8")
    for name, make in PARTS[page].items():
        pattern = re.compile(rf"(<!-- {name}: begin[^>]*-->).*?(<!-- {name}: end -->)", re.DOTALL)
        made = make()
        text, count = pattern.subn(lambda match, made=made: match[1] + made + match[2], text)
        if count != 1:
            raise SystemExit(f"docs/{page} has {count} parts named {name}; one is due")
    return text


def main() -> int:
    """Write or check the pages; 1 if a check finds one that is out of date."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--check", action="store_true")
    check = parser.parse_args().check
    stale = [page for page in PARTS if renewed(page) != (DOCS / page).read_text(encoding="utf-8")]
    for page in stale:
        if not check:
            (DOCS / page).write_text(renewed(page), encoding="utf-8")
        print(f"docs/{page} {'is out of date' if check else 'renewed'}")
    return 1 if check and stale else 0


if __name__ == "__main__":
    sys.exit(main())
