"""
Users, groups, memberships, variables, signals and logs for the replay.

A row that an exchange refers to is there unless the real server did not find it, a row that is created gets the
recorded id, and a name is taken or free as the real server found it.
"""

from __future__ import annotations

import json
import re
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.workflow.tables import Row

from .forms import objects, sent, shown
from .kinds import kind_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

    from .gaps import Gaps
    from .recordings import Recording

TABLES = {"users": "users", "groups": "groups", "group_members": "memberships",
          "environment_variables": "environment_variables"}  # fmt: skip
NAMES = {"users": "username", "groups": "name", "environment_variables": "name"}


class RowReplay:
    """
    Sets up what an exchange needs of plain rows.

    :param server: fresh.
    :param recordings: all of them: they tell of rows.
    :param gaps: of the recordings.
    """

    def __init__(self, server: ProcessMakerServer, recordings: list[Recording], gaps: Gaps) -> None:
        self.server = server
        self.gaps = gaps
        self.state = server.state
        # As some answer shows it that shows most of it; where several do, the first.
        self.known: dict[tuple[str, int], dict[str, Any]] = {}
        for value in objects([recording.body for recording in recordings]):
            kind = kind_of(value)
            if kind in TABLES and len(value) > len(self.known.get((kind, value["id"]), {})):
                self.known[kind, value["id"]] = value

    def prepare(self, recording: Recording) -> None:
        """Set up what the exchange needs."""
        for match in re.finditer(r"/api/1\.0/(\w+)/(\d+)", recording.path):
            self._prepare_row(recording, match.group(1), int(match.group(2)))
        self._prepare_created(recording)
        self._prepare_taken(recording)
        self._prepare_signal(recording)
        self._prepare_member(recording)
        self._prepare_mentioned(recording)
        self._prepare_shown(recording)

    def table(self, kind: str) -> Any:
        """The table of a kind."""
        return getattr(self.state, TABLES[kind])

    def make_user(self, user_id: int) -> None:
        """
        Let a user be there, and not be deleted.

        :param user_id: whom.
        """
        row = self.state.users.get(user_id)
        if row is None:
            self.make("users", user_id)
        elif row.is_deleted:
            row.columns.update(deleted_at=None, status="ACTIVE")

    def make(self, kind: str, row_id: int, name: str | None = None) -> None:
        """
        Add a row as it is known.

        :param kind: its table.
        :param row_id: its id.
        :param name: if another than is known.
        """
        known = self.known.get((kind, row_id), {})
        # Nothing else comes after a name that nobody knows, so that no list shows it where it showed another.
        name = name or known.get(NAMES.get(kind, ""), f"zz-row{row_id}")
        if kind in NAMES:
            self._free(kind, name)
        self.table(kind).expect_id(row_id)
        if kind == "users":
            there = self.server.user("admin").columns.keys() - {"username", "id"}
            columns = {key: value for key, value in known.items() if key in there and key != "deleted_at"}
            self.server.add_user(name, "some-password", **columns)
        elif kind == "groups":
            group = self.state.new_group(name, "made for the replay")
            group.columns.update({key: value for key, value in known.items() if key in group.columns})
        elif kind == "environment_variables":
            variable = self.state.new_environment_variable(name, "made for the replay", None)
            variable.columns.update({key: value for key, value in known.items() if key in variable.columns})
        else:
            member = (known.get("group_id", 4), known.get("member_id", 1), known.get("member_type"))
            self.state.new_membership(*(value for value in member if value is not None))

    def _free(self, kind: str, name: str) -> None:
        """Whoever has a name that another row is to get makes room."""
        for row in self.table(kind):
            if row.columns[NAMES[kind]].casefold() == name.casefold():
                self.table(kind).remove(row.id)

    def _prepare_row(self, recording: Recording, kind: str, row_id: int) -> None:
        """A row named in the path: there, unless the real server did not find it."""
        if kind not in TABLES:
            return
        row = self.state.user(row_id) if kind == "users" else self.table(kind).get(row_id)
        if recording.status == 404:
            if row is not None and not recording.path.rstrip("/").endswith(f"/{row_id}"):
                return
            if row is not None and kind == "users":
                self.state.delete_user(row)
            elif row is not None:
                self.table(kind).remove(row_id)
        elif row is None and recording.status not in {401, 405}:
            if kind == "users":
                self.make_user(row_id)
            else:
                self.make(kind, row_id)
        if recording.method == "PUT" and self.gaps.before(kind, row_id, recording):
            self._prepare_changed(recording, kind, row_id)

    def _prepare_changed(self, recording: Recording, kind: str, row_id: int) -> None:
        """What was refused of a row was a change, so it had something else; an address that was not, was none."""
        row, given = self.table(kind).get(row_id), sent(recording)
        errors = recording.body.get("errors") if isinstance(recording.body, dict) else None
        for name in errors if isinstance(errors, dict) else ():
            if given.get(name) is not None and row.columns.get(name) == given[name]:
                row.columns[name] = f"before-{given[name]}"
        if recording.status < 300 and "email" in given and "valpassword" not in given:
            row.columns["email"] = given["email"]

    def _prepare_created(self, recording: Recording) -> None:
        """A row that is created gets the recorded id; one that has it, or its name, makes room."""
        kind = recording.path.rstrip("/").rpartition("/")[2]
        if recording.method != "POST" or kind not in TABLES or recording.status != 201:
            return
        if not isinstance(recording.body, dict):
            return
        table = self.table(kind)
        table.expect_id(recording.body["id"])
        table.remove(recording.body["id"])
        if kind in NAMES:
            self._free(kind, recording.body[NAMES[kind]])
        else:
            for row in table:
                if all(getattr(row, name) == recording.body[name] for name in ("group_id", "member_id", "member_type")):
                    table.remove(row.id)

    def _prepare_taken(self, recording: Recording) -> None:
        """A name that the real server found taken is taken, by a row that is left alone."""
        kind = recording.path.rstrip("/").rpartition("/")[2]
        if kind not in NAMES or recording.status != 422 or "already been taken" not in json.dumps(recording.body):
            return
        key = NAMES[kind]
        name, table = sent(recording).get(key), self.table(kind)
        if name is not None and not any(row.columns[key] == name for row in table):
            ids = (row_id for (other, row_id), row in self.known.items() if other == kind and row[key] == name)
            self.make(kind, next(ids, 1 + max(table.rows, default=0)), name)

    def _prepare_signal(self, recording: Recording) -> None:
        """A signal that is shown is there, and so is one of which the id was taken."""
        signals = self.state.workflow.signals
        given = sent(recording)
        if recording.method == "POST" and recording.path.endswith("/signals"):
            if recording.status < 300:
                signals.pop(given["id"], None)
            elif "already exists" in json.dumps(recording.body):
                signals.setdefault(given["id"], {name: given.get(name) for name in ("id", "name", "detail")})
        for value in shown(recording) if recording.status == 200 else ():
            if kind_of(value) == "signals" and not value["processes"]:
                signals.setdefault(value["id"], {name: value[name] for name in ("id", "name", "detail")})

    def _prepare_member(self, recording: Recording) -> None:
        """A membership whose making was answered with nothing was there before."""
        if recording.path.endswith("/group_members") and recording.status == 201 and recording.body == []:
            given = sent(recording)
            wanted = (given["group_id"], given["member_type"], given["member_id"])
            rows = self.state.memberships
            if not any((row.group_id, row.member_type, row.member_id) == wanted for row in rows):
                self.state.new_membership(given["group_id"], given["member_id"], given["member_type"])

    def _prepare_mentioned(self, recording: Recording) -> None:
        """Rows named in the query or the body by ``user_id``, ``group_id`` and so on, are there if it went well."""
        if recording.status >= 400:
            return
        text = json.dumps(recording.request["body"]) + recording.request["path"]
        for kind, number in re.findall(r"\b(user|group|member)_id\W{1,3}(\d+)", text):
            self._prepare_row(recording, "users" if kind == "member" else f"{kind}s", int(number))

    def _prepare_shown(self, recording: Recording) -> None:
        """Rows that a recorded answer shows are there."""
        if recording.status != 200:
            return
        logs = self.state.workflow.security_logs
        for value in shown(recording):
            kind = kind_of(value)
            if kind == "security_logs" and recording.method == "GET" and logs.get(value["id"]) is None:
                logs.expect_id(value["id"])
                logs.add(Row(logs.next_id(), dict(value)))
            elif kind == "users" and value.get("deleted_at") is not None:
                self._prepare_deleted(recording, value)
            elif kind == "users":
                self.make_user(value["id"])
            elif kind in TABLES and self.table(kind).get(value["id"]) is None:
                self.make(kind, value["id"])

    def _prepare_deleted(self, recording: Recording, value: dict[str, Any]) -> None:
        """A user who is shown as deleted is, if that was left out."""
        if self.state.users.get(value["id"]) is None:
            self.make("users", value["id"])
        user = self.state.user(value["id"])
        if user is not None and self.gaps.before("users", value["id"], recording):
            self.state.delete_user(user)
