"""A user and a connection whose secrets can be told from all other text, and the search for them."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

__all__ = ["HEADER", "PASSWORD", "add_keeper", "assert_no_secret", "connection"]

PASSWORD = "Correct-horse-battery-1!"
HEADER = "gateway-key-5f2b8c"


def add_keeper(server: ProcessMakerServer) -> None:
    """Make the user of the connection, an administrator."""
    server.add_user("keeper", PASSWORD, is_administrator=True)


def connection(server: ProcessMakerServer, password: str = PASSWORD, **changes: str) -> str:
    """The connection to a server as Airflow reads it from the environment, with a secret header."""
    extra = {"client_id": server.client_id, "client_secret": server.client_secret, "headers": {"X-Key": HEADER}}
    return json.dumps(
        {
            "conn_type": "processmaker",
            "host": server.url,
            "login": "keeper",
            "password": password,
            "extra": {**extra, **changes},
        }
    )


def assert_no_secret(text: str, server: ProcessMakerServer, *more: str) -> None:
    """No secret of the server or the connection is in a text."""
    assert server.issued_tokens or more
    for secret in (PASSWORD, HEADER, server.client_secret, *server.issued_tokens, *more):
        assert secret not in text
    for token in server.issued_tokens:
        assert token.split(".")[-1] not in text  # the signature alone is as telling
