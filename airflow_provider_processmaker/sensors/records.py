"""A sensor that waits for records."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowSensorTimeout, BaseSensorOperator, PokeReturnValue, conf

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION
from airflow_provider_processmaker.hooks.failing import failing_at_once
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.operators.query import list_query
from airflow_provider_processmaker.sensors.endings import skipping_softly, timed_out

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

__all__ = ["ProcessMakerRecordsSensor"]

#: Airflow allows none between two looks.
SHORTEST = 0.1


class ProcessMakerRecordsSensor(BaseSensorOperator):
    """Wait until a list has enough records that match a query.

    It asks only for their number: ``GET /requests?total=true`` where the list can tell it alone, else a page of one
    row. Works in the modes ``poke`` and ``reschedule``, and deferrable, where sensors that ask the same share the call.

    :param resource: name of the list: ``requests``, ``tasks``, ``users`` and so on. (templated)
    :param query: parameters of the list, such as ``{"pmql": 'status = "Completed"'}``. (templated)
    :param at_least: how many records are enough. Default: 1. (templated)
    :param outage_budget: seconds for which ProcessMaker may be out of reach; in ``reschedule`` mode the sensor keeps
        its worker meanwhile. Default: 600.
    :param deferrable: wait in the triggerer; ``poke_interval`` is how often it looks. Default: ``[operators]
        default_deferrable``.
    :param processmaker_conn_id: id of the connection. (templated)
    :return: the number of records found, as the XCom.
    :raises AirflowFailException: for an error that no retry can mend: a wrong argument, a missing permission, a query
        that ProcessMaker does not understand.
    :raises AirflowSensorTimeout: if the time is up.
    """

    template_fields: Sequence[str] = ("resource", "query", "at_least", "processmaker_conn_id")
    template_fields_renderers = {"query": "json"}  # noqa: RUF012
    ui_color = "#fef3c7"

    def __init__(
        self,
        *,
        resource: str,
        query: dict[str, Any] | None = None,
        at_least: int | str = 1,
        outage_budget: float = 600.0,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.query = query
        self.at_least = at_least
        self.outage_budget = outage_budget
        self.deferrable = deferrable
        self.processmaker_conn_id = processmaker_conn_id
        self._found: int | None = None
        self._late = False

    def execute(self, context: Context) -> Any:
        """Wait.

        :param context: Airflow's context.
        """
        if not self.deferrable:
            try:
                return super().execute(context)
            except AirflowSensorTimeout:
                raise self._timed_out(self._found) from None
        with skipping_softly(self):
            seen = self.poke(context)
            if seen.is_done:
                return seen.xcom_value
            self._defer()
        return None

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask for the number of records once; again only while the server is out of reach.

        :param context: Airflow's context.
        """
        from airflow_provider_processmaker.client.outages import Outages, patiently

        del context
        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            wanted = _number(self.at_least)
            query = list_query(self.query)
            found = patiently(
                lambda: client.count(self.resource, **query),
                Outages(self.outage_budget),
                pause=self.poke_interval,
                sleep=self._pause,
            )
        self._found = found
        self.log.info("%s: %d records of the %d that are waited for.", self.resource, found, wanted)
        return PokeReturnValue(is_done=found >= wanted, xcom_value=found)

    def execute_complete(self, context: Context, event: dict[str, Any] | None, **_: Any) -> Any:
        """Go on after the triggerer has waited.

        :param context: Airflow's context.
        :param event: how the wait ended.
        """
        from airflow_provider_processmaker.client.errors import ProcessMakerError, error_from

        told = event or {}
        with skipping_softly(self), failing_at_once(self.processmaker_conn_id):
            if told.get("kind") == "reached":
                return int(told["count"])
            if told.get("kind") == "timeout":
                return self._last_look(context)
            if isinstance(told.get("error"), dict):
                raise error_from(told["error"])
            raise ProcessMakerError(f"The wait ended in a way that this version does not know: {told.get('kind')!r}.")

    def _last_look(self, context: Context) -> Any:
        """Look once more, when the time is up: there may have come enough while no triggerer ran."""
        self._late = True
        seen = self.poke(context)
        if not seen.is_done:
            raise self._timed_out(self._found)
        return seen.xcom_value

    def _pause(self, seconds: float) -> None:
        """While the server is out of reach: that, too, is better waited for in the triggerer."""
        if self._late:
            raise self._timed_out(self._found)
        if self.deferrable:
            self._defer()
        time.sleep(seconds)

    def _timed_out(self, found: int | None) -> Exception:
        return timed_out(self, f"{self.resource} had {found} records.")

    def _defer(self) -> None:
        from airflow_provider_processmaker.operators.limits import NET
        from airflow_provider_processmaker.triggers.records import ProcessMakerRecordsTrigger

        self.defer(
            trigger=ProcessMakerRecordsTrigger(
                self.resource,
                query=_plain(list_query(self.query)),
                at_least=_number(self.at_least),
                poll_interval=max(self.poke_interval, SHORTEST),
                deadline=time.time() + self.timeout,
                outage_budget=self.outage_budget,
                processmaker_conn_id=self.processmaker_conn_id,
            ),
            method_name="execute_complete",
            timeout=timedelta(seconds=self.timeout + NET),
        )


def _plain(query: dict[str, Any]) -> dict[str, Any]:
    """The query as Airflow can keep it for the triggerer: a built PMQL expression becomes its text."""
    from airflow_provider_processmaker.client.pmql import Expression

    return {name: str(value) if isinstance(value, Expression) else value for name, value in query.items()}


def _number(value: Any) -> int:
    from airflow_provider_processmaker.client.errors import InvalidInputError

    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or isinstance(value, bool | float):
        raise InvalidInputError(f"at_least must be a whole number from 0, not {value!r}.")
    return number
