"""An operator for any endpoint of the REST API."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from airflow.providers.common.compat.sdk import AirflowFailException, BaseOperator

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION
from airflow_provider_processmaker.hooks.failing import failing_at_once
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.operators.own_params import (
    OwnParams,
    own_names,
    own_names_of_mapped,
    params_of,
)
from airflow_provider_processmaker.operators.query import checked_query
from airflow_provider_processmaker.operators.xcom import MAX_BYTES, check_limits, check_size, checked_xcom

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Self

    from airflow.providers.common.compat.sdk import Context

__all__ = ["ProcessMakerApiOperator"]


class ProcessMakerApiOperator(BaseOperator):
    """Call any endpoint below ``/api/1.0``.

    A write is sent once. If its answer is lost, or the server fails while handling it, nobody can say whether
    it was done, and the task fails at once rather than sending it again; ``idempotent`` says that a second time
    does no harm.

    :param method: HTTP method. Default: ``GET``. (templated)
    :param endpoint: path below ``/api/1.0``, such as ``users/1``. (templated)
    :param query: query parameters. (templated)
    :param json: body of a write, as Python values. (templated, also inside)
    :param response_filter: turns the decoded answer into the result, such as ``lambda user: user["email"]``.
        Default: the answer itself, without ``remember_token`` of users.
    :param idempotent: whether the call may be sent again after a lost answer or a server failure, by the client
        and by Airflow's retries. Default: only GET, HEAD and OPTIONS.
    :param max_bytes: most bytes that the JSON of the result may have. Default: 2,000,000.
    :param processmaker_conn_id: id of the connection. (templated)
    :param params: Airflow's own params of a task. Those given to this task, not those of its DAG, are sent as
        query parameters too, as people who know ``requests`` expect. (templated)
    :return: the result; None for an answer without a body.
    :raises AirflowFailException: for an error that no retry can mend: 400, 401, 403, 404, 405, 422, an unknown
        outcome of a write, a wrong argument.
    :raises ProcessMakerError: for one that it can.
    """

    # Airflow refuses "params" here: the name is its own, and it merges the params of the DAG into it. So the
    # templated argument is called "query", as in the list operator.
    template_fields: Sequence[str] = ("method", "endpoint", "query", "json", "processmaker_conn_id")
    template_fields_renderers = {"query": "json", "json": "json"}  # noqa: RUF012
    ui_color = "#e0e7ff"
    _own: frozenset[str]

    def __new__(cls, **kwargs: Any) -> Self:
        """Note the task's own params; the constructor is only told of all."""
        made = super().__new__(cls)
        given = kwargs.get("params")
        mapped = kwargs.get("_airflow_from_mapped")
        own = own_names_of_mapped(given, kwargs.get("dag")) if mapped else own_names(given)
        object.__setattr__(made, "_own", own)  # Airflow's own way to set it wants the constructor first
        return made

    @classmethod
    def partial(cls, *, params: dict[str, Any] | None = None, **kwargs: Any) -> Any:
        """Airflow's own, which also notes the task's own params.

        :param params: as for the constructor.
        :param kwargs: all other arguments.
        """
        made = super().partial(params=params, **kwargs)
        made.params = OwnParams(params_of(made.params), own_names(params))
        return made

    def __init__(
        self,
        *,
        endpoint: str,
        method: str = "GET",
        query: dict[str, Any] | None = None,
        json: Any = None,
        response_filter: Callable[[Any], Any] | None = None,
        idempotent: bool | None = None,
        max_bytes: int = MAX_BYTES,
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.method = method
        self.endpoint = endpoint
        self.query = query
        self.json = json
        self.response_filter = response_filter
        self.idempotent = idempotent
        self.max_bytes = max_bytes
        self.processmaker_conn_id = processmaker_conn_id

    def execute(self, context: Context) -> Any:
        """Make the call.

        :param context: Airflow's context.
        """
        from airflow_provider_processmaker.client.encoding import http_method
        from airflow_provider_processmaker.client.errors import InvalidInputError
        from airflow_provider_processmaker.client.retrying import SAFE_METHODS

        with failing_at_once(self.processmaker_conn_id):
            check_limits(max_bytes=self.max_bytes)
            if self.response_filter is not None and not callable(self.response_filter):
                raise InvalidInputError(
                    f"response_filter must be a function, not {type(self.response_filter).__name__}."
                )
        own_params = self.render_template({name: self.params[name] for name in sorted(self._own)}, context)
        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            answer = client.request(
                self.method,
                self.endpoint,
                params={**own_params, **checked_query(self.query)},
                json=self.json,
                idempotent=self.idempotent,
            )
        if self.idempotent or http_method(self.method) in SAFE_METHODS:
            with failing_at_once(self.processmaker_conn_id):
                return self._result(answer)
        try:
            return checked_xcom(self._result(answer))
        except Exception as error:
            # An automatic retry would make the call once more.
            raise AirflowFailException(
                f"{self.method} {self.endpoint} was done, but its result cannot be given on: "
                f"{type(error).__name__}: {error}"
            ) from error

    def _result(self, answer: Any) -> Any:
        result = self.response_filter(answer) if self.response_filter else answer
        return check_size(result, max_bytes=self.max_bytes)
