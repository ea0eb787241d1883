"""What a task may know of its earlier attempts: the key and the generation of its start, and its own notes."""

from __future__ import annotations

import hashlib
import json
import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import Context

__all__ = ["Attempt", "Notes", "attempt_of"]

log = logging.getLogger(__name__)

_NOTES = "processmaker_start"


@dataclass(frozen=True, slots=True)
class Attempt:
    """One attempt of a task.

    :param key: the same for all attempts of one task in one run, and for no other.
    :param generation: the same for an automatic retry; another one after a person has cleared the task. Made of
        ``max_tries``, which a clear raises in almost every case, and of the start of the DAG run, which a clear of a
        finished run moves. Not of ``retries``, which may be edited between two tries.
    :param first: whether there was none before.
    :param run_cleared: whether the DAG run may have been cleared, which is what moves its start; without that, a
        request of another moment is one of an older run with the same name.
    """

    key: str
    generation: str
    first: bool
    run_cleared: bool = True


def attempt_of(context: Context) -> Attempt:
    """The attempt that this is.

    :param context: Airflow's context.
    """
    from airflow_provider_processmaker.hooks.installation import installation_id

    ti = context["ti"]
    names = [installation_id(), ti.dag_id, ti.run_id, ti.task_id, ti.map_index]
    digest = hashlib.sha256(json.dumps(names).encode()).hexdigest()
    run_started = context["dag_run"].start_date
    moment = round(run_started.timestamp() * 1_000_000) if run_started else 0
    cleared = getattr(context["dag_run"], "clear_number", None) != 0
    return Attempt(f"af1-{digest[:32]}", f"{ti.max_tries}-{moment}", ti.try_number <= 1, cleared)


class Notes:
    """What the attempts of a task tell each other, where Airflow keeps it (``task_state_store``, since 3.3).

    ``generation`` and ``request_id`` of the start, its ``deadline``, and the ``phase``: ``starting``, ``waiting``,
    ``deferred``, ``done``, ``failed`` (its request was) or ``broken off`` (by an outage). A dead attempt leaves the
    phase in which it died.

    :param context: Airflow's context.
    """

    def __init__(self, context: Context) -> None:
        self._store: Any = context.get("task_state_store")
        self._known: dict[str, Any] = self._read()

    def _read(self) -> dict[str, Any]:
        if self._store is None:
            return {}
        try:
            found = self._store.get(_NOTES)
        except Exception:
            # The search by the key does without.
            log.warning("Airflow's task_state_store cannot be read.", exc_info=True)
            return {}
        return dict(found) if isinstance(found, dict) else {}

    def get(self, name: str) -> Any:
        """What is noted; None if nothing is.

        :param name: of the note.
        """
        return self._known.get(name)

    def of(self, generation: str) -> dict[str, Any]:
        """All notes, if they are of a generation; else none.

        :param generation: which one.
        """
        return dict(self._known) if self._known.get("generation") == generation else {}

    def write(self, **changes: Any) -> None:
        """Note something for the attempts to come.

        :param changes: by name; None takes a note away.
        :raises Exception: if the task was cleared meanwhile, so that this attempt goes no further.
        """
        merged = {**self._known, **changes}
        self._known = {name: value for name, value in merged.items() if value is not None}
        if self._store is None:
            return
        try:
            self._store.set(_NOTES, self._known)
        except Exception as error:
            if _is_cleared(error):
                raise
            log.warning("Airflow's task_state_store cannot be written; going on without.", exc_info=True)


def _is_cleared(error: Exception) -> bool:
    """After a clear the task instance of the old attempt is not known any more."""
    detail = getattr(getattr(error, "error", None), "detail", None)
    return isinstance(detail, dict) and detail.get("status_code") == 404
