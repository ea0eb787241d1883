"""What cannot work is refused with a helpful word before anything is sent."""

from __future__ import annotations

import logging
from datetime import UTC, datetime
from decimal import Decimal
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import InvalidInputError, Settings
from airflow_provider_processmaker.connection import parse
from tests.client.conftest import PASSWORD

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

GOOD: dict[str, Any] = {
    "host": "pm.example.com",
    "login": "admin",
    "password": "pw",
    "client_id": "3",
    "client_secret": "cs",
}
TOKEN: dict[str, Any] = {"host": "pm.example.com", "access_token": "t"}


def read(**fields: Any) -> Settings:
    standard = {name: fields.pop(name, None) for name in ("host", "login", "password", "port", "schema")}
    return parse(**standard, extra=fields)


class TestAddress:
    @pytest.mark.parametrize(
        ("host", "url"),
        [
            ("pm.example.com", "https://pm.example.com"),
            ("  pm.example.com/  ", "https://pm.example.com"),
            ("PM.Example.COM", "https://pm.example.com"),
            ("HTTPS://PM.example.com:443/", "https://pm.example.com"),
            ("https://pm.example.com/api/1.0", "https://pm.example.com"),
            ("https://pm.example.com/api/1.0/", "https://pm.example.com"),
            ("https://pm.example.com/API/1.0//", "https://pm.example.com"),
            ("https://example.com:8443/pm/api/1.0", "https://example.com:8443/pm"),
            ("https://example.com/api", "https://example.com/api"),
            ("[2001:db8::1]:8443", "https://[2001:db8::1]:8443"),
            ("2001:db8::1", "https://[2001:db8::1]"),
            ("https://[2001:DB8::1]/x", "https://[2001:db8::1]/x"),
            ("http://127.0.0.1:8800", "http://127.0.0.1:8800"),
            ("http://localhost", "http://localhost"),
            ("http://[::1]:80", "http://[::1]"),
            ("münchen.example", "https://münchen.example"),
            ("under_score.example", "https://under_score.example"),
            ("host:1", "https://host:1"),
            ("host:65535", "https://host:65535"),
        ],
    )
    def test_forgiven(self, host: str, url: str) -> None:
        assert read(**{**GOOD, "host": host}).base_url == url

    @pytest.mark.parametrize(
        ("host", "words"),
        [
            (None, "ProcessMaker URL"),
            ("", "ProcessMaker URL"),
            ("   ", "ProcessMaker URL"),
            ("pm example.com", "space"),
            ("https://pm.example.com/a b", "space"),
            ("pm.example.com\\x", "backslash"),
            ("ftp://pm.example.com", "ftp://.*https://"),
            ("processmaker://pm.example.com", "processmaker://"),
            ("htps://pm.example.com", "htps://"),
            ("https://", "does not begin with https://"),
            ("https:///path", "does not begin with https://"),
            ("https://-pm.example.com", "no usable host"),
            ("https://pm..example.com", "no usable host"),
            ("https://" + "a" * 64 + ".com", "no usable host"),
            ("https://" + "a." * 130 + "com", "no usable host"),
            ("https://pm.example.com:0", "port 0"),
            ("https://pm.example.com:65536", "port.*65535"),
            ("https://pm.example.com:-1", "port.*65535"),
            ("https://pm.example.com:https", "port.*65535"),
            ("https://[::1", "cannot be read"),
            ("https://[no-ip]", "cannot be read|no usable host"),
            ("https://user:hush@pm.example.com", "user name"),
            ("https://@pm.example.com", "user name"),
            ("https://pm.example.com?token=hush", "query"),
            ("https://pm.example.com#hush", "fragment"),
            ("https://pm.example.com/../hush", "dots"),
            ("https://pm.example.com/%2e%2e/x", "dots"),
            ("https://u:hu/sh@pm.example.com", "cannot be read"),
            ("hu sh:hush@pm.example.com", "user name in it"),
            ("http://pm.example.com", "readable over the network.*allow_http"),
            ("http://10.0.0.1", "readable over the network"),
            ("http://127.0.0.1.example.com", "readable over the network"),
            ("http://localhost.example.com", "readable over the network"),
        ],
    )
    def test_refused(self, host: str | None, words: str) -> None:
        with pytest.raises(InvalidInputError, match=words) as caught:
            read(**{**GOOD, "host": host})
        if "hush@" in (host or "") or "=hush" in (host or ""):
            assert "hush" not in str(caught.value)

    def test_plain_http_if_so_wished(self) -> None:
        assert (
            read(**GOOD | {"host": "http://pm.example.com", "allow_http": "true"}).base_url == "http://pm.example.com"
        )

    @pytest.mark.parametrize(
        ("fields", "words"),
        [
            ({"port": 99999}, "port"),
            ({"schema": "ftp"}, "schema.*http or https"),
            ({"host": "http://x", "schema": "https"}, "begins with http"),
            ({"host": "x:1", "port": 2}, "port 1.*2"),
        ],
    )
    def test_port_and_schema(self, fields: dict[str, Any], words: str) -> None:
        with pytest.raises(InvalidInputError, match=words):
            read(**GOOD | fields)


class TestCredentials:
    @pytest.mark.parametrize(
        ("missing", "label"),
        [
            ("client_id", "Client ID"),
            ("client_secret", "Client Secret"),
            ("login", "Username"),
            ("password", "Password"),
        ],
    )
    def test_missing_ones_are_named_by_the_label_of_the_form(self, missing: str, label: str) -> None:
        for empty in (None, "", "  "):
            with pytest.raises(InvalidInputError, match=f'lacks "{label}"'):
                read(**{**GOOD, missing: empty})

    def test_all_of_them_at_once(self) -> None:
        with pytest.raises(InvalidInputError, match='"Client ID", "Client Secret", "Username", "Password"'):
            read(host="pm.example.com")

    def test_both_a_token_and_a_password(self) -> None:
        with pytest.raises(InvalidInputError, match='both "Access Token" and "Password", "Client Secret"'):
            read(**GOOD, access_token="t")
        with pytest.raises(InvalidInputError, match="Both an access token and"):
            Settings(base_url="https://x", access_token="t", password="p")

    @pytest.mark.parametrize("token", ["two words", "line\nbreak", "tökén", "half \ud800"])
    def test_a_token_that_no_header_can_carry(self, token: str) -> None:
        with pytest.raises(InvalidInputError, match="access_token holds") as caught:
            read(host="pm.example.com", access_token=token)
        assert token not in str(caught.value)

    @pytest.mark.parametrize("field", ["login", "password", "client_id", "client_secret"])
    def test_half_a_surrogate_pair(self, field: str) -> None:
        with pytest.raises(InvalidInputError, match="surrogate"):
            read(**GOOD | {field: "half \ud800"})

    @pytest.mark.parametrize(
        ("headers", "words"),
        [
            ("nonsense", "JSON object"),
            ("[1]", "JSON object"),
            ('{"X": {"a": "hush"}}', 'as for "X"'),
            ({"X-Key": "hush\r\nInjected: 1"}, '"X-Key" has a value'),
            ({"X-Key": " hush"}, '"X-Key" has a value'),
            ({"X-Key": "hush\u20ac"}, '"X-Key" has a value'),
            ({"X Key": "hush"}, "name that HTTP does not allow"),
            ({"": "hush"}, "name that HTTP does not allow"),
            ({"authorization": "hush"}, "set by the client itself"),
            ({"Accept": "hush"}, "set by the client itself"),
            ({"Content-Type": "hush"}, "set by the client itself"),
        ],
    )
    def test_headers_that_cannot_be_sent(self, headers: Any, words: str) -> None:
        with pytest.raises(InvalidInputError, match=words) as caught:
            read(**TOKEN, headers=headers)
        assert "hush" not in str(caught.value)


class TestOtherFields:
    @pytest.mark.parametrize(
        ("key", "meant"), [("clientid", "client_id"), ("verify_ssl", "verify_tls"), ("pagesize", "page_size")]
    )
    def test_unknown_keys_are_warned_of(self, key: str, meant: str, caplog: pytest.LogCaptureFixture) -> None:
        with caplog.at_level(logging.WARNING):
            read(**GOOD, **{key: "hush"})
        assert f'unknown field "{key}"' in caplog.text
        assert f'Did you mean "{meant}"?' in caplog.text
        assert "hush" not in caplog.text

    @pytest.mark.parametrize("value", ["maybe", "2", 2, "tru", [], {}, 1.5])
    @pytest.mark.parametrize(("field", "label"), [("verify_tls", "Verify TLS"), ("allow_http", "Allow plain http")])
    def test_no_boolean(self, field: str, label: str, value: Any) -> None:
        with pytest.raises(InvalidInputError, match=f'"{label}" must be true or false'):
            read(**GOOD | {field: value})

    @pytest.mark.parametrize(
        "value", [0, "0", -1, "-1", "abc", 1e9, "1e9", 10_001, 1.5, "1.5", True, "nan", "inf", [5]]
    )
    def test_page_size_of_the_connection(self, value: Any) -> None:
        with pytest.raises(InvalidInputError, match='"Page Size" must be'):
            read(**GOOD | {"page_size": value})

    @pytest.mark.parametrize("value", [0, -1, "abc", 1e9, 10_001, 1.5, True, float("nan"), "10"])
    def test_page_size_of_the_settings(self, value: Any) -> None:
        with pytest.raises(InvalidInputError, match="page_size must be"):
            Settings(base_url="https://x", access_token="t", page_size=value)

    @pytest.mark.parametrize("field", ["connect_timeout", "read_timeout", "max_retries"])
    @pytest.mark.parametrize("value", [-1, "soon", 1e9, float("nan"), True])
    def test_numbers_of_the_connection(self, field: str, value: Any) -> None:
        with pytest.raises(InvalidInputError):
            read(**GOOD | {field: value})
        with pytest.raises(InvalidInputError, match=f"{field} must be"):
            Settings(base_url="https://x", access_token="t", **{field: value})


# What is refused when a client is asked to do it.
CALLS: list[tuple[Callable[[ProcessMakerClient], Any], str]] = [
    (lambda client: list(client.iter_records("user")), 'no list "user".*Did you mean "users"'),
    (lambda client: list(client.iter_records("xyzzy")), "Known:.*users"),
    (lambda client: list(client.iter_records("")), "no list"),
    (lambda client: list(client.iter_records(5)), "must be a text"),  # type: ignore[arg-type]
    (lambda client: client.count("gruops"), 'Did you mean "groups"'),
    (lambda client: list(client.iter_records("users", stauts="ACTIVE")), '"stauts".*Did you mean "status"'),
    (lambda client: list(client.iter_records("users", page=2)), "pages are walked for you"),
    (lambda client: list(client.iter_records("users", per_page=2)), "page_size"),
    (lambda client: list(client.iter_records("group_users")), "needs group_id"),
    *[
        (lambda client, value=value: list(client.iter_records("group_users", group_id=value)), "needs group_id")  # type: ignore[misc]
        for value in ("", " ", "..", ".", [1], {}, True, 1.5)
    ],
    *[
        (lambda client, value=value: list(client.iter_records("users", page_size=value)), "page_size must be")  # type: ignore[misc]
        for value in (0, -1, "abc", 1e9, 10_001, 10**9, True, 1.5)
    ],
    (lambda client: list(client.iter_records("users", fields="id")), "list of names, not a text"),
    (lambda client: list(client.iter_records("users", fields=[""])), "A field must be a name"),
    (lambda client: list(client.iter_records("users", fields=[5])), "A field must be a name"),  # type: ignore[list-item]
    (lambda client: list(client.iter_records("users", fields=5)), "list of names, not a int"),  # type: ignore[arg-type]
    (lambda client: client.request("GTE", "users"), "no method 'GTE'.*Did you mean \"GET\""),
    (lambda client: client.request("", "users"), "no method"),
    (lambda client: client.request("TRACE", "users"), "no method"),
    (lambda client: client.request(None, "users"), "no method"),  # type: ignore[arg-type]
    (lambda client: client.request("GET /x HTTP/1.1\r\nX: 1", "users"), "no method"),
    (lambda client: client.request("GET", "users", json={"a": 1}), "GET has no body"),
    (lambda client: client.get(""), "must be a path"),
    (lambda client: client.get(" / "), "must be a path"),
    (lambda client: client.get(None), "must be a path"),  # type: ignore[arg-type]
    (lambda client: client.get("https://evil.example.com/api/1.0/users"), "URL on evil.example.com"),
    (lambda client: client.get("https://u:hush@evil.example.com/x"), "URL on evil.example.com"),
    (lambda client: client.get("//evil.example.com/users"), "URL on evil.example.com"),
    (lambda client: client.get("http://["), "URL on another server"),
    (lambda client: client.get(client.settings.base_url + ".evil.example.com/users"), "URL on"),
    (lambda client: client.get(client.settings.base_url + "@evil.example.com/users"), "URL on"),
    (lambda client: client.get("users/../../oauth/clients"), r'Write the path without "\.\."'),
    (lambda client: client.get("users/%2e%2e/%2E%2E/login"), "leaves the API"),
    (lambda client: client.get("users/./1"), "leaves the API"),
    (lambda client: client.get("users\\..\\x"), "leaves the API"),
    (lambda client: client.get("users?filter=x"), "query string.*Give the query as query parameters"),
    (lambda client: client.get("users#1"), "fragment"),
    (lambda client: client.get("users\r\nX-Injected: 1"), "control character"),
    (lambda client: client.get("users%0d%0aX: 1"), "control character"),
    (lambda client: client.get("users/\ud800"), "control character"),
    (lambda client: client.get("users", ["filter"]), "params must be a dict"),  # type: ignore[arg-type]
    (lambda client: client.get("users", {"since": datetime.now(UTC)}), '"since" cannot be a datetime'),
    (lambda client: client.get("users", {"filter": "\ud800"}), "cannot be sent"),
    (lambda client: client.get("users", {"pmql": {"a": {1, 2}}}), r"params\['pmql'\]\['a'\] is a set"),
    (lambda client: client.get("users", read_timeout=0), "read_timeout must be"),
    (lambda client: client.get("users", read_timeout=-1), "read_timeout must be"),
    (lambda client: client.get("users", read_timeout="soon"), "read_timeout must be a number"),
    (lambda client: client.post("users", {"a": {"when": datetime.now(UTC)}}), r"json\['a'\]\['when'\] is a datetime"),
    (lambda client: client.post("users", {"a": [1, Decimal(1)]}), r"json\['a'\]\[1\] is a Decimal"),
    (lambda client: client.post("users", {"a": float("nan")}), r"json\['a'\] is nan"),
    (lambda client: client.post("users", {"a": float("-inf")}), r"json\['a'\] is -inf"),
    (lambda client: client.post("users", {"a": b"x"}), r"json\['a'\] is a bytes"),
    (lambda client: client.post("users", {("a",): 1}), "json has a key that is a tuple"),
    (lambda client: client.post("users", {"a": "half \ud800"}), r"json\['a'\] holds half of a surrogate"),
    (lambda client: client.post("users", {"a": {1, 2}}), r"json\['a'\] is a set"),
    (lambda client: client.post("users", circle()), "nested too deeply"),
]


def circle() -> dict[str, Any]:
    value: dict[str, Any] = {}
    value["again"] = value
    return value


@pytest.fixture(scope="module")
def quiet_server() -> Any:
    from airflow_provider_processmaker.testing import ProcessMakerServer

    with ProcessMakerServer(users=2) as server:
        yield server


@pytest.mark.parametrize(("call", "words"), CALLS)
def test_nothing_is_sent(
    quiet_server: ProcessMakerServer,
    connect: Callable[..., ProcessMakerClient],
    call: Callable[[ProcessMakerClient], Any],
    words: str,
) -> None:
    with pytest.raises(InvalidInputError, match=words) as caught:
        call(connect(quiet_server))
    assert quiet_server.calls == []
    assert PASSWORD not in str(caught.value)
    assert "hush" not in str(caught.value)


def test_endpoints_that_are_fine(server: ProcessMakerServer, client: ProcessMakerClient) -> None:
    for endpoint in (
        "users/1",
        "/users/1",
        "users/1/",
        " users/1 ",
        "/api/1.0/users/1",
        "api/1.0/users/1",
        f"{server.url}/api/1.0/users/1",
        f"{server.url}/users/1",
    ):
        assert client.get(endpoint)["id"] == 1
    assert client.request(" get ", "users/1")["id"] == 1
