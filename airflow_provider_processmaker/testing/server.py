"""The server as a test holds it."""

from __future__ import annotations

import socket
from typing import TYPE_CHECKING, Any, Self
from urllib.parse import quote

from airflow_provider_processmaker.testing import seed
from airflow_provider_processmaker.testing.application import Application
from airflow_provider_processmaker.testing.calls import CallLog
from airflow_provider_processmaker.testing.clock import Clock
from airflow_provider_processmaker.testing.controls import Controls
from airflow_provider_processmaker.testing.dispatch import Dispatcher, Maintenance
from airflow_provider_processmaker.testing.faults import Faults
from airflow_provider_processmaker.testing.filling import Filling
from airflow_provider_processmaker.testing.oauth import OAuthSettings, TokenEndpoint
from airflow_provider_processmaker.testing.state import State, hash_password
from airflow_provider_processmaker.testing.throttle import Throttle
from airflow_provider_processmaker.testing.wire import ServerThread

if TYPE_CHECKING:
    from collections.abc import Iterable
    from ssl import SSLContext
    from types import TracebackType

    from airflow_provider_processmaker.testing.calls import Call
    from airflow_provider_processmaker.testing.state import User
    from airflow_provider_processmaker.testing.wire import Wires

_YEAR = 31_536_000


class ProcessMakerServer(Controls, Filling):
    """
    A stand-in ProcessMaker 4.15 on a port of this machine; a context manager.

    It starts with the administrator ``admin``/``admin123`` (id 1), a hidden system user (2), the plain users ``bob``,
    ``ina`` (INACTIVE) and ``blo`` (BLOCKED) with passwords such as ``Bob-pass1!``, and ``user0001`` and so on, every
    13th INACTIVE, with the password ``Seed-pass1!``; 15 groups, 37 environment variables and three OAuth clients. There
    are no processes: see :meth:`add_process` and :meth:`add_example_processes`.

    :param users: how many of ``user0001``, ``user0002``, ... there are. A list of all users has four more: admin, bob,
        ina and blo.
    :param access_token_seconds: life of an access token.
    :param refresh_token_seconds: life of a refresh token.
    :param port: where to listen, 0 for any free port.
    :param host: where to listen.
    :param client_secret: of the client for the password grant; made up if ``None``.
    :param throttle: token calls a minute for one address; ``None`` for no throttle.
    :param password_grant: ``False`` is a server that lacks it (4.14.0, 4.14.1).
    :param oauth_errors: ``"8"`` as 4.15 does; ``"7"`` answers a bad password with 401 ``invalid_credentials`` (4.0),
        ``"9"`` a bad refresh token with 400 ``invalid_grant`` (newer servers).
    :param ssl_context: serve https with it.
    :param gzip: compress answers for those who accept it, as a web server in front may do.
    """

    def __init__(
        self,
        users: int = 500,
        access_token_seconds: float = _YEAR,
        refresh_token_seconds: float = _YEAR,
        port: int = 0,
        *,
        host: str = "127.0.0.1",
        client_secret: str | None = None,
        throttle: int | None = 60,
        password_grant: bool = True,
        oauth_errors: str = "8",
        ssl_context: SSLContext | None = None,
        gzip: bool = False,
    ) -> None:
        self.clock = Clock()
        self.state = State(self.clock)
        self.faults = Faults()
        self.maintenance = Maintenance()
        self.throttle = Throttle(self.clock, throttle)
        self.oauth = OAuthSettings(access_token_seconds, refresh_token_seconds, password_grant, oauth_errors)
        self._client = seed.fill(self.state, users, client_secret)
        self._next_number = users + 1
        self._calls = CallLog()
        self._dispatcher = Dispatcher(
            self.state, TokenEndpoint(self.state, self.oauth), self.throttle, self.maintenance
        )
        self._host = host
        self._port = port
        self._ssl = ssl_context
        self._gzip = gzip
        self._thread: ServerThread | None = None

    def __repr__(self) -> str:
        return f"<ProcessMakerServer {'stopped' if self._thread is None else self.url}>"

    def __enter__(self) -> Self:
        return self.start()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop()

    def start(self) -> Self:
        """Listen and answer; returns the server itself. A server that was stopped keeps its data and its port."""
        if self._thread is not None:
            return self
        family = socket.AF_INET6 if ":" in self._host else socket.AF_INET
        listener = socket.create_server((self._host, self._port), family=family, backlog=1024)
        self._port = listener.getsockname()[1]
        self._thread = ServerThread(listener, self._application, self._ssl)
        self._thread.start()
        return self

    def _application(self, wires: Wires) -> Application:
        return Application(
            dispatcher=self._dispatcher,
            faults=self.faults,
            calls=self._calls,
            clock=self.clock,
            wires=wires,
            base_url=self.url,
            gzip=self._gzip,
        )

    def stop(self) -> None:
        """Cut all connections and stop."""
        if self._thread is not None:
            self._thread.stop()
            self._thread = None

    @property
    def port(self) -> int:
        """The port it listens on."""
        return self._port

    @property
    def url(self) -> str:
        """Its address, for example ``http://127.0.0.1:43210``."""
        return f"http{'s' if self._ssl else ''}://{self._address}"

    @property
    def _address(self) -> str:
        host = f"[{self._host}]" if ":" in self._host else self._host
        return f"{host}:{self._port}"

    @property
    def client_id(self) -> str:
        """The id of the client for the password grant."""
        return str(self._client.id)

    @property
    def client_secret(self) -> str:
        """The secret of the client for the password grant."""
        return self._client.secret

    @property
    def conn_uri(self) -> str:
        """An Airflow connection to it as the administrator, for ``AIRFLOW_CONN_PROCESSMAKER_DEFAULT``."""
        return self.connection_uri("admin", "admin123")

    def connection_uri(self, username: str, password: str, **extra: str) -> str:
        """
        An Airflow connection to it.

        :param username: who logs in.
        :param password: his password.
        :param extra: more fields of the connection, such as ``page_size="50"``.
        """
        fields = {"client_id": self.client_id, "client_secret": self.client_secret, **extra}
        query = "&".join(f"{name}={quote(value, safe='')}" for name, value in fields.items())
        login = f"{quote(username, safe='')}:{quote(password, safe='')}"
        return f"processmaker://{login}@{self._address}/http{'s' if self._ssl else ''}?{query}"

    @property
    def calls(self) -> list[Call]:
        """The calls so far, each with ``method``, ``path`` (without the query) and ``status``."""
        return self._calls.snapshot()

    def reset_calls(self) -> None:
        """Forget the calls so far."""
        self._calls.clear()

    @property
    def token_calls(self) -> int:
        """How many ``POST /oauth/token`` there were."""
        return sum(call.method == "POST" and call.path.rstrip("/") == "/oauth/token" for call in self.calls)

    @property
    def issued_tokens(self) -> list[str]:
        """All access and refresh tokens ever issued, so that a test can look for them where they must not be."""
        with self.state.lock:
            return [*self.state.tokens.access, *self.state.tokens.refresh]

    def issue_token(self, username: str = "admin", *, seconds: float | None = None, personal: bool = False) -> str:
        """
        Issue an access token without a call.

        :param username: whose.
        :param seconds: how long it lives.
        :param personal: as a personal access token.
        """
        with self.state.lock:
            client_id = 1 if personal else self._client.id
            life = self.oauth.access_token_seconds if seconds is None else seconds
            name = "stand-in" if personal else None
            user = self.user(username)
            return self.state.tokens.new_access(user.id, client_id, life, name, personal=personal).text

    def issue_refresh_token(self, username: str = "admin", *, client_id: int | None = None) -> str:
        """
        Issue a refresh token (and the access token that belongs to it) without a call.

        :param username: whose.
        :param client_id: of which client.
        """
        with self.state.lock:
            client = client_id or self._client.id
            access = self.state.tokens.new_access(self.user(username).id, client, self.oauth.access_token_seconds)
            return self.state.tokens.new_refresh(access, self.oauth.refresh_token_seconds).text

    def issue_authorization_code(self, client_id: int, username: str = "admin", redirect_uri: str | None = None) -> str:
        """
        What a person's browser would bring back after the approval.

        :param client_id: the client.
        :param username: who approved.
        :param redirect_uri: where the browser was sent.
        """
        with self.state.lock:
            return self.state.tokens.new_code(self.user(username).id, client_id, redirect_uri).text

    def revoke_token(self, token: str) -> None:
        """
        Revoke one access or refresh token.

        :param token: its text.
        """
        with self.state.lock:
            tokens = self.state.tokens
            if token not in tokens.access and token not in tokens.refresh:
                raise KeyError("this server has not issued such a token")
            for table in (tokens.access, tokens.refresh):
                if token in table:
                    table[token].revoked = True

    def revoke_all_tokens(self, *, refresh: bool = False) -> None:
        """
        Revoke all access tokens.

        :param refresh: the refresh tokens too.
        """
        with self.state.lock:
            for access in self.state.tokens.access.values():
                access.revoked = True
            for token in self.state.tokens.refresh.values() if refresh else ():
                token.revoked = True

    def expire_tokens(self, *, refresh: bool = False) -> None:
        """
        Let all access tokens have just expired.

        :param refresh: the refresh tokens too.
        """
        with self.state.lock:
            now = self.clock.now()
            for access in self.state.tokens.access.values():
                access.expires_at = min(access.expires_at, now)
            for token in self.state.tokens.refresh.values() if refresh else ():
                token.expires_at = min(token.expires_at, now)

    def revoke_client(self, client_id: int | str) -> None:
        """
        Revoke an OAuth client.

        :param client_id: its id.
        """
        with self.state.lock:
            client = self.state.clients.get(int(client_id))
            if client is None:
                raise KeyError(client_id)
            client.revoked = True

    def user(self, username: str) -> User:
        """
        A user of the server, deleted ones too.

        :param username: his name.
        """
        with self.state.lock:
            user = self.state.user_named(username, deleted=True)
            if user is None:
                raise KeyError(username)
            return user

    @property
    def user_ids(self) -> list[int]:
        """The ids of all users that a list shows."""
        with self.state.lock:
            return [user.id for user in self.state.users if not (user.is_system or user.is_deleted)]

    def add_users(self, count: int = 1) -> list[int]:
        """
        Add users as the seed does, with the next numbers; returns their ids.

        :param count: how many.
        """
        with self.state.lock:
            ids = seed.add_numbered_users(self.state, self._next_number, count)
            self._next_number += count
            return list(ids.values())

    def add_user(self, username: str, password: str, permissions: Iterable[str] = (), **columns: Any) -> int:
        """
        Add one user; returns the id.

        :param username: his name.
        :param password: his password.
        :param permissions: names such as ``view-users``.
        :param columns: fields as the API shows them.
        """
        values = {"username": username, "firstname": username, "lastname": "User", "email": f"{username}@example.com"}
        with self.state.lock:
            user = self.state.new_user({**values, **columns}, hash_password(password))
            user.permissions = set(permissions)
            return user.id

    def delete_user(self, user_id: int) -> None:
        """
        Delete a user as the API does.

        :param user_id: whom.
        """
        with self.state.lock:
            user = self.state.user(user_id)
            if user is None:
                raise KeyError(user_id)
            self.state.delete_user(user)

    def grant(self, username: str, *permissions: str) -> None:
        """
        Give a user permissions.

        :param username: whom.
        :param permissions: names such as ``view-users``.
        """
        with self.state.lock:
            self.user(username).permissions.update(permissions)
