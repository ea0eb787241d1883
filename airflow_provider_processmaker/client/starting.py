"""Starting a process at most once, on a server that knows no idempotency key.

The key is ours: a text in the data of the request, by which it can be found (``airflow_key``), and beside it the
generation to which it belongs (``airflow_generation``). A start whose answer was lost is looked for before it is sent
again, and what came twice anyway is canceled but for the oldest.

What stays open: a call that was lost on its way may wait in front of the server for longer than the settle window, and
be carried out after the second one was looked at. And a process that overwrites the key in its own data hides from it.
"""

from __future__ import annotations

import json
import logging
import re
import time
import uuid
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client import pmql
from airflow_provider_processmaker.client.encoding import encode_json
from airflow_provider_processmaker.client.errors import (
    ForbiddenError,
    InvalidInputError,
    ProcessMakerError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
)
from airflow_provider_processmaker.client.request_states import is_request, rows_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_processmaker.client.process_runs import ProcessRuns
    from airflow_provider_processmaker.client.records import Record
    from airflow_provider_processmaker.client.start_events import StartEvent

__all__ = ["GENERATION", "KEY", "SETTLE_WINDOW", "KeyedStart", "checked_data", "checked_key", "generation_of"]

log = logging.getLogger(__name__)

KEY, GENERATION = "airflow_key", "airflow_generation"

#: Seconds for which a start without an answer is looked for before it is sent again.
SETTLE_WINDOW = 30.0
#: Rows of one key that are looked at: its generations, and what came twice.
_MOST_ROWS = 100
#: A process's own variables, which the engine reads or overwrites.
_RESERVED = re.compile(r"_user|_request|_parent|loopCounter|numberOf\w*Instances|loopCharacteristics")
_PLAIN = re.compile(r"[A-Za-z0-9](?:[A-Za-z0-9._:-]{0,198}[A-Za-z0-9])?")


def checked_key(key: str | None) -> str:
    """A key as it can be found again; a new one if none is given.

    :param key: the caller's.
    :raises InvalidInputError: if the server would rewrite it, or could not find it.
    """
    if key is None:
        return f"af1-{uuid.uuid4().hex}"
    if not isinstance(key, str) or not _PLAIN.fullmatch(key):
        raise InvalidInputError(
            f"The key of a start must be 1 to 200 letters, digits or any of . _ : - within, not {key!r}."
        )
    str(pmql.field(f"data.{KEY}") == key)  # what looks like a date is refused here
    return key


def checked_data(data: Any) -> dict[str, Any]:
    """The data of a new request.

    :param data: a dict, or a JSON text of an object.
    :raises InvalidInputError: if that is not what it is, or it has a key that is the engine's or ours.
    """
    if isinstance(data, str):
        try:
            data = json.loads(data)
        except (ValueError, RecursionError):
            raise InvalidInputError(
                "The data of the start is a text that is no JSON object.",
                hint="Give a dict; for a template that makes one, set render_template_as_native_obj=True on the DAG.",
            ) from None
    if data is None:
        return {}
    if not isinstance(data, Mapping):
        raise InvalidInputError(f"The data of the start must be a dict, not a {type(data).__name__}.")
    for key in data:
        if not isinstance(key, str):
            raise InvalidInputError(f"The data of the start has a key that is a {type(key).__name__}: {key!r}.")
        if key in {KEY, GENERATION} or _RESERVED.fullmatch(key):
            raise InvalidInputError(f'The data of the start cannot have the key "{key}": it is reserved.')
    checked = dict(data)
    encode_json(checked, what="data")
    return checked


def generation_of(row: Record) -> str:
    """The generation to which a request belongs, as it was given at its start.

    :param row: a request with its data.
    """
    data = row.get("data")
    return str(data.get(GENERATION) or "") if isinstance(data, dict) else ""


def _nothing() -> None:
    """Nothing keeps it."""


@dataclass(kw_only=True)
class KeyedStart:
    """One start of a process under a key.

    :param api: the client.
    :param event: which process, and where it begins.
    :param key: found again by this.
    :param data: the request's data.
    :param settle_window: seconds for which a start without an answer is looked for before it is sent again.
    :param sleep: waits for some seconds.
    :param check: raises what keeps the start from being sent.
    """

    api: ProcessRuns
    event: StartEvent
    key: str
    data: Mapping[str, Any] = field(default_factory=dict)
    settle_window: float = SETTLE_WINDOW
    sleep: Callable[[float], None] = time.sleep
    check: Callable[[], None] = _nothing

    def found(self) -> list[Record]:
        """The requests of this key, of any generation, oldest first; none that another request called."""
        query = (pmql.field("process_id") == self.event.process_id) & (pmql.field(f"data.{KEY}") == self.key)
        rows = rows_of(self.api, query, _MOST_ROWS, include="data")
        return [row for row in rows if row.get("parent_request_id") is None]

    def latest(self) -> list[Record]:
        """The requests of this key that are of its latest generation, oldest first."""
        rows = self.found()
        return [row for row in rows if generation_of(row) == generation_of(rows[-1])]

    def start(self, generation: str = "") -> Record:
        """Start the process; if it is not certain whether it was, look, and start it again only if it was not.

        :param generation: to which the request belongs.
        :return: the request.
        :raises UnknownOutcomeError: if nobody can say whether it was started; retryable, for the next try looks first.
        """
        try:
            row = self._post(generation)
        except UnknownOutcomeError as error:
            log.warning("The start has no answer; looking for it. %s", error)
            found = self._settled(generation, error)
            if found:
                return self.oldest(found)
            log.warning("It was not started; starting it again.")
            try:
                row = self._post(generation)
            except UnknownOutcomeError as again:
                found = self._settled(generation, again)
                if not found:
                    raise self._open(again) from None
                return self.oldest(found)
        return self.oldest(self._beside(row, generation))

    def _post(self, generation: str) -> Record:
        body = {**self.data, KEY: self.key, GENERATION: generation}
        if not generation:
            del body[GENERATION]
        path = f"process_events/{self.event.process_id}"
        self.check()
        try:
            row = self.api.post(path, body, params={"event": self.event.event_id})
        except ForbiddenError as refused:
            refused.hint = "He, or a group of his, must be assigned to the start event of the process."
            raise
        if not is_request(row):
            raise UnknownOutcomeError(
                "The answer to the start is no request.",
                method="POST",
                path=f"/api/1.0/{path}",
                server=self.api.settings.base_url,
            )
        started: Record = row
        return started

    def _of(self, generation: str) -> list[Record]:
        return [row for row in self.found() if generation_of(row) == generation]

    def _looks(self) -> Iterator[None]:
        """Once for each look, with pauses between them, for as long as the server may still be working on it."""
        pause, waited, began = 0.5, 0.0, time.monotonic()
        yield
        while waited < self.settle_window:
            self.sleep(pause)
            waited = max(waited + pause, time.monotonic() - began)  # a look may take its time too
            pause = min(2 * pause, 4.0, max(0.1, self.settle_window - waited))
            yield

    def _settled(self, generation: str, lost: UnknownOutcomeError) -> list[Record]:
        """What has become of a start without an answer; nothing if it was not started."""
        failure: ProcessMakerError | None = None
        for _ in self._looks():
            try:
                if found := self._of(generation):
                    return found
                failure = None
            except ProcessMakerError as error:
                failure = error
                if _is_final(error):
                    break
        if failure:
            raise self._open(lost) from failure
        return []

    def _beside(self, row: Record, generation: str) -> list[Record]:
        """A request that was started, and what came a second time; the request alone if the server does not tell."""
        failure: ProcessMakerError | None = None
        for _ in self._looks():
            try:
                found = self._of(generation)
            except ProcessMakerError as error:
                failure = error
                if _is_final(error):
                    break
            else:
                mine = [] if any(one["id"] == row["id"] for one in found) else [row]
                return sorted([*found, *mine], key=lambda one: one["id"])
        log.warning("Request %s was started; nobody can say whether it came a second time. %s", row["id"], failure)
        return [row]

    def _open(self, lost: UnknownOutcomeError) -> UnknownOutcomeError:
        lost.what = f"Nobody can say whether the process was started. {lost.what}"
        lost.hint = f'The next try looks for a request with {KEY} "{self.key}" before it starts one.'
        lost.retryable = True
        return lost

    def oldest(self, rows: list[Record]) -> Record:
        """Of requests that are there for one start, keep the oldest that is not lost; cancel the others.

        :param rows: requests of one key and generation, oldest first.
        :return: the one that is kept.
        """
        kept = next((row for row in rows if row["status"] in {"ACTIVE", "COMPLETED"}), rows[0])
        for row in rows:
            if row["id"] == kept["id"] or row["status"] != "ACTIVE" or _is_later(row, kept):
                continue
            log.warning("Request %s came a second time, as %s; canceling it.", kept["id"], row["id"])
            try:
                self.api.cancel_request(row["id"])
            except ProcessMakerError as error:
                log.warning("Request %s is left as it is: it cannot be canceled. %s", row["id"], error)
        return kept


def _is_later(row: Record, kept: Record) -> bool:
    """Whether a request began after another had ended: what a process starts again by itself is no second start."""
    began, ended = row.get("created_at"), kept.get("completed_at")
    try:
        return bool(began and ended) and datetime.fromisoformat(str(began)) > datetime.fromisoformat(str(ended))
    except (TypeError, ValueError):
        return False


def _is_final(error: ProcessMakerError) -> bool:
    """Whether it makes no sense to look again."""
    return not (error.retryable or isinstance(error, UnexpectedAnswerError))
