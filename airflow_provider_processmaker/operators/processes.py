"""Operators that start processes and cancel their requests."""

from __future__ import annotations

import time
from datetime import timedelta
from typing import TYPE_CHECKING, Any, NoReturn

from airflow.providers.common.compat.sdk import AirflowSkipException, BaseOperator, conf

from airflow_provider_processmaker.connection import DEFAULT_CONNECTION
from airflow_provider_processmaker.hooks.failing import failing_at_once
from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook
from airflow_provider_processmaker.links.processmaker import ProcessMakerRequestLink
from airflow_provider_processmaker.operators.interruption import Interruption

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from airflow.providers.common.compat.sdk import Context

    from airflow_provider_processmaker.client import ProcessMakerClient, ProcessMakerError, Settings
    from airflow_provider_processmaker.client.waiting import Verdict
    from airflow_provider_processmaker.operators.attempts import Attempt, Notes
    from airflow_provider_processmaker.operators.limits import Limit

__all__ = ["ProcessMakerCancelRequestOperator", "ProcessMakerStartProcessOperator"]

#: Seconds for which the cancellation of a killed attempt may take: the server may hold it for 60.
LATE_KILL = 90.0


class ProcessMakerStartProcessOperator(BaseOperator):
    """Start a process, wait for its request, and go on with its result (``POST /process_events/{process}``).

    At most one request is started for a task instance, whatever is lost or dies: it is marked in its data
    (``airflow_key``, ``airflow_generation``), and looked for before another one is started.

    :param process: id or exact name of the process. (templated)
    :param start_event: id or exact name of its start event. Default: its only plain one. (templated)
    :param data: the request's variables: a dict, or a JSON text of an object. (templated)
    :param wait_for_completion: wait until the request is COMPLETED. Default: True.
    :param deferrable: wait in the triggerer, without a worker. Default: ``[operators] default_deferrable``.
    :param poll_interval: seconds between two looks. Default: 30.
    :param timeout: seconds or timedelta from the start after which to stop waiting; None: never. Default: 7 days.
    :param on_timeout: then ``fail`` and leave the request as it is, ``cancel`` it and fail, or ``skip`` the task.
        Default: ``fail``.
    :param cancel_on_kill: cancel the request, if it is ACTIVE, when the task is killed: cleared, marked, or terminated.
        Default: True.
    :param error_grace: seconds for which an ERROR must last to count, since a retry in ProcessMaker may mend it.
        Default: 60.
    :param outage_budget: seconds for which ProcessMaker may be out of reach while it is waited for. Default: 600.
    :param on_error: when the request ends in ERROR or is canceled, ``fail`` the task for good, or fail it so that a
        retry starts a new request: ``restart``. Default: ``fail``.
    :param on_clear: when a person clears the task, ``resume``: wait on for a request that is still ACTIVE, give the
        result of one that is COMPLETED, start anew otherwise; or ``restart``: start a new one in any case. Default:
        ``resume``.
    :param return_data: add the request's data to the result, without the keys that begin with ``_``. Default: False.
    :param settle_window: seconds for which a start without an answer is looked for before it is sent again.
        Default: 30.
    :param processmaker_conn_id: id of the connection. (templated)
    :return: ``request_id``, ``process_id``, ``name``, ``case_number``, ``status``, ``initiated_at``, ``completed_at``,
        ``url`` and, if asked for, ``data``.
    :raises AirflowFailException: for what no retry can mend: a wrong argument, a missing right, a request that failed.
    :raises ProcessMakerError: for what it can, a web page in place of an answer before the start among it.
    """

    template_fields: Sequence[str] = ("process", "start_event", "data", "processmaker_conn_id")
    template_fields_renderers = {"data": "json"}  # noqa: RUF012
    operator_extra_links = (ProcessMakerRequestLink(),)
    ui_color = "#d1fae5"

    def __init__(
        self,
        *,
        process: int | str,
        start_event: str | None = None,
        data: Mapping[str, Any] | str | None = None,
        wait_for_completion: bool = True,
        deferrable: bool = conf.getboolean("operators", "default_deferrable", fallback=False),
        poll_interval: float = 30.0,
        timeout: float | timedelta | None = timedelta(days=7),
        on_timeout: str = "fail",
        cancel_on_kill: bool = True,
        error_grace: float = 60.0,
        outage_budget: float = 600.0,
        on_error: str = "fail",
        on_clear: str = "resume",
        return_data: bool = False,
        settle_window: float = 30.0,
        processmaker_conn_id: str = DEFAULT_CONNECTION,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.process = process
        self.start_event = start_event
        self.data = data
        self.wait_for_completion = wait_for_completion
        self.deferrable = deferrable
        self.poll_interval = poll_interval
        self.timeout = timeout
        self.on_timeout = on_timeout
        self.cancel_on_kill = cancel_on_kill
        self.error_grace = error_grace
        self.outage_budget = outage_budget
        self.on_error = on_error
        self.on_clear = on_clear
        self.return_data = return_data
        self.settle_window = settle_window
        self.processmaker_conn_id = processmaker_conn_id
        self._interruption = Interruption()
        self._killable: tuple[Settings, list[int]] | None = None

    def execute(self, context: Context) -> dict[str, Any]:
        """Start the process, or find what an earlier attempt has started, and wait.

        :param context: Airflow's context.
        """
        from airflow_provider_processmaker.operators.attempts import Notes, attempt_of
        from airflow_provider_processmaker.operators.limits import limit_of
        from airflow_provider_processmaker.operators.process_runs import follow

        self._interruption = Interruption()  # dag.test() tries again with the same object
        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            self._check()
            attempt, notes = attempt_of(context), Notes(context)
            row = self._row(client, attempt, notes)
            self._hold(client, row["id"])
            ProcessMakerRequestLink.persist(context, client.link_of(row))
            limit = limit_of(context, self, notes.of(attempt.generation).get("deadline"))
            if self.wait_for_completion and limit.own is not None:
                notes.write(deadline=limit.own)
            if not self.wait_for_completion:
                return self._begun(client, row, notes)
            if self.deferrable and row["status"] in {"ACTIVE", "ERROR"}:
                notes.write(phase="deferred")
                self._interruption.check()
                self._defer(row["id"], limit)
            verdict = follow(client, self._wait(row["id"], limit.at), self._interruption, self.poll_interval)
            return self._ended(client, verdict, notes, limit)

    def execute_complete(self, context: Context, event: dict[str, Any] | None, **given: Any) -> dict[str, Any]:
        """Go on after the triggerer has waited.

        :param context: Airflow's context.
        :param event: how the wait ended: :meth:`.Verdict.as_dict`.
        :param given: what the operator left for itself when it was deferred.
        """
        from airflow_provider_processmaker.client.waiting import Verdict
        from airflow_provider_processmaker.operators.attempts import Notes
        from airflow_provider_processmaker.operators.limits import Limit
        from airflow_provider_processmaker.operators.process_runs import follow

        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            notes = Notes(context)
            notes.write(phase="waiting")
            verdict = Verdict.of(event or {})
            request_id = verdict.request_id or given.get("request_id")
            if request_id:
                self._hold(client, request_id)
                if verdict.kind == "timeout":
                    # A last look: it may have come to its end while no triggerer ran.
                    wait = self._wait(request_id, time.time())
                    verdict = follow(client, wait, self._interruption, self.poll_interval)
            return self._ended(client, verdict, notes, Limit.of(given.get("limit")))

    def on_kill(self) -> None:
        """Cancel the request, if it is known and ACTIVE."""
        self._interruption.killed = True
        if not self.cancel_on_kill:
            return
        if self._killable is None:
            self.log.warning("Killed before the start was answered: a request, if there is one, goes on.")
            return
        from airflow_provider_processmaker.operators.process_runs import cancel_soon

        cancel_soon(*self._killable)

    def _row(self, client: ProcessMakerClient, attempt: Attempt, notes: Notes) -> dict[str, Any]:
        """The request of this task, found or started."""
        from airflow_provider_processmaker.client.errors import UnexpectedAnswerError
        from airflow_provider_processmaker.operators.adoption import Policy
        from airflow_provider_processmaker.operators.process_runs import begin

        policy = Policy(self.on_error, self.on_clear, self.cancel_on_kill)
        try:
            start = client.keyed_start(
                self.process,
                self.data,
                start_event=self.start_event,
                key=attempt.key,
                settle_window=self.settle_window,
            )
            start.sleep, start.check = self._interruption.sleep, self._interruption.check
            return begin(start, attempt, notes, policy, lambda request_id: self._confirmed(client, request_id))
        except UnexpectedAnswerError as error:
            # A web page may be that of a server under maintenance. To fail for good here would leave a request that an
            # earlier attempt has started without its task; a wrong address costs the retries.
            error.retryable = True
            raise

    def _check(self) -> None:
        from airflow_provider_processmaker.operators.limits import check_choice, seconds_of

        check_choice("on_timeout", self.on_timeout, ("fail", "cancel", "skip"))
        check_choice("on_error", self.on_error, ("fail", "restart"))
        check_choice("on_clear", self.on_clear, ("resume", "restart"))
        seconds_of("timeout", self.timeout)
        self._wait(1, None)

    def _hold(self, client: ProcessMakerClient, request_id: int) -> None:
        """From now on a kill knows what to cancel; one that came while the start was under way does it now."""
        self._killable = (client.settings, [request_id])
        if self._interruption.killed:
            self.on_kill()
            self._interruption.check()

    def _wait(self, request_id: int, deadline: float | None) -> Any:
        from airflow_provider_processmaker.client.settings import check_range
        from airflow_provider_processmaker.client.waiting import Wait

        check_range("poll_interval", self.poll_interval, 0.01, 86_400)
        return Wait([request_id], error_grace=self.error_grace, outage_budget=self.outage_budget, deadline=deadline)

    def _confirmed(self, client: ProcessMakerClient, request_id: int) -> dict[str, Any]:
        from airflow_provider_processmaker.operators.process_runs import confirmed

        return confirmed(
            client, request_id, self._interruption, error_grace=self.error_grace, poll_interval=self.poll_interval
        )

    def _begun(self, client: ProcessMakerClient, row: dict[str, Any], notes: Notes) -> dict[str, Any]:
        """The result where nobody waits; a start that fell into ERROR at once is none."""
        from airflow_provider_processmaker.client.run_results import error_of_run

        if row["status"] == "ERROR":
            row = self._confirmed(client, row["id"])
        if row["status"] in {"ERROR", "CANCELED"}:
            notes.write(phase="failed")
            error = error_of_run(row, row["status"], client.link_of(row))
            error.retryable = self.on_error == "restart"
            raise error
        return self._result(client, row["id"], notes)

    def _defer(self, request_id: int, limit: Limit) -> None:
        from airflow_provider_processmaker.operators.limits import NET
        from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger

        trigger = ProcessMakerRequestTrigger(
            [request_id],
            poll_interval=self.poll_interval,
            deadline=limit.at,
            error_grace=self.error_grace,
            outage_budget=self.outage_budget,
            cancel_on_kill=self.cancel_on_kill,
            processmaker_conn_id=self.processmaker_conn_id,
        )
        self.defer(
            trigger=trigger,
            method_name="execute_complete",
            kwargs={"request_id": request_id, "limit": limit.as_dict()},
            # Only a net: what happens in time is the trigger's to say.
            timeout=None if limit.at is None else timedelta(seconds=max(0.0, limit.at - time.time()) + NET),
        )

    def _ended(self, client: ProcessMakerClient, verdict: Verdict, notes: Notes, limit: Limit) -> dict[str, Any]:
        from airflow_provider_processmaker.client.errors import RequestFailedError, RequestGoneError
        from airflow_provider_processmaker.client.run_results import verdict_error

        self._interruption.check()
        if verdict.kind == "reached" and verdict.request_id is not None:
            return self._result(client, verdict.request_id, notes)
        error = verdict_error(client, verdict)
        if verdict.kind == "timeout":
            self._late(client, verdict, error, limit)
        if getattr(error, "request_status", None) == "CANCELED" and self._killed_by_the_last(notes):
            error.retryable = True
        elif isinstance(error, RequestFailedError | RequestGoneError):
            notes.write(phase="failed")
            error.retryable = self.on_error == "restart"
        else:  # an outage, which says nothing of the request's own end
            notes.write(phase="broken off")
        raise error

    def _killed_by_the_last(self, notes: Notes) -> bool:
        """Whether a request that was resumed after a clear was canceled by the kill before it, only late."""
        resumed = notes.get("resumed_at")
        return self.cancel_on_kill and resumed is not None and time.time() - resumed < LATE_KILL

    def _late(self, client: ProcessMakerClient, verdict: Verdict, error: ProcessMakerError, limit: Limit) -> NoReturn:
        if limit.is_execution_timeout:
            raise limit.exceeded(str(error))  # on which Airflow calls on_kill
        if self.on_timeout == "skip":
            raise AirflowSkipException(str(error)) from error
        if self.on_timeout == "cancel" and verdict.request_id:
            error.what = f"{error.what} {_cancelled(client, verdict.request_id)}"
        raise error

    def _result(self, client: ProcessMakerClient, request_id: int, notes: Notes) -> dict[str, Any]:
        from airflow_provider_processmaker.client.outages import Outages, patiently
        from airflow_provider_processmaker.client.run_results import result_of
        from airflow_provider_processmaker.operators.xcom import MAX_BYTES, check_size

        # A request that has come to its end must not fail for an outage right after it.
        row = patiently(
            lambda: client.get_request(request_id, data=self.return_data),
            Outages(self.outage_budget),
            pause=self.poll_interval,
            sleep=self._interruption.sleep,
        )
        result = result_of(row, client.link_of(row), data=self.return_data)
        check_size(result, max_bytes=MAX_BYTES, instead="Read what you need of its data with the client, in a @task.")
        notes.write(phase="done")
        self.log.info("Request %s is %s: %s", request_id, row["status"], result["url"])
        return result


def _cancelled(client: ProcessMakerClient, request_id: int) -> str:
    from airflow_provider_processmaker.client.errors import ProcessMakerError

    try:
        done = client.cancel_request(request_id)
    except ProcessMakerError as error:
        return f"It could not be canceled: {error}"
    return f"It was {done.found} and is {done.status} now."


class ProcessMakerCancelRequestOperator(BaseOperator):
    """Cancel a request that is under way (``PUT /requests/{id}``); one that has ended is left as it is.

    The server itself would cancel even a completed request, so the status is read first.

    :param request_id: id of the request. (templated)
    :param processmaker_conn_id: id of the connection. (templated)
    :return: ``request_id``, ``found`` (its status before), ``status`` (now) and ``cancelled``: whether this task
        did it.
    :raises AirflowFailException: if there is no such request, or the user has no right to cancel it.
    :raises ProcessMakerError: if ProcessMaker cannot be reached, or took the call and the request is not canceled.
    """

    template_fields: Sequence[str] = ("request_id", "processmaker_conn_id")
    ui_color = "#fee2e2"

    def __init__(self, *, request_id: int | str, processmaker_conn_id: str = DEFAULT_CONNECTION, **kwargs: Any) -> None:
        super().__init__(**kwargs)
        self.request_id = request_id
        self.processmaker_conn_id = processmaker_conn_id

    def execute(self, context: Context) -> dict[str, Any]:
        """Cancel it.

        :param context: Airflow's context.
        """
        from airflow_provider_processmaker.client.request_states import request_id_of

        del context
        with failing_at_once(self.processmaker_conn_id), ProcessMakerHook(self.processmaker_conn_id).client as client:
            request_id = request_id_of(self.request_id)
            done = client.cancel_request(request_id, only=("ACTIVE", "ERROR"))
        if not done.cancelled:
            self.log.info("Request %d is %s: nothing to cancel.", request_id, done.found)
        return {
            "request_id": request_id,
            "found": done.found,
            "status": done.status,
            "cancelled": done.cancelled,
        }
