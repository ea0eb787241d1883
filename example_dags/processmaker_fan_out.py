"""Fifty cases at once: one request for each vendor, all waited for in the triggerer, and one summary.

Each case is a task instance of its own, with its own link, retries and log. While they wait they take no worker, and
all of them together cost ProcessMaker a call or two each ``poll_interval``.

Needs a connection ``processmaker_default`` of type ``processmaker``, and in ProcessMaker a process "Vendor Review"
whose form puts ``rating`` into the request's data. The user of the connection must be assigned to its start event.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_processmaker.operators.processes import ProcessMakerStartProcessOperator

with DAG(
    dag_id="processmaker_fan_out",
    description="Fifty ProcessMaker cases at once",
    schedule=None,
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    tags=["processmaker", "example"],
    doc_md=__doc__,
) as dag:

    @task
    def list_vendors() -> list[dict[str, Any]]:
        """The data of each case; yours would come from a database."""
        return [{"vendor": f"Vendor {number:02}", "year": 2026} for number in range(1, 51)]

    review = ProcessMakerStartProcessOperator.partial(
        task_id="review",
        process="Vendor Review",
        deferrable=True,
        poll_interval=60,
        return_data=True,
        retries=2,
        map_index_template="{{ task.data['vendor'] }}",  # what the grid shows instead of 0, 1, 2 ...
    ).expand(data=list_vendors())

    @task
    def summarise(cases: list[dict[str, Any]]) -> list[dict[str, Any]]:
        """One row for each vendor."""
        return [
            {
                "vendor": case["data"]["vendor"],
                "case": case["case_number"],
                "rating": case["data"].get("rating"),
                "completed_at": case["completed_at"],
            }
            for case in cases
        ]

    summarise(review.output)
