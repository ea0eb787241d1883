"""Reading a long list: ours beside what others write, in one run.

``uv run --group benchmarks benchmarks/records``

A server on a core of its own answers fixed pages of user-like records (75 kB a page of 100). Each way runs in a fresh
process on the other core, the ways in turn, so that a slow moment hits all alike. Quote the ratios, not the seconds.
Every way must have read the whole list, in order.
"""

from __future__ import annotations

import argparse
import os
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

from measuring import Job, measured, median, served

if TYPE_CHECKING:
    from collections.abc import Mapping

    from measuring import Run

PAUSE = 0.02


def table(title: str, results: Mapping[str, list[Run]], total: int, peer: str) -> dict[str, float]:
    """Print the results of a comparison; gives how many times the peer's pace each way has."""
    from rich.console import Console
    from rich.table import Table

    shown: Any = Table(title=title, title_justify="left")
    shown.add_column("way")
    for heading in ("records/s", f"times\n{peer}", "CPU µs\na record", "memory\ngrew MB"):
        shown.add_column(heading, justify="right")
    slow = median(results[peer], "seconds")
    ratios = {way: slow / median(runs, "seconds") for way, runs in results.items()}
    for way, runs in results.items():
        shown.add_row(
            way, f"{total / median(runs, 'seconds'):,.0f}", f"{ratios[way]:.2f}",
            f"{1e6 * median(runs, 'cpu') / total:.2f}", f"{max(one.grown for one in runs) / 1e6:.1f}",
        )  # fmt: skip
    console: Any = Console(width=110)
    console.print(shown)
    return ratios


def main() -> None:
    """Measure, and print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--records", type=int, default=20_000)
    parser.add_argument("--many", type=int, default=1_000_000, help="records of the walk whose memory is measured")
    parser.add_argument("--runs", type=int, default=5)
    options = parser.parse_args()
    total, runs = options.records, options.runs
    os.environ.setdefault("AIRFLOW__CORE__UNIT_TEST_MODE", "False")
    with tempfile.TemporaryDirectory() as home:
        os.environ["AIRFLOW_HOME"] = home
        Path(home, "airflow.cfg").touch()
        with served(total, (100,), 0) as url:
            results = measured(Job(url, 100, 1, total), runs)
        table(f"No latency, one page of 100 after the other, {total:,} records", results, total, "HttpHook loop")
        with served(5 * total, (500,), 0) as url:
            results = measured(Job(url, 500, 1, 5 * total), runs, ["ours", "urllib3 + msgspec"])
        title = f"No latency, one page of 500 after the other, {5 * total:,} records"
        table(title, results, 5 * total, "urllib3 + msgspec")
        ratio = median(results["ours"], "cpu") / median(results["urllib3 + msgspec"], "cpu")
        print(f"CPU a record at 500 rows a page: {ratio:.2f} times urllib3 + msgspec\n")
        with served(2 * total, (100,), PAUSE) as url:
            serial = measured(Job(url, 100, 1, 2 * total), max(1, runs // 2), ["requests session", "HttpHook loop"])
            at_once = measured(Job(url, 100, 8, 2 * total), runs)
        results = {f"{way}, one by one": found for way, found in serial.items()}
        results |= {f"{way}, 8 at once": found for way, found in at_once.items()}
        title = f"{PAUSE * 1e3:.0f} ms a page of 100, {2 * total:,} records"
        table(title, results, 2 * total, "requests session, one by one")
        with served(options.many, (), 0) as url:
            results = measured(Job(url, 500, 4, options.many), 1, ["ours"])
        table(f"{options.many:,} records, 500 a page, window 4", results, options.many, "ours")


if __name__ == "__main__":
    main()
