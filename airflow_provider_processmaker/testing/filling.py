"""What a test does to have lists long enough for several pages: rows of every kind, past the API."""

from __future__ import annotations

from itertools import count as numbers
from itertools import islice
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.comments import new_comment
from airflow_provider_processmaker.testing.media import new_media
from airflow_provider_processmaker.testing.notifications import new as new_notification
from airflow_provider_processmaker.testing.screens import new_screen
from airflow_provider_processmaker.testing.scripts import new_script
from airflow_provider_processmaker.testing.security_logs import new_log
from airflow_provider_processmaker.testing.settings import new_setting
from airflow_provider_processmaker.testing.state import GROUP_MODEL, USER_MODEL
from airflow_provider_processmaker.testing.task_assignments import new_assignment
from airflow_provider_processmaker.testing.workflow.tables import REQUEST_MODEL

if TYPE_CHECKING:
    from collections.abc import Iterable

    from airflow_provider_processmaker.testing.state import State, User


_NOTIFICATION = "ProcessMaker\\Notifications\\TaskReassignmentNotification"


def _free(pattern: str, taken: Iterable[Any], count: int) -> list[str]:
    """Names with numbers that no row has yet, as the API would refuse those that one has."""
    known = {str(name).casefold() for name in taken}
    names = (pattern.format(number) for number in numbers(1))
    return list(islice((name for name in names if name.casefold() not in known), count))


class Filling:
    """The part of the server that fills its lists. Everything here may be called from any thread."""

    state: State

    def user(self, username: str) -> User:
        """
        A user of the server.

        :param username: his name.
        """
        raise NotImplementedError

    # -- people ------------------------------------------------------------------------------------------------------

    def add_groups(self, count: int = 1) -> list[int]:
        """
        Add groups; returns their ids.

        :param count: how many.
        """
        with self.state.lock:
            names = _free("Group {:03}", (group.columns["name"] for group in self.state.groups), count)
            return [self.state.new_group(name, f"{name} of the stand-in").id for name in names]

    def add_members(self, group_id: int, user_ids: Iterable[int] = (), group_ids: Iterable[int] = ()) -> list[int]:
        """
        Put users and groups into a group; returns the ids of the memberships, not of the members.

        :param group_id: the group.
        :param user_ids: the users.
        :param group_ids: the groups.
        """
        with self.state.lock:
            members = [(USER_MODEL, user_id) for user_id in user_ids]
            members += [(GROUP_MODEL, member_id) for member_id in group_ids]
            return [self.state.new_membership(group_id, number, model).id for model, number in members]

    def add_environment_variables(self, count: int = 1) -> list[int]:
        """
        Add environment variables; returns their ids.

        :param count: how many.
        """
        with self.state.lock:
            taken = (variable.columns["name"] for variable in self.state.environment_variables)
            names = _free("VARIABLE_{:03}", taken, count)
            return [self.state.new_environment_variable(name, "Of the stand-in", name.lower()).id for name in names]

    # -- designs -----------------------------------------------------------------------------------------------------

    def add_categories(self, kind: str, count: int = 1) -> list[int]:
        """
        Add categories; returns their ids.

        :param kind: ``process``, ``screen`` or ``script``.
        :param count: how many.
        """
        with self.state.lock:
            table = f"{kind}_categories"
            taken = (category.columns["name"] for category in self.state.workflow.categories[table])
            rows = [{"name": name, "status": "ACTIVE"} for name in _free("Category {:03}", taken, count)]
            return [self.state.workflow.new_category(table, row).id for row in rows]

    def add_screens(self, count: int = 1) -> list[int]:
        """
        Add screens; returns their ids.

        :param count: how many.
        """
        with self.state.lock:
            same = {"description": "Of the stand-in", "type": "FORM", "screen_category_id": "2"}
            titles = _free("Screen {:03}", (screen.columns["title"] for screen in self.state.workflow.screens), count)
            return [new_screen(self.state, {"title": title, **same}).id for title in titles]

    def add_scripts(self, count: int = 1) -> list[int]:
        """
        Add scripts that return nothing; see :meth:`add_script` for one that does. Returns their ids.

        :param count: how many.
        """
        with self.state.lock:
            titles = _free("Script {:03}", (script.columns["title"] for script in self.state.workflow.scripts), count)
            return [new_script(self.state, {"title": title, "language": "php"}).id for title in titles]

    def add_signals(self, count: int = 1) -> list[str]:
        """
        Add signals that no process knows; returns their ids, which are texts.

        :param count: how many.
        """
        with self.state.lock:
            ids = _free("signal_{:03}", self.state.workflow.signals, count)
            rows = {row: {"id": row, "name": row.replace("_", " ").title(), "detail": ""} for row in ids}
            self.state.workflow.signals.update(rows)
            return ids

    def add_task_assignments(self, process_id: int, count: int = 1, *, username: str = "admin") -> list[int]:
        """
        Say who may get tasks of a process; returns the ids of that.

        :param process_id: the process.
        :param count: for how many tasks, ``node_1`` and so on.
        :param username: who gets them.
        """
        with self.state.lock:
            whom = {"assignment_id": self.user(username).id, "assignment_type": USER_MODEL}
            tasks = [{"process_id": process_id, "process_task_id": f"node_{number}"} for number in range(1, count + 1)]
            return [new_assignment(self.state, {**task, **whom}).id for task in tasks]

    # -- runs --------------------------------------------------------------------------------------------------------

    def add_files(self, request_id: int, count: int = 1, *, username: str = "admin") -> list[int]:
        """
        Add files to a request; returns their ids.

        :param request_id: the request.
        :param count: how many.
        :param username: who uploaded them.
        """
        with self.state.lock:
            by = self.user(username).id
            first = len(self.state.workflow.media) + 1
            ids = []
            for number in range(first, first + count):
                about: dict[str, Any] = {"data_name": f"file_{number}", "createdBy": by, "updatedBy": by}
                name, content = f"file-{number}.txt", f"file {number}".encode()
                ids.append(new_media(self.state, name, content, (REQUEST_MODEL, request_id), about).id)
            return ids

    def add_comments(self, request_id: int, count: int = 1, *, username: str = "admin") -> list[int]:
        """
        Comment on a request; returns the ids of the comments.

        :param request_id: the request.
        :param count: how often.
        :param username: who.
        """
        with self.state.lock:
            about = {"commentable_type": REQUEST_MODEL, "commentable_id": request_id, "type": "MESSAGE"}
            texts = [{"subject": f"Comment {number}", "body": "Of the stand-in"} for number in range(1, count + 1)]
            return [new_comment(self.state, self.user(username).id, {**about, **text}).id for text in texts]

    # -- the rest of the house ---------------------------------------------------------------------------------------

    def add_notifications(self, count: int = 1, *, username: str = "admin") -> list[str]:
        """
        Notify somebody; returns the ids of the notifications, which are texts.

        :param count: how often.
        :param username: whom.
        """
        with self.state.lock:
            user_id = self.user(username).id
            texts = [{"type": "TASK_REASSIGNED", "name": f"Task {number}"} for number in range(1, count + 1)]
            return [str(new_notification(self.state, user_id, _NOTIFICATION, text)["id"]) for text in texts]

    def add_settings(self, count: int = 1, *, group: str | None = None, order: int | None = None) -> list[int]:
        """
        Add settings, all of one group and one place on their page; returns their ids.

        :param count: how many.
        :param group: their group; ``None`` for none, which shows as ``System``.
        :param order: their place, by which the list goes before anything else; ``None`` for none, which comes first.
        """
        with self.state.lock:
            same = {"group": group, "ui": None if order is None else {"order": order}}
            keys = _free("stand-in.{:03}", (setting.columns["key"] for setting in self.state.workflow.settings), count)
            return [new_setting(self.state, {"key": key, "name": key, **same}).id for key in keys]

    def add_security_logs(self, count: int = 1, *, username: str = "admin") -> list[int]:
        """
        Log that somebody logged in; returns the ids of the logs.

        :param count: how often.
        :param username: who.
        """
        with self.state.lock:
            user_id = self.user(username).id
            return [new_log(self.state, "login", {}, user_id=user_id).id for _ in range(count)]
