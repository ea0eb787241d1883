"""Nothing secret is ever shown, also where a run fails. The whole demo at debug level is in ``test_demo.py``."""

from __future__ import annotations

import logging
import os
import pickle
import traceback
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.airflow.keeper import HEADER, PASSWORD, add_keeper, assert_no_secret, connection
from tests.airflow.starts import both, on_start

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

pytestmark = pytest.mark.airflow


@pytest.fixture
def secretive(monkeypatch: pytest.MonkeyPatch) -> Iterator[ProcessMakerServer]:
    """A server whose every secret can be told from other text, behind a connection with a secret header."""
    with ProcessMakerServer(users=30) as server:
        add_keeper(server)
        point_at(server, monkeypatch, PASSWORD)
        yield server


def point_at(server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch, password: str, **changes: str) -> None:
    """Point the default connection at a server."""
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", connection(server, password, **changes))


def shown(outcome: Any, caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> str:
    """Everything that a run leaves for people to see, as one text."""
    out, err = capfd.readouterr()
    pieces = [caplog.text, out, err, repr(outcome.results), repr(outcome.rendered)]
    pieces += [repr(record.__dict__) for record in caplog.records]
    for error in outcome.errors:
        pieces += [str(error), repr(error), "".join(traceback.format_exception(error))]
        causes = [error.__cause__, error.__context__]
        pieces += [repr(cause.__dict__) + str(pickle.dumps(cause)) for cause in causes if cause is not None]
    return "\n".join(pieces)


@pytest.mark.parametrize("trouble", ["password", "secret", "refused", "html", "dropped", "lost"])
def test_failing_runs(
    secretive: ProcessMakerServer,
    run_dag: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    trouble: str,
) -> None:
    caplog.set_level(logging.DEBUG)
    wrong = "Wrong-horse-battery-2!"
    if trouble == "password":
        point_at(secretive, monkeypatch, wrong)
    elif trouble == "secret":
        point_at(secretive, monkeypatch, PASSWORD, client_secret=wrong)
    elif trouble == "refused":
        secretive.stop()
    elif trouble == "html":
        secretive.faults.add(path="/oauth/token", status=200, body="<html><title>Log in</title></html>")
    elif trouble == "dropped":
        secretive.faults.add(path="/api/1.0/users", drop="before", times=20)
    elif trouble == "lost":
        secretive.faults.add(method="POST", path="/api/1.0/groups", drop="after")
    task = (
        "ProcessMakerApiOperator(task_id='t', method='POST', endpoint='groups', json={'name': 'A', 'status': 'ACTIVE'})"
        if trouble == "lost"
        else "ProcessMakerListUsersOperator(task_id='t')"
    )

    outcome = run_dag(task)

    assert outcome.states["t"] == "failed"
    assert outcome.errors
    assert_no_secret(shown(outcome, caplog, capfd), secretive, wrong)


@pytest.mark.parametrize("ending", ["COMPLETED", "ERROR", "outage"])
def test_process_runs_at_debug_level(
    secretive: ProcessMakerServer,
    run_dag: Callable[..., Any],
    monkeypatch: pytest.MonkeyPatch,
    caplog: pytest.LogCaptureFixture,
    capfd: pytest.CaptureFixture[str],
    ending: str,
) -> None:
    """In the log, XComs, rendered fields and errors; and in all that Airflow's database keeps, as triggers are."""
    caplog.set_level(logging.DEBUG)
    secretive.add_process("Order", ["Approve"])
    if ending == "outage":
        secretive.faults.add("GET", "/requests/*", times=None, status=503)
        point_at(secretive, monkeypatch, PASSWORD, max_retries="0")
    else:
        jobs = {"COMPLETED": secretive.complete_request, "ERROR": secretive.fail_request}
        on_start(secretive, (0.3, jobs[ending]))

    outcome = both(run_dag, "error_grace=0, outage_budget=0.3, return_data=True, data={'number': 1}")

    text = shown(outcome, caplog, capfd)
    assert set(outcome.states.values()) == {"success" if ending == "COMPLETED" else "failed"}
    assert "by the password grant" in text
    assert_no_secret(text, secretive)
    home = Path(os.environ["AIRFLOW_HOME"])
    kept = "\n".join(path.read_text("latin-1") for path in home.glob("airflow.db*"))
    assert '"request_ids"' in kept  # the arguments of the triggers, to be read as they are
    assert_no_secret(kept, secretive)


def test_every_token_is_known_to_the_masker(secretive: ProcessMakerServer, run_dag: Callable[..., Any]) -> None:
    """Also one that replaces another during a call: whatever a task logs of it is masked."""
    from airflow.providers.common.compat.sdk import redact

    outcome = run_dag(
        """
        @task
        def careless():
            with ProcessMakerHook().client as client:
                client.get("groups", {"per_page": 1})
                first = client.token().access_token
                client._session.tokens.renew(client.token())
                client.get("groups", {"per_page": 1})
                return client.token().access_token != first
        careless()
        """
    )

    assert outcome.results["careless"] is True
    assert len(secretive.issued_tokens) == 4
    for secret in (*secretive.issued_tokens, PASSWORD, HEADER, secretive.client_secret):
        assert secret not in str(redact(f"the secret is {secret}"))


def test_reprs(secretive: ProcessMakerServer) -> None:
    from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook

    hook = ProcessMakerHook()
    with hook.client as client:
        token = client.token()
        text = "\n".join(repr(item) for item in (hook, client, client.settings, token, hook.__dict__))

    assert_no_secret(text, secretive)
