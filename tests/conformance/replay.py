"""
Replays recordings against the stand-in server, in their order, on one server.

Some exchanges were left out of the recordings and some areas are not served, so that the state an exchange needs may be
missing. It is set up by rules that hold for all: tokens are those of the user they had, an object that an exchange
refers to is made unless the real server did not find it, a row that is created gets the recorded id, and the throttle
stands where it stood.
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_processmaker.testing.state import Client

from .compare import differences
from .forms import multipart
from .forms import objects as _objects
from .replay_workflow import WorkflowReplay

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

    from .recordings import Recording

_TOKEN = re.compile(r"<(access|refresh)-token-\d+>")
_LONG = 86_400
_TABLES = {"users": "users", "groups": "groups", "group_members": "memberships",
           "environment_variables": "environment_variables"}  # fmt: skip
# A field that objects of no other kind have.
_MARKS = {
    "users": "username",
    "groups": "enabled_2fa",
    "group_members": "member_id",
    "environment_variables": "description",
}
# Logins on the web side and a setting that was made in the database.
_UNRECORDED = ("loggedin_at", "active_at", "email_task_notification")
_NAMES = {"users": "username", "groups": "name", "environment_variables": "name"}


class Replay:
    """
    A server and what is known of the recorded one.

    :param server: fresh.
    :param index: of the recordings.
    :param recordings: all of them: they tell of clients and of rows.
    """

    def __init__(self, server: ProcessMakerServer, index: dict[str, Any], recordings: list[Recording]) -> None:
        self.server = server
        self.tokens = index["tokens"]
        self.recordings = recordings
        # What the recorded server called something, and what ours calls it.
        self.ours: dict[str, str] = {}
        self.made: set[str] = set()
        self.workflow = WorkflowReplay(server, recordings, index)
        self._add_clients(index["clients"])

    def run(self, recording: Recording) -> list[str]:
        """
        Replay one exchange; returns what is different.

        :param recording: the exchange.
        """
        self._prepare(recording)
        if recording.status == 304 and recording.request["headers"]["If-None-Match"] not in self.ours:
            first = dataclasses.replace(recording, response={**recording.response, "status": 200})
            self._learn(first, *self._send(first)[1:])
        status, headers, body = self._send(recording)
        self._learn(recording, headers, body)
        with self.server.state.lock:
            self.workflow.done(recording)
        return differences(recording.response, status, headers, body)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, recording: Recording) -> tuple[int, dict[str, str], bytes]:
        address = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        body = recording.request["body"]
        if isinstance(body, dict) and "multipart" in body:
            body = multipart(body["multipart"], recording.request["headers"]["Content-Type"].partition("boundary=")[2])
        elif body is not None:
            body = self._translate(body if isinstance(body, str) else json.dumps(body)).encode()
        try:
            connection.putrequest(recording.method, self._translate(recording.request["path"]), False, True)
            for name, value in recording.request["headers"].items():
                connection.putheader(name, self._translate(value))
            if body is not None:
                connection.putheader("Content-Length", str(len(body)))
            connection.endheaders(body)
            answer = connection.getresponse()
            return answer.status, dict(answer.getheaders()), answer.read()
        finally:
            connection.close()

    def _translate(self, text: str) -> str:
        if text.startswith("<basic-"):
            pair = f"{self.server.client_id}:{self.server.client_secret}"
            return f"Basic {base64.b64encode(pair.encode()).decode()}"
        for theirs, mine in self.ours.items():
            text = text.replace(theirs, mine)
        return text

    def _learn(self, recording: Recording, headers: dict[str, str], body: bytes) -> None:
        """Note what ours calls the tokens, tags and long ids of the recorded answer."""
        recorded_tag = recording.response["headers"].get("ETag")
        if recorded_tag and "ETag" in headers:
            self.ours[recorded_tag] = headers["ETag"]
        if recording.response["body_kind"] == "json":
            try:
                self._learn_pair(recording.body, json.loads(body))
            except ValueError:
                return

    def _learn_pair(self, theirs: Any, mine: Any) -> None:
        if isinstance(theirs, dict) and isinstance(mine, dict):
            for key in theirs.keys() & mine.keys():
                self._learn_pair(theirs[key], mine[key])
        elif (
            isinstance(theirs, str)
            and isinstance(mine, str)
            and (_TOKEN.fullmatch(theirs) or re.fullmatch(r"[0-9a-f]{80}", theirs))
        ):
            self.ours[theirs] = mine

    # -- preparing ---------------------------------------------------------------------------------------------------

    def _prepare(self, recording: Recording) -> None:
        with self.server.state.lock:
            self.server.maintenance.on = recording.status == 503
            for match in re.finditer(r"/api/1\.0/(\w+)/(\d+)", recording.path):
                self._prepare_row(recording, match.group(1), int(match.group(2)))
            self._prepare_created(recording)
            self._prepare_taken(recording)
            self._prepare_member(recording)
            self._prepare_personal_tokens(recording)
            self._prepare_mentioned(recording)
            if recording.path == "/oauth/token" and recording.method == "POST":
                self._prepare_token_call(recording)
            for text in _texts(recording.request):
                for token in _TOKEN.finditer(text):
                    self._prepare_token(recording, token.group())
            self._prepare_listed(recording)
            self.workflow.prepare(recording)

    def _add_clients(self, described: dict[str, str]) -> None:
        table = self.server.state.clients
        for number, text in described.items():
            if table.get(int(number)) is None:
                table.expect_id(int(number))
                kind = "password" in text.lower()
                table.add(Client(table.next_id(), text, "", "", password=kind))
        for value in _objects([recording.body for recording in self.recordings]):
            client = table.get(value.get("id", 0)) if "secret" in value else None
            if client is not None and client.id != int(self.server.client_id):
                client.secret, client.redirect = value["secret"], value["redirect"]

    def _prepare_row(self, recording: Recording, resource: str, row_id: int) -> None:
        """A row named in the path: there, unless the real server did not find it."""
        if resource not in _TABLES:
            return
        table = getattr(self.server.state, _TABLES[resource])
        row = self.server.state.user(row_id) if resource == "users" else table.get(row_id)
        if recording.status == 404:
            if row is not None and not recording.path.rstrip("/").endswith(f"/{row_id}"):
                return
            if row is not None and resource == "users":
                self.server.state.delete_user(row)
            elif row is not None:
                table.remove(row_id)
        elif row is None and recording.status not in {401, 405}:
            self._make_row(recording, resource, row_id)

    def _make_row(self, recording: Recording, resource: str, row_id: int) -> None:
        state = self.server.state
        table = getattr(state, _TABLES[resource])
        known = self._known(resource, row_id)
        sent = recording.request["body"] if isinstance(recording.request["body"], dict) else {}
        name = sent.get(_NAMES.get(resource, ""), known.get(_NAMES.get(resource, ""), f"row{row_id}"))
        table.expect_id(row_id)
        if resource == "users":
            there = self.server.user("admin").columns.keys() - {"username"}
            columns = {key: value for key, value in {**known, **sent}.items() if key in there}
            self.server.add_user(name, "some-password", **columns)
        elif resource == "groups":
            group = state.new_group(name, "made for the replay")
            group.columns.update({key: value for key, value in known.items() if key in group.columns})
        elif resource == "environment_variables":
            state.new_environment_variable(name, "made for the replay", None)
        else:
            state.new_membership(known.get("group_id", 4), known.get("member_id", 1))

    def _known(self, resource: str, row_id: int) -> dict[str, Any]:
        """A row as the recording shows it that shows most of it."""
        key = _MARKS[resource]
        everything = _objects([recording.body for recording in self.recordings])
        rows = (value for value in everything if value.get("id") == row_id and key in value)
        return max(rows, key=len, default={})

    def _prepare_created(self, recording: Recording) -> None:
        """A row that is created gets the recorded id; one that has it, or its name, by the seed makes room."""
        resource = recording.path.rstrip("/").rpartition("/")[2]
        if recording.method != "POST" or resource not in _TABLES or recording.status != 201:
            return
        if not isinstance(recording.body, dict):
            return
        table = getattr(self.server.state, _TABLES[resource])
        table.expect_id(recording.body["id"])
        table.remove(recording.body["id"])
        if resource in _NAMES:
            wanted = recording.request["body"][_NAMES[resource]]
            for row in table:
                if row.columns[_NAMES[resource]] == wanted:
                    table.remove(row.id)

    def _prepare_taken(self, recording: Recording) -> None:
        """A name that the real server found taken is taken."""
        resource = recording.path.rstrip("/").rpartition("/")[2]
        if resource not in _NAMES or recording.status != 422 or "already been taken" not in json.dumps(recording.body):
            return
        key = _NAMES[resource]
        table = getattr(self.server.state, _TABLES[resource])
        if not any(row.columns[key] == recording.request["body"].get(key) for row in table):
            self._make_row(recording, resource, table.next_id())

    def _prepare_member(self, recording: Recording) -> None:
        """A membership whose making was answered with nothing was there before."""
        if recording.path.endswith("/group_members") and recording.status == 201 and recording.body == []:
            sent = _sent(recording)
            wanted = (sent["group_id"], sent["member_type"], sent["member_id"])
            rows = self.server.state.memberships
            if not any((row.group_id, row.member_type, row.member_id) == wanted for row in rows):
                self.server.state.new_membership(sent["group_id"], sent["member_id"], sent["member_type"])

    def _prepare_personal_tokens(self, recording: Recording) -> None:
        """Personal tokens that are named in the path or shown in the answer are there."""
        match = re.search(r"/users/(\d+)/tokens(?:/([0-9a-f]{80}))?$", recording.path)
        if match is None or recording.status not in {200, 204} or recording.method == "POST":
            return
        rows = [value for value in _objects([recording.body]) if "expires_at" in value and "scopes" in value]
        for token_id in {match.group(2), *(row["id"] for row in rows)} - {None}:
            if token_id not in self.ours:
                name = next((row["name"] for row in rows if row["id"] == token_id), "made for the replay")
                tokens = self.server.state.tokens
                token = tokens.new_access(int(match.group(1)), 1, 365 * _LONG, name, personal=True)
                self.ours[str(token_id)] = token.id

    def _prepare_mentioned(self, recording: Recording) -> None:
        """Rows named in the query or the body by ``user_id``, ``group_id`` and so on, are there if it went well."""
        if recording.status >= 400:
            return
        text = json.dumps(recording.request["body"]) + recording.request["path"]
        for kind, number in re.findall(r"\b(user|group)_id\W{1,3}(\d+)", text):
            self._prepare_row(recording, f"{kind}s", int(number))

    def _prepare_token_call(self, recording: Recording) -> None:
        body = recording.body if isinstance(recording.body, dict) else {}
        seconds = body.get("expires_in")
        if seconds is not None:
            self.server.oauth.access_token_seconds = seconds
            # The one server with short lives had refresh tokens that lived twice as long.
            self.server.oauth.refresh_token_seconds = seconds if seconds > _LONG else 2 * seconds
        headers = {name.lower(): value for name, value in recording.response["headers"].items()}
        remaining = int(headers["x-ratelimit-remaining"])
        self.server.throttle.leave(0 if recording.status == 429 else remaining + 1)
        client = self.server.state.clients.get(int(_sent(recording).get("client_id") or 0) or 3)
        passed = recording.status == 200 or body.get("error") in {"invalid_request", "invalid_grant", "invalid_scope"}
        if client is not None and passed and "client_secret" in _sent(recording):
            # The client got through, so its secret was right.
            client.secret = _sent(recording)["client_secret"]
            client.redirect = _sent(recording).get("redirect_uri", client.redirect)
        if client is not None and client.id > 3 and recording.status == 401 and "client" in body.get("error", ""):
            redirect = _sent(recording).get("redirect_uri")
            client.revoked = redirect is None

    def _prepare_token(self, recording: Recording, placeholder: str) -> None:
        if placeholder not in self.ours:
            self.ours[placeholder] = self._made_token(recording, placeholder)
            self.made.add(placeholder)
        tokens = self.server.state.tokens
        mine = self.ours[placeholder]
        if mine in tokens.codes:
            tokens.codes[mine].revoked = "has been revoked" in str(recording.body)
        known: Any = tokens.access.get(mine) or tokens.refresh.get(mine)
        if known is None:
            return
        dead = recording.status == 401 and recording.path.startswith("/api/") and mine in tokens.access
        expired = isinstance(recording.body, dict) and recording.body.get("hint") == "Token has expired"
        if (dead and tokens.valid(mine)) or expired:
            # Time went by, or somebody revoked it in a step that was not recorded.
            if known.expires_at - self.server.clock.now() < _LONG:
                self.server.clock.advance(max(0.0, known.expires_at - self.server.clock.now()) + 0.1)
            elif placeholder in self.made:
                known.revoked = True

    def _made_token(self, recording: Recording, placeholder: str) -> str:
        about = self.tokens.get(placeholder, {})
        user_id, client_id = about.get("user_id"), int(about.get("client_id") or self.server.client_id)
        state = self.server.state
        if placeholder.startswith("<access"):
            if user_id is None:
                return "eyJ0eXAiOiJKV1QiLCJhbGciOiJSUzI1NiJ9.unknown.token"
            if state.users.get(user_id) is None:
                self._make_row(recording, "users", user_id)
            return state.tokens.new_access(user_id, client_id, self.server.oauth.access_token_seconds).text
        sent = _sent(recording)
        if sent.get("code") == placeholder:
            redirect = (state.clients.get(int(sent["client_id"])) or Client(0, "", "", "")).redirect
            return state.tokens.new_code(1, int(sent["client_id"]), redirect).text
        issued = recording.body.get("access_token", "") if isinstance(recording.body, dict) else ""
        user_id = self.tokens.get(issued, {}).get("user_id") or 1
        access = state.tokens.new_access(user_id, client_id, self.server.oauth.access_token_seconds)
        token = state.tokens.new_refresh(access, self.server.oauth.refresh_token_seconds)
        hint = recording.body.get("hint") if isinstance(recording.body, dict) else None
        token.revoked = hint == "Token has been revoked"
        if hint == "Token is not linked to client":
            access.client_id = client_id + 1
        return token.text

    def _prepare_listed(self, recording: Recording) -> None:
        """Users that a recorded answer shows are there; what only unrecorded steps change of them is taken over."""
        if recording.method != "GET" or recording.status != 200:
            return
        for value in _objects([recording.body]):
            if "username" not in value or "id" not in value or "member_id" in value:
                continue
            if self.server.state.user_named(value["username"], deleted=True) is None:
                self._make_row(recording, "users", value["id"])
            user = self.server.user(value["username"])
            user.columns.update({name: value[name] for name in _UNRECORDED if name in value})


def _sent(recording: Recording) -> dict[str, Any]:
    body = recording.request["body"]
    return body if isinstance(body, dict) else {}


def _texts(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        return [text for item in value.values() for text in _texts(item)]
    if isinstance(value, list):
        return [text for item in value for text in _texts(item)]
    return []
