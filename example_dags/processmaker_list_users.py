"""List ProcessMaker's users: log in with the password grant, walk all pages, keep a few fields of each user.

Needs a connection ``processmaker_default`` of type ``processmaker`` whose user may see users (``view-users``).
"""

from __future__ import annotations

import datetime as dt

from airflow.providers.common.compat.sdk import DAG, task

from airflow_provider_processmaker.operators.records import ProcessMakerListUsersOperator

with DAG(
    dag_id="processmaker_list_users",
    description="List the users of ProcessMaker",
    schedule=None,
    start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC),
    catchup=False,
    tags=["processmaker", "example"],
    doc_md=__doc__,
) as dag:
    list_users = ProcessMakerListUsersOperator(
        task_id="list_users",
        fields=["id", "username", "fullname", "email", "status"],
    )

    @task
    def count_by_status(users: list[dict[str, object]]) -> dict[str, int]:
        """How many users there are of each status."""
        statuses = [str(user["status"]) for user in users]
        return {status: statuses.count(status) for status in sorted(set(statuses))}

    count_by_status(list_users.output)
