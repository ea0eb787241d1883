"""What the server would change in a body is said beforehand, by key, never by value."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client.rewriting import rewritten_places

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

API = "https://pm.example.com/api/1.0"
START = f"{API}/process_events/2"


def changes(body: Any, url: str = START, method: str = "POST") -> dict[str, str]:
    return dict(rewritten_places(method, url, body))


@pytest.mark.parametrize(
    ("body", "place", "words"),
    [
        ({"a": "Hello {{name}}"}, "json['a']", "{{"),
        ({"a": "closing }}"}, "json['a']", "}}"),
        ({"a": "a <b>x</b>"}, "json['a']", "tag"),
        ({"a": "1<2 and 3>2"}, "json['a']", "tag"),
        ({"a": "<user@example.com>"}, "json['a']", "tag"),
        ({"a": "x <!-- y -->"}, "json['a']", "tag"),
        ({"a": ""}, "json['a']", "null"),
        ({"a": " \n"}, "json['a']", "null"),
        ({"a": {"b": [{"c": ""}]}}, "json['a']['b'][0]['c']", "null"),
        ({"a": " x"}, "json['a']", "cut off"),
        ({"a": ["x", "y\n"]}, "json['a'][1]", "cut off"),
        ({"a": "x\u00a0"}, "json['a']", "cut off"),
        ({"a": {}}, "json['a']", "[]"),
        ({"a": [{"b": {}}]}, "json['a'][0]['b']", "[]"),
        ({"a": {"10": 1, "20": 2}}, "json['a']", "list"),
        ({"a": {1: 1}}, "json['a']", "list"),
        ({"1": 1, "2": 2}, "json", "list"),
        ({"_user": {"id": 1}}, "json['_user']", "reserved"),
    ],
)
def test_named(body: Any, place: str, words: str) -> None:
    found = changes(body)
    assert list(found) == [place]
    assert words in found[place]


@pytest.mark.parametrize(
    "body",
    [
        {},
        None,
        [],
        ["<b>", ""],
        "text",
        {"a": "plain", "b": 1, "c": None, "d": True, "e": [], "f": 1.5},
        {"a": "<3", "b": "x <- y", "c": "1 < 2", "d": "{ x }", "e": "{ {x} }"},
        {"a": {"b": "<b>kept below the first level</b> {{too}}"}},
        {"a": {"10": 1, "x": 2}},
        {"a": {"b": {"_inner": 1}}},
    ],
)
def test_left_alone(body: Any) -> None:
    assert changes(body) == {}


@pytest.mark.parametrize(
    ("endpoint", "method", "body", "places"),
    [
        ("users", "POST", {"username": "<b>", "password": " <b> ", "firstname": "<b>"}, ["json['firstname']"]),
        ("users", "POST", {"_x": 1, "meta": {"_y": 1}}, []),
        ("environment_variables", "POST", {"value": "{{x}}", "name": "{{x}}"}, ["json['name']"]),
        ("scripts/5", "PUT", {"code": "<?php echo 1;", "title": "<?php x ?>"}, ["json['title']"]),
        ("processes", "POST", {"bpmn": "<xml>", "name": "<xml>"}, ["json['name']"]),
        ("requests/5", "PUT", {"data": "<b>"}, []),
        # Tasks: not trimmed, no null, but cleaned at every depth.
        (
            "tasks/5",
            "PUT",
            {"status": "COMPLETED", "data": {"a": " ", "b": "", "c": "<b>x</b>"}},
            ["json['data']['c']"],
        ),
    ],
)
def test_each_endpoint_has_its_rules(endpoint: str, method: str, body: Any, places: list[str]) -> None:
    assert list(changes(body, f"{API}/{endpoint}", method)) == places


def test_a_warning_that_holds_nothing_back(
    server: ProcessMakerServer, client: ProcessMakerClient, caplog: pytest.LogCaptureFixture
) -> None:
    body = {"name": "Named group", "status": "ACTIVE", "description": " <b>hush-value</b> "}
    with caplog.at_level(logging.WARNING):
        group = client.post("groups", body)
    assert "json['description'] has spaces around it" in caplog.text
    assert "json['description'] has a tag" in caplog.text
    assert "hush-value" not in caplog.text
    assert group["description"] == "hush-value", "and the warning was right"


def test_one_warning_a_call_and_not_too_long(client: ProcessMakerClient, caplog: pytest.LogCaptureFixture) -> None:
    with caplog.at_level(logging.WARNING), pytest.raises(Exception, match="invalid"):
        client.post("groups", {f"key{number}": "" for number in range(10_000)})
    warnings = [record for record in caplog.records if "will change" in record.message]
    assert len(warnings) == 1
    assert warnings[0].message.endswith("; and more.")
    assert len(warnings[0].message) < 1000


def test_reads_are_not_looked_at(client: ProcessMakerClient, caplog: pytest.LogCaptureFixture) -> None:
    client.get("users", {"filter": "<b>"})
    client.delete("groups/1", json={"ids": [1]})
    assert "will change" not in caplog.text
