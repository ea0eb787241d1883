from __future__ import annotations

import http.client
import time
from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from .conftest import Api


def user_count(api: Api) -> int:
    return len(api.server.user_ids)


NEW_USER = {
    "username": "new",
    "firstname": "N",
    "lastname": "U",
    "email": "n@example.com",
    "status": "ACTIVE",
    "password": "New-pass1!",
}


def test_times_after_and_every(api: Api) -> None:
    fault = api.server.faults.add("GET", "/users/*", status=502, after=1, every=2, times=2)
    statuses = [api.get("/users/1").status_code for _ in range(7)]
    assert statuses == [200, 502, 200, 502, 200, 200, 200]
    assert fault.hits == 2
    assert api.get("/groups").status_code == 200


def test_selection(api: Api) -> None:
    faults = api.server.faults
    fault = faults.add(when=lambda call: "page=2" in call.query, status=500, times=None)
    assert api.get("/users?page=1").status_code == 200
    assert api.get("/users?page=2").status_code == 500
    fault.remove()
    assert api.get("/users?page=2").status_code == 200
    faults.add("POST", "/oauth/token", status=503)
    faults.add(path="/api/1.0/groups", status=504)
    assert api.token().status_code == 503
    assert api.get("/groups").status_code == 504
    faults.add(status=500, times=None)
    faults.clear()
    assert api.get("/groups").status_code == 200


def test_answers(api: Api) -> None:
    faults = api.server.faults
    faults.add(status=429, headers={"Retry-After": "7"})
    assert api.get("/users").headers["Retry-After"] == "7"
    faults.add(body="<html>login</html>", content_type="text/html")
    page = api.get("/users")
    assert (page.status_code, page.text, page.headers["Content-Type"]) == (200, "<html>login</html>", "text/html")
    faults.add(body=b'\xef\xbb\xbf{"a": NaN}')
    assert api.get("/users").content == b'\xef\xbb\xbf{"a": NaN}'
    faults.add(body=[1, 2])
    assert api.get("/users").json() == [1, 2]
    faults.add(status=204)
    assert api.get("/users").content == b""
    faults.add(redirect="/login")
    answer = api.get("/users")
    assert (answer.status_code, answer.headers["Location"]) == (302, f"{api.server.url}/login")
    faults.add(headers={"X-More": "1"})
    answer = api.get("/users/1")
    assert (answer.headers["X-More"], answer.json()["username"]) == ("1", "admin")


def lie(body: dict[str, Any]) -> dict[str, Any]:
    body["meta"]["last_page"] = "many"
    return body


def test_change_of_the_real_answer(api: Api) -> None:
    api.server.faults.add("GET", "/users", change=lie)
    answer = api.get("/users").json()
    assert answer["meta"]["last_page"] == "many"
    assert len(answer["data"]) == 10


@pytest.mark.parametrize("kind", ["drop", "reset"])
@pytest.mark.parametrize(("moment", "made"), [("before", 0), ("after", 1)])
def test_lost_answers(api: Api, kind: str, moment: str, made: int) -> None:
    before = user_count(api)
    api.server.faults.add("POST", "/users", **{kind: moment})
    with pytest.raises(requests.ConnectionError) as caught:
        api.call("POST", "/users", json=NEW_USER)
    assert ("reset by peer" in str(caught.value).lower()) is (kind == "reset")
    assert user_count(api) - before == made
    assert api.server.calls[-1].status is None
    assert api.get("/users/1").status_code == 200


def test_lost_status(api: Api) -> None:
    before = user_count(api)
    api.server.faults.add("POST", "/users", status=502, process=True)
    assert api.call("POST", "/users", json=NEW_USER).status_code == 502
    assert user_count(api) == before + 1


def test_cut_bodies(api: Api) -> None:
    faults = api.server.faults
    faults.add("GET", "/users", truncate=100)
    with pytest.raises(requests.exceptions.ChunkedEncodingError, match="IncompleteRead"):
        api.get("/users")
    faults.add("GET", "/users", reset="body")
    with pytest.raises(requests.RequestException):
        api.get("/users")
    faults.add("GET", "/users", truncate=0)
    with pytest.raises(requests.exceptions.ChunkedEncodingError):
        api.get("/users")
    assert api.get("/users").status_code == 200


def test_gzip(api: Api) -> None:
    faults = api.server.faults
    faults.add("GET", "/users", gzip="good")
    assert len(api.get("/users").json()["data"]) == 10
    faults.add("GET", "/users", gzip="corrupt")
    with pytest.raises(requests.exceptions.ContentDecodingError):
        api.get("/users")
    faults.add("GET", "/users", gzip="truncated")
    with pytest.raises((requests.RequestException, ValueError)):
        api.get("/users").json()


def test_raw(api: Api) -> None:
    api.server.faults.add(raw=b"SSH-2.0-OpenSSH_9.2\r\n")
    with pytest.raises(requests.ConnectionError, match="SSH-2"):
        api.get("/users")
    api.server.faults.add(raw=b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\n{}")
    assert api.get("/users").json() == {}


def test_delays(api: Api) -> None:
    api.server.faults.add("GET", "/users/1", delay=0.2)
    started = time.monotonic()
    api.get("/users/1")
    assert time.monotonic() - started >= 0.2
    before = user_count(api)
    api.server.faults.add("POST", "/users", delay=2, delay_when="after")
    with pytest.raises(requests.ReadTimeout):
        api.call("POST", "/users", json=NEW_USER, timeout=0.3)
    assert user_count(api) == before + 1


def test_drip_and_hang(api: Api) -> None:
    api.server.faults.add("GET", "/users/1", drip=0.001)
    assert api.get("/users/1").json()["username"] == "admin"
    api.server.faults.add("GET", "/users/1", drip=1)
    answer = api.get("/users/1", stream=True)
    assert answer.raw.read(1) == b"{"
    answer.close()
    api.server.faults.add("GET", "/users/1", hang=True, times=None)
    for _ in range(2):
        with pytest.raises(requests.ReadTimeout):
            api.get("/users/1", timeout=0.2)
    # A call that hangs still when the server stops does not hold it up.
    connection = http.client.HTTPConnection("127.0.0.1", api.server.port, timeout=5)
    connection.request("GET", "/api/1.0/users/1")
    while len(api.server.calls) < 5:
        time.sleep(0.01)
    started = time.monotonic()
    api.server.stop()
    assert time.monotonic() - started < 1
    connection.close()


def test_churn_in_the_middle_of_a_walk(api: Api) -> None:
    server = api.server
    gone = server.user("user0001").id
    server.faults.add("GET", "/users", when=lambda call: "page=2" in call.query, then=lambda: server.delete_user(gone))
    server.faults.add("GET", "/users", when=lambda call: "page=3" in call.query, then=lambda: server.add_users(2))
    totals = [api.get(f"/users?page={page}").json()["meta"]["total"] for page in (1, 2, 3)]
    assert totals == [504, 503, 505]
    assert server.user("user0502").id in server.user_ids
    later = []
    server.faults.add("GET", "/users", then=lambda: later.append(server.calls[-1].status), then_when="after")
    api.get("/users")
    assert later == [None]
