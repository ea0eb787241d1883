"""The table of docs/errors.md is about the classes that there are, and tells of each what Airflow does with it."""

from __future__ import annotations

import inspect
import re
from pathlib import Path
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.client import errors
from airflow_provider_processmaker.client.cancelling import unconfirmed
from airflow_provider_processmaker.client.decoding import Answer, error_of

if TYPE_CHECKING:
    from collections.abc import Callable

PAGE = Path(__file__).parents[2] / "docs" / "errors.md"

#: What the others are kinds of: nothing is only that.
GROUPS = {"ProcessMakerError", "RequestError", "StatusError"}
CLASSES = {name: kind for name, kind in vars(errors).items() if inspect.isclass(kind) and issubclass(kind, Exception)}


def table() -> list[list[str]]:
    """The cells of each row below the line."""
    text = PAGE.read_text(encoding="utf-8")
    lines = re.search(r"^\|---\|---\|---\|---\|\n((?:\|.*\n)+)", text, re.MULTILINE)
    assert lines
    return [[cell.strip() for cell in line.strip("|").split("|")] for line in lines[1].splitlines()]


ROWS = {cells[0].strip("`"): cells for cells in table()}


def answer(status: int = 200, body: bytes = b"", **headers: str) -> Answer:
    return Answer("GET", "/x", status, headers, body)


def not_json(body: bytes) -> errors.ProcessMakerError:
    with pytest.raises(errors.UnexpectedAnswerError) as caught:
        answer(body=body).json()
    return caught.value


def not_confirmed() -> errors.ProcessMakerError:
    return unconfirmed(None, 7, "ACTIVE", errors.UnknownOutcomeError(""))  # type: ignore[arg-type]


#: Where the last column says "no; yes ...": the words of it, and an error that the words are about.
EXCEPTIONS: list[tuple[str, str, Callable[[], errors.ProcessMakerError]]] = [
    ("UnknownOutcomeError", "cancellation of a request", not_confirmed),
    ("UnexpectedAnswerError", "a web page", lambda: not_json(b"<html>")),
    ("UnexpectedAnswerError", "not JSON", lambda: not_json(b"[1")),
    ("UnexpectedAnswerError", "a redirect", lambda: error_of(answer(302, location="/login"), idempotent=True)),
    ("CallRefusedError", "409", lambda: error_of(answer(409), idempotent=False)),
]
#: It is the operator that starts a new one, not the class: held by the tests of the operator.
BY_THE_OPERATOR = {"RequestFailedError", "RequestGoneError"}


def test_each_class_has_a_row() -> None:
    assert [cells[0] for cells in table()] == [f"`{name}`" for name in ROWS], "none has two"
    assert set(ROWS) == set(CLASSES) - GROUPS


@pytest.mark.parametrize("name", ROWS)
def test_no_cell_is_empty(name: str) -> None:
    assert [bool(cell) for cell in ROWS[name]] == [True] * 4


@pytest.mark.parametrize("name", ROWS)
def test_the_last_column_is_that_of_the_class(name: str) -> None:
    word = re.split(r"\W", ROWS[name][3])[0]
    assert word == ("yes" if CLASSES[name].retryable else "no")


def test_the_exceptions_are_these() -> None:
    told = {name for name, cells in ROWS.items() if "; yes" in cells[3]}
    assert told == {name for name, _, _ in EXCEPTIONS} | BY_THE_OPERATOR
    assert all('on_error="restart"' in ROWS[name][3] for name in BY_THE_OPERATOR)


@pytest.mark.parametrize(("name", "words", "made"), EXCEPTIONS)
def test_an_exception(name: str, words: str, made: Callable[[], errors.ProcessMakerError]) -> None:
    error = made()
    assert type(error) is CLASSES[name]
    assert error.retryable
    assert words in ROWS[name][3].partition("; yes")[2]


def test_the_statuses_among_them() -> None:
    """Of all that a server can answer, those are named whose error is retried unlike its class, and no others."""
    unlike = {
        (type(error).__name__, error.status)
        for error in (error_of(answer(status), idempotent=True) for status in range(400, 600))
        if error.retryable is not type(error).retryable
    }
    named = {(name, int(number)) for name, cells in ROWS.items() for number in re.findall(r"\b[45]\d\d\b", cells[3])}
    assert unlike == named
