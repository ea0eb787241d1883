"""A long list tells how far it is."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.client import progress
from airflow_provider_processmaker.client.progress import with_progress
from airflow_provider_processmaker.client.records import Page

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_processmaker.client import ProcessMakerClient


class Time:
    """A clock that goes on by so many seconds a page."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


def lines(
    caplog: pytest.LogCaptureFixture, *, pages: int, seconds: float, total: int | None, rows: int = 100
) -> list[str]:
    clock = Time()

    def listed() -> Iterator[Page]:
        for number in range(pages):
            clock.now += seconds
            yield Page([{"id": number * rows + row} for row in range(rows)], total=total)

    with caplog.at_level(logging.INFO):
        assert len(list(with_progress(listed(), "users", clock))) == pages
    return [record.getMessage() for record in caplog.records]


def test_a_line_every_few_seconds(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, pages=40, seconds=0.5, total=4000) == [
        "users: 1,000 records in 10 pages, 200 a second, 25% of 4,000, about 15 s left",
        "users: 2,000 records in 20 pages, 200 a second, 50% of 4,000, about 10 s left",
        "users: 3,000 records in 30 pages, 200 a second, 75% of 4,000, about 5 s left",
        "users: 4,000 records in 40 pages, 200 a second, 100% of 4,000, about 0 s left",
    ]


def test_a_short_list_is_silent(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, pages=9, seconds=0.5, total=900) == []


def test_slow_pages_have_a_line_each(caplog: pytest.LogCaptureFixture) -> None:
    assert len(lines(caplog, pages=3, seconds=60.0, total=300)) == 3


@pytest.mark.parametrize("total", [None, 0])
def test_without_a_total_it_tells_what_it_knows(caplog: pytest.LogCaptureFixture, total: int | None) -> None:
    assert lines(caplog, pages=1, seconds=10.0, total=total) == ["users: 100 records in 1 pages, 10 a second"]


def test_more_records_than_were_counted(caplog: pytest.LogCaptureFixture) -> None:
    (line,) = lines(caplog, pages=1, seconds=10.0, total=50)
    assert line.endswith("100% of 50, about 0 s left")


def test_pages_without_records(caplog: pytest.LogCaptureFixture) -> None:
    assert lines(caplog, pages=1, seconds=10.0, total=50, rows=0) == ["users: 0 records in 1 pages, 0 a second"]


def test_the_pages_are_closed_with_it() -> None:
    closed = []

    def listed() -> Iterator[Page]:
        try:
            yield Page([])
        finally:
            closed.append(True)

    stream = with_progress(listed(), "users")
    next(stream)
    stream.close()
    assert closed == [True]


def test_a_client_tells(
    client: ProcessMakerClient, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(progress, "EVERY", 1e-9)
    with caplog.at_level(logging.INFO):
        list(client.iter_records("users", page_size=10))
    (first, _, last) = [record.getMessage() for record in caplog.records if record.getMessage().startswith("users: ")]
    assert "10 records in 1 pages" in first
    assert "42% of 24" in first
    assert "24 records in 3 pages" in last
