"""What an attempt does about the requests that earlier attempts have started. It asks nobody."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_processmaker.operators.attempts import Attempt

    Row = dict[str, Any]

__all__ = ["Decision", "Policy", "decide"]


@dataclass(frozen=True, slots=True)
class Policy:
    """What the author of the DAG wants.

    :param on_error: ``fail`` or ``restart``, for a retry that finds its request in ERROR or canceled.
    :param on_clear: ``resume`` or ``restart``, after a person has cleared the task.
    :param cancel_on_kill: whether a kill of the task cancels its request.
    """

    on_error: str = "fail"
    on_clear: str = "resume"
    cancel_on_kill: bool = True


@dataclass(frozen=True, slots=True)
class Decision:
    """What to do.

    :param why: for the log.
    :param adopt: requests of one start, oldest first, of which one is kept. Empty: start a new one.
    :param generation: of the new one.
    :param confirm: whether the ERROR of the adopted one must last before ``generation`` is started instead.
    :param cancel: requests of earlier attempts that a kill has promised to cancel.
    """

    why: str
    adopt: tuple[Row, ...] = ()
    generation: str = ""
    confirm: bool = False
    cancel: tuple[Row, ...] = ()


def _mark(row: Row) -> tuple[str, int]:
    """The generation of a request, and which start within it: a restart after an ERROR is the next one."""
    data = row.get("data")
    base, _, number = str(data.get("airflow_generation", "") if isinstance(data, dict) else "").partition("+")
    return base, int(number) if number.isdigit() else 0


def _moment(generation: str) -> str:
    return generation.partition("-")[2]


def decide(rows: list[Row], attempt: Attempt, notes: Mapping[str, Any], policy: Policy) -> Decision:
    """Decide by what is there.

    :param rows: the requests of the attempt's key, oldest first.
    :param attempt: the attempt.
    :param notes: of the latest attempt, whatever its generation.
    :param policy: what is wanted.
    """
    begun = notes.get("generation") == attempt.generation
    noted = notes.get("request_id") if begun else None
    if not attempt.run_cleared:
        # Another moment is that of an older run with the same name, which was deleted.
        moment = _moment(attempt.generation)
        rows = [row for row in rows if row["id"] == noted or _moment(_mark(row)[0]) == moment]
    mine = [row for row in rows if _mark(row)[0] == attempt.generation]
    if not mine and begun:
        # Adopted after a clear, or hidden by a process that has overwritten the key.
        mine = [row for row in rows if row["id"] == noted]
    if mine:
        return _again(mine, attempt, notes, policy)
    if rows and not attempt.first and not begun:
        return _cleared(rows, attempt, notes, policy)
    # What is there at the first attempt is of an older run with the same name, which was deleted.
    return Decision("Nothing was started before.", generation=attempt.generation)


def _again(rows: list[Row], attempt: Attempt, notes: Mapping[str, Any], policy: Policy) -> Decision:
    """The same generation: an automatic retry."""
    number = max(_mark(row)[1] for row in rows)
    latest = tuple(row for row in rows if _mark(row)[1] == number)
    status = _kept(latest)["status"]
    anew = f"{attempt.generation}+{number + 1}"
    phase = notes.get("phase") if notes.get("generation") == attempt.generation else None
    if status == "CANCELED":
        # An attempt that had seen it canceled by somebody else would have failed for good, or noted it.
        if policy.cancel_on_kill and not attempt.first and phase not in {"failed", "broken off"}:
            return Decision("The kill of the last attempt canceled its request.", generation=anew)
        if policy.on_error == "restart":
            return Decision("Its request was canceled, and on_error is restart.", generation=anew)
    if status == "ERROR" and policy.on_error == "restart":
        return Decision(
            "Its request is in ERROR, and on_error is restart.",
            adopt=latest,
            generation=anew,
            confirm=phase != "failed",
        )
    return Decision(f"An earlier attempt has started it; it is {status}.", adopt=latest)


def _cleared(rows: list[Row], attempt: Attempt, notes: Mapping[str, Any], policy: Policy) -> Decision:
    """Another generation: a person has cleared the task."""
    latest = tuple(row for row in rows if _mark(row) == _mark(rows[-1]))
    status = _kept(latest)["status"]
    # While it was deferred, the trigger's on_kill cancels the request by and by: it is as good as canceled.
    doomed = policy.cancel_on_kill and notes.get("phase") == "deferred"
    if policy.on_clear == "resume" and (status == "COMPLETED" or (status == "ACTIVE" and not doomed)):
        return Decision(f"The task was cleared; its request is {status}, and on_clear is resume.", adopt=latest)
    running = tuple(row for row in rows if row["status"] == "ACTIVE") if policy.cancel_on_kill else ()
    why = f"The task was cleared; its last request is {status}, and on_clear is {policy.on_clear}."
    return Decision(why, generation=attempt.generation, cancel=running)


def _kept(rows: tuple[Row, ...]) -> Row:
    return next((row for row in rows if row["status"] in {"ACTIVE", "COMPLETED"}), rows[0])
