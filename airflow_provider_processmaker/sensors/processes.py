"""A sensor that waits for requests."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, BaseSensorOperator, PokeReturnValue, conf

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION
from airflow_provider_processmaker.hooks.failing import failing_at_once
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.links.processmaker import ProcessMakerRequestLink
from airflow_provider_processmaker.sensors.endings import is_airflows_own, skipping_softly, timed_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.client.waiting import Verdict, Wait

__all__ = ["ProcessMakerRequestSensor"]

#: Airflow allows none between two looks.
SHORTEST = 0.1
_INSTEAD = "Read what you need of the data with the client, in a @task."


class ProcessMakerRequestSensor(BaseSensorOperator):
    """Wait until requests that were started elsewhere have one of some statuses.

    Many requests cost hardly more than one (``GET /requests?pmql=id IN […]``). Works in the modes ``poke`` and
    ``reschedule``, and deferrable, where all waits of a connection share one poller; results and errors are the same.
    In ``reschedule`` mode it keeps its worker while something is in doubt: while a request is in ERROR for less than
    ``error_grace``, or the server is out of reach for less than ``outage_budget``.

    :param request_ids: id of a request, or a list of ids. (templated)
    :param statuses: any of ``ACTIVE``, ``COMPLETED``, ``ERROR``, ``CANCELED``. Default: ``COMPLETED``. (templated)
    :param error_grace: seconds for which an ERROR must last to count. Default: 60.
    :param outage_budget: seconds for which ProcessMaker may be out of reach. Default: 600.
    :param return_data: add the data of the requests to the result. Default: False.
    :param deferrable: wait in the triggerer; ``poke_interval`` is how often it looks. Default: ``[operators]
        default_deferrable``.
    :param processmaker_conn_id: id of the connection. (templated)
    :return: for one id the request in a few fields, as the start operator gives it; for a list a list of them, by
        ascending ids.
    :raises AirflowFailException: if a request comes to another end, was deleted, or may not be seen; or for another
        error that no retry can mend.
    :raises AirflowSensorTimeout: if the time is up.
    """

    template_fields: Sequence[str] = ("request_ids", "statuses", "processmaker_conn_id")
    operator_extra_links = (ProcessMakerRequestLink(),)
    ui_color = "#fef3c7"

    def __init__(
        self,
        *,
        request_ids: int | str | Sequence[int | str],
        statuses: str | Sequence[str] = ("COMPLETED",),
        error_grace: float = 60.0,
        outage_budget: float = 600.0,
        return_data: bool = False,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.request_ids = request_ids
        self.statuses = statuses
        self.error_grace = error_grace
        self.outage_budget = outage_budget
        self.return_data = return_data
        self.deferrable = deferrable
        self.processmaker_conn_id = processmaker_conn_id
        self._deadline: float | None = None

    def execute(self, context: Context) -> Any:
        """Wait.

        :param context: Airflow's context.
        """
        if not self.deferrable:
            try:
                return super().execute(context)
            except AirflowSensorTimeout as error:
                if not is_airflows_own(error):
                    raise
            return self._last_look(context)
        with skipping_softly(self):
            seen = self.poke(context)
            if seen.is_done:
                return seen.xcom_value
            self._defer()
        return None

    def poke(self, context: Context) -> PokeReturnValue:
        """Look once; longer only while something is in doubt.

        :param context: Airflow's context.
        """
        from airflow_provider_processmaker.client.waiting import READ_TIMEOUT, wait_for

        first = self._deadline is None
        if self._deadline is None:
            self._deadline = time.time() + self.timeout
        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            wait = self._wait()
            if first:
                # In reschedule mode each look is a process of its own: there the link costs no call.
                ProcessMakerRequestLink.persist(context, client.link(wait.ids[0]))
            verdict = wait_for(
                wait,
                lambda: client.request_statuses(wait.open, read_timeout=READ_TIMEOUT),
                poll_interval=max(self.poke_interval, SHORTEST),
                hand_back=True,
                sleep=self._pause,
            )
            if verdict is None:
                return PokeReturnValue(is_done=False)
            return PokeReturnValue(is_done=True, xcom_value=self._ended(client, verdict, context))

    def execute_complete(self, context: Context, event: dict[str, Any] | None, **_: Any) -> Any:
        """Go on after the triggerer has waited.

        :param context: Airflow's context.
        :param event: how the wait ended: :meth:`.Verdict.as_dict`.
        """
        from airflow_provider_processmaker.client.waiting import Verdict

        with (
            skipping_softly(self),
            failing_at_once(self.processmaker_conn_id),
            ProcessMakerHook(self.processmaker_conn_id).client as client,
        ):
            verdict = Verdict.of(event or {})
            if verdict.kind == "timeout":
                # They may have come to their ends while no triggerer ran.
                return self._last_look(context)
            return self._ended(client, verdict, context)

    def _last_look(self, context: Context) -> Any:
        """Look once more, when the time is up: that ends it in any case."""
        self._deadline = time.time()
        return self.poke(context).xcom_value

    def _pause(self, seconds: float) -> None:
        """While something is in doubt: that, too, is better waited for in the triggerer."""
        if self.deferrable:
            self._defer()
        time.sleep(seconds)

    def _wait(self) -> Wait:
        from airflow_provider_processmaker.client.waiting import Wait

        return Wait(
            self._ids(),
            [self.statuses] if isinstance(self.statuses, str) else self.statuses,
            error_grace=self.error_grace,
            outage_budget=self.outage_budget,
            deadline=self._deadline,
        )

    def _ids(self) -> list[int]:
        from airflow_provider_processmaker.operators.query import checked_ids

        given = self.request_ids
        return checked_ids([given] if isinstance(given, int) else given) or []

    def _is_one(self) -> bool:
        given = self.request_ids
        return isinstance(given, int) or (isinstance(given, str) and given.strip().isdigit())

    def _defer(self) -> None:
        from airflow_provider_processmaker.operators.limits import NET
        from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger

        wait = self._wait()
        self.defer(
            trigger=ProcessMakerRequestTrigger(
                wait.ids,
                statuses=sorted(wait.wanted),
                poll_interval=max(self.poke_interval, SHORTEST),
                deadline=self._deadline,
                error_grace=self.error_grace,
                outage_budget=self.outage_budget,
                processmaker_conn_id=self.processmaker_conn_id,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + NET),
        )

    def _ended(self, client: ProcessMakerClient, verdict: Verdict, context: Context) -> Any:
        from airflow_provider_processmaker.client.outages import Outages, patiently
        from airflow_provider_processmaker.client.run_results import result_of, verdict_error
        from airflow_provider_processmaker.operators.xcom import MAX_BYTES, check_size

        if verdict.kind != "reached":
            error = verdict_error(client, verdict)
            raise timed_out(self, str(error)) if verdict.kind == "timeout" else error
        # What has come to its end must not fail for an outage right after it.
        rows = patiently(
            lambda: client.get_requests(self._ids(), data=self.return_data),
            Outages(self.outage_budget),
            pause=self.poke_interval,
            sleep=time.sleep,
        )
        results = [result_of(row, client.link_of(row), data=self.return_data) for row in rows]
        if results:
            ProcessMakerRequestLink.persist(context, results[0]["url"])
        return check_size(results[0] if self._is_one() and results else results, max_bytes=MAX_BYTES, instead=_INSTEAD)
