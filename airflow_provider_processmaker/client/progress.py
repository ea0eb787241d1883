"""A line in the log now and then for a list that takes long. Standard library only."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Generator, Iterator

    from airflow_provider_processmaker.client.records import Page

__all__ = ["with_progress"]

log = logging.getLogger(__name__)

#: Seconds between two lines.
EVERY = 5.0


def with_progress(pages: Iterator[Page], name: str, clock: Callable[[], float] = time.monotonic) -> Generator[Page]:
    """The pages themselves, while the log tells how far they are.

    :param pages: of a list; closed with this generator.
    :param name: of the list.
    :param clock: seconds.
    """
    started = told = clock()
    records = number = 0
    try:
        for number, page in enumerate(pages, start=1):
            records += len(page.records)
            yield page
            if clock() - told >= EVERY:
                told = clock()
                log.info("%s", _line(name, number, records, page.total, told - started))
    finally:
        close = getattr(pages, "close", None)
        if close is not None:
            close()


def _line(name: str, pages: int, records: int, total: int | None, seconds: float) -> str:
    rate = records / seconds
    line = f"{name}: {records:,} records in {pages:,} pages, {rate:,.0f} a second"
    if not total or not records:
        return line
    left = max(0.0, (total - records) / rate)
    return f"{line}, {min(1.0, records / total):.0%} of {total:,}, about {left:,.0f} s left"
