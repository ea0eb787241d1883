"""Waiting for requests in the triggerer."""

from __future__ import annotations

import functools
from typing import TYPE_CHECKING, Any

from airflow.triggers.base import BaseTrigger, TriggerEvent

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Collection, Mapping

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.client.waiting import Verdict, Wait
    from airflow_provider_processmaker.triggers.polling import Poller

__all__ = ["ProcessMakerRequestTrigger"]

#: Seconds: Airflow gives ``on_kill`` 30. Kills that come within the shorter time go together.
KILL_WAIT, KILL_TOGETHER = 25.0, 0.3


class ProcessMakerRequestTrigger(BaseTrigger):
    """Wait until each of some requests has one of some statuses.

    All triggers of one connection in one triggerer share one poller, so that a thousand of them cost a few calls an
    interval. It ends with one event: the :class:`.Verdict` as plain data, also for an error. Nothing is raised.

    Arguments that it does not know are ignored, so that a trigger of another version of this package can be resumed.

    :param request_ids: ids of the requests.
    :param statuses: the statuses that are waited for. Default: ``COMPLETED``.
    :param poll_interval: seconds between two looks. Default: 30.
    :param deadline: when to give up, in seconds since the epoch. Default: never.
    :param error_grace: seconds for which ERROR must last to count. Default: 60.
    :param outage_budget: seconds for which the server may be out of reach. Default: 600.
    :param cancel_on_kill: cancel the requests that are still ACTIVE when the task is cleared or marked while it is
        deferred (Airflow 3.3). Default: False.
    :param processmaker_conn_id: id of the connection.
    """

    def __init__(
        self,
        request_ids: Collection[int] = (),
        *,
        statuses: Collection[str] = ("COMPLETED",),
        poll_interval: float = 30.0,
        deadline: float | None = None,
        error_grace: float = 60.0,
        outage_budget: float = 600.0,
        cancel_on_kill: bool = False,
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **_: Any,
    ) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.request_ids = request_ids
        self.statuses = statuses
        self.poll_interval = poll_interval
        self.deadline = deadline
        self.error_grace = error_grace
        self.outage_budget = outage_budget
        self.cancel_on_kill = cancel_on_kill
        self.processmaker_conn_id = processmaker_conn_id

    def serialize(self) -> tuple[str, dict[str, Any]]:
        """The class and its arguments, as Airflow's database keeps them. No secret is among them."""
        return (
            f"{type(self).__module__}.{type(self).__qualname__}",
            {
                "request_ids": list(self.request_ids),
                "statuses": sorted(self.statuses),
                "poll_interval": self.poll_interval,
                "deadline": self.deadline,
                "error_grace": self.error_grace,
                "outage_budget": self.outage_budget,
                "cancel_on_kill": self.cancel_on_kill,
                "processmaker_conn_id": self.processmaker_conn_id,
            },
        )

    async def run(self) -> AsyncIterator[TriggerEvent]:
        """Wait, and tell how it ended."""
        from airflow_provider_processmaker.triggers.ending import told_as_event

        yield TriggerEvent(await told_as_event(self._event(), self.log))  # type: ignore[no-untyped-call]

    async def _event(self) -> dict[str, Any]:
        from airflow_provider_processmaker.client.waiting import Wait
        from airflow_provider_processmaker.triggers.polling import shared

        wait = Wait(
            self.request_ids,
            self.statuses,
            error_grace=self.error_grace,
            outage_budget=self.outage_budget,
            deadline=self.deadline,
        )
        poller = shared(("requests", self.processmaker_conn_id), lambda: _poller(self.processmaker_conn_id))
        shown = f"{wait.ids[:10]}{' and more' if len(wait.ids) > 10 else ''}"
        self.log.info("Waiting for %d requests, %s, looking every %g s.", len(wait.ids), shown, self.poll_interval)
        watch = poller.watch(wait.open, self.poll_interval)
        try:
            while True:
                answers = await watch.next(timeout=wait.remaining)
                verdict = (_told(wait, answers) if answers else None) or wait.expired()
                if verdict:
                    return verdict.as_dict()
                if len(wait.open) < len(watch.questions):
                    # The new one first: the poller ends with its last watch.
                    old, watch = watch, poller.watch(wait.open, self.poll_interval)
                    old.leave()
        finally:
            watch.leave()

    async def on_kill(self) -> None:
        """Cancel what is still ACTIVE, by its id: the key of a start may belong to a newer attempt already."""
        if not self.cancel_on_kill:
            return
        from airflow_provider_processmaker.client.request_states import request_ids_of
        from airflow_provider_processmaker.triggers.kills import killer

        left: list[int] = []
        try:
            left += request_ids_of(self.request_ids)
            with killer(self.processmaker_conn_id).watch(left, KILL_TOGETHER) as watch:
                told = await watch.next(timeout=KILL_WAIT)
        except Exception:
            self.log.exception("The requests %s are not canceled.", left or self.request_ids)
            return
        for request_id in left:
            answer = None if told is None else told[request_id]
            if answer is None:
                self.log.warning("The cancellation of the request %s is not confirmed: the time is up.", request_id)
            elif isinstance(answer, Exception):
                self.log.warning("Request %s is not canceled, or not for certain: %s", request_id, answer)
            else:
                self.log.info("Request %s was %s and is %s.", request_id, answer.found, answer.status)


def _told(wait: Wait, answers: Mapping[int, str | Exception]) -> Verdict | None:
    from airflow_provider_processmaker.triggers.ending import as_client_error

    for answer in answers.values():
        if isinstance(answer, Exception):
            return wait.failed(as_client_error(answer))
    return wait.saw({one: str(answer) for one, answer in answers.items()})


def _poller(conn_id: str) -> Poller[int, str]:
    """One poller for all requests of a connection that are waited for."""
    from airflow_provider_processmaker.hooks.asynchronous import LoopClient
    from airflow_provider_processmaker.triggers.polling import Poller

    client = LoopClient(conn_id)

    async def ask(ids: Collection[int]) -> Mapping[int, str | Exception]:
        return await client.call(functools.partial(_statuses, ids=ids))

    return Poller(ask, close=client.close)


def _statuses(client: ProcessMakerClient, ids: Collection[int]) -> dict[int, str | Exception]:
    """The statuses, batch by batch; what one batch meets does not hide the answers to the others."""
    from airflow_provider_processmaker.client.errors import ProcessMakerError
    from airflow_provider_processmaker.client.request_states import id_batches, look

    told: dict[int, str | Exception] = {}
    outage: ProcessMakerError | None = None
    for batch in id_batches(ids):
        if outage is None:
            try:
                told.update(look(client, batch))
                continue
            except ProcessMakerError as error:
                outage = error
        # A server that is out of reach is not asked once for every batch.
        told.update(dict.fromkeys(batch, outage))
    return told
