"""The button of a task that opens its request in ProcessMaker."""

from __future__ import annotations

from typing import TYPE_CHECKING

from airflow.providers.common.compat.sdk import BaseOperatorLink, XCom

if TYPE_CHECKING:
    from airflow.providers.common.compat.sdk import BaseOperator, Context, TaskInstanceKey

__all__ = ["ProcessMakerRequestLink"]

#: The XCom that holds the address. It is there as soon as the request is known, so also while the task is deferred.
KEY = "processmaker_request_url"


class ProcessMakerRequestLink(BaseOperatorLink):
    """Opens the request of a task in ProcessMaker, or its case where the server has pages for cases."""

    name = "ProcessMaker"

    @property
    def xcom_key(self) -> str:
        """From where Airflow 3 takes the address: it is there while the task still runs, too."""
        return KEY

    def get_link(self, operator: BaseOperator, *, ti_key: TaskInstanceKey) -> str:
        """The address; empty while there is no request yet.

        :param operator: the task's operator.
        :param ti_key: which task instance.
        """
        del operator
        return XCom.get_value(key=KEY, ti_key=ti_key) or ""

    @classmethod
    def persist(cls, context: Context, url: str) -> None:
        """Keep the address for the button.

        :param context: Airflow's context.
        :param url: the page.
        """
        context["ti"].xcom_push(key=KEY, value=url)
