"""Operators that list records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import BaseOperator

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION
from airflow_provider_processmaker.hooks.failing import failing_at_once
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.operators.query import checked_ids, list_query
from airflow_provider_processmaker.operators.xcom import MAX_BYTES, MAX_RECORDS, check_limits, collect, seen_by

if TYPE_CHECKING:
    from collections.abc import Sequence

    from airflow.providers.common.compat.sdk import Context

__all__ = ["ProcessMakerListOperator", "ProcessMakerListUsersOperator"]


class ProcessMakerListOperator(BaseOperator):
    """List the records of one of ProcessMaker's lists (``GET /{resource}``, all pages).

    The result is a list of plain dicts in the order of their ids. A list too large for an XCom fails the task
    with a word about what to use instead; it is never cut.

    :param resource: name of the list: ``users``, ``groups``, ``group_members``, ``environment_variables``,
        ``requests``, ``tasks``, ``processes`` and so on. (templated)
    :param query: parameters of the list, such as ``{"filter": "smith"}``. (templated)
    :param fields: keep only these fields of each record. Default: all but ``remember_token`` of users.
        (templated)
    :param count_only: return the number of records, by the server's own count, instead of the records. Default: False.
    :param max_records: most records that may come. Default: 10,000.
    :param max_bytes: most bytes that their JSON may have. Default: 2,000,000.
    :param processmaker_conn_id: id of the connection. (templated)
    :return: the records, or their number.
    :raises AirflowFailException: for an error that no retry can mend: a wrong argument, a missing permission, a
        list that is too large.
    :raises ProcessMakerError: for one that it can, such as a server that is not there.
    """

    template_fields: Sequence[str] = ("resource", "query", "fields", "processmaker_conn_id")
    template_fields_renderers = {"query": "json"}  # noqa: RUF012
    ui_color = "#dbeafe"

    def __init__(
        self,
        *,
        resource: str,
        query: dict[str, Any] | None = None,
        fields: Sequence[str] | None = None,
        count_only: bool = False,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.resource = resource
        self.query = query
        self.fields = fields
        self.count_only = count_only
        self.max_records = max_records
        self.max_bytes = max_bytes
        self.processmaker_conn_id = processmaker_conn_id

    def execute(self, context: Context) -> list[dict[str, Any]] | int:
        """List the records.

        :param context: Airflow's context.
        """
        del context
        return self._list(self.resource, self.query)

    def _list(self, resource: str, query: dict[str, Any] | None) -> list[dict[str, Any]] | int:
        from airflow_provider_processmaker.client.errors import InvalidInputError

        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            check_limits(max_records=self.max_records, max_bytes=self.max_bytes)
            if self.count_only and self.fields:
                raise InvalidInputError("count_only gives a number, and fields choose of records: one of the two.")
            if self.count_only:
                return client.count(resource, **list_query(query))
            records = client.iter_records(resource, fields=self.fields, **list_query(query))
            found = collect(records, max_records=self.max_records, max_bytes=self.max_bytes)
        self.log.info("Listed %d records of %s%s.", len(found), resource, seen_by(resource))
        return found


class ProcessMakerListUsersOperator(ProcessMakerListOperator):
    """List ProcessMaker's users (``GET /users``, all pages). Needs the permission ``view-users``.

    :param status: only users of this status: ``ACTIVE``, ``INACTIVE``, ``BLOCKED``, ``OUT_OF_OFFICE`` or
        ``SCHEDULED``. (templated)
    :param filter: only users with this text in user name, first name, last name or e-mail. (templated)
    :param exclude_ids: leave out the users with these ids. (templated)
    :param fields: keep only these fields of each user. Default: all but ``remember_token``. (templated)
    :param count_only: return the number of users, by the server's own count, instead of the users. Default: False.
    :param max_records: most users that may come. Default: 10,000.
    :param max_bytes: most bytes that their JSON may have. Default: 2,000,000.
    :param processmaker_conn_id: id of the connection. (templated)
    :return: the users as dicts, in the order of their ids, or their number.
    :raises AirflowFailException: for an error that no retry can mend.
    :raises ProcessMakerError: for one that it can.
    """

    template_fields: Sequence[str] = ("status", "filter", "exclude_ids", "fields", "processmaker_conn_id")
    template_fields_renderers = {}  # noqa: RUF012

    def __init__(
        self,
        *,
        status: str | None = None,
        filter: str | None = None,  # noqa: A002
        exclude_ids: Sequence[int] | None = None,
        fields: Sequence[str] | None = None,
        count_only: bool = False,
        max_records: int = MAX_RECORDS,
        max_bytes: int = MAX_BYTES,
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(
            resource="users",
            fields=fields,
            count_only=count_only,
            max_records=max_records,
            max_bytes=max_bytes,
            processmaker_conn_id=processmaker_conn_id,
            **kwargs,
        )
        self.status = status
        self.filter = filter
        self.exclude_ids = exclude_ids

    def execute(self, context: Context) -> list[dict[str, Any]] | int:
        """List the users.

        :param context: Airflow's context.
        """
        del context
        with failing_at_once(self.processmaker_conn_id):
            query = {"status": self.status, "filter": self.filter, "exclude_ids": checked_ids(self.exclude_ids)}
        return self._list("users", query)
