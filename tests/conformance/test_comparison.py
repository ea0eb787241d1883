"""The comparison bites: an answer that differs from the recorded one in whatever way is found out."""

from __future__ import annotations

import copy
import json
from typing import TYPE_CHECKING, Any

import pytest

from .compare import differences

if TYPE_CHECKING:
    from collections.abc import Callable

RECORDED: dict[str, Any] = {
    "status": 200,
    "headers": {
        "Content-Type": "application/json",
        "Cache-Control": "no-cache, private",
        "ETag": '"330ece2af8f104e1e9807b61f3841029"',
        "x-tenant-id": "none",
        "X-RateLimit-Remaining": "58",
    },
    "body_kind": "json",
    "body": {
        "data": [
            {
                "id": 1,
                "uuid": "a34ded93-60eb-45fa-af5c-f9eb0f7e68dd",
                "username": "admin",
                "is_administrator": True,
                "is_system": 0,
                "deleted_at": None,
                "created_at": "2026-11-24T20:08:56+00:00",
                "group_id": 4,
            }
        ],
        "meta": {
            "filter": "",
            "count": 1,
            "total_pages": 3,
            "current_page": 1,
            "from": 1,
            "last_page": 3,
            "links": [
                {"url": None, "label": "&laquo; Previous", "active": False},
                {"url": "http://127.0.0.1:8600/api/1.0/users?page=1", "label": "1", "active": True},
                {"url": "http://127.0.0.1:8600/api/1.0/users?page=2", "label": "2", "active": False},
                {"url": "http://127.0.0.1:8600/api/1.0/users?page=3", "label": "3", "active": False},
                {"url": "http://127.0.0.1:8600/api/1.0/users?page=2", "label": "Next &raquo;", "active": False},
            ],
            "path": "http://127.0.0.1:8600/api/1.0/users",
            "per_page": 1,
            "to": 1,
            "total": 3,
        },
    },
}
TEXT = {
    "status": 503,
    "headers": {"Content-Type": "text/html; charset=UTF-8"},
    "body_kind": "text",
    "body": "<!DOCTYPE html>\n<title>Service Unavailable</title>\n<style>",
    "body_trimmed_to": 400,
}


BYTES: dict[str, Any] = {
    "status": 206,
    "headers": {
        "Content-Type": "image/x-tga",
        "Content-Disposition": "attachment; filename=a.bin",
        "Accept-Ranges": "bytes",
        "Content-Range": "bytes 0-3/1024",
    },
    "body_kind": "base64",
    "body": "AAEC/w==",
}


def found(mutated: dict[str, Any], recorded: dict[str, Any] = RECORDED) -> list[str]:
    body = mutated["body"]
    data = json.dumps(body).encode() if mutated["body_kind"] == "json" else str(body).encode()
    return differences(recorded, mutated["status"], mutated["headers"], data)


def row(response: dict[str, Any]) -> dict[str, Any]:
    rows: list[dict[str, Any]] = response["body"]["data"]
    return rows[0]


def test_the_same_is_the_same() -> None:
    assert found(RECORDED) == []
    assert found(TEXT, TEXT) == []


def test_ids_times_and_addresses_may_differ() -> None:
    response = copy.deepcopy(RECORDED)
    row(response).update(id=7, group_id=9, created_at="2030-01-01T00:00:00+00:00")
    row(response)["uuid"] = "00000000-60eb-45fa-af5c-f9eb0f7e68dd"
    response["headers"]["ETag"] = '"00000000f8f104e1e9807b61f3841029"'
    text = json.dumps(response["body"]).replace(":8600", ":4444")
    assert found({**response, "body": json.loads(text)}) == []


def test_more_rows_in_the_table_may_be_there_if_the_numbers_agree() -> None:
    response = copy.deepcopy(RECORDED)
    meta = response["body"]["meta"]
    meta.update(total=2, total_pages=2, last_page=2)
    del meta["links"][3]
    assert found(response) == []
    meta["last_page"] = 3
    assert found(response) != []


def test_more_rows_on_the_only_page_are_counted_there() -> None:
    recorded, response = copy.deepcopy(RECORDED), copy.deepcopy(RECORDED)
    for one, total in ((recorded, 1), (response, 2)):
        meta = one["body"]["meta"]
        meta.update(total=total, count=total, to=total, per_page=10, total_pages=1, last_page=1)
        del meta["links"][2:4]
    assert found(response, recorded) == []
    response["body"]["meta"]["count"] = 1
    assert found(response, recorded) != []


MUTATIONS: dict[str, Callable[[dict[str, Any]], object]] = {
    "status": lambda response: response.update(status=201),
    "no content type": lambda response: response["headers"].pop("Content-Type"),
    "content type": lambda response: response["headers"].update({"Content-Type": "text/html"}),
    "cache control": lambda response: response["headers"].update({"Cache-Control": "no-store, private"}),
    "no tag": lambda response: response["headers"].pop("ETag"),
    "weak tag": lambda response: response["headers"].update({"ETag": "W/1"}),
    "tenant": lambda response: response["headers"].pop("x-tenant-id"),
    "calls left": lambda response: response["headers"].update({"X-RateLimit-Remaining": "57"}),
    "one header more": lambda response: response["headers"].update({"Location": "/login"}),
    "missing key": lambda response: row(response).pop("username"),
    "missing null": lambda response: row(response).pop("deleted_at"),
    "one key more": lambda response: row(response).update(fullname="x"),
    "text": lambda response: row(response).update(username="Admin"),
    "number as text": lambda response: row(response).update(id="1"),
    "fraction": lambda response: row(response).update(id=1.0),
    "number as boolean": lambda response: row(response).update(is_system=False),
    "boolean as number": lambda response: row(response).update(is_administrator=1),
    "null as text": lambda response: row(response).update(deleted_at=""),
    "null as time": lambda response: row(response).update(deleted_at="2030-01-01T00:00:00+00:00"),
    "time as null": lambda response: row(response).update(created_at=None),
    "another kind of time": lambda response: row(response).update(created_at="2026-11-24 20:08:56"),
    "no uuid": lambda response: row(response).update(uuid="1"),
    "id as null": lambda response: row(response).update(group_id=None),
    "no rows": lambda response: response["body"].update(data=[]),
    "a row more": lambda response: response["body"]["data"].append(row(response)),
    "an object of rows": lambda response: response["body"].update(data={"0": row(response)}),
    "a bare list": lambda response: response.update(body=response["body"]["data"]),
    "total alone": lambda response: response["body"]["meta"].update(total=4),
    "total as text": lambda response: response["body"]["meta"].update(total="3"),
    "per_page": lambda response: response["body"]["meta"].update(per_page=10),
    "from": lambda response: response["body"]["meta"].update({"from": None}),
    "path": lambda response: response["body"]["meta"].update(path="/"),
    "a label": lambda response: response["body"]["meta"]["links"][0].update(label="Previous"),
    "active link": lambda response: response["body"]["meta"]["links"][1].update(active=False),
    "no JSON": lambda response: response.update(body_kind="text", body="<html>"),
    "nothing": lambda response: response.update(body_kind="text", body=""),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_a_difference_is_found(name: str) -> None:
    response = copy.deepcopy(RECORDED)
    MUTATIONS[name](response)
    assert found(response) != []


def bytes_found(data: bytes = b"\x00\x01\x02\xff", **headers: str) -> list[str]:
    return differences(BYTES, 206, {**BYTES["headers"], **headers}, data)


@pytest.mark.parametrize("data", [b"", b"\x00\x01\x02", b"\x00\x01\x02\xfe", b"\x00\x01\x02\xff\x00", b"AAEC/w=="])
def test_other_bytes_are_found(data: bytes) -> None:
    assert bytes_found() == []
    assert bytes_found(data) != []


@pytest.mark.parametrize("name", ["Content-Disposition", "Accept-Ranges", "Content-Range"])
def test_another_header_of_a_file_is_found(name: str) -> None:
    assert bytes_found(**{name: "x"}) != []
    headers = {key: value for key, value in BYTES["headers"].items() if key != name}
    assert differences(BYTES, 206, headers, b"\x00\x01\x02\xff") != []
    assert differences({**BYTES, "headers": headers}, 206, BYTES["headers"], b"\x00\x01\x02\xff") != []


def test_a_kind_of_body_that_nobody_compares_is_found() -> None:
    assert found({**TEXT, "body_kind": "text"}, {**TEXT, "body_kind": "xml"}) != []


OTHER_META = {
    "total": 3, "count": 2, "perPage": 2, "per_page": 2, "currentPage": 1, "current_page": 1, "lastPage": 2,
    "last_page": 2, "total_pages": 1, "from": 1, "to": 2,
}  # fmt: skip


def test_the_pages_of_the_other_version_are_counted_its_way() -> None:
    recorded = {"status": 200, "headers": {}, "body_kind": "json", "body": {"meta": {**OTHER_META, "total": 4}}}
    assert found({**recorded, "body": {"meta": OTHER_META}}, recorded) == []
    for name in ("total_pages", "last_page", "lastPage"):
        assert found({**recorded, "body": {"meta": {**OTHER_META, name: 5}}}, recorded) != []


STACK = "#0 <server-path>): ProcessMaker\\Job->run()\n#1 {main}"


@pytest.mark.parametrize(
    ("theirs", "ours", "same"),
    [
        ({"trace": "<trace>"}, {"trace": "#0 [internal function]: x()\n#1 {main}"}, True),
        ({"trace": STACK}, {"trace": "#0 {main}"}, True),
        ({"trace": STACK}, {"trace": ""}, False),
        ({"trace": STACK}, {"trace": None}, False),
        ({"message": "no luck in <server-path>:2"}, {"message": "no luck in /a/script.php:2"}, True),
        ({"message": "no luck in <server-path>:2"}, {"message": "luck in /a/script.php:2"}, False),
        (["a", "...trimmed 2 more of 3"], ["a", "b", "c"], True),
        (["a", "...trimmed 2 more of 3"], ["a", "b"], False),
        (["a", "...trimmed 2 more of 3"], ["b", "b", "c"], False),
        ({"key": "scr6b05f205eff8f1.78276260"}, {"key": "scr00000000000000.00000000"}, True),
        ({"key": "scr6b05f205eff8f1.78276260"}, {"key": "watcher"}, False),
        ('{"a": 1, "b": {"c": [1, 2', {"a": 1, "b": 5, "d": 2}, True),
        ('{"a": 1, "b": {"c": [1, 2', {"a": 2}, False),
        ('{"a": 1, "b": {"c": [1, 2', {"b": 2}, False),
        ('{"a": 1, "b": {"c": [1, 2', [], False),
    ],
)
def test_what_the_recorder_cut_or_took_out(theirs: Any, ours: Any, same: bool) -> None:
    recorded = {"status": 200, "headers": {}, "body_kind": "json", "body": theirs}
    assert (found({**recorded, "body": ours}, recorded) == []) is same


@pytest.mark.parametrize(
    "body",
    ["", "{}", "<title>Service Unavailable</title>", "<!DOCTYPE html>\n<title>Server Error</title>"],
)
def test_another_page_is_found(body: str) -> None:
    assert found({**TEXT, "body": body}, TEXT) != []


def test_a_body_where_none_is_due_is_found() -> None:
    empty = {"status": 204, "headers": {}, "body_kind": "empty", "body": ""}
    assert found({**empty, "body_kind": "text"}, empty) == []
    assert found({**empty, "body_kind": "json", "body": []}, empty) != []
