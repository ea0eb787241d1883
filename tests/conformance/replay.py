"""
Replays recordings against the stand-in server, in their order, on one server.

Some exchanges were left out of the recordings and some areas are not served, so that the state an exchange needs may be
missing. It is set up by rules that hold for all of them, whichever there are: see the modules beside this one.
"""

from __future__ import annotations

import base64
import dataclasses
import http.client
import json
import re
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from airflow_provider_processmaker.testing import ProcessMakerServer

from .alignment import Alignment
from .areas import reason_not_served
from .compare import differences
from .forms import multipart
from .gaps import Gaps
from .replay_rows import RowReplay
from .replay_tokens import TOKEN, TokenReplay
from .replay_workflow import WorkflowReplay

if TYPE_CHECKING:
    from .recordings import Recording

Answer = tuple[int, dict[str, str], bytes]
# More than any answer needed: one more round for what the round before brought to light.
_ROUNDS = 6


@dataclasses.dataclass(frozen=True)
class Result:
    """What our server answered, and how that differs from the recorded answer."""

    status: int
    body: bytes
    differences: list[str]


class Replay:
    """
    A server and what is known of the recorded one.

    :param server: fresh.
    :param index: of the recordings.
    :param recordings: all of them: they tell of clients and of rows.
    """

    def __init__(self, server: ProcessMakerServer, index: dict[str, Any], recordings: list[Recording]) -> None:
        self.server = server
        # What the recorded server called something, and what ours calls it.
        self.ours: dict[str, str] = {}
        gaps = Gaps(recordings)
        self.rows = RowReplay(server, recordings, gaps)
        self.tokens = TokenReplay(server, index, recordings, self.ours, self.rows.make_user)
        self.workflow = WorkflowReplay(server, recordings, index, gaps)
        self.alignment = Alignment(server, gaps, self.rows, self.workflow)

    def run(self, recording: Recording) -> Result:
        """
        Replay one exchange.

        :param recording: the exchange.
        """
        with self.server.state.lock:
            self.server.maintenance.on = recording.status == 503
            self.rows.prepare(recording)
            self.tokens.prepare(recording)
            self.workflow.prepare(recording)
            self.alignment.prepare(recording)
        self._rehearse(recording)
        status, headers, body = self._send(recording)
        self._learn(recording, headers, body)
        with self.server.state.lock:
            self.workflow.done(recording)
            self.alignment.done(recording)
        return Result(status, body, differences(recording.response, status, headers, body))

    def _rehearse(self, recording: Recording) -> None:
        """
        Read once before it counts, and mend what only a gap explains; nothing is mended where nothing differs.

        A tag is learned so, too: that of an answer of which the recorded one says that it has not changed.
        """
        if recording.status == 304 and recording.request["headers"]["If-None-Match"] not in self.ours:
            first = dataclasses.replace(recording, response={**recording.response, "status": 200})
            self._learn(first, *self._send(first)[1:])
        if recording.method != "GET" or recording.status != 200:
            return
        for _ in range(_ROUNDS):
            status, headers, body = self._send(recording)
            if not differences(recording.response, status, headers, body):
                return
            with self.server.state.lock:
                if not self.alignment.mend(recording, body):
                    return
                self.workflow.prepare(recording)

    # -- sending -----------------------------------------------------------------------------------------------------

    def _send(self, recording: Recording) -> Answer:
        address = urlsplit(self.server.url)
        connection = http.client.HTTPConnection(address.hostname or "", address.port, timeout=10)
        body = recording.request["body"]
        if isinstance(body, dict) and "multipart" in body:
            boundary = recording.request["headers"]["Content-Type"].partition("boundary=")[2]
            body = multipart(body["multipart"], boundary, self.workflow.known.uploaded(recording))
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
            and (TOKEN.fullmatch(theirs) or re.fullmatch(r"[0-9a-f]{80}", theirs))
        ):
            self.ours[theirs] = mine


def replayed(recordings: list[Recording], index: dict[str, Any]) -> dict[str, Result]:
    """
    What became of each recording, by file; all are replayed on one server, for one builds on the other.

    :param recordings: in their order; those of areas that are not served are left out.
    :param index: of the recordings.
    """
    with ProcessMakerServer(users=520, client_secret="test-client-secret-3") as server:
        replay = Replay(server, index, recordings)
        served = (recording for recording in recordings if reason_not_served(recording.name) is None)
        return {recording.file: replay.run(recording) for recording in served}
