"""Waiting for requests in the triggerer."""

from __future__ import annotations

import asyncio
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

#: Seconds for an answer, and for all: Airflow gives ``on_kill`` 30 s.
KILL_TIMEOUT, KILL_WAIT = 8.0, 25.0


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
        self.log.info("Waiting for the requests %s, looking every %g s.", wait.ids, self.poll_interval)
        with poller.watch(wait.ids, self.poll_interval) as watch:
            while True:
                answers = await watch.next(timeout=wait.remaining)
                verdict = (_told(wait, answers) if answers else None) or wait.expired()
                if verdict:
                    return verdict.as_dict()

    async def on_kill(self) -> None:
        """Cancel what is still ACTIVE, by its id: the key of a start may belong to a newer attempt already."""
        if not self.cancel_on_kill:
            return
        from airflow_provider_processmaker.client.request_states import request_ids_of

        left: list[int] = []
        try:
            left += request_ids_of(self.request_ids)
            async with asyncio.timeout(KILL_WAIT):
                await self._cancel_all(left)
        except TimeoutError:
            self.log.warning("The cancellation of the requests %s is not confirmed: the time is up.", left)
        except Exception:
            self.log.exception("The requests %s are not canceled.", left or self.request_ids)

    async def _cancel_all(self, left: list[int]) -> None:
        from airflow_provider_processmaker.client.errors import ProcessMakerError
        from airflow_provider_processmaker.hooks.asynchronous import LoopClient

        client = LoopClient(self.processmaker_conn_id, read_timeout=KILL_TIMEOUT)
        while left:
            try:
                done = await client.call(functools.partial(_cancel, request_id=left[0]))
            except ProcessMakerError as error:
                self.log.warning("Request %s is not canceled, or not for certain: %s", left[0], error)
            else:
                self.log.info("Request %s was %s and is %s.", left[0], done.found, done.status)
            del left[0]
        await client.close()


def _cancel(client: ProcessMakerClient, request_id: int) -> Any:
    return client.cancel_request(request_id)


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
