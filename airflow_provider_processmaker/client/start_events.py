"""Which process, and which of its start events, is meant."""

from __future__ import annotations

import json
import re
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.suggest import did_you_mean

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from airflow_provider_processmaker.client.records import Record

    Startable = Callable[[], Iterator[Record]]

__all__ = ["StartEvent", "start_event_of"]

_WHY_MISSING = (
    "Only processes that the user of the connection may start by hand are found by themselves: active ones, of an "
    "active category, with a start event that he is assigned to and that is no timer and no web entry."
)


@dataclass(frozen=True, slots=True)
class StartEvent:
    """Where a process begins.

    :param process_id: id of the process.
    :param event_id: id of the start event in its diagram, such as ``node_1``.
    :param process_name: name of the process; None if it was not looked up.
    """

    process_id: int
    event_id: str
    process_name: str | None = None


def start_event_of(startable: Startable, process: int | str, start_event: str | None) -> StartEvent:
    """Find a start event (``GET /start_processes``).

    :param startable: gives the processes that may be started.
    :param process: id or exact name of a process.
    :param start_event: id or exact name of its start event. Default: the only plain one.
    :raises InvalidInputError: if nothing, or more than one thing, fits; it names what there is.
    """
    process_id = _process_id(process)
    if start_event is not None and (not isinstance(start_event, str) or not start_event.strip()):
        raise InvalidInputError(f"The start event must be its id or its name, not {start_event!r}.")
    # A row without an id cannot be started.
    rows = [row for row in startable() if type(row.get("id")) is int]
    fitting = [row for row in rows if (row.get("id") == process_id if process_id else row.get("name") == process)]
    if not fitting:
        if process_id and start_event:
            # Not for this user to see in the list, perhaps; the server has the last word.
            return StartEvent(process_id, start_event)
        raise _no_process(process, rows)
    if len(fitting) > 1:
        ids = ", ".join(str(row.get("id")) for row in fitting)
        raise InvalidInputError(f'{len(fitting)} processes have the name "{process}".', hint=f"Give the id: {ids}.")
    row = fitting[0]
    return StartEvent(row["id"], _event_id(row, start_event), str(row.get("name")))


def _process_id(process: int | str) -> int | None:
    """An id, also from the text that a template makes of it; None for a name."""
    text = str(process).strip() if isinstance(process, int | str) and not isinstance(process, bool) else ""
    number = int(text) if re.fullmatch(r"-?[0-9]{1,18}", text) else None
    if not text or (number is not None and number < 1):
        raise InvalidInputError(f"The process must be its id or its exact name, not {process!r}.")
    return number


def _no_process(process: int | str, rows: list[Record]) -> InvalidInputError:
    names = [str(row.get("name")) for row in rows]
    nearest = f"{did_you_mean(process, names)} " if isinstance(process, str) and names else ""
    shown = f"with the id {process}" if _process_id(process) else f'with the name "{process}"'
    return InvalidInputError(f"There is no process {shown} to start.", hint=f"{nearest}{_WHY_MISSING}")


def _event_id(row: Record, wanted: str | None) -> str:
    mine = _events(row, ("startEvents", "events", "start_events"))
    if wanted is None:
        plain = [event for event in mine if _is_plain(event)]
        if len(plain) == 1:
            return str(plain[0]["id"])
        found = f"{len(plain)} plain start events" if plain else "no plain start event"
        raise InvalidInputError(
            f'The process "{row.get("name")}" has {found} for this user.',
            hint=f"Give start_event: {_listed(mine)}.",
        )
    every = [*mine, *_events(row, ("start_events",))]
    for key in ("id", "name"):
        ids = {str(event["id"]) for event in every if event.get(key) == wanted}
        if len(ids) == 1:
            return ids.pop()
    raise InvalidInputError(
        f'The process "{row.get("name")}" has no single start event "{wanted}".', hint=f"There are: {_listed(every)}."
    )


def _events(row: Record, keys: Iterable[str]) -> list[dict[str, Any]]:
    for key in keys:
        events = row.get(key)
        if isinstance(events, list) and events:
            return [event for event in events if isinstance(event, dict) and event.get("id")]
    return []


def _listed(events: list[dict[str, Any]]) -> str:
    shown = dict.fromkeys(f'{event["id"]} ("{event.get("name")}")' for event in events)
    return ", ".join(shown) or "none"


def _is_plain(event: dict[str, Any]) -> bool:
    """Neither a timer, message, signal or condition, nor a web entry (its ``config`` is JSON in a text)."""
    if event.get("eventDefinitions"):
        return False
    try:
        config = json.loads(event.get("config") or "{}")
    except (TypeError, ValueError):
        return True
    return not (isinstance(config, dict) and config.get("web_entry"))
