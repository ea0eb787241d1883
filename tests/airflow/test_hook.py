"""The hook: from an Airflow connection to a client, and the Test button."""

from __future__ import annotations

import json
import socket
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

pytestmark = pytest.mark.airflow


def connect(monkeypatch: pytest.MonkeyPatch, uri: str) -> ProcessMakerHook:
    """A hook on a connection that is given by the environment."""
    monkeypatch.setenv("AIRFLOW_CONN_PM", uri)
    return ProcessMakerHook("pm")


def test_client_and_get_conn_are_one(server: ProcessMakerServer) -> None:
    hook = ProcessMakerHook()

    assert hook.client is hook.get_conn()
    assert server.calls == []
    assert len(list(hook.client.iter_records("users", status="BLOCKED"))) == 1
    hook.client.close()


def test_an_unknown_connection_is_told_by_airflow() -> None:
    with pytest.raises(Exception, match="nosuch"):
        _ = ProcessMakerHook("nosuch").client


def test_button_tells_who_and_where(server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    worked, message = ProcessMakerHook().test_connection()

    assert worked
    assert message == f"Connected to {server.url} as admin (Admin User, user 1, an administrator)."

    hook = connect(monkeypatch, server.connection_uri("bob", "Bob-pass1!"))
    worked, message = hook.test_connection()
    assert worked
    assert "as bob (Bob Plain, user 3, no administrator)" in message


def test_button_with_an_access_token(server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch) -> None:
    token = server.issue_token("bob", personal=True)
    connection = {"conn_type": "processmaker", "host": server.url, "extra": {"access_token": token}}

    worked, message = connect(monkeypatch, json.dumps(connection)).test_connection()
    assert (worked, "as bob" in message) == (True, True)

    server.revoke_token(token)
    worked, message = connect(monkeypatch, json.dumps(connection)).test_connection()
    assert not worked
    assert message.startswith("Login: ProcessMaker does not accept the access token")
    assert token not in message


def closed_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


@pytest.mark.parametrize(
    ("step", "words"),
    [
        ("Settings: The connection lacks", '"Client Secret"'),
        ("Address: No connection to the server could be made", "Connection refused"),
        ("Address: The host name is not known", "spelling"),
        ("TLS: TLS failed", "http:// in front"),
        ("Login: ProcessMaker refuses the user name or the password", "user name, not the e-mail"),
        ("Login: ProcessMaker refuses the client", "Enable Password Grant"),
        ("Login: This ProcessMaker offers no password grant", "4.14.2"),
        ("Login: ProcessMaker has had too many calls", "Wait"),
        ("Permission: The user of the connection lacks", "Admin > Users"),
        ("Server: ProcessMaker is not available", "503"),
        ("Not a ProcessMaker 4: A web page came", "Sign in here"),
        ("Not a ProcessMaker 4: There is no ProcessMaker token endpoint", "without a path of something else"),
        ("Not a ProcessMaker 4: This is a ProcessMaker 3", "4.3 and later"),
    ],
)
def test_button_tells_which_step_failed(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, step: str, words: str
) -> None:
    uri = broken(server, step)
    if step.startswith("Address: No"):
        uri = uri.replace(f":{server.port}", f":{closed_port()}")

    worked, message = connect(monkeypatch, uri).test_connection()

    assert not worked
    assert message.startswith(step), message
    assert words in message


def broken(server: ProcessMakerServer, step: str) -> str:
    """A connection or a server with the fault that a step is to find."""
    uri = server.conn_uri + "&max_retries=0"
    if "lacks" in step and step.startswith("Settings"):
        return uri.replace("client_secret", "secret_client")
    if "host name" in step:
        return uri.replace("127.0.0.1", "no-such-host.invalid").replace("/http?", "/https?")
    if step.startswith("TLS"):
        return uri.replace("/http?", "/https?")
    if "user name or the password" in step:
        return uri.replace("admin123", "wrong-one")
    if "refuses the client" in step:
        return uri.replace(server.client_secret, "wrong-one")
    faults: dict[str, dict[str, Any]] = {
        "offers no": {"path": "/oauth/token", "status": 400, "body": {"error": "unsupported_grant_type"}},
        "too many": {"path": "/oauth/token", "status": 429, "headers": {"Retry-After": "600"}},
        "Permission": {"path": "/api/1.0/users/1", "status": 403, "body": {"message": "This is not for you."}},
        "Server": {"path": "/oauth/token", "status": 503, "body": {"message": "Service Unavailable"}},
        "web page": {"path": "/oauth/token", "status": 200, "body": "<html><title>Sign in here</title></html>"},
        "no ProcessMaker token": {"path": "/oauth/token", "status": 404, "body": {"message": "nothing"}},
        "ProcessMaker 3": {"path": "/oauth/token", "status": 404, "body": {"error": {"code": 404, "message": "no"}}},
    }
    fault = next((fault for words, fault in faults.items() if words in step), None)
    if fault:
        server.faults.add(times=9, **fault)
    return uri


@pytest.mark.parametrize("conn_uri_form", [True, False])
def test_uri_and_json_give_the_same_settings(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, conn_uri_form: bool
) -> None:
    connection = {
        "conn_type": "processmaker",
        "host": server.url,
        "login": "admin",
        "password": "admin123",
        "extra": {"client_id": 3, "client_secret": server.client_secret},
    }
    uri = server.conn_uri if conn_uri_form else json.dumps(connection)

    assert connect(monkeypatch, uri).get_settings() == connect(monkeypatch, server.conn_uri).get_settings()


def test_tokens_of_other_threads_are_masked_when_the_main_one_comes_by(server: ProcessMakerServer) -> None:
    """Airflow's masker may only be called from the main thread of a task (see Airflow 3.0 and 3.1)."""
    import threading

    hook = ProcessMakerHook()
    client = hook.client
    thread = threading.Thread(target=client.get, args=("groups",))
    thread.start()
    thread.join()

    assert set(hook._unmasked) & set(server.issued_tokens)
    assert hook.client is client
    assert hook._unmasked == []
    client.close()
