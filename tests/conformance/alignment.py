"""
Takes over from a recorded answer what only a gap in the recordings explains.

A row that was last seen before a gap may have changed in it: then the answer tells how it looks by now. Where nothing
was left out since a row was last seen, nothing is taken over: then our server alone must have got there.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from .compare import value_differences
from .forms import shown
from .kinds import kind_of
from .replay_rows import TABLES

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

    from .gaps import Gaps
    from .recordings import Recording
    from .replay_rows import RowReplay
    from .replay_workflow import WorkflowReplay

_WORKFLOW = {"requests": "requests", "tasks": "tokens", "processes": "processes", "scripts": "scripts",
             "files": "media", "screens": "screens", "security_logs": "security_logs"}  # fmt: skip

# Logins on the web side and a setting that was made in the database: steps without a number.
_UNRECORDED = frozenset({"loggedin_at", "active_at", "email_task_notification"})


class Alignment:
    """
    Mends rows.

    :param server: fresh.
    :param gaps: of the recordings.
    :param rows: makes plain rows.
    :param workflow: makes requests and tasks.
    """

    def __init__(self, server: ProcessMakerServer, gaps: Gaps, rows: RowReplay, workflow: WorkflowReplay) -> None:
        self.server = server
        self.gaps = gaps
        self.rows = rows
        self.workflow = workflow
        # What a fresh server has was there all the time.
        self.seeded = {(kind, row.id) for kind in (*TABLES, *_WORKFLOW) for row in self._table(kind)}

    def prepare(self, recording: Recording) -> None:
        """Take over what an exchange that changes something leaves as it was."""
        if recording.method in {"PUT", "POST"} and recording.status < 300:
            self._take_over(recording, skip=_given(recording))

    def done(self, recording: Recording) -> None:
        """Note which rows the exchange was about."""
        for value in shown(recording):
            kind = kind_of(value)
            if kind is not None and kind != "signals" and recording.status < 300:
                self.gaps.note(kind, value["id"], recording)
        for kind, number in re.findall(r"/(\w+)/(\d+)", recording.path):
            if recording.method != "GET":
                self.gaps.touched(kind, int(number), recording)

    def mend(self, recording: Recording, body: bytes) -> bool:
        """
        Mend what an answer of ours shows to be different; returns whether there was anything to mend.

        :param recording: a reading exchange.
        :param body: our answer to it.
        """
        try:
            mine = json.loads(body)
        except ValueError:
            return False
        changed = self._take_over(recording)
        if _only_total(recording.body) and _only_total(mine):
            return self._mend_number(recording, recording.body["meta"]["total"] - mine["meta"]["total"])
        if isinstance(mine, dict) and isinstance(recording.body, dict):
            theirs_rows, mine_rows = recording.body.get("data"), mine.get("data")
            if isinstance(theirs_rows, list) and isinstance(mine_rows, list):
                changed |= self._mend_list(recording, theirs_rows, mine_rows)
                total = (mine.get("meta") or {}).get("total")
                if not changed and theirs_rows and isinstance(theirs_rows[0], dict) and isinstance(total, int):
                    changed = self._mend_total(recording, theirs_rows, total)
        return changed

    def _mend_list(self, recording: Recording, theirs: list[Any], mine: list[Any]) -> bool:
        meta = recording.body.get("meta") or {}
        cut = "body_trimmed_to" in recording.response or any(isinstance(row, str) for row in theirs)
        whole = not cut and meta.get("last_page", 1) == 1
        theirs = [row for row in theirs if isinstance(row, dict) and kind_of(row) is not None]
        mine = [row for row in mine if isinstance(row, dict) and kind_of(row) is not None]
        wanted, there = [row["id"] for row in theirs], [row["id"] for row in mine]
        if wanted != there[: len(wanted)] and self._take_times(theirs):
            return True
        # Unless all rows are there, those that come after the last one that is to be there may be right.
        last = max((there.index(row_id) for row_id in wanted if row_id in there), default=-1)
        changed = self._drop_others(recording, theirs, mine if whole else mine[: last + 1])
        if not changed and not whole:
            # They are not, if they are in the place of others.
            changed = self._drop_others(recording, theirs, mine[: len(wanted)])
        count = meta.get("count")
        if not changed and theirs and kind_of(theirs[0]) == "tasks" and isinstance(count, int) and len(there) < count:
            changed = self.workflow.add_runs(count - len(there))
        return changed

    def _take_times(self, theirs: list[dict[str, Any]]) -> bool:
        """Rows stand in the order in which they were changed: the times say when, with a gap and without."""
        changed = False
        for value in theirs:
            kind = str(kind_of(value))
            row = self._row(kind, value["id"])
            if row is None or (kind == "tasks" and row.request.id != value["process_request_id"]):
                continue
            for name in ("created_at", "updated_at"):
                if value.get(name) is not None and getattr(row, "columns", {}).get(name, value[name]) != value[name]:
                    row.columns[name] = value[name]
                    changed = True
            if kind == "tasks":
                row.touched = self.server.state.workflow.touch()
        return changed

    def _table(self, kind: str) -> Any:
        if kind in _WORKFLOW:
            return getattr(self.server.state.workflow, _WORKFLOW[kind])
        return self.rows.table(kind)

    def _row(self, kind: str, row_id: int) -> Any:
        return self._table(kind).get(row_id) if kind in TABLES or kind in _WORKFLOW else None

    def _take_over(self, recording: Recording, skip: frozenset[str] = frozenset()) -> bool:
        """Columns that the answer shows to be different; of what an exchange changes, it shows the state after it."""
        changed = False
        for value in shown(recording):
            kind = kind_of(value)
            columns = self._columns(kind, value)
            if kind is None or columns is None or (recording.method != "GET" and kind in {"requests", "tasks"}):
                continue
            names = value.keys() & columns.keys() - skip - {"id", "uuid"}
            if not self.gaps.before(*_owner(kind, value), recording):
                names &= _UNRECORDED if kind == "users" else set()
            for name in names:
                if list(value_differences(name, value[name], columns[name])):
                    columns[name] = value[name]
                    changed = True
        return changed

    def _columns(self, kind: str | None, value: dict[str, Any]) -> dict[str, Any] | None:
        if kind == "versions":
            process = self.server.state.workflow.processes.get(value.get("process_id", 0))
            versions = process.versions if process is not None else []
            # Ours may have another number; what was just started runs in the newest.
            fits = [one.columns for one in versions if one.id == value["id"]] or [one.columns for one in versions[-1:]]
            return fits[0] if fits else None
        row = None if kind is None else self._row(kind, value["id"])
        if kind == "tasks" and row is not None and row.request.id != value["process_request_id"]:
            return None
        columns: dict[str, Any] | None = getattr(row, "columns", None)
        return columns

    def _mend_number(self, recording: Recording, more: int) -> bool:
        """Of requests that were only counted, there were as many."""
        if more > 0:
            return self.workflow.add_runs(more)
        rows = [row.id for row in self._table("requests") if self.gaps.before("requests", row.id, recording)]
        for row_id in rows[more:] if more else ():
            self._drop("requests", row_id)
        return bool(more and rows)

    def _mend_total(self, recording: Recording, theirs: list[dict[str, Any]], total: int) -> bool:
        """A later page shows what it showed only if as many rows come before it."""
        kind = str(kind_of(theirs[0]))
        meta = recording.body["meta"]
        if kind not in {*TABLES, *_WORKFLOW} or not meta.get("from") or meta["from"] < 2 or total == meta["total"]:
            return False
        if total < meta["total"]:
            # Their names come before all others, as those do that are missing.
            for number in range(meta["total"] - total if kind == "users" else 0):
                self.rows.make(kind, 1 + max(self._table(kind).rows), f"aa-row{number}")
            return kind == "users"
        wanted = {row["id"] for row in theirs}
        rows = [row.id for row in self._table(kind) if row.id not in wanted and (kind, row.id) not in self.seeded]
        others = [row_id for row_id in rows if self.gaps.before(kind, row_id, recording)][: total - meta["total"]]
        for row_id in others:
            self._drop(kind, row_id)
        return bool(others)

    def _drop_others(self, recording: Recording, theirs: list[dict[str, Any]], mine: list[dict[str, Any]]) -> bool:
        """Rows of ours that the real list did not show, where it would have shown them."""
        wanted = {(kind_of(row), row["id"]) for row in theirs}
        changed = False
        for row in mine:
            kind = str(kind_of(row))
            if (kind, row["id"]) in wanted or (kind, row["id"]) in self.seeded:
                continue
            owner = _owner(kind, row)
            if self.gaps.before(*owner, recording):
                # Without its task a request would be none, unless another of its tasks is shown.
                alone = all(_owner(kind, other) != owner for other in theirs)
                self._drop(*(owner if alone else (kind, row["id"])))
                if kind == "requests" and not re.search("pmql|filter|type=", recording.request["path"]):
                    self.workflow.deleted.add(row["id"])
                changed = True
        return changed

    def _drop(self, kind: str, row_id: int) -> None:
        row = self._row(kind, row_id)
        if kind == "tasks" and row is not None:
            row.request.tokens.remove(row)
        elif kind == "requests" and row is not None:
            for token in row.tokens:
                self._table("tasks").remove(token.id)
        self._table(kind).remove(row_id)


def _only_total(body: Any) -> bool:
    return isinstance(body, dict) and isinstance(body.get("meta"), dict) and body["meta"].keys() == {"total"}


def _owner(kind: str, value: dict[str, Any]) -> tuple[str, int]:
    """What a row changes with: a task with its request, a version with its process."""
    if kind == "tasks":
        return "requests", value["process_request_id"]
    if kind == "versions":
        return "processes", value.get("process_id", 0)
    return kind, value["id"]


def _given(recording: Recording) -> frozenset[str]:
    body = recording.request["body"]
    return frozenset(body) if isinstance(body, dict) else frozenset()
