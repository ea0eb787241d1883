"""The rows of processes and of what runs in them."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.testing.table import Table

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.clock import Clock
    from airflow_provider_processmaker.testing.workflow.bpmn import Definition, Node

REQUEST_MODEL = "ProcessMaker\\Models\\ProcessRequest"
ACTIVE = "ACTIVE"


@dataclass
class Category:
    """A category of processes, screens or scripts."""

    id: int
    columns: dict[str, Any]


@dataclass
class Rights:
    """Who may do something with a process besides administrators: ids of users and of groups."""

    users: set[int] = field(default_factory=set)
    groups: set[int] = field(default_factory=set)


@dataclass
class Version:
    """A process as it was saved once; requests run in the version that they started in."""

    id: int
    process: Process
    columns: dict[str, Any]
    definition: Definition


@dataclass
class Process:
    """A process: ``columns`` are what every view of it shows."""

    id: int
    columns: dict[str, Any]
    bpmn: str
    definition: Definition
    versions: list[Version] = field(default_factory=list)
    manager_id: int | None = None
    # CANCEL, EDIT_DATA
    rights: dict[str, Rights] = field(default_factory=dict)
    # How long its scripts take; None for the server's usual time.
    script_seconds: float | None = None

    @property
    def name(self) -> str:
        """Its name."""
        return str(self.columns["name"])

    @property
    def status(self) -> str:
        """ACTIVE, INACTIVE or ARCHIVED."""
        return str(self.columns["status"])

    @property
    def version(self) -> Version:
        """The newest version."""
        return self.versions[-1]


@dataclass
class Token:
    """A token: of a task that waits for a person, or of any other element that one came through."""

    id: int
    request: ProcessRequest
    node: Node
    columns: dict[str, Any]
    # Orders rows that changed in the same second.
    touched: int = 0
    properties: dict[str, Any] = field(default_factory=dict)

    @property
    def status(self) -> str:
        """ACTIVE, FAILING, CLOSED, ..."""
        return str(self.columns["status"])

    @property
    def user_id(self) -> int | None:
        """The assignee."""
        value: int | None = self.columns["user_id"]
        return value

    @property
    def is_active(self) -> bool:
        """Whether something is still to be done here."""
        return bool(self.columns["status"] == ACTIVE)


@dataclass
class ProcessRequest:
    """A run of a process."""

    id: int
    process: Process
    version: Version
    columns: dict[str, Any]
    data: dict[str, Any]
    start: Node
    tokens: list[Token] = field(default_factory=list)
    # Flows on which a token waits at a gateway, by gateway.
    arrived: dict[str, list[str]] = field(default_factory=dict)
    # What the data says of the request to its own scripts and screens, as of its start.
    snapshot: dict[str, Any] = field(default_factory=dict)
    # Columns that were set so far, for the answer to a start shows no others.
    fresh: set[str] = field(default_factory=set)
    parent_token: Token | None = None
    # Its subprocesses, as far as they are not deleted.
    children: list[ProcessRequest] = field(default_factory=list, repr=False)
    # How many steps of the engine are under way in it, one inside the other.
    depth: int = 0

    def __repr__(self) -> str:
        return f"<ProcessRequest {self.id} {self.name!r} {self.status}>"

    @property
    def status(self) -> str:
        """ACTIVE, COMPLETED, ERROR or CANCELED."""
        return str(self.columns["status"])

    @property
    def process_id(self) -> int:
        """The process."""
        return self.process.id

    @property
    def name(self) -> str:
        """The name, which is the process's."""
        return str(self.columns["name"])

    @property
    def user_id(self) -> int | None:
        """Who started it."""
        value: int | None = self.columns["user_id"]
        return value

    @property
    def case_number(self) -> int:
        """The number of its case; a subprocess has its parent's."""
        return int(self.columns["case_number"])

    @property
    def parent_request_id(self) -> int | None:
        """The request that it is a subprocess of."""
        value: int | None = self.columns["parent_request_id"]
        return value

    @property
    def errors(self) -> list[dict[str, Any]]:
        """What went wrong, oldest first."""
        found = self.columns["errors"] or []
        return list(found.values() if isinstance(found, dict) else found)

    @property
    def tasks(self) -> list[Token]:
        """The tokens at tasks for people."""
        return [token for token in self.tokens if token.columns["element_type"] == "task"]

    def update(self, **columns: Any) -> None:
        """
        Set columns.

        :param columns: by name.
        """
        self.columns.update(columns)
        self.fresh.update(columns)


@dataclass
class Media:
    """An uploaded file."""

    id: int
    columns: dict[str, Any]
    content: bytes = field(repr=False)


@dataclass
class Script:
    """A script. The stand-in runs no code: ``run`` says what it would return."""

    id: int
    columns: dict[str, Any]
    run: Callable[[Any, Any], Any] | None = None


@dataclass
class Screen:
    """A screen."""

    id: int
    columns: dict[str, Any]


@dataclass
class Row:
    """Anything else that has an id and columns."""

    id: int
    columns: dict[str, Any]


class Workflow:
    """The tables."""

    def __init__(self, clock: Clock) -> None:
        self.clock = clock
        self.categories: dict[str, Table[Category]] = {
            kind: Table() for kind in ("process_categories", "screen_categories", "script_categories")
        }
        # What a fresh server has of its own: rows that the lists do not show.
        self.processes: Table[Process] = Table(first=2)
        self.versions: Table[Version] = Table(first=2)
        self.requests: Table[ProcessRequest] = Table()
        self.tokens: Table[Token] = Table()
        self.media: Table[Media] = Table()
        self.scripts: Table[Script] = Table()
        self.screens: Table[Screen] = Table(first=3)
        self.drafts: Table[Row] = Table()
        self.comments: Table[Row] = Table()
        self.security_logs: Table[Row] = Table()
        self.settings: Table[Row] = Table()
        self.task_assignments: Table[Row] = Table()
        self.notifications: dict[str, dict[str, Any]] = {}
        self.signals: dict[str, dict[str, Any]] = {}
        self.chunks: dict[str, dict[int, bytes]] = {}
        self.results: dict[str, tuple[float, Any]] = {}
        # What scripts do that came in as code: by title.
        self.script_behaviour: dict[str, Callable[[Any, Any], Any]] = {}
        self.last_case = 0
        self.last_collaboration = 0
        self.touches = 0
        self._fill()

    def _fill(self) -> None:
        for kind, names in (
            ("process_categories", (("System", 1), ("Uncategorized", 0))),
            ("screen_categories", (("System", 1), ("Uncategorized", 0))),
            ("script_categories", (("Uncategorized", 0),)),
        ):
            for name, is_system in names:
                self.new_category(kind, {"name": name, "status": "ACTIVE"}, is_system)

    def new_category(self, kind: str, values: dict[str, Any], is_system: int = 0) -> Category:
        """
        Add a category.

        :param kind: which table.
        :param values: name and status.
        :param is_system: hidden from the lists.
        """
        table = self.categories[kind]
        now = self.clock.iso()
        row_id = table.next_id()
        stamps = {"is_system": is_system, "created_at": now, "updated_at": now}
        return table.add(Category(row_id, {"id": row_id, "uuid": str(uuid.uuid4()), **values, **stamps}))

    def touch(self) -> int:
        """The next number in the order of changes."""
        self.touches += 1
        return self.touches
