from __future__ import annotations

from typing import Any

import pytest

from airflow_provider_processmaker.testing import phpdata, rewriting
from airflow_provider_processmaker.testing.http import encode


@pytest.mark.parametrize(
    ("text", "values"),
    [
        ("a=1&a=2", {"a": "2"}),
        ("a[]=1&a[]=2", {"a": ["1", "2"]}),
        ("a[x]=1&a[y]=2", {"a": {"x": "1", "y": "2"}}),
        ("a%5B%5D=%20", {"a": [" "]}),
        ("a=&b", {"a": "", "b": ""}),
        ("a=1&a[]=2", {"a": "1"}),
        ("a[=1", {"a[": "1"}),
    ],
)
def test_queries(text: str, values: dict[str, Any]) -> None:
    assert phpdata.parse_query(text) == values


def test_multipart() -> None:
    body = b'--x\r\nContent-Disposition: form-data; name="a"\r\n\r\n1\r\n--x--\r\n'
    assert phpdata.parse_body("multipart/form-data; boundary=x", body) == {"a": "1"}
    assert phpdata.parse_body("multipart/form-data", body) == {}
    assert phpdata.parse_body("text/plain", body) == {}


@pytest.mark.parametrize(
    ("value", "stored"),
    [
        ({}, []),
        ({"10": "a", "20": "b"}, ["a", "b"]),
        ({"a": {"b": {}}}, {"a": {"b": []}}),
        ([1.0, 1.5, 2**63], [1, 1.5, float(2**63)]),
        (True, True),
    ],
)
def test_what_php_makes_of_json(value: Any, stored: Any) -> None:
    assert phpdata.as_stored(value) == stored


@pytest.mark.parametrize(
    ("text", "left"),
    [
        ("a <b>x</b>", "a x"),
        ("1<2 and 3>2", "12"),
        ("<user@example.com>", None),
        ("List<int>", "List"),
        ("<3", "<3"),
        ("x <- y", "x <- y"),
        ("a<!-- b -->c", "ac"),
        ("{{name}}", "name"),
        ("  x\t", "x"),
        ("", None),
    ],
)
def test_rewriting(text: str, left: str | None) -> None:
    cleaned = rewriting.sanitize(rewriting.clean({"field": text, "nested": {"field": "<b>"}}))
    assert (cleaned["field"] or None) == left
    assert cleaned["nested"] == {"field": "<b>"}


def test_passwords_are_not_trimmed_and_forms_always_go() -> None:
    assert rewriting.clean({"password": " x ", "other": " x "}) == {"password": " x ", "other": "x"}
    values = {"value": "<b>{{x}}</b><input name=a>"}
    assert rewriting.sanitize(values, frozenset({"value"})) == {"value": "<b>{{x}}</b>"}


def test_encoding() -> None:
    assert encode({"a": "/ü"}) == b'{"a":"\\/\\u00fc"}'
    assert encode({"message": "Server Error"}, pretty=True) == b'{\n    "message": "Server Error"\n}'
