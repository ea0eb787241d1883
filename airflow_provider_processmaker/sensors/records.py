"""A sensor that waits for records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseSensorOperator, PokeReturnValue

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION
from airflow_provider_processmaker.hooks.failing import failing_at_once
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.operators.query import list_query

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

__all__ = ["ProcessMakerRecordsSensor"]


class ProcessMakerRecordsSensor(BaseSensorOperator):
    """Wait until a list has enough records that match a query.

    It asks only for their number: ``GET /requests?total=true`` where the list can tell it alone, else a page of one
    row. Works in the modes ``poke`` and ``reschedule``.

    :param resource: name of the list: ``requests``, ``tasks``, ``users`` and so on. (templated)
    :param query: parameters of the list, such as ``{"pmql": 'status = "Completed"'}``. (templated)
    :param at_least: how many records are enough. Default: 1. (templated)
    :param processmaker_conn_id: id of the connection. (templated)
    :return: the number of records found, as the XCom.
    :raises AirflowFailException: for an error that no retry can mend: a wrong argument, a missing permission, a query
        that ProcessMaker does not understand.
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
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.query = query
        self.at_least = at_least
        self.processmaker_conn_id = processmaker_conn_id

    def poke(self, context: Context) -> PokeReturnValue:
        """Ask for the number of records once.

        :param context: Airflow's context.
        """
        del context
        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            wanted = _number(self.at_least)
            found = client.count(self.resource, **list_query(self.query))
        self.log.info("%s: %d records of the %d that are waited for.", self.resource, found, wanted)
        return PokeReturnValue(is_done=found >= wanted, xcom_value=found)


def _number(value: Any) -> int:
    from airflow_provider_processmaker.client.errors import InvalidInputError

    try:
        number = int(value)
    except (TypeError, ValueError):
        number = -1
    if number < 0 or isinstance(value, bool | float):
        raise InvalidInputError(f"at_least must be a whole number from 0, not {value!r}.")
    return number
