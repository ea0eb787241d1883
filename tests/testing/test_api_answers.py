from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_processmaker.testing import ProcessMakerServer

if TYPE_CHECKING:
    from .conftest import Api


def test_walk_of_all_users(api: Api) -> None:
    seen, page = [], 1
    while True:
        answer = api.get("/users", params={"per_page": 50, "page": page, "order_by": "id"}).json()
        seen += [row["id"] for row in answer["data"]]
        if answer["meta"]["current_page"] >= answer["meta"]["last_page"]:
            break
        page += 1
    assert seen == sorted(api.server.user_ids)
    assert len(seen) == 504


@pytest.mark.parametrize(
    ("query", "rows"),
    [
        ("per_page=0", 15),
        ("per_page=", 15),
        ("per_page=1000", 504),
        ("page=99", 0),
        ("page=0&per_page=3", 3),
        ("page=-1&per_page=3", 3),
        ("page=x&per_page=3", 3),
        ("filter=&per_page=3", 3),
        ("filter=USER000_", 9),
        ("filter=%E5%B1%B1%E7%94%B0&per_page=2", 2),
        ("filter=Sor%&per_page=3", 0),
        ("filter=chloe&per_page=3", 3),
        ("status=inactive&per_page=100", 39),
        ("exclude_ids=1,3&per_page=1000", 502),
        ("include=groups&pmql=nonsense&per_page=2", 2),
    ],
)
def test_page_quirks(api: Api, query: str, rows: int) -> None:
    answer = api.get(f"/users?{query}")
    assert answer.status_code == 200
    assert len(answer.json()["data"]) == rows
    assert answer.json()["meta"]["count"] == rows


@pytest.mark.parametrize(
    "query",
    ["per_page=-5", "per_page=-1", "per_page=abc", "order_by=nosuch", "order_by=fullname", "order_direction=sideways"],
)
def test_bad_parameters_are_server_errors(api: Api, query: str) -> None:
    answer = api.get(f"/users?{query}")
    assert (answer.status_code, answer.json()) == (500, {"message": "Server Error"})
    assert api.server.calls[-1].error is not None


@pytest.mark.parametrize(
    ("page", "labels"),
    [
        (1, "1 2 3 4 5 6 7 8 9 10 ... 100 101"),
        (50, "1 2 ... 47 48 49 50 51 52 53 ... 100 101"),
        (98, "1 2 ... 92 93 94 95 96 97 98 99 100 101"),
    ],
)
def test_links(api: Api, page: int, labels: str) -> None:
    links = api.get(f"/users?per_page=5&page={page}").json()["meta"]["links"]
    assert [link["label"] for link in links[1:-1]] == labels.split()
    assert [link["label"] for link in links if link["active"]] == [str(page)]


def test_collections_repeat_past_their_end(api: Api) -> None:
    first = api.get("/group_members_available?per_page=100").json()
    later = api.get("/group_members_available?per_page=100&page=7").json()
    assert first["data"] == later["data"] != []
    assert later["meta"]["path"] == "/"
    assert api.get("/group_members_available?per_page=10&page=7").json()["data"] == []
    assert api.get("/group_members_available?per_page=0").status_code == 500


def test_accept_decides(processmaker_server: ProcessMakerServer) -> None:
    url = processmaker_server.url

    def get(path: str, accept: str | None) -> requests.Response:
        return requests.get(f"{url}{path}", headers={"Accept": accept}, timeout=5, allow_redirects=False)

    for accept in (None, "*/*", "text/html", "application/json"):
        assert get("/api/1.0/users", accept).json() == {"error": "Unauthenticated."}
    assert get("/api/1.0/users", "text/html,application/json").status_code == 302
    assert get("/api/1.2/users", "*/*").headers["Location"] == f"{url}/login"
    assert get("/login", "*/*").status_code == 200
    assert "WWW-Authenticate" not in get("/api/1.0/users", None).headers


def test_wrong_base_paths(api: Api) -> None:
    for path in ("/api/1.2/users", "/api//1.0/users", "/oauth/nothing"):
        assert api.get(path).json() == {"error": "Unauthenticated."}
    assert api.get("/users/").status_code == 200
    assert api.get("/nothing").json() == {"error": "Not Found"}
    answer = api.call("POST", "/nothing")
    assert answer.status_code == 405
    assert answer.headers["Allow"] == "GET, HEAD"
    assert answer.json()["message"].endswith("Supported methods: GET, HEAD.")
    assert api.call("PATCH", "/users/3").headers["Allow"] == "GET, HEAD, PUT, DELETE"
    assert api.call("DELETE", "/users/abc").status_code == 405


@pytest.mark.parametrize("header", ["bearer {}", "Token {}", "Bearer {}x", "Basic {}", "{}"])
def test_schemes(api: Api, header: str) -> None:
    token = api.server.issue_token()
    assert api.get("/users/1", headers={"Authorization": header.format(token)}).status_code == 401
    assert api.get("/users/1", headers={"Authorization": f"Bearer {token}, more"}).status_code == 200
    assert api.get("/users/1", headers={"X-CSRF-TOKEN": "x", "Cookie": "a=b"}).json() == {"message": "Unauthorized"}


def test_etag_and_head_and_options(api: Api) -> None:
    tag = api.get("/users?per_page=1").headers["ETag"]
    again = api.get("/users?per_page=1", headers={"If-None-Match": f"W/{tag}"})
    assert (again.status_code, again.content, again.headers["ETag"]) == (304, b"", tag)
    head = api.call("HEAD", "/users?per_page=1")
    assert (head.status_code, head.content) == (200, b"")
    options = api.call("OPTIONS", "/users")
    assert (options.status_code, options.headers["Allow"]) == (200, "GET,HEAD,POST")
    assert api.get("/processes/99").status_code == 204


def test_life_of_a_user(api: Api) -> None:
    body: dict[str, Any] = {
        "username": "carla",
        "firstname": " Carla<b>!</b> ",
        "lastname": "{{x}}Ünï",
        "email": "carla@example.com",
        "status": "ACTIVE",
        "password": "Carla-pass1!",
        "phone": "",
        "meta": {"empty": {}, "numbers": {"1": "a", "2": "b"}, "one": 1.0, "tags": "<b>kept</b>"},
        "is_administrator": True,
    }
    made = api.call("POST", "/users", json=body)
    assert made.status_code == 201
    user = made.json()
    assert (user["firstname"], user["lastname"], user["phone"]) == ("Carla!", "xÜnï", None)
    assert user["meta"] == {"empty": [], "numbers": ["a", "b"], "one": 1, "tags": "<b>kept</b>"}
    assert user["is_administrator"] is False
    path = f"/users/{user['id']}"
    del body["meta"]
    assert api.call("PUT", path, json=body).status_code == 204
    assert api.get(path).json()["meta"] is None
    assert api.get(path).json()["is_administrator"] is True
    assert api.call("PUT", path, json={"firstname": "x"}).status_code == 500
    changed = {**body, "email": "new@example.com"}
    assert api.call("PUT", path, json=changed).status_code == 422
    assert api.call("PUT", path, json={**changed, "valpassword": "wrong"}).status_code == 422
    assert api.call("PUT", path, json={**changed, "valpassword": "admin123"}).status_code == 204
    assert api.call("PUT", f"{path}/groups", json={"groups": "4,5"}).status_code == 204
    assert api.call("PUT", f"{path}/groups", json={}).status_code == 400
    assert api.call("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404
    assert [row["id"] for row in api.get("/deleted_users").json()["data"]] == [user["id"]]
    assert api.call("POST", "/users", json=body).status_code == 422
    assert api.call("PUT", "/users/restore", json={"username": "carla"}).json() == []
    assert api.get(path).json()["status"] == "ACTIVE"
    assert api.call("PUT", "/users/restore", json={"username": "nobody"}).status_code == 200
    assert api.get(f"/group_members?member_id={user['id']}").json()["data"] == []


def test_forms_and_broken_json(api: Api) -> None:
    form = {
        "username": "form",
        "firstname": "F",
        "lastname": "U",
        "email": "f@x.de",
        "status": "ACTIVE",
        "password": "Form-pass1!",
    }
    assert api.call("POST", "/users", data=form).status_code == 500
    assert api.call("POST", "/users", files={"file": b"x"}, data=form).status_code == 500
    broken = api.call("POST", "/users", data="{", headers={"Content-Type": "application/json"})
    assert broken.json()["message"] == "The Username field is required. (and 5 more errors)"


@pytest.mark.parametrize(
    ("field", "value", "message"),
    [
        ("username", "a b", "The Username field format is invalid."),
        ("username", "a", "The Username field must be at least 2 characters."),
        ("username", "bob", "The Username has already been taken."),
        ("firstname", "x" * 51, "The First Name field must not be greater than 50 characters."),
        ("status", "GONE", "The selected Status is invalid."),
        ("email", "nope", "The Email field must be a valid email address."),
        ("password", "Abcdef!!", "The Password field must contain at least one number."),
    ],
)
def test_validation(api: Api, field: str, value: str, message: str) -> None:
    good = {"username": "zoe", "firstname": "Z", "lastname": "Z", "email": "z@example.com", "status": "ACTIVE"}
    answer = api.call("POST", "/users", json={**good, "password": "Zoe-pass1!", field: value})
    assert answer.status_code == 422
    assert answer.json() == {"message": message, "errors": {field: [message]}}


def test_permissions(api: Api) -> None:
    server = api.server
    api.login("bob")
    assert api.get("/users").json() == {"message": "Not authorized to view users."}
    assert api.get("/users/1").json() == {"message": "Not authorized to update this user."}
    assert api.get("/environment_variables").json() == {"message": "This action is unauthorized."}
    assert api.get("/users/3").status_code == 200
    assert api.get("/requests").json()["data"] == []
    # Rows are looked for before rights are.
    assert api.get("/users/99999").status_code == 404
    assert api.call("DELETE", "/users/99999").status_code == 404
    server.grant("bob", "view-users")
    assert api.get("/users").status_code == 200
    # By a group, too.
    api.login()
    assert api.call("PUT", "/permissions", json={"group_id": 4, "permission_names": ["view-groups"]}).status_code == 204
    member = {"group_id": 4, "member_id": 3, "member_type": "ProcessMaker\\Models\\User"}
    assert api.call("POST", "/group_members", json=member).status_code == 201
    assert api.call("POST", "/group_members", json=member).json() == []
    api.login("bob")
    assert api.get("/groups").status_code == 200
    assert api.call("DELETE", "/groups/4").status_code == 403
    assert [row["group_id"] for row in api.get("/group_members").json()["data"]] == [4]


def test_groups(api: Api) -> None:
    made = api.call("POST", "/groups", json={"name": "Zeta"}).json()
    assert set(made) == {"name", "uuid", "created_at", "updated_at", "id"}
    path = f"/groups/{made['id']}"
    assert api.call("POST", "/groups", json={"name": "Zeta"}).status_code == 422
    assert api.call("PUT", path, json={"name": "Zeta 2", "status": "WRONG"}).status_code == 422
    assert api.call("PUT", path, json={"name": "Zeta 2"}).status_code == 204
    inner = {"group_id": made["id"], "member_id": 4, "member_type": "ProcessMaker\\Models\\Group"}
    assert api.call("POST", "/group_members", json=inner).status_code == 201
    assert api.call("POST", "/group_members", json={**inner, "member_id": 999}).status_code == 404
    assert [row["member_id"] for row in api.get(f"{path}/groups").json()["data"]] == [4]
    rows = api.get("/groups/4/users?per_page=2").json()["data"]
    assert [(row["id"], row["member_id"], row["username"]) for row in rows] == [
        (1, 6, "user0001"),
        (2, 18, "user0013"),
    ]
    assert api.get("/groups/4/users?order_by=id").status_code == 500
    counted = api.get("/groups?include=membersCount&filter=Team 01").json()["data"][0]
    assert counted["group_members_count"] == 42
    assert api.get("/groups?include=nothing").status_code == 500
    assert api.call("DELETE", path).status_code == 204
    assert api.get(path).status_code == 404


def test_environment_variables_keep_their_values(api: Api) -> None:
    body = {"name": "MY_VAR", "description": "d", "value": "{{secret}}"}
    made = api.call("POST", "/environment_variables", json=body)
    assert made.status_code == 201
    path = f"/environment_variables/{made.json()['id']}"
    assert "secret" not in made.text + api.get(path).text
    stored = api.server.state.environment_variables.get(made.json()["id"])
    assert stored is not None
    assert stored.value == "{{secret}}"
    assert "secret" not in repr(stored)
    assert api.call("PUT", path, json={"name": "MY_VAR", "description": "e", "value": ""}).json()["description"] == "e"
    assert stored.value == "{{secret}}"
    gone = api.call("DELETE", path)
    assert (gone.status_code, gone.content) == (200, b"")
    assert gone.headers["Content-Type"] == "text/html; charset=UTF-8"


def test_maintenance(api: Api) -> None:
    api.server.maintenance.on = True
    answer = api.get("/users")
    assert (answer.status_code, answer.json()) == (503, {"message": "Service Unavailable"})
    assert answer.headers["Retry-After"] == "30"
    page = requests.get(f"{api.server.url}/api/1.0/users", timeout=5)
    assert page.headers["Content-Type"].startswith("text/html")
    api.server.maintenance.on = False
    assert api.get("/users").status_code == 200


def test_dates_follow_the_clock(api: Api) -> None:
    api.server.clock.advance(86_400 * 400)
    api.login()
    answer = api.call("POST", "/groups", json={"name": "Later"})
    year = answer.json()["created_at"][:4]
    assert year in answer.headers["Date"]
    assert year > api.get("/groups/4").json()["created_at"][:4]


def test_gzip_where_asked_for() -> None:
    with ProcessMakerServer(20, gzip=True) as server:
        headers = {"Authorization": f"Bearer {server.issue_token()}", "Accept-Encoding": "gzip"}
        answer = requests.get(f"{server.url}/api/1.0/users?per_page=20", headers=headers, timeout=5)
        assert answer.headers["Content-Encoding"] == "gzip"
        assert len(answer.json()["data"]) == 20


def test_odd_input_is_answered(api: Api) -> None:
    assert api.get(f"/users?filter={'x' * 9000}").status_code == 414
    body = {"username": 77, "firstname": 1, "lastname": True, "email": "a@b.c", "status": "ACTIVE"}
    assert api.call("POST", "/users", json={**body, "password": "Odd-pass1!"}).json()["username"] == "77"
    assert api.call("PUT", "/users/3/groups", json={"groups": ["x"]}).status_code == 500
    assert (
        api.call("POST", "/group_members", json={"group_id": 4, "member_id": 3, "member_type": "X"}).status_code == 500
    )
    assert api.call("PUT", "/permissions", json={"user_id": 3}).status_code == 500
    assert api.call("PUT", "/users/3", json=[1, 2]).status_code == 500
    assert api.token(client_id="9" * 5000).status_code == 500
