"""Waiting in the triggerer until a list has enough records."""

from __future__ import annotations

import functools
import json
import time
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.triggers.polling import Poller

__all__ = ["ProcessMakerRecordsTrigger"]


class ProcessMakerRecordsTrigger(BaseTrigger):
    """Wait until a list has enough records that match a query.

    Triggers of one connection that ask the same share the call. It ends with one event: ``{"kind": "reached", "count":
    …}``, ``{"kind": "timeout", "count": …}``, or ``{"kind": "error", "error": …}``. Nothing is raised.

    :param resource: name of the list.
    :param query: its parameters.
    :param at_least: how many records are enough. Default: 1.
    :param poll_interval: seconds between two looks. Default: 60.
    :param deadline: when to give up, in seconds since the epoch. Default: never.
    :param outage_budget: seconds for which the server may be out of reach. Default: 600.
    :param processmaker_conn_id: id of the connection.
    """

    def __init__(
        self,
        resource: str = "",
        *,
        query: Mapping[str, Any] | None = None,
        at_least: int = 1,
        poll_interval: float = 60.0,
        deadline: float | None = None,
        outage_budget: float = 600.0,
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **_: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.resource = resource
        self.query = query
        self.at_least = at_least
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.outage_budget = outage_budget
        self.processmaker_conn_id = processmaker_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow's database keeps them. No secret is among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "resource": self.resource,
                "query": dict(self.query or {}),
                "at_least": self.at_least,
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "outage_budget": self.outage_budget,
                "processmaker_conn_id": self.processmaker_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and tell how it ended."""
        from airflow_provider_processmaker.triggers.ending import told_as_event

        yield TriggerEvent(await told_as_event(self._event(), self.log))  # type: ignore[no-untyped-call]

    async def _event(self) -> dict[str, Any]:
        from airflow_provider_processmaker.client.outages import Outages
        from airflow_provider_processmaker.triggers.ending import as_client_error
        from airflow_provider_processmaker.triggers.polling import shared

        outages = Outages(self.outage_budget)
        question = (self.resource, json.dumps(dict(self.query or {}), sort_keys=True))
        poller = shared(("records", self.processmaker_conn_id), lambda: _poller(self.processmaker_conn_id))
        count: int | None = None
        with poller.watch([question], self.poll_interval) as watch:
            while True:
                remaining = None if self.deadline is None else max(0.0, self.deadline - time.time())
                answer = (await watch.next(timeout=remaining) or {}).get(question)
                if isinstance(answer, Exception):
                    if final := outages.failed(as_client_error(answer)):
                        return {"kind": "error", "error": final}
                elif answer is not None:
                    outages.over()
                    count = answer
                    self.log.info("%s: %d records of the %d waited for.", self.resource, count, self.at_least)
                    if count >= self.at_least:
                        return {"kind": "reached", "count": count}
                if self.deadline is not None and time.time() >= self.deadline:
                    return {"kind": "timeout", "count": count}


def _poller(conn_id: str) -> Poller[tuple[str, str], int]:
    """One poller for all lists of a connection that are waited for."""
    from airflow_provider_processmaker.hooks.asynchronous import LoopClient
    from airflow_provider_processmaker.triggers.polling import Poller

    client = LoopClient(conn_id)

    async def ask(questions: Collection[tuple[str, str]]) -> Mapping[tuple[str, str], int | Exception]:
        return await client.call(functools.partial(_counts, questions=questions))

    return Poller(ask, close=client.close)


def _counts(client: ProcessMakerClient, questions: Collection[tuple[str, str]]) -> dict[tuple[str, str], Any]:
    """How many records each list has; a query that the server refuses does not hide the answers to the others."""
    from airflow_provider_processmaker.client.errors import ProcessMakerError, TransportError

    told: dict[tuple[str, str], Any] = {}
    outage: TransportError | None = None
    for question in questions:
        try:
            told[question] = outage or client.count(question[0], **json.loads(question[1]))
        except TransportError as error:
            told[question] = outage = error
        except ProcessMakerError as error:
            told[question] = error
    return told
