"""The hook: from an Airflow connection to a client, and the Test button."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import FileStore, InvalidInputError, LoginError, ProcessMakerClient
from airflow_provider_processmaker.configuration import OPTIONS
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.hooks.token_cache import brake_window, configured_store, refresh_margin
from airflow_provider_processmaker.testing.state import hash_password

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

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
    assert server.url in message
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
        ('Permission: The user "admin" lacks the permission', "Admin > Users"),
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


def test_button_passes_the_brake_and_releases_it(server: ProcessMakerServer) -> None:
    """The fault may be mended on the server, where nobody can tell the tasks."""
    user = server.user("admin")
    right, user.password = user.password, hash_password("set by someone else")
    for _ in range(3):
        with pytest.raises(LoginError), ProcessMakerHook().client as client:
            client.get("groups")
    assert server.token_calls == 1
    assert ProcessMakerHook().test_connection()[0] is False
    assert server.token_calls == 2

    user.password = right
    with pytest.raises(LoginError, match="not tried again"), ProcessMakerHook().client as client:
        client.get("groups")
    assert ProcessMakerHook().test_connection()[0] is True
    with ProcessMakerHook().client as client:
        client.get("groups")
    assert server.token_calls == 3


def test_button_logs_in_though_a_token_is_kept(server: ProcessMakerServer) -> None:
    with ProcessMakerHook().client as client:
        client.get("groups")
    server.user("admin").password = hash_password("set by someone else")

    worked, message = ProcessMakerHook().test_connection()

    assert not worked
    assert message.startswith("Login: ProcessMaker refuses the user name or the password")


def options(**values: str) -> dict[str, str]:
    """Variables for the section of the configuration."""
    return {f"AIRFLOW__PROCESSMAKER__{name.upper()}": value for name, value in values.items()}


def use(monkeypatch: pytest.MonkeyPatch, **values: str) -> None:
    """Set options of the configuration."""
    for name, value in options(**values).items():
        monkeypatch.setenv(name, value)


def test_configuration_says_where_tokens_live(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    use(monkeypatch, token_cache_dir=str(tmp_path / "here"))
    with ProcessMakerHook().client as client:
        client.get("groups")
    assert [path.suffix for path in sorted((tmp_path / "here").glob("*/*"))] == [".accepted", ".lock", ".token"]

    use(monkeypatch, token_cache="memory", token_cache_dir=str(tmp_path / "there"))
    with ProcessMakerHook().client as client:
        client.get("groups")
    assert not (tmp_path / "there").exists()
    assert server.token_calls == 1  # the file store keeps what it got in memory too


def test_the_default_folder_is_in_the_home_of_airflow() -> None:
    store = configured_store()

    assert str(store.folder) == f"{os.environ['AIRFLOW_HOME']}/processmaker_tokens/{os.geteuid()}"  # type: ignore[attr-defined]
    assert (refresh_margin(), brake_window()) == (60.0, 30.0)


@pytest.mark.parametrize(
    ("option", "value", "words"),
    [
        ("token_cache", "flie", 'Did you mean "file"?'),
        ("refresh_margin", "soon", "seconds between 0 and 86400, not 'soon'"),
        ("brake_window", "-1", "not '-1'"),
    ],
)
def test_a_wrong_option_is_told(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, option: str, value: str, words: str
) -> None:
    use(monkeypatch, **{option: value})

    with pytest.raises(InvalidInputError, match=re.escape(words)):
        _ = ProcessMakerHook().client


def test_config_list_shows_the_options() -> None:
    run = subprocess.run(
        [sys.executable, "-m", "airflow", "config", "list", "--section", "processmaker", "--defaults"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    )

    for name in OPTIONS:
        assert name in run.stdout


@pytest.mark.parametrize(
    ("extra", "words"),
    [("[1, 2]", "not a JSON object"), ('"x"', "not a JSON object"), ("{not json", "not valid JSON")],
)
def test_an_extra_that_is_no_object(monkeypatch: pytest.MonkeyPatch, extra: str, words: str) -> None:
    connection = {"conn_type": "processmaker", "host": "pm.example.com", "extra": extra}

    worked, message = connect(monkeypatch, json.dumps(connection)).test_connection()

    assert not worked
    assert message.startswith("Settings: The extra of the connection is")
    assert words in message


@pytest.mark.parametrize(
    "host", ["https://bob:SECRETpw@pm.example.com", "bob:SECRETpw@pm.example.com", "https:/pm.example.com", "https:pm"]
)
def test_a_slip_in_the_address_is_told_without_a_secret(monkeypatch: pytest.MonkeyPatch, host: str) -> None:
    connection = {"conn_type": "processmaker", "host": host, "port": 443, "extra": {"access_token": "token-text"}}

    worked, message = connect(monkeypatch, json.dumps(connection)).test_connection()

    assert not worked
    assert message.startswith("Settings: ")
    assert "SECRETpw" not in message
    assert "user name in it" in message if "@" in host else "does not begin with https://" in message


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


def masked(secret: str) -> bool:
    """Whether Airflow hides a secret in the logs of a task of this process."""
    from airflow.sdk.log import redact

    return secret not in str(redact(f"log in with {secret} please"))


def in_a_thread(job: Callable[[], Any]) -> None:
    thread = threading.Thread(target=job)
    thread.start()
    thread.join()


def test_tokens_of_other_threads_are_masked_when_the_main_one_makes_a_call(server: ProcessMakerServer) -> None:
    """Airflow's masker may only be called from the main thread of a task (see Airflow 3.0 and 3.1)."""
    client = ProcessMakerHook().client
    in_a_thread(lambda: [client.get("groups") for _ in range(3)])  # at last with what it has read from the file
    assert server.issued_tokens
    assert not any(masked(token) for token in server.issued_tokens)

    client.get("groups")  # the client alone: the hook is not asked again

    assert all(masked(token) for token in server.issued_tokens)
    client.close()


def test_asking_the_hook_in_a_thread_masks_nothing_there(server: ProcessMakerServer) -> None:
    hook = ProcessMakerHook()
    client = hook.client
    in_a_thread(lambda: client.get("groups"))
    in_a_thread(lambda: hook.client)
    assert not any(masked(token) for token in server.issued_tokens)

    assert hook.client is client
    assert all(masked(token) for token in server.issued_tokens)
    client.close()


def test_the_button_masks_in_the_thread_it_runs_in(server: ProcessMakerServer) -> None:
    """A thread of the API server, where no task and no supervisor is."""
    in_a_thread(ProcessMakerHook().test_connection)

    assert server.issued_tokens
    assert all(masked(token) for token in server.issued_tokens)


def test_a_token_that_is_read_only_to_be_refreshed_is_masked(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    """The kept token is past its end; neither it nor its refresh token was ever known to this process."""
    use(monkeypatch, token_cache_dir=str(tmp_path))
    settings = ProcessMakerHook().get_settings()
    with ProcessMakerClient(settings, token_store=FileStore(tmp_path), clock=lambda: 1_000_000.0) as past:
        past.get("groups")
    assert not any(masked(token) for token in server.issued_tokens)

    with ProcessMakerHook().client as client:
        client.get("groups")

    assert server.token_calls == 2
    assert len(server.issued_tokens) == 4
    assert all(masked(token) for token in server.issued_tokens)


def test_each_click_of_the_button_leaves_one_token(server: ProcessMakerServer) -> None:
    """It cannot be helped: the password is tried by asking for a token."""
    with ProcessMakerHook().client as client:
        client.get("groups")
    for clicks in (1, 2):
        assert ProcessMakerHook().test_connection()[0]
        with ProcessMakerHook().client as client:
            client.get("groups")
        assert server.token_calls == 1 + clicks
