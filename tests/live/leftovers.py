"""What the flows make on a server, and how all of it goes again: also after a failure, and if an answer was lost."""

from __future__ import annotations

import secrets
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client import CallRefusedError, NotFoundError, ProcessMakerError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from airflow_provider_processmaker.client import ProcessMakerClient

#: How the names of all that we make begin.
MARK = "airflow-live-"


def new_name() -> str:
    """A name that nothing else on the server has."""
    return MARK + secrets.token_hex(6)


@dataclass(eq=False)
class Leftover:
    """Something that was made, or may have been: a call whose answer was lost made it, perhaps.

    :param resource: name of the list that it is in.
    :param name: what nothing else there is called.
    :param user_id: whose it is, for a token.
    :param id: once it is known.
    """

    resource: str
    name: str
    user_id: int | None = None
    id: Any = None

    @property
    def endpoint(self) -> str:
        return self.resource if self.user_id is None else f"users/{self.user_id}/tokens"

    def ids(self, client: ProcessMakerClient) -> list[Any]:
        """Its id; by its name where nobody has told it."""
        if self.id is not None:
            return [self.id]
        return [
            row["id"] for row in rows_of(client, self.resource, self.user_id, self.name) if name_of(row) == self.name
        ]


def name_of(row: dict[str, Any]) -> Any:
    return row.get("username", row.get("name"))


def rows_of(client: ProcessMakerClient, resource: str, user_id: int | None, words: str) -> Iterable[dict[str, Any]]:
    """The rows of a list that have some words in them, and perhaps others: the list of tokens has no filter."""
    if user_id is not None:
        return client.iter_records(resource, user_id=user_id)
    return client.iter_records(resource, filter=words)


@dataclass
class Leftovers:
    """All that was made.

    :param admin: gives a client that may delete it.
    """

    admin: Callable[[], ProcessMakerClient]
    waiting: list[Leftover] = field(default_factory=list)
    made: list[Leftover] = field(default_factory=list)

    def expect(self, resource: str, name: str, *, user_id: int | None = None) -> Leftover:
        """Tell of something *before* it is made.

        :param resource: name of the list that it will be in.
        :param name: its name.
        :param user_id: whose it is, for a token.
        """
        one = Leftover(resource, name, user_id)
        self.waiting.append(one)
        self.made.append(one)
        return one

    def create(self, resource: str, body: dict[str, Any]) -> dict[str, Any]:
        """Make something (``POST``).

        :param resource: name of the list that it will be in.
        :param body: with its name.
        """
        one = self.expect(resource, name_of(body))
        answer = self.admin().post(one.endpoint, body)
        one.id = answer["id"]
        return dict(answer)

    def clean_up(self) -> None:
        """Delete what is not deleted yet, the last first; what cannot be deleted stays on the list for the next time.

        :raises ExceptionGroup: at the end, if something could not be deleted.
        """
        problems = []
        for one in reversed(self.waiting.copy()):
            found = self._delete(one)
            problems += found
            if not found:
                self.waiting.remove(one)
        if problems:
            raise ExceptionGroup("not all that was made could be deleted", problems)

    def _delete(self, one: Leftover) -> list[Exception]:
        """What kept it from being deleted. A process cannot be deleted, only archived; its requests go first."""
        client = self.admin()
        try:
            ids = one.ids(client)
            paths = [f"{one.endpoint}/{id_}" for id_ in ids]
            if one.resource == "processes":
                paths = [*requests_of(client, ids), *paths]
        except ProcessMakerError as problem:
            return [problem]
        return [problem for path in paths if (problem := deleted(client, path))]

    def found(self) -> list[str]:
        """The names of what was made and is there."""
        client, names = self.admin(), {one.name for one in self.made}
        lists = {(one.resource, one.user_id) for one in self.made if one.user_id is None or self._has_user(one)}
        rows = (row for resource, user_id in lists for row in rows_of(client, resource, user_id, MARK))
        return sorted(name_of(row) for row in rows if name_of(row) in names)

    def _has_user(self, one: Leftover) -> bool:
        """Whether the user of a token is there: with one of ours the token has gone too."""
        return all(made.id != one.user_id for made in self.made if made.resource == "users")


def requests_of(client: ProcessMakerClient, process_ids: list[Any]) -> list[str]:
    return [
        f"requests/{row['id']}"
        for process_id in process_ids
        for row in client.iter_records("requests", pmql=f"process_id = {process_id}")
    ]


def deleted(client: ProcessMakerClient, path: str) -> Exception | None:
    """Delete something; why it is still there, if it is."""
    try:
        client.delete(path, idempotent=True)
    except NotFoundError:
        return None
    except CallRefusedError as problem:
        # A category that has an archived process in it stays, as that does. The next run takes it again.
        return None if path.startswith("process_categories/") and "processes" in problem.details else problem
    except ProcessMakerError as problem:
        return problem
    return None
