"""The start operator in a real Airflow: one result and one error, whichever way it waits."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow.starts import BOTH, both, on_start, plain, starts, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer
    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow

FIELDS = ["request_id", "process_id", "name", "case_number", "status", "initiated_at", "completed_at", "url"]


def order(server: ProcessMakerServer, **options: Any) -> int:
    """The process, with a task for a person, so that its requests wait."""
    return server.add_process("Order", **({"steps": ["Approve"]} | options))


def check_failed(outcome: Outcome, *words: str) -> None:
    """Both have failed at once, for good and by the same words."""
    assert outcome.states == dict.fromkeys(BOTH, "failed")
    assert outcome.tries == dict.fromkeys(BOTH, 1), outcome.errors
    assert len(outcome.errors) == 2
    for mode in BOTH:
        assert type(outcome.error_of[mode]).__name__ == "AirflowFailException"
        for word in words:
            assert word in str(outcome.error_of[mode])
    assert plain(outcome.error_of["poke"]) == plain(outcome.error_of["deferrable"])


def test_completed(server: Any, run_dag: RunDag) -> None:
    process = order(server, case_title="Order {{ number }}")
    on_start(server, (0.3, lambda one: server.complete_request(one, {"approved": True, "_internal": 1})))

    outcome = both(run_dag, "data={'number': 'A-17'}")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert statuses(server) == {"COMPLETED": 2}
    for mode in BOTH:
        result = outcome.results[mode]
        request = server.request(result["request_id"])
        assert list(result) == FIELDS
        assert (result["process_id"], result["name"], result["status"]) == (process, "Order", "COMPLETED")
        assert result["url"] == outcome.links[mode] == f"{server.url}/cases/{result['case_number']}"
        assert result["initiated_at"] <= result["completed_at"]
        assert request.data["number"] == "A-17"
        assert request.data["airflow_key"].startswith("af1-")
    poke, deferrable = (outcome.results[mode] for mode in BOTH)
    assert plain(poke) == plain(deferrable)


def test_the_data_comes_back_without_what_is_the_engines(server: Any, run_dag: RunDag) -> None:
    order(server)
    on_start(server, (0.2, lambda one: server.complete_request(one, {"approved": True, "_internal": 1})))

    outcome = both(run_dag, "data='{\"number\": {{ 10 + 7 }}}', return_data=True")

    for mode in BOTH:
        data = outcome.results[mode]["data"]
        request = server.request(outcome.results[mode]["request_id"])
        assert request.data["_internal"] == 1
        assert (data["number"], data["approved"]) == (17, True)
        assert not [key for key in data if key.startswith("_")]


def test_error(server: Any, run_dag: RunDag) -> None:
    order(server)
    on_start(server, (0.2, lambda one: server.fail_request(one, "Tax service is down", "Calculate tax")))

    outcome = both(run_dag, "error_grace=0.5, retries=2")

    check_failed(outcome, 'element "Calculate tax"', "Tax service is down", 'process "Order"', "is ERROR")
    for mode in BOTH:
        error = str(outcome.error_of[mode])
        assert outcome.links[mode] in error
        case = outcome.links[mode].rpartition("/")[2]
        (request,) = [each for each in server.requests if str(each.columns["case_number"]) == case]
        assert f'Request {request.id} of the process "Order", case {case} is ERROR' in error
        assert "[connection processmaker_default]" in error
    assert statuses(server) == {"ERROR": 2}


def test_error_that_is_mended_within_the_grace(server: Any, run_dag: RunDag) -> None:
    order(server)
    on_start(
        server,
        (0.1, lambda one: server.fail_request(one, "Tax service is down")),
        (0.7, server.resume_request),
        (1.0, server.complete_request),
    )

    outcome = both(run_dag, "error_grace=30")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert {outcome.results[mode]["status"] for mode in BOTH} == {"COMPLETED"}
    assert starts(server) == 2


def test_canceled(server: Any, run_dag: RunDag) -> None:
    order(server)
    on_start(server, (0.3, server.cancel_request))

    check_failed(both(run_dag, "retries=2"), "is CANCELED", 'process "Order"', f"{server.url}/cases/")
    assert starts(server) == 2


def test_deleted(server: Any, run_dag: RunDag) -> None:
    order(server)
    on_start(server, (0.3, server.delete_request))

    check_failed(both(run_dag, "error_grace=0.5, retries=2"), "was deleted", "Request ")
    assert starts(server) == 2


def test_hidden(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    order(server, start_users=["bob"])
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("bob", "Bob-pass1!"))
    on_start(server, (0.3, lambda one: server.give_request(one, "admin")))

    check_failed(both(run_dag, "error_grace=0.5"), "may no longer be seen by bob", "Give him the right again")


def test_a_status_that_nobody_knows(server: Any, run_dag: RunDag) -> None:
    order(server)
    on_start(server, (0.3, lambda one: server.request(one).update(status="PAUSED")))

    check_failed(both(run_dag), "is PAUSED, a status that this version does not know")


def test_time_out(server: Any, run_dag: RunDag) -> None:
    order(server)

    outcome = both(run_dag, "timeout=dt.timedelta(seconds=1), retries=2")

    check_failed(outcome, "The time is up: request ", "is still ACTIVE", f"{server.url}/cases/")
    assert statuses(server) == {"ACTIVE": 2}


def test_time_out_that_cancels(server: Any, run_dag: RunDag) -> None:
    order(server)

    outcome = both(run_dag, "timeout=1, on_timeout='cancel', retries=2")

    check_failed(outcome, "The time is up: request ", "It was ACTIVE and is CANCELED now.", f"{server.url}/cases/")
    assert statuses(server) == {"CANCELED": 2}


def test_time_out_that_cannot_cancel(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    order(server, start_users=["bob"])
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("bob", "Bob-pass1!"))

    outcome = both(run_dag, "timeout=1, on_timeout='cancel'")

    check_failed(outcome, "The time is up: request ", "It could not be canceled: ", "Cancel Request.", "/cases/")
    assert statuses(server) == {"ACTIVE": 2}


def test_time_out_that_skips(server: Any, run_dag: RunDag) -> None:
    order(server)

    outcome = both(run_dag, "timeout=1, on_timeout='skip'")

    assert outcome.states == dict.fromkeys(BOTH, "skipped")
    assert statuses(server) == {"ACTIVE": 2}
    assert all(outcome.links.values())


def test_a_last_look_when_the_time_is_up(server: Any, run_dag: RunDag) -> None:
    """No triggerer may have run until then."""
    order(server)
    for one in (1, 2):
        server.faults.add("GET", f"/requests/{one}", then=partial(server.complete_request, one))

    outcome = both(run_dag, "timeout=0")

    assert outcome.states == dict.fromkeys(BOTH, "success")


@pytest.mark.parametrize("waits", [True, False])
def test_started_and_completed_at_once(server: Any, run_dag: RunDag, waits: bool) -> None:
    order(server, steps=[])

    outcome = both(run_dag, f"wait_for_completion={waits}")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert {outcome.results[mode]["status"] for mode in BOTH} == {"COMPLETED"}
    assert starts(server) == len(server.requests) == 2


@pytest.mark.parametrize("waits", [True, False])
def test_started_into_an_error(server: Any, run_dag: RunDag, waits: bool) -> None:
    order(server, fails="Nobody can do it")

    outcome = both(run_dag, f"wait_for_completion={waits}, error_grace=0.5, retries=2")

    check_failed(outcome, "Nobody can do it", 'element "Failing"', 'process "Order"', "is ERROR", "/cases/")
    assert starts(server) == len(server.requests) == 2


def test_nobody_waits(server: Any, run_dag: RunDag) -> None:
    order(server)

    outcome = both(run_dag, "wait_for_completion=False, return_data=True, data={'number': 1}")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    for mode in BOTH:
        result = outcome.results[mode]
        assert list(result) == [*FIELDS, "data"]
        assert (result["status"], result["completed_at"]) == ("ACTIVE", None)
        assert outcome.links[mode] == result["url"]
    assert statuses(server) == {"ACTIVE": 2}
    # To look whether it came twice, for the result, and nothing to wait.
    assert len([call for call in server.calls if call.path.startswith("/api/1.0/requests/")]) == 2


def test_an_outage_is_waited_out(server: Any, run_dag: RunDag, caplog: pytest.LogCaptureFixture) -> None:
    order(server)
    answers = [{"status": 503}, {"reset": "before"}, {"status": 429}, {"status": 200, "body": "<html>Down</html>"}]
    on_start(server, (0.5, server.complete_request))
    server.faults.add(
        "POST",
        "/process_events/*",
        times=None,
        then_when="after",
        then=lambda: [server.faults.add("GET", "/requests/*", **answer) for answer in answers],
    )

    outcome = both(run_dag)

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert starts(server) == len(server.requests) == 2
    assert "ProcessMaker cannot be asked; waiting up to 600 s for it" in caplog.text


def test_an_outage_that_lasts_too_long(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    order(server)
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("admin", "admin123", max_retries="0"))
    server.faults.add("GET", "/requests/*", times=None, status=503)

    outcome = both(run_dag, "outage_budget=0.5, retries=0")

    assert outcome.states == dict.fromkeys(BOTH, "failed")
    assert {type(error).__name__ for error in outcome.errors} == {"ServerError"}  # a retry may help
    for mode in BOTH:
        assert "ProcessMaker could not be asked (outage_budget)" in str(outcome.error_of[mode])
    assert plain(outcome.error_of["poke"]) == plain(outcome.error_of["deferrable"])
    assert statuses(server) == {"ACTIVE": 2}


def test_mapped(server: Any, run_dag: RunDag) -> None:
    order(server)
    on_start(server, (0.2, server.complete_request))

    outcome = run_dag(
        """
        common = dict(process="Order", poll_interval=0.2, return_data=True)
        for mode in ("poke", "deferrable"):
            ProcessMakerStartProcessOperator.partial(task_id=mode, deferrable=mode == "deferrable", **common).expand(
                data=[{"number": 1}, {"number": 2}, {"number": 3}]
            )
        """
    )

    assert outcome.state == "success"
    assert starts(server) == len(server.requests) == 6
    assert len({request.data["airflow_key"] for request in server.requests}) == 6
    for mode in BOTH:
        for index in range(3):
            result = outcome.results[mode, index]
            assert result["data"]["number"] == server.request(result["request_id"]).data["number"] == index + 1
            assert outcome.links[mode, index] == result["url"]
    assert len(set(outcome.links.values())) == 6
