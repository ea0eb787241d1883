"""Let the tasks of the DAG ``waiting`` wait, each for its request, as if each had been run and had deferred itself.

To run them would take minutes: each would be a process of its own. Runs in the Python of an installed Airflow, as
``park.py POLL_INTERVAL ID ID ...``.
"""

from __future__ import annotations

import sys


def main() -> None:
    """Give each task a trigger."""
    from airflow.models.taskinstance import TaskInstance
    from airflow.models.trigger import Trigger
    from airflow.utils.session import create_session
    from sqlalchemy import select

    from airflow_provider_processmaker.triggers.processes import ProcessMakerRequestTrigger

    interval, *ids = (int(text) for text in sys.argv[1:])
    # Before the session is opened: to make a trigger closes it, in Airflow 2.
    triggers = [Trigger.from_object(ProcessMakerRequestTrigger([one], poll_interval=interval)) for one in ids]
    with create_session() as session:
        tasks = session.scalars(select(TaskInstance).where(TaskInstance.dag_id == "waiting")).all()
        session.add_all(triggers)
        session.flush()
        for ti, trigger in zip(tasks, triggers, strict=True):
            ti.trigger_id = trigger.id
            ti.next_method = "execute_complete"
            ti.state = "deferred"


if __name__ == "__main__":
    main()
