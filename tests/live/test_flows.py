"""The client's flows against a server of which nothing is assumed but an administrator's login.

They run against the stand-in in every test run, so that they cannot rot, and against any real ProcessMaker 4 that
``PROCESSMAKER_LIVE_CONN`` names. They delete what they make, also after a failure. With a connection that has a
personal access token those about logging in are skipped.
"""

from __future__ import annotations

import json
import time
from typing import TYPE_CHECKING, Any
from urllib.parse import quote

import pytest

from airflow_provider_processmaker.client import (
    CallRefusedError,
    ForbiddenError,
    LoginError,
    MemoryStore,
    NotFoundError,
    ServerError,
    StatusError,
    Token,
    UnauthenticatedError,
    UnexpectedAnswerError,
)
from airflow_provider_processmaker.client.token_store import login_of
from tests.live.target import counted, settings_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import ProcessMakerClient
    from tests.live.target import Target

NOBODY = 2_000_000_000


class TestLogin:
    def test_who_am_i(self, target: Target) -> None:
        me = target.admin.whoami()
        assert me["username"] == target.settings.username or not target.has_login
        assert str(me["id"]) == target.admin.token().user_id
        assert "remember_token" not in me

    def test_wrong_password(self, login: Target) -> None:
        with pytest.raises(LoginError, match="refuses the user name or the password") as caught:
            login.client(password="certainly not the password").token()
        assert caught.value.status in {400, 401}
        assert "certainly not" not in str(caught.value)

    @pytest.mark.parametrize("changes", [{"client_id": str(NOBODY)}, {"client_secret": "certainly not the secret"}])
    def test_wrong_client(self, login: Target, changes: dict[str, str]) -> None:
        with pytest.raises(LoginError, match="refuses the client") as caught:
            login.client(**changes).token()
        assert caught.value.status == 401

    def test_refresh_rotates(self, login: Target) -> None:
        """The old pair is dead at once, and a client that still holds it finds its way."""
        store, late = MemoryStore(), MemoryStore()
        ahead = 0.0
        client = login.client(store=store, clock=lambda: time.time() + ahead)
        old = client.token()
        assert old.refresh_token
        behind = login.client(store=late)
        late.save(login_of(behind.settings), old)
        assert client.whoami() == behind.whoami()
        ahead = (old.expires_at or 0) - time.time()
        new = client.token()
        assert new.access_token != old.access_token
        assert new.refresh_token != old.refresh_token
        assert client.token_calls == 2
        assert login.with_token(new.access_token).whoami()["username"] == login.settings.username
        with pytest.raises(UnauthenticatedError):
            login.with_token(old.access_token).whoami()

        assert behind.whoami()["username"] == login.settings.username, "the refused call is replayed"
        assert behind.token_calls == 1

        expired = Token("expired", old.refresh_token, issued_at=1.0, expires_at=2.0)
        late.save(login_of(behind.settings), expired)
        assert behind.token(), "a refresh token that is used up gives way to the password"
        assert behind.token_calls == 3

    def test_personal_access_token(self, target: Target) -> None:
        me = target.admin.whoami()["id"]
        endpoint, token = target.create_token(me)
        client = target.with_token(token)
        assert client.whoami()["id"] == me
        assert client.count("users") > 0
        assert client.token_calls == 0
        target.admin.delete(endpoint)
        with pytest.raises(UnauthenticatedError, match="access token of the connection"):
            client.whoami()


class TestLists:
    @pytest.mark.parametrize("page_size", [None, 7])
    def test_all_users(self, target: Target, page_size: int | None) -> None:
        with counted(target, "users") as numbers:
            ids = [user["id"] for user in target.admin.iter_records("users", fields=["id"], page_size=page_size)]
        assert ids == sorted(set(ids))
        assert len(ids) in numbers

    @pytest.mark.parametrize("resource", ["groups", "environment_variables", "process_categories"])
    def test_other_lists(self, target: Target, resource: str) -> None:
        with counted(target, resource) as numbers:
            records = list(target.admin.iter_records(resource, page_size=5))
        assert len(records) in numbers

    def test_a_filter(self, target: Target) -> None:
        user, _ = target.create_user()
        found = list(target.admin.iter_records("users", filter=user["username"], fields=["id", "username"]))
        assert found == [{"id": user["id"], "username": user["username"]}]


class TestWrites:
    def test_the_life_of_a_group(self, target: Target) -> None:
        group = target.create_group()
        endpoint = f"groups/{group['id']}"
        assert target.admin.get(endpoint)["name"] == group["name"]
        changed = {"name": f"{group['name']}-b", "description": "changed", "status": "ACTIVE"}
        assert target.admin.put(endpoint, changed) is None
        assert target.admin.get(endpoint)["description"] == "changed"
        names = [known["name"] for known in target.admin.iter_records("groups", filter=changed["name"])]
        assert names == [changed["name"]]
        assert target.admin.delete(endpoint) is None
        with pytest.raises(NotFoundError):
            target.admin.get(endpoint)

    def test_the_life_of_a_user(self, target: Target) -> None:
        user, _ = target.create_user()
        endpoint = f"users/{user['id']}"
        assert target.admin.get(endpoint)["username"] == user["username"]
        changed = {name: user[name] for name in ("username", "email", "status", "lastname")}
        assert target.admin.put(endpoint, {**changed, "firstname": "Changed"}) is None
        assert target.admin.get(endpoint)["firstname"] == "Changed"
        assert target.admin.delete(endpoint) is None
        with pytest.raises(NotFoundError):
            target.admin.get(endpoint)

    def test_a_membership(self, target: Target) -> None:
        group, (user, _) = target.create_group(), target.create_user()
        member = {"group_id": group["id"], "member_id": user["id"], "member_type": "ProcessMaker\\Models\\User"}
        assert target.admin.post("group_members", member)["id"]
        assert target.admin.post("group_members", member) == [], "already a member"
        assert len(list(target.admin.iter_records("group_users", group_id=group["id"]))) == 1


class TestErrors:
    @pytest.mark.parametrize(
        ("method", "endpoint", "options", "kind", "status"),
        [
            ("GET", f"users/{NOBODY}", {}, NotFoundError, 404),
            ("GET", "no/such/endpoint", {}, NotFoundError, 404),
            ("POST", "no/such/endpoint", {"json": {"a": 1}}, CallRefusedError, 405),
            ("DELETE", "users", {}, CallRefusedError, 405),
            ("POST", "users", {"json": {"firstname": "x"}}, CallRefusedError, 422),
            ("GET", "users", {"params": {"order_by": "no_such_column"}}, ServerError, 500),
            ("GET", "/api/1.9/users", {}, UnauthenticatedError, 401),
        ],
    )
    def test_table(
        self, target: Target, method: str, endpoint: str, options: dict[str, Any], kind: type[StatusError], status: int
    ) -> None:
        calls = target.admin.token_calls
        with pytest.raises(kind) as caught:
            target.admin.request(method, endpoint, **options)
        assert (caught.value.status, caught.value.method) == (status, method)
        assert caught.value.server_message or status == 401
        assert target.admin.token_calls == calls, "no error costs a login"
        if status == 422:
            assert "username" in caught.value.details

    def test_wrong_base_path(self, login: Target) -> None:
        wrong = f"{login.settings.base_url}/no/such/folder"
        with pytest.raises((StatusError, UnexpectedAnswerError), match=r"token endpoint|web page|redirect"):
            login.client(base_url=wrong).token()


class TestPlainUser:
    def test_sees_less(self, target: Target) -> None:
        user, password = target.create_user()
        plain = target.as_user(user, password)
        assert plain.whoami()["id"] == user["id"]
        assert not user.get("is_administrator")
        for resource in ("users", "groups", "environment_variables"):
            with counted(target, resource) as numbers:
                seen = seen_by(plain, resource)
            assert seen <= max(numbers)
        # Told of before, in case that it is made after all.
        group = target.leftovers.expect("groups", f"{user['username']}-group")
        with pytest.raises(ForbiddenError) as caught:
            plain.post("groups", {"name": group.name, "status": "ACTIVE"})
        assert (caught.value.status, caught.value.retryable) == (403, False)

    def test_is_gone(self, target: Target) -> None:
        """A deleted user's token dies, and his password, where he has logged in by it."""
        user, password = target.create_user()
        plain = target.as_user(user, password)
        assert plain.whoami()
        target.admin.delete(f"users/{user['id']}")
        with pytest.raises(LoginError if target.has_login else UnauthenticatedError):
            plain.whoami()


def seen_by(client: ProcessMakerClient, resource: str) -> int:
    """How many rows a user sees; none where the list is not for him."""
    try:
        return client.count(resource)
    except ForbiddenError:
        return 0


URI = "processmaker://joe:p%40ss@pm.example.com:8443/?client_id=3&client_secret=s%2Fs&page_size=5"
URI_AS_AIRFLOW_WRITES_IT = "processmaker://joe:p%40ss@https%3A%2F%2Fpm.example.com%3A8443?__extra__=" + quote(
    json.dumps({"client_id": 3, "client_secret": "s/s", "page_size": 5}), safe=""
)
JSON = {
    "conn_type": "processmaker",
    "host": "https://pm.example.com:8443",
    "login": "joe",
    "password": "p@ss",
    "extra": {"client_id": 3, "client_secret": "s/s", "page_size": 5},
}
JSON_WITH_TEXT_IN_IT = {**JSON, "host": "pm.example.com", "port": 8443, "extra": json.dumps(JSON["extra"])}


@pytest.mark.parametrize(
    "connection", [URI, URI_AS_AIRFLOW_WRITES_IT, json.dumps(JSON), json.dumps(JSON_WITH_TEXT_IN_IT)]
)
def test_every_form_of_the_connection(connection: str) -> None:
    made = settings_of(connection)
    assert (made.base_url, made.username, made.password) == ("https://pm.example.com:8443", "joe", "p@ss")
    assert (made.client_id, made.client_secret, made.page_size) == ("3", "s/s", 5)
