"""Wait for a request that was started elsewhere: by a person, another system, or another DAG.

Its id comes with the run: in the form of *Trigger*, or as ``{"request_id": 4711}``.

Needs a connection ``processmaker_default`` of type ``processmaker`` whose user may see the request: because he takes
part in it, or has the permission ``view-all_requests``.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

from airflow.providers.common.compat.sdk import DAG, Param, task

from airflow_provider_processmaker.sensors.processes import ProcessMakerRequestSensor

with DAG(
    dag_id="processmaker_wait_for_request",
    description="Wait for a ProcessMaker request that was started elsewhere",
    schedule=None,
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    params={"request_id": Param(type="integer", minimum=1, title="Request", description="Its id in ProcessMaker.")},
    tags=["processmaker", "example"],
    doc_md=__doc__,
) as dag:
    wait = ProcessMakerRequestSensor(
        task_id="wait",
        request_ids="{{ params.request_id }}",
        statuses=["COMPLETED", "CANCELED"],
        deferrable=True,
        poke_interval=60,
        timeout=dt.timedelta(days=14),
        return_data=True,
    )

    @task
    def go_on(request: dict[str, Any]) -> str:
        """What is to be done with the result."""
        return f"Case {request['case_number']} is {request['status']}, with {len(request['data'])} variables."

    go_on(wait.output)
