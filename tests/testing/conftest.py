from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest
import requests

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_processmaker.testing import ProcessMakerServer


class Api:
    """A careless client: plain requests, no retries."""

    def __init__(self, server: ProcessMakerServer) -> None:
        self.server = server
        self.session = requests.Session()
        self.session.trust_env = False
        self.session.headers["Accept"] = "application/json"

    def token(self, **body: Any) -> requests.Response:
        """A token call; parameters that are None are left out."""
        defaults = {
            "grant_type": "password",
            "client_id": self.server.client_id,
            "client_secret": self.server.client_secret,
            "username": "admin",
            "password": "admin123",
        }
        sent = {name: value for name, value in {**defaults, **body}.items() if value is not None}
        return self.session.post(f"{self.server.url}/oauth/token", json=sent, timeout=10)

    def refresh(self, token: str, **body: Any) -> requests.Response:
        return self.token(grant_type="refresh_token", refresh_token=token, username=None, password=None, **body)

    def login(self, username: str = "admin") -> None:
        """Use a token of this user from now on."""
        self.use(self.server.issue_token(username))

    def use(self, token: str) -> None:
        self.session.headers["Authorization"] = f"Bearer {token}"

    def call(self, method: str, path: str, **options: Any) -> requests.Response:
        options.setdefault("timeout", 10)
        options.setdefault("allow_redirects", False)
        base = f"{self.server.url}/api/1.0" if not path.startswith(("/api", "/oauth", "/login")) else self.server.url
        return self.session.request(method, f"{base}{path}", **options)

    def get(self, path: str, **options: Any) -> requests.Response:
        return self.call("GET", path, **options)


@pytest.fixture
def api(processmaker_server: ProcessMakerServer) -> Iterator[Api]:
    """A client of the server, logged in as the administrator."""
    client = Api(processmaker_server)
    client.login()
    with client.session:
        yield client
