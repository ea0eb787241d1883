from __future__ import annotations

import base64
import json
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest
import requests

from airflow_provider_processmaker.testing import ProcessMakerServer

from .conftest import Api

if TYPE_CHECKING:
    from collections.abc import Iterator


def claims(token: str) -> dict[str, Any]:
    payload = token.split(".")[1]
    decoded: dict[str, Any] = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
    return decoded


def test_password_grant(api: Api) -> None:
    answer = api.token()
    assert answer.status_code == 200
    assert list(answer.json()) == ["token_type", "expires_in", "access_token", "refresh_token"]
    assert answer.json()["expires_in"] == 31_536_000
    assert answer.headers["Cache-Control"] == "no-store, private"
    token = claims(answer.json()["access_token"])
    assert (token["sub"], token["aud"], token["scopes"]) == ("1", "3", [])
    assert isinstance(token["exp"], float)
    assert answer.json()["refresh_token"].startswith("def502")
    api.use(answer.json()["access_token"])
    assert api.get("/users/1").json()["username"] == "admin"


def test_form_and_basic(processmaker_server: ProcessMakerServer) -> None:
    server = processmaker_server
    form = {"grant_type": "password", "username": "bob", "password": "Bob-pass1!"}
    url = f"{server.url}/oauth/token"
    assert requests.post(url, data=form, auth=(server.client_id, server.client_secret), timeout=5).status_code == 200
    wrong = requests.post(url, data=form, auth=(server.client_id, "wrong"), timeout=5)
    assert wrong.status_code == 401
    assert wrong.headers["WWW-Authenticate"] == 'Basic realm="OAuth"'


def test_the_secret_has_40_characters(processmaker_server: ProcessMakerServer) -> None:
    assert len(processmaker_server.client_secret) == 40


@pytest.mark.parametrize(
    ("changes", "status", "error", "hint"),
    [
        ({"password": "no"}, 400, "invalid_grant", None),
        ({"username": "nobody"}, 400, "invalid_grant", None),
        ({"username": "admin@processmaker.com"}, 400, "invalid_grant", None),
        ({"client_secret": "no"}, 401, "invalid_client", None),
        ({"client_secret": None}, 401, "invalid_client", None),
        ({"client_id": "77"}, 401, "invalid_client", None),
        ({"client_id": "x"}, 401, "invalid_client", None),
        ({"client_id": None}, 400, "invalid_request", "Check the `client_id` parameter"),
        ({"username": ""}, 400, "invalid_request", "Check the `username` parameter"),
        ({"password": ["x"]}, 400, "invalid_request", "Check the `password` parameter"),
        (
            {"grant_type": "magic"},
            400,
            "unsupported_grant_type",
            "Check that all required parameters have been provided",
        ),
        ({"scope": "users"}, 400, "invalid_scope", "Check the `users` scope"),
        ({"redirect_uri": "http://elsewhere/"}, 401, "invalid_client", None),
    ],
)
def test_errors(api: Api, changes: dict[str, Any], status: int, error: str, hint: str | None) -> None:
    answer = api.token(**changes)
    assert answer.status_code == status
    assert (answer.json()["error"], answer.json().get("hint")) == (error, hint)
    assert answer.json()["message"] == answer.json()["error_description"]


def test_status_of_a_user_does_not_matter(api: Api) -> None:
    assert api.token(username="ina", password="Ina-pass1!").status_code == 200
    assert api.token(username="blo", password="Blo-pass1!").status_code == 200
    assert api.token(username="user0013", password="Seed-pass1!").status_code == 200


def test_refresh_kills_both_old_tokens_at_once(api: Api) -> None:
    old = api.token().json()
    new = api.refresh(old["refresh_token"])
    assert new.status_code == 200
    api.use(old["access_token"])
    assert api.get("/users/1").status_code == 401
    again = api.refresh(old["refresh_token"])
    assert (again.status_code, again.json()["hint"]) == (401, "Token has been revoked")
    # The new ones live on.
    api.use(new.json()["access_token"])
    assert api.get("/users/1").status_code == 200


def test_one_of_many_refreshes_wins(api: Api) -> None:
    token = api.token().json()["refresh_token"]
    with ThreadPoolExecutor(4) as pool:
        statuses = sorted(answer.status_code for answer in pool.map(api.refresh, [token] * 4))
    assert statuses == [200, 401, 401, 401]


def test_refresh_errors(api: Api) -> None:
    server = api.server
    assert api.refresh("garbage").json()["hint"] == "Cannot decrypt the refresh token"
    other = server.issue_refresh_token(client_id=2)
    assert api.refresh(other).json()["hint"] == "Token is not linked to client"
    token = api.token().json()["refresh_token"]
    server.clock.advance(31_536_001)
    assert api.refresh(token).json()["hint"] == "Token has expired"
    assert api.token(grant_type="refresh_token").json()["hint"] == "Check the `refresh_token` parameter"


def test_short_lives() -> None:
    with ProcessMakerServer(0, access_token_seconds=3, refresh_token_seconds=6) as server:
        api = Api(server)
        with api.session:
            answer = api.token().json()
            assert answer["expires_in"] == 3
            api.use(answer["access_token"])
            assert api.get("/users/1").status_code == 200
            server.clock.advance(3.5)
            assert api.get("/users/1").json() == {"error": "Unauthenticated."}
            renewed = api.refresh(answer["refresh_token"])
            assert renewed.status_code == 200
            server.clock.advance(6.5)
            assert api.refresh(renewed.json()["refresh_token"]).json()["hint"] == "Token has expired"


def test_helpers_of_a_test(api: Api) -> None:
    server = api.server
    first, second = api.token().json(), api.token().json()
    api.use(first["access_token"])
    server.revoke_token(first["access_token"])
    assert api.get("/users/1").status_code == 401
    # A revoked access token does not stop its refresh token.
    assert api.refresh(first["refresh_token"]).status_code == 200
    api.use(second["access_token"])
    server.expire_tokens()
    assert api.get("/users/1").status_code == 401
    assert api.refresh(second["refresh_token"]).status_code == 200
    server.revoke_all_tokens(refresh=True)
    assert {first["access_token"], second["refresh_token"]} <= set(server.issued_tokens)
    server.revoke_client(server.client_id)
    assert api.token().json()["error"] == "invalid_client"
    with pytest.raises(KeyError):
        server.revoke_token("unknown")


def test_client_credentials_open_nothing(api: Api) -> None:
    answer = api.token(grant_type="client_credentials", username=None, password=None)
    assert answer.status_code == 200
    assert "refresh_token" not in answer.json()
    api.use(answer.json()["access_token"])
    assert api.get("/users").status_code == 401


def test_authorization_code(api: Api) -> None:
    server = api.server
    client = server.state.clients.get(2)
    assert client is not None
    code = server.issue_authorization_code(2, redirect_uri=client.redirect)
    sent = {
        "grant_type": "authorization_code",
        "client_id": 2,
        "client_secret": client.secret,
        "redirect_uri": client.redirect,
    }
    assert api.token(**sent, code="garbage").json()["hint"] == "Cannot decrypt the authorization code"
    assert api.token(**sent, code=code).status_code == 200
    reuse = api.token(**sent, code=code)
    assert (reuse.status_code, reuse.json()["hint"]) == (400, "Authorization code has been revoked")
    late = server.issue_authorization_code(2, redirect_uri=client.redirect)
    server.clock.advance(601)
    assert api.token(**sent, code=late).json()["hint"] == "Authorization code has expired"


def test_deleted_users_cannot_log_in_but_refresh(api: Api) -> None:
    answer = api.token(username="user0001", password="Seed-pass1!").json()
    user = api.server.user("user0001")
    assert api.call("DELETE", f"/users/{user.id}").status_code == 204
    assert api.token(username="user0001", password="Seed-pass1!").status_code == 400
    assert api.refresh(answer["refresh_token"]).status_code == 200
    api.use(answer["access_token"])
    assert api.get(f"/users/{user.id}").status_code == 401


def test_throttle(api: Api) -> None:
    server = api.server
    remaining = [int(api.token(password="no").headers["X-RateLimit-Remaining"]) for _ in range(60)]
    assert remaining == list(range(59, -1, -1))
    refused = api.token()
    assert (refused.status_code, refused.json()) == (429, {"message": "Too Many Attempts."})
    assert 1 <= int(refused.headers["Retry-After"]) <= 60
    assert refused.headers["X-RateLimit-Remaining"] == "0"
    assert int(refused.headers["X-RateLimit-Reset"]) > server.clock.now()
    page = requests.post(f"{server.url}/oauth/token", json={}, timeout=5)
    assert page.headers["Content-Type"] == "text/html; charset=UTF-8"
    assert api.get("/users/1").status_code == 200
    assert server.token_calls == 62
    server.clock.advance(61)
    assert api.token().status_code == 200


def test_throttle_off_and_exhausted() -> None:
    with ProcessMakerServer(0, throttle=None) as server:
        api = Api(server)
        with api.session:
            assert "X-RateLimit-Limit" not in api.token().headers
            server.throttle.limit = 10
            server.throttle.leave(0)
            assert api.token().status_code == 429
            server.throttle.reset()
            assert api.token().headers["X-RateLimit-Remaining"] == "9"


@pytest.fixture
def odd_servers() -> Iterator[dict[str, ProcessMakerServer]]:
    with (
        ProcessMakerServer(0, oauth_errors="7") as old,
        ProcessMakerServer(0, oauth_errors="9") as new,
        ProcessMakerServer(0, password_grant=False) as without,
    ):
        yield {"old": old, "new": new, "without": without}


def test_other_ages(odd_servers: dict[str, ProcessMakerServer]) -> None:
    found = {}
    for name, server in odd_servers.items():
        api = Api(server)
        with api.session:
            found[name] = (api.token(password="no"), api.refresh("garbage"))
    assert (found["old"][0].status_code, found["old"][0].json()["error"]) == (401, "invalid_credentials")
    assert (found["new"][1].status_code, found["new"][1].json()["error"]) == (400, "invalid_grant")
    assert found["without"][0].json()["error"] == "unsupported_grant_type"


def test_personal_tokens(api: Api) -> None:
    made = api.call("POST", "/users/3/tokens", json={"name": "cli"}).json()
    token_id = made["token"]["id"]
    assert len(token_id) == 80
    assert [token["name"] for token in api.get("/users/3/tokens").json()["data"]] == ["cli"]
    assert api.get(f"/users/3/tokens/{token_id}").json() == made["token"]
    assert api.get("/users/3/tokens?page=2").json()["data"] == []
    assert api.get("/users/3/tokens/ffff").status_code == 404
    bob = Api(api.server)
    with bob.session:
        bob.use(made["accessToken"])
        assert bob.get("/users/3").json()["username"] == "bob"
        assert bob.call("POST", "/users/1/tokens", json={"name": "x"}).status_code == 403
        assert bob.get("/users/1/tokens").status_code == 403
        assert bob.call("DELETE", f"/users/1/tokens/{token_id}").status_code == 403
        assert api.call("DELETE", f"/users/3/tokens/{token_id}").status_code == 204
        assert api.call("DELETE", "/users/3/tokens/ffff").json() == {"error": "Not Found"}
        assert bob.get("/users/3").status_code == 401
