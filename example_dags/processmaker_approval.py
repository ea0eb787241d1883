"""Let a person decide: start a process, wait until its request is COMPLETED, and branch on the answer in its data.

Needs a connection ``processmaker_default`` of type ``processmaker``, and in ProcessMaker a process "Expense Approval"
whose form puts ``approved`` (true or false) into the request's data. The user of the connection must be assigned to its
start event; for a kill or the time-out to cancel the request he needs the process's right to cancel requests.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_processmaker.operators.processes import ProcessMakerStartProcessOperator

with DAG(
    dag_id="processmaker_approval",
    description="Ask for an approval in ProcessMaker and act on the answer",
    schedule=None,
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    tags=["processmaker", "example"],
    doc_md=__doc__,
) as dag:

    @task
    def find_expense() -> dict[str, Any]:
        """What is to be approved; yours would come from a database."""
        return {"employee": "Bob Plain", "purpose": "Conference", "amount": 1200}

    expense = find_expense()

    ask = ProcessMakerStartProcessOperator(
        task_id="ask_for_approval",
        process="Expense Approval",
        data=expense,
        deferrable=True,  # people take days: wait in the triggerer, without a worker
        poll_interval=60,
        timeout=dt.timedelta(days=14),
        on_timeout="cancel",
        return_data=True,
    )

    @task.branch
    def read_answer(request: dict[str, Any]) -> str:
        """The task to go on with."""
        return "pay" if request["data"].get("approved") is True else "decline"

    @task
    def pay(expense: dict[str, Any]) -> str:
        """What follows an approval."""
        return f"{expense['amount']} are paid to {expense['employee']}."

    @task
    def decline(expense: dict[str, Any]) -> str:
        """What follows any other answer."""
        return f"{expense['employee']} is told that it was declined."

    read_answer(ask.output) >> [pay(expense), decline(expense)]
