"""Run the fault table and write its outcomes into the docs.

``uv run --group faults scripts/fault_table.py`` breaks a whole Airflow in every way of the table, which takes about
half an hour and needs Debian's postgresql, and then writes ``docs/when_things_break.md``. With ``--results FILE`` it
writes the page from an earlier run's file.
"""

from __future__ import annotations

import argparse
import json
import os
import re
import subprocess
import sys
import tempfile
from pathlib import Path
from typing import Any

ROOT = Path(__file__).resolve().parents[1]
PAGE = ROOT / "docs" / "when_things_break.md"
BEGIN, END = "<!-- table: begin, made by scripts/fault_table.py -->", "<!-- table: end -->"


def main() -> None:
    """Run, and write."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--results", type=Path, help="file of an earlier run, instead of a new one")
    given = parser.parse_args()
    rows = _read(given.results) if given.results else _run()
    text = PAGE.read_text(encoding="utf-8")
    before, _, rest = text.partition(BEGIN)
    after = rest.partition(END)[2]
    if not after:
        sys.exit(f"{PAGE.name} has no part for the table")
    PAGE.write_text(f"{before}{BEGIN}\n{table(rows)}\n{END}{after}", encoding="utf-8")
    print(f"{len(rows)} cases in {PAGE.relative_to(ROOT)}")


def _run() -> list[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        results = Path(folder) / "results"
        environment = {"PROCESSMAKER_TEST_FAULTS": "1", "PROCESSMAKER_FAULT_RESULTS": str(results)}
        done = subprocess.run(
            [sys.executable, "-m", "pytest", "-n", "0", "tests/faults", "--deselect", "tests/faults/test_soak.py"],
            cwd=ROOT,
            env=os.environ | environment,
            check=False,
        )
        if done.returncode:
            sys.exit("Not all is as it should be: the page is left as it is.")
        return _read(results)


def _read(path: Path) -> list[dict[str, Any]]:
    rows = [json.loads(line) for line in path.read_text(encoding="utf-8").splitlines()]
    latest = {row["number"]: row for row in rows}
    return sorted(latest.values(), key=lambda row: _order(row["number"]))


def _order(number: str) -> tuple[int, str]:
    found = re.match(r"\d+", number)
    return int(found[0]) if found else 0, number


def table(rows: list[dict[str, Any]]) -> str:
    """The outcomes as a table.

    :param rows: one for each case.
    """
    lines = [
        "| | what happens | how it waits | requests of each task in each run | the task | its log says |",
        "|---|---|---|---|---|---|",
    ]
    for row in rows:
        number, title = row["number"], row["title"]
        for ways, outcome in _grouped(row["outcomes"]):
            requests = ", ".join(f"{count} {status}" for status, count in sorted(outcome["requests"].items())) or "none"
            tries = f", {outcome['tries']} tries" if outcome["tries"] > 1 else ""
            said = _plain(outcome["said"])
            lines.append(f"| {number} | {title} | {ways} | {requests} | {outcome['state']}{tries} | {said} |")
            number = title = ""
    return "\n".join(lines)


def _grouped(outcomes: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """Outcomes that are the same, with those for whom they are."""
    groups: dict[str, tuple[list[str], dict[str, Any]]] = {}
    for outcome in outcomes:
        key = json.dumps([outcome["requests"], outcome["state"], outcome["tries"], _plain(outcome["said"])])
        ways, _ = groups.setdefault(key, ([], outcome))
        way = re.sub(r" \d+$", "", outcome["way"])
        if way not in ways:
            ways.append(way)
    return [(", ".join(ways), outcome) for ways, outcome in groups.values()]


def _plain(text: str) -> str:
    """A line of a log in few words, the same for all of a kind."""
    line = re.sub(r"https?://\S+|(?<!\S)/\S+/\S+", "…", text.partition(" [connection ")[0])
    line = re.sub(r"\b([Rr]equest|case) \d+", r"\1 …", line).replace("|", "/").replace("{", "").replace("}", "")
    return line if len(line) <= 110 else f"{line[:109]}…"


if __name__ == "__main__":
    main()
