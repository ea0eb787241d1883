"""Renew the parts of the docs that are made from the code.

``uv run scripts/refresh_docs.py`` writes them; with ``--check`` it only says whether they are as they should be.
"""

from __future__ import annotations

import argparse
import re
import sys
from pathlib import Path

from airflow_provider_processmaker.client.resources import RESOURCES
from airflow_provider_processmaker.connection import FIELDS

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
    rows = ["| list | endpoint | needs | parameters | walked |", "|---|---|---|---|---|"]
    for name, resource in RESOURCES.items():
        path = resource.path if resource.path.startswith("/") else f"/{resource.path}"
        needs = ", ".join(f"`{need}`" for need in (*resource.path_names, *resource.required))
        parameters = ", ".join(f"`{parameter}`" for parameter in resource.parameters)
        how = (
            "by key" if resource.pmql and resource.order_by else "by checked pages" if resource.order_by else "by pages"
        )
        rows.append(f"| `{name}` | `{path}` | {needs} | {parameters} | {how if resource.paged else 'whole'} |")
    return "\n" + "\n".join(rows) + "\n"


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
