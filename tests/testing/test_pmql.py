from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_processmaker.testing.pmql import PmqlError, Table, UnknownFieldError, matching
from airflow_provider_processmaker.testing.pmql_parser import parse

if TYPE_CHECKING:
    from .conftest import Api

ROWS: list[dict[str, Any]] = [
    {"id": 1, "name": "Straße", "data": {"n": 5, "s": "Key", "flag": True, "items": [{"x": "a"}, {"x": "b"}]}},
    {"id": 2, "name": "Other", "data": {"n": 1500, "s": "key", "long": "x" * 255 + "y", "nul": None, "b": "a\\b"}},
    {"id": 3, "name": None, "data": {"n": "12abc", "date": "2026-01-02", "moment": "2026-01-02 18:00:00"}},
]
TABLE = Table({"id": lambda row: row["id"], "name": lambda row: row["name"]}, lambda row: row["data"], {"number": "id"})


def ids(query: str, timezone: str = "UTC") -> list[int]:
    return [row["id"] for row in matching(query, TABLE, ROWS, now=1_767_376_800.0, timezone=timezone)]


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("id = 1", [1]),
        ('id = "1"', [1]),
        ("id IN [1, 3]", [1, 3]),
        ("id NOT IN [1,3]", [2]),
        ("ID in [2]", [2]),
        ("number >= 2", [2, 3]),
        ("  ( id=1 )  ", [1]),
        ('name = "strasse"', [1]),
        ('name != "Other"', [1]),
        ('name LIKE "%THE_"', [2]),
        ('lower(name) = "other"', [2]),
        ('id = 3 OR id = 1 AND name = "Other"', [3]),
        ("(id = 3 OR id = 1) AND id < 3", [1]),
        ('id = 1AND name LIKE "S%"', [1]),
        ('data.s = "key"', [2]),
        ('data.s LIKE "k%"', [2]),
        ("data.n > 1400", [2]),
        ("data.n = 12", [3]),
        ("CAST(data.n AS number) <= 12", [1, 3]),
        ('data.flag = "true"', [1]),
        ('data.nul = "null"', [2]),
        ('data.items[1].x = "b"', [1]),
        ('data.missing != "x"', []),
        (f'data.long = "{"x" * 255}"', [2]),
        (r'data.b = "a\b"', [2]),
        ('data.date = "2026-01-02 00:00:00"', [3]),
        ("data.n = 1.5e3", [2]),
        ("data.n = 1500.0", [2]),
    ],
)  # fmt: skip
def test_meaning(query: str, expected: list[int]) -> None:
    assert ids(query) == expected


def test_dates_are_read_in_the_zone_of_the_caller() -> None:
    assert ids('data.moment = "2026-01-02 10:00:00"', "America/Los_Angeles") == [3]
    assert ids('data.moment = "2026-01-02 18:00:00"', "America/Los_Angeles") == []
    assert ids('data.moment = "2026-01-02 18:00:00"', "No/Where") == [3]


def test_now() -> None:
    # 2026-01-02 18:00:00
    assert ids("data.moment = NOW") == [3]
    assert ids("data.moment < NOW +1 second") == [3]
    assert ids("data.moment > NOW -1 Day") == [3]
    assert ids("data.moment > NOW +5 minute") == []


@pytest.mark.parametrize(
    "query",
    [
        "", "id", "id =", "id == 1", "id <> 1", "id IN []", "id IN (1)", "id IN [1 ,2]", "id IN 1", "id = 'x'",
        'id = "x', 'id = "x\\"', "id = 007", "id = .5", "id = true", "id IS NULL", "NOT id = 1", "id BETWEEN 1 AND 2",
        "id = 1 AND", "(id = 1", "id = 1)", "id = NOW - 1 day", "id = NOW -1 days extra", "data.a-b = 1", "id = 1; x",
        "this is not valid ==",
    ],
)  # fmt: skip
def test_what_does_not_parse(query: str) -> None:
    with pytest.raises(PmqlError):
        parse(query)


@pytest.mark.parametrize("query", ["nosuch = 1", "other.x = 1", "sleep(5) = 1", "lower(nosuch) = 1"])
def test_unknown_fields(query: str) -> None:
    with pytest.raises(UnknownFieldError):
        ids(query)


@given(st.text(st.characters(exclude_characters='"\\', exclude_categories=["Cs"]), max_size=300))
def test_a_text_without_quote_and_backslash_stays_what_it_is(text: str) -> None:
    row = {"id": 1, "name": "x", "data": {"s": text}}
    query = f'data.s = "{text[:255]}" AND id = 1'
    if not text.strip() or any(letter.isdigit() for letter in text[:4]):
        parse(query)
        return
    assert matching(query, TABLE, [row], now=0.0) == [row]


@pytest.mark.parametrize(
    ("path", "query", "status", "body"),
    [
        ("/requests", "==", 400, {"message": "Your PMQL contains invalid syntax."}),
        ("/requests", "nosuch = 1", 500, {"message": "Server Error"}),
        ("/requests", 'requester = "nobody"', 400,
         {"message": "The specified requester username does not exist.", "field": "requester"}),
        ("/requests", 'participant = "nobody"', 400,
         {"message": "The specified participant username does not exist.", "field": "participant"}),
        ("/tasks", "==", 500, {"message": "Server Error"}),
        ("/tasks", "nosuch = 1", 422, {"message": "PMQL Is Invalid."}),
        ("/processes", "==", 400, {"error": "PMQL error"}),
        ("/security-logs", "==", 500, {"message": "Server Error"}),
    ],
)  # fmt: skip
def test_answers_to_bad_queries(api: Api, path: str, query: str, status: int, body: dict[str, str]) -> None:
    answer = api.get(path, params={"pmql": query})
    assert (answer.status_code, answer.json()) == (status, body)


def test_words_of_requests(api: Api) -> None:
    server = api.server
    server.add_process("Ask")
    server.add_process("Tell", ())
    waiting, done = server.start_request("Ask", {"k": 1}), server.start_request("Tell")
    server.start_request("Ask", username="bob")

    def found(query: str) -> list[int]:
        rows = api.get("/requests", params={"pmql": query, "order_by": "id"}).json()["data"]
        return [row["id"] for row in rows]

    assert found('status = "In Progress"') == [waiting.id, 3]
    assert found('status = "completed"') == found('status = "COMPLETED"') == [done.id]
    assert found('status IN ["Error", "Completed"]') == [done.id]
    assert found('request = "Tell"') == [done.id]
    assert found('requester = "BOB"') == found('participant = "bob"') == [3]
    assert found('participantByFullName = "Bob Plain"') == [3]
    assert found('fulltext = "tell"') == [done.id]
    assert found('created > NOW -1 hour AND alternative = "A"') == [1, 2, 3]
    assert found("data.k = 1 OR id > 2") == [1, 3]


def test_words_of_tasks(api: Api) -> None:
    server = api.server
    server.add_process("Ask", ["First", "Second"])
    request = server.start_request("Ask", {"k": "v"})
    server.complete_task(server.tasks[0].id)

    def found(query: str) -> list[str]:
        rows = api.get("/tasks", params={"pmql": query, "order_by": "id"}).json()["data"]
        return [row["element_name"] for row in rows]

    assert found('status = "In Progress"') == ["Second"]
    assert found('status = "Completed"') == found('status = "CLOSED"') == ["First"]
    assert found('status != "Completed"') == ["Second"]
    assert found('task = "First"') == ["First"]
    assert found(f"case_number = {request.case_number}") == ["First", "Second"]
    assert found('data.k = "v" AND assigneeByFullName = "Admin User"') == ["First", "Second"]
    assert found('request = "Other"') == []
    assert found("due > NOW +71 hour") == ["First", "Second"]
