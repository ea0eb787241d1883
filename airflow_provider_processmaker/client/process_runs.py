"""The verbs of the client that are about process runs: start, look, wait, cancel."""

from __future__ import annotations

import abc
import time
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.cancelling import cancel
from airflow_provider_processmaker.client.errors import UnexpectedAnswerError
from airflow_provider_processmaker.client.outages import OUTAGE_BUDGET, Outages, patiently
from airflow_provider_processmaker.client.pmql import field
from airflow_provider_processmaker.client.request_states import (
    NO_SHAPE,
    id_batches,
    is_request,
    look,
    request_id_of,
    request_ids_of,
    rows_of,
)
from airflow_provider_processmaker.client.run_results import verdict_error
from airflow_provider_processmaker.client.settings import check_range
from airflow_provider_processmaker.client.start_events import start_event_of
from airflow_provider_processmaker.client.starting import SETTLE_WINDOW, KeyedStart, checked_data, checked_key
from airflow_provider_processmaker.client.waiting import ERROR_GRACE, READ_TIMEOUT, Wait, wait_for
from airflow_provider_processmaker.client.web_links import request_url, serves_cases

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator, Mapping

    from airflow_provider_processmaker.client.cancelling import Cancellation
    from airflow_provider_processmaker.client.records import Record
    from airflow_provider_processmaker.client.settings import Settings
    from airflow_provider_processmaker.client.start_events import StartEvent

__all__ = ["ProcessRuns"]


class ProcessRuns(abc.ABC):
    """What :class:`~airflow_provider_processmaker.client.ProcessMakerClient` does with process runs."""

    settings: Settings
    _has_cases: bool | None = None

    @abc.abstractmethod
    def get(self, endpoint: str, params: Mapping[str, Any] | None = None, **options: Any) -> Any:
        """``GET`` an endpoint."""

    @abc.abstractmethod
    def post(self, endpoint: str, json: Any = None, **options: Any) -> Any:
        """``POST`` to an endpoint."""

    @abc.abstractmethod
    def put(self, endpoint: str, json: Any = None, **options: Any) -> Any:
        """``PUT`` to an endpoint."""

    @abc.abstractmethod
    def iter_records(self, resource: str, /, **options: Any) -> Iterator[Record]:
        """The records of a list."""

    def start_event(self, process: int | str, start_event: str | None = None) -> StartEvent:
        """Find where a process begins (``GET /start_processes``).

        :param process: id or exact name of a process.
        :param start_event: id or exact name of its start event. Default: the only plain one.
        :raises InvalidInputError: if nothing, or more than one thing, fits.
        """
        return start_event_of(
            lambda: self.iter_records("start_processes", page_size=1000, look_ahead=1), process, start_event
        )

    def start_process(
        self,
        process: int | str,
        data: Mapping[str, Any] | None = None,
        *,
        start_event: str | None = None,
        key: str | None = None,
        settle_window: float = SETTLE_WINDOW,
    ) -> Record:
        """Start a process, at most once for a key (``POST /process_events/{process}``).

        A request with the key that is there already is given back, whatever its status. If the answer is lost, it is
        looked for before the start is sent again.

        :param process: id or exact name of the process.
        :param data: the request's variables; a dict, or a JSON text of an object.
        :param start_event: id or exact name of the start event. Default: the only plain one.
        :param key: what makes this start this one, such as an order number: letters, digits and ``. _ : -``. It is kept
            in the data as ``airflow_key``. Default: a new one, which guards this call alone.
        :param settle_window: seconds for which a start without an answer is looked for before it is sent again.
        :return: the request, as far as the server had brought it: ``ACTIVE``, or already at an end.
        :raises InvalidInputError: for a wrong argument; nothing was sent.
        :raises ForbiddenError: if the user may not start it.
        :raises UnknownOutcomeError: if nobody can say whether it was started. With the same key, try again.
        """
        start = self.keyed_start(process, data, start_event=start_event, key=key, settle_window=settle_window)
        found = start.latest() if key is not None else []
        return start.oldest(found) if found else start.start()

    def keyed_start(
        self,
        process: int | str,
        data: Any = None,
        *,
        start_event: str | None = None,
        key: str | None = None,
        settle_window: float = SETTLE_WINDOW,
    ) -> KeyedStart:
        """A start of a process, checked and not yet done; the arguments are those of :meth:`start_process`.

        :param process: id or exact name of the process.
        :param data: the request's variables.
        :param start_event: id or exact name of the start event.
        :param key: what makes this start this one.
        :param settle_window: seconds for which a start without an answer is looked for.
        """
        check_range("settle_window", settle_window, 0, 3600)
        checked, given = checked_key(key), checked_data(data)
        event = self.start_event(process, start_event)
        return KeyedStart(api=self, event=event, key=checked, data=given, settle_window=settle_window)

    def get_request(self, request_id: int, *, data: bool = False, read_timeout: float | None = None) -> Record:
        """One request (``GET /requests/{id}``).

        :param request_id: its id.
        :param data: with its data.
        :param read_timeout: seconds to wait for the next piece of the answer. Default: that of the settings.
        :raises NotFoundError: if there is none.
        :raises ForbiddenError: if the user may not see it.
        """
        request_id = request_id_of(request_id)
        params = {"include": "data"} if data else None
        row = self.get(f"requests/{request_id}", params, read_timeout=read_timeout)
        if not is_request(row) or row["id"] != request_id:
            raise UnexpectedAnswerError(
                "The answer is not the request.",
                method="GET",
                path=f"/api/1.0/requests/{request_id}",
                server=self.settings.base_url,
                hint=NO_SHAPE,
            )
        found: Record = row
        return found

    def get_requests(self, ids: Iterable[int], *, data: bool = False) -> list[Record]:
        """Requests by their ids, some hundreds in one call (``GET /requests?pmql=id IN […]``).

        :param ids: their ids.
        :param data: with their data.
        :return: by ascending ids; those that were deleted, or that the user may not see, are left out.
        """
        extra: dict[str, Any] = {"include": "data"} if data else {}
        batches = id_batches(request_ids_of(ids))
        return [row for batch in batches for row in rows_of(self, field("id").is_in(batch), len(batch), **extra)]

    def request_statuses(self, ids: Iterable[int], *, read_timeout: float | None = None) -> dict[int, str]:
        """The status of each request, in as few calls as will do; see :func:`.look`.

        :param ids: their ids.
        :param read_timeout: seconds to wait for an answer.
        :return: the server's word for each; ``GONE`` for one that was deleted, ``HIDDEN`` for one that the user may not
            see, ``NOT TOLD`` for one of many missing ones that was not looked up this time.
        """
        batches: Iterator[Collection[int]] = id_batches(request_ids_of(ids))
        return {one: status for ids in batches for one, status in look(self, ids, read_timeout=read_timeout).items()}

    def wait_for_requests(
        self,
        ids: Iterable[int],
        statuses: Iterable[str] = ("COMPLETED",),
        *,
        poll_interval: float = 10.0,
        timeout: float | None = None,
        error_grace: float = ERROR_GRACE,
        outage_budget: float = OUTAGE_BUDGET,
    ) -> list[Record]:
        """Wait until each of some requests has one of some statuses.

        :param ids: their ids.
        :param statuses: any of ``ACTIVE``, ``COMPLETED``, ``ERROR``, ``CANCELED``.
        :param poll_interval: seconds between two looks.
        :param timeout: seconds after which to give up. Default: never.
        :param error_grace: seconds for which ERROR must last to count.
        :param outage_budget: seconds for which the server may be out of reach meanwhile.
        :return: the requests.
        :raises RequestFailedError: if one comes to another end.
        :raises RequestGoneError: if one was deleted, or may not be seen any more.
        :raises WaitTimeoutError: if the time is up.
        """
        if timeout is not None:
            check_range("timeout", timeout, 0, 86_400 * 365 * 10)
        deadline = None if timeout is None else time.time() + timeout
        wait = Wait(ids, statuses, error_grace=error_grace, outage_budget=outage_budget, deadline=deadline)
        ask = lambda: self.request_statuses(wait.open, read_timeout=READ_TIMEOUT)  # noqa: E731
        verdict = wait_for(wait, ask, poll_interval=poll_interval)
        if verdict is None or verdict.kind != "reached":
            raise verdict_error(self, verdict) if verdict else AssertionError("a wait ends with a verdict")
        read = lambda: self.get_requests(wait.ids)  # noqa: E731
        left = outage_budget if wait.remaining is None else min(outage_budget, wait.remaining)
        return patiently(read, Outages(left), pause=poll_interval, sleep=time.sleep)

    def cancel_request(
        self, request_id: int, *, only: Collection[str] = ("ACTIVE",), read_timeout: float | None = None
    ) -> Cancellation:
        """Cancel a request that is under way (``PUT /requests/{id}``); one that has ended is left as it is.

        :param request_id: its id.
        :param only: the statuses in which it is canceled.
        :param read_timeout: seconds to wait for an answer.
        :return: its status before and after.
        :raises NotFoundError: if there is none.
        :raises ForbiddenError: if the user has no right to cancel requests of its process.
        :raises UnknownOutcomeError: if the server took the call and the request is not canceled; retryable.
        """
        return cancel(self, request_id_of(request_id), only=only, read_timeout=read_timeout)

    def link(self, request_id: int, case_number: Any = None) -> str:
        """The page of a request: of its case, where the server has pages for cases.

        :param request_id: its id.
        :param case_number: number of its case.
        """
        if case_number and self._has_cases is None:
            self._has_cases = serves_cases(self)
        return request_url(self.settings.base_url, request_id, case_number if self._has_cases else None)

    def link_of(self, row: Record) -> str:
        """The page of a request.

        :param row: the request.
        """
        return self.link(row["id"], row.get("case_number"))
