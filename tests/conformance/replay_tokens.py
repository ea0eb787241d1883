"""
Tokens, clients and the throttle for the replay.

A token is its user's, lives long if nobody saw how it was issued, and opens what the real one opened: one that was
accepted works, and one that was refused no longer does, unless a later exchange shows it working.
"""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.state import Client, hash_password

from .forms import objects, sent, shown, texts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer

    from .recordings import Recording

TOKEN = re.compile(r"<(access|refresh)-token-\d+>")
_YEAR = 365 * 86_400
# What a client hears that was let through.
_PASSED = frozenset({"invalid_request", "invalid_grant", "invalid_scope"})


class TokenReplay:
    """
    Sets up what an exchange needs of tokens.

    :param server: fresh.
    :param index: of the recordings.
    :param recordings: all of them, in their order.
    :param ours: what the recorded server called something, and what ours calls it.
    :param make_user: lets a user be there.
    """

    def __init__(
        self,
        server: ProcessMakerServer,
        index: dict[str, Any],
        recordings: list[Recording],
        ours: dict[str, str],
        make_user: Callable[[int], None],
    ) -> None:
        self.server = server
        self.state = server.state
        self.tokens: dict[str, dict[str, Any]] = index["tokens"]
        self.ours = ours
        self.make_user = make_user
        # The number of the last recording in which a token was accepted.
        self.accepted = {token: one.number for one in recordings for token in _bearers(one) if one.status != 401}
        self._add_clients(index["clients"], recordings)

    def prepare(self, recording: Recording) -> None:
        """Set up what the exchange needs."""
        self._prepare_personal(recording)
        if recording.path == "/oauth/token" and recording.method == "POST":
            self._prepare_call(recording)
        for text in texts(recording.request):
            for token in TOKEN.finditer(text):
                self._prepare_token(recording, token.group())

    def _add_clients(self, described: dict[str, str], recordings: list[Recording]) -> None:
        table = self.state.clients
        for number, text in described.items():
            if table.get(int(number)) is None:
                table.expect_id(int(number))
                table.add(Client(table.next_id(), text, "", "", password="password" in text.lower()))
        for value in objects([recording.body for recording in recordings]):
            client = table.get(value.get("id", 0)) if "secret" in value else None
            if client is not None and client.id != int(self.server.client_id):
                client.secret, client.redirect = value["secret"], value["redirect"]

    def _prepare_personal(self, recording: Recording) -> None:
        """Personal tokens that are named in the path or shown in the answer are there."""
        match = re.search(r"/users/(\d+)/tokens(?:/([0-9a-f]{80}))?$", recording.path)
        if match is None or recording.status not in {200, 204} or recording.method == "POST":
            return
        rows = [value for value in shown(recording) if "expires_at" in value and "scopes" in value]
        for token_id in {match.group(2), *(row["id"] for row in rows)} - {None}:
            if token_id not in self.ours:
                name = next((row["name"] for row in rows if row["id"] == token_id), "made for the replay")
                token = self.state.tokens.new_access(int(match.group(1)), 1, _YEAR, name, personal=True)
                self.ours[str(token_id)] = token.id

    # -- the token endpoint ------------------------------------------------------------------------------------------

    def _prepare_call(self, recording: Recording) -> None:
        body = recording.body if isinstance(recording.body, dict) else {}
        seconds = body.get("expires_in")
        if seconds is not None:
            self.server.oauth.access_token_seconds = seconds
        headers = {name.lower(): value for name, value in recording.response["headers"].items()}
        remaining = int(headers["x-ratelimit-remaining"])
        self.server.throttle.leave(0 if recording.status == 429 else remaining + 1)
        self._prepare_client(recording, body.get("error"))
        self._prepare_login(recording, body.get("error"))

    def _prepare_client(self, recording: Recording, error: str | None) -> None:
        """A client that got through had the right secret and address; one that was turned away had not."""
        given = sent(recording)
        number = str(given.get("client_id") or "")
        client = self.state.clients.get(int(number)) if number.isdigit() else None
        if client is None or client.id == int(self.server.client_id):
            return
        if recording.status == 200 or error in _PASSED:
            client.revoked = False
            client.secret = given.get("client_secret", client.secret)
            client.redirect = given.get("redirect_uri", client.redirect)
        elif error == "invalid_client" and given.get("client_secret") == client.secret:
            # With the right secret: it is either the address, where one was sent, or the client is revoked.
            client.revoked = given.get("redirect_uri", client.redirect) == client.redirect

    def _prepare_login(self, recording: Recording, error: str | None) -> None:
        """Who got a token by his password was there and had this password; a refused one had not."""
        given = sent(recording)
        if given.get("grant_type") != "password" or not isinstance(given.get("username"), str):
            return
        user = self.state.user_named(given["username"])
        issued = recording.body.get("access_token") if isinstance(recording.body, dict) else None
        user_id = self.tokens.get(str(issued), {}).get("user_id")
        if recording.status == 200 and user is None and user_id is not None:
            self.make_user(user_id)
            user = self.state.user(user_id)
            if user is not None:
                user.columns["username"] = given["username"]
        if recording.status == 200 and user is not None:
            user.password = hash_password(given["password"])
        elif error == "invalid_grant" and user is not None and user.has_password(str(given.get("password"))):
            user.password = b""

    # -- tokens ------------------------------------------------------------------------------------------------------

    def _prepare_token(self, recording: Recording, placeholder: str) -> None:
        if placeholder not in self.ours:
            self.ours[placeholder] = self._made(recording, placeholder)
        tokens = self.state.tokens
        mine = self.ours[placeholder]
        hint = recording.body.get("hint") if isinstance(recording.body, dict) else None
        if mine in tokens.codes:
            tokens.codes[mine].revoked = "has been revoked" in str(hint)
        elif mine in tokens.access and placeholder in _bearers(recording):
            self._prepare_bearer(recording, placeholder)
        elif mine in tokens.refresh and hint == "Token has expired":
            self._let_expire(tokens.refresh[mine])
        elif mine in tokens.refresh:
            tokens.refresh[mine].revoked = hint == "Token has been revoked"
            if recording.status == 200:
                tokens.refresh[mine].expires_at = max(tokens.refresh[mine].expires_at, self.server.clock.now() + 60)

    def _prepare_bearer(self, recording: Recording, placeholder: str) -> None:
        token = self.state.tokens.access[self.ours[placeholder]]
        if recording.status != 401 and token.user_id is not None:
            self.make_user(token.user_id)
            token.revoked = False
            token.expires_at = max(token.expires_at, self.server.clock.now() + 60)
        elif recording.status == 401 and self.accepted.get(placeholder, 0) < recording.number:
            if token.expires_at - self.server.clock.now() < _YEAR / 2:
                self._let_expire(token)
            elif self._is_route(recording):
                token.revoked = True

    def _is_route(self, recording: Recording) -> bool:
        """Whether a good token would have been accepted: where nothing is served, none is."""
        return re.match(r"/api/1\.[01]/\w", recording.path) is not None

    def _let_expire(self, token: Any) -> None:
        """Time goes by for a token that lives for seconds; of one that lives long, it went by before."""
        now = self.server.clock.now()
        if token.expires_at - now < _YEAR / 2:
            self.server.clock.advance(max(0.0, token.expires_at - now) + 0.1)
        else:
            token.expires_at = now

    def _made(self, recording: Recording, placeholder: str) -> str:
        about = self.tokens.get(placeholder, {})
        user_id, client_id = about.get("user_id"), int(about.get("client_id") or self.server.client_id)
        tokens = self.state.tokens
        if placeholder.startswith("<access"):
            if user_id is None:
                return "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.unknown.token"
            self.make_user(user_id)
            return tokens.new_access(user_id, client_id, _YEAR).text
        given = sent(recording)
        if given.get("code") == placeholder:
            client = self.state.clients.get(int(given["client_id"])) or Client(0, "", "", "")
            return tokens.new_code(1, int(given["client_id"]), client.redirect).text
        issued = recording.body.get("access_token", "") if isinstance(recording.body, dict) else ""
        user_id = self.tokens.get(issued, {}).get("user_id") or 1
        access = tokens.new_access(user_id, client_id, _YEAR)
        if isinstance(recording.body, dict) and recording.body.get("hint") == "Token is not linked to client":
            access.client_id = client_id + 1
        return tokens.new_refresh(access, _YEAR).text


def _bearers(recording: Recording) -> list[str]:
    header = recording.request["headers"].get("Authorization", "")
    return [match.group() for match in TOKEN.finditer(header)] if recording.path.startswith("/api") else []
