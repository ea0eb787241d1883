"""The Test button where what answers is not quite ProcessMaker: it names the right step, and a hint that helps."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

pytestmark = pytest.mark.airflow

GATEWAY = "Not a ProcessMaker 4, or a gateway in between: Something at this address refuses the call for a token"
NO_ENDPOINT = "Not a ProcessMaker 4: There is no ProcessMaker token endpoint"
PAGE = "<html><title>Request blocked</title></html>"


def press(server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, token: str | None = None) -> str:
    """What the button says about a connection that does not work."""
    connection: dict[str, Any] = {"conn_type": "processmaker", "host": server.url, "extra": {"access_token": token}}
    if token is None:
        connection |= {"login": "admin", "password": "admin123"}
        connection["extra"] |= {"client_id": server.client_id, "client_secret": server.client_secret}
    connection["extra"]["max_retries"] = 0
    monkeypatch.setenv("AIRFLOW_CONN_PM", json.dumps(connection))
    worked, message = ProcessMakerHook("pm").test_connection()
    assert not worked
    return message


@pytest.mark.parametrize(
    ("status", "body", "step", "hint"),
    [
        (403, PAGE, GATEWAY, "must let POST /oauth/token"),
        (403, {"message": "Forbidden"}, GATEWAY, "must let POST /oauth/token"),
        (418, {"message": "no"}, GATEWAY, "must let POST /oauth/token"),
        (407, "", "Proxy: The proxy wants a name and a password.", 'Put them into "Proxy"'),
        (
            404,
            PAGE,
            NO_ENDPOINT,
            "Is the address in the connection",
        ),
        (405, {}, NO_ENDPOINT, "Is the address in the connection"),
        (500, {"message": "Server Error"}, "Server: ProcessMaker failed.", "Its log tells why."),
        (302, "", "Not a ProcessMaker 4: The server redirects", "is the address right"),
    ],
)
def test_an_answer_to_the_login(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, status: int, body: Any, step: str, hint: str
) -> None:
    server.faults.add("POST", "/oauth/token", status=status, body=body, times=None)

    message = press(server, monkeypatch)

    assert message.startswith(step)
    assert hint in message
    assert "permission" not in message.lower()
    assert "order_by" not in message


@pytest.mark.parametrize(
    ("status", "step", "hint"),
    [
        (404, "Not a ProcessMaker 4: The user of the token is not known", "Is the address in the connection"),
        (403, "Permission: The user of the connection lacks the permission", "It may be a gateway in between"),
        (500, "Server: ProcessMaker failed.", "Its log tells why."),
    ],
)
def test_an_answer_to_a_personal_access_token(
    server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, status: int, step: str, hint: str
) -> None:
    token = server.issue_token("bob", personal=True)
    server.faults.add("GET", "/api/1.0/users/*", status=status, body={"message": "no"}, times=None)

    message = press(server, monkeypatch, token)

    assert message.startswith(step)
    assert hint in message
    assert "Check the id" not in message
    assert "order_by" not in message
