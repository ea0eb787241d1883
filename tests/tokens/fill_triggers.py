"""Put a DAG run into Airflow's database whose tasks all wait: ``python -m tests.tokens.fill_triggers FILE``.

The file tells the trigger of each task, as JSON: ``[[path of the class, arguments], ...]``.
"""

from __future__ import annotations

import datetime as dt
import importlib.util
import json
import os
import sys
from pathlib import Path

# One mapped task: of a DAG with a thousand tasks, Airflow reads all of them for each trigger.
_DAG = """
import datetime as dt
from airflow.sdk import DAG
from airflow.providers.standard.operators.bash import BashOperator

with DAG("waiting", schedule=None, start_date=dt.datetime(2026, 1, 1, tzinfo=dt.UTC)) as dag:
    BashOperator.partial(task_id="wait").expand(bash_command=["true"] * {count})
"""


def main() -> None:
    from airflow import settings
    from airflow.dag_processing.bundles.manager import DagBundlesManager
    from airflow.dag_processing.dagbag import BundleDagBag, sync_bag_to_db
    from airflow.models.dagrun import get_or_create_dagrun
    from airflow.models.trigger import Trigger
    from airflow.serialization.serialized_objects import DagSerialization
    from airflow.utils.db import initdb
    from airflow.utils.types import DagRunTriggeredByType

    triggers = json.loads(Path(sys.argv[1]).read_text(encoding="utf-8"))
    initdb()
    path = Path(os.environ["AIRFLOW__CORE__DAGS_FOLDER"]) / "waiting.py"
    path.write_text(_DAG.format(count=len(triggers)), encoding="utf-8")
    spec = importlib.util.spec_from_file_location("waiting", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    session = settings.Session()
    manager = DagBundlesManager()
    manager.sync_bundles_to_db(session=session)
    session.commit()
    for bundle in manager.get_all_dag_bundles():
        bundle.initialize()
        bag = BundleDagBag(dag_folder=bundle.path, bundle_path=bundle.path, bundle_name=bundle.name)
        sync_bag_to_db(bag, bundle.name, bundle.version)
    now = dt.datetime.now(dt.UTC)
    run = get_or_create_dagrun(
        dag=DagSerialization.deserialize_dag(DagSerialization.serialize_dag(module.dag)),
        run_id="waiting",
        logical_date=now,
        data_interval=None,
        run_after=now,
        conf=None,
        triggered_by=DagRunTriggeredByType.TEST,
        triggering_user_name="test",
        session=session,
        start_date=now,
    )
    tasks = {ti.map_index: ti for ti in run.get_task_instances(session=session)}
    for number, (path, arguments) in enumerate(triggers):
        ti = tasks[number]
        trigger = Trigger(path, arguments)
        session.add(trigger)
        session.flush()
        ti.trigger_id = trigger.id
        ti.state = "deferred"
    session.commit()


if __name__ == "__main__":
    main()
