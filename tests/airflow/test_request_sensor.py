"""The sensor for requests in a real Airflow: one result and one error in all its modes. And cancelling requests."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote_plus

import pytest

from tests.airflow.starts import plain

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer
    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow

MODES = ("poke", "reschedule", "deferrable")
FIELDS = ["request_id", "process_id", "name", "case_number", "status", "initiated_at", "completed_at", "url"]

_TASKS = """
for mode, ids in {ids}.items():
    ProcessMakerRequestSensor(
        task_id=mode, mode="reschedule" if mode == "reschedule" else "poke", deferrable=mode == "deferrable",
        **dict(request_ids=ids, poke_interval=0.3, timeout=120) | dict({arguments})
    )
"""


@pytest.fixture
def ids(server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch) -> dict[str, list[int]]:
    """Two requests for each mode, that wait for somebody; behind a connection that repeats no call by itself."""
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("admin", "admin123", max_retries="0"))
    server.add_process("Order", ["Approve"])
    found = [request.id for request in server.add_requests("Order", 6)]
    return {mode: found[2 * number : 2 * number + 2] for number, mode in enumerate(MODES)}


def in_all_modes(run_dag: RunDag, ids: Any, arguments: str = "") -> Outcome:
    """A task for each mode, for the ids of each."""
    return run_dag(_TASKS.format(ids=ids if isinstance(ids, dict) else dict.fromkeys(MODES, ids), arguments=arguments))


def first_of(ids: dict[str, list[int]]) -> dict[str, int]:
    return {mode: each[0] for mode, each in ids.items()}


def on_look(server: ProcessMakerServer, request_id: int, job: Callable[[int], object], *, looks: int = 1) -> None:
    """Let something happen to a request when it has been looked at so often."""

    def is_a_look(call: Any) -> bool:
        query = re.findall(r"\d+", unquote_plus(call.query)) if call.path == "/api/1.0/requests" else []
        return call.path == f"/api/1.0/requests/{request_id}" or str(request_id) in query

    server.faults.add("GET", when=is_a_look, after=looks, then=lambda: job(request_id))


def check_failed(outcome: Outcome, kind: str, *words: str) -> None:
    """All have failed at once, for good and by the same words."""
    assert outcome.states == dict.fromkeys(MODES, "failed")
    for mode in MODES:
        assert type(outcome.error_of[mode]).__name__ == kind
        for word in words:
            assert word in str(outcome.error_of[mode])
    assert len({plain(outcome.error_of[mode]) for mode in MODES}) == 1
    assert len(outcome.errors) == 3


def test_one_request(server: Any, ids: Any, run_dag: RunDag) -> None:
    for one in first_of(ids).values():
        on_look(server, one, server.complete_request, looks=2)

    outcome = in_all_modes(run_dag, first_of(ids))

    assert outcome.states == dict.fromkeys(MODES, "success")
    for mode, one in first_of(ids).items():
        result = outcome.results[mode]
        assert list(result) == FIELDS
        assert (result["request_id"], result["name"], result["status"]) == (one, "Order", "COMPLETED")
        assert outcome.links[mode] == result["url"] == f"{server.url}/cases/{server.request(one).case_number}"
    assert len({plain(outcome.results[mode]) for mode in MODES}) == 1


def test_many_requests(server: Any, ids: Any, run_dag: RunDag) -> None:
    for one, other in ids.values():
        on_look(server, other, server.complete_request)
        on_look(server, one, server.complete_request, looks=4)

    outcome = in_all_modes(run_dag, {mode: [other, one] for mode, (one, other) in ids.items()}, "return_data=True")

    assert outcome.states == dict.fromkeys(MODES, "success")
    for mode in MODES:
        assert [list(result) for result in outcome.results[mode]] == [[*FIELDS, "data"]] * 2
        assert [result["request_id"] for result in outcome.results[mode]] == ids[mode]
        assert not [key for result in outcome.results[mode] for key in result["data"] if key.startswith("_")]
        assert outcome.links[mode] == outcome.results[mode][0]["url"]


@pytest.mark.parametrize(
    ("ending", "words"),
    [
        ("fail_request", ['process "Order"', "is ERROR", 'element "Approve"', "Something went wrong", "/cases/"]),
        ("cancel_request", ['process "Order"', "is CANCELED", "Somebody canceled it", "/cases/"]),
        ("delete_request", ["was deleted"]),
    ],
)
@pytest.mark.parametrize("many", [False, True], ids=["one", "many"])
def test_another_end(server: Any, ids: Any, run_dag: RunDag, ending: str, words: list[str], many: bool) -> None:
    for one, _ in ids.values():
        on_look(server, one, getattr(server, ending))

    outcome = in_all_modes(run_dag, ids if many else first_of(ids), "error_grace=0.4, retries=2, retry_delay=0")

    check_failed(outcome, "AirflowFailException", *words)


def test_error_that_is_mended_within_the_grace(server: Any, ids: Any, run_dag: RunDag) -> None:
    def mend(one: int) -> None:
        server.fail_request(one)
        server.after(1.0, lambda: server.complete_request(one))

    for one in first_of(ids).values():
        on_look(server, one, mend)

    outcome = in_all_modes(run_dag, first_of(ids), "error_grace=60")

    assert outcome.states == dict.fromkeys(MODES, "success")


def test_time_out(server: Any, ids: Any, run_dag: RunDag) -> None:
    outcome = in_all_modes(run_dag, ids, "timeout=1")

    check_failed(outcome, "AirflowSensorTimeout", "after 1 s", "is still ACTIVE, and 1 more with it", "/cases/")


def test_a_last_look_when_the_time_is_up(server: Any, ids: Any, run_dag: RunDag) -> None:
    """No triggerer may have run until then."""
    one = ids["deferrable"][0]
    on_look(server, one, server.complete_request)

    outcome = in_all_modes(run_dag, {"deferrable": one}, "timeout=8, poke_interval=60")

    assert outcome.results["deferrable"]["status"] == "COMPLETED"


def test_an_outage_is_waited_out(server: Any, ids: Any, run_dag: RunDag, caplog: pytest.LogCaptureFixture) -> None:
    def down(one: int) -> None:
        for answer in ({"status": 503}, {"reset": "before"}, {"status": 429}, {"status": 200, "body": "<html></html>"}):
            server.faults.add("GET", f"/requests/{one}", **answer)
        server.after(0.1, lambda: server.complete_request(one))

    for one in first_of(ids).values():
        on_look(server, one, down)

    outcome = in_all_modes(run_dag, first_of(ids))

    assert outcome.states == dict.fromkeys(MODES, "success")
    assert "ProcessMaker cannot be asked; waiting up to 600 s for it" in caplog.text


@pytest.mark.parametrize("doubt", ["outage", "ERROR"])
def test_what_is_in_doubt_at_the_first_look_keeps_no_worker(
    server: Any, ids: Any, run_dag: RunDag, doubt: str, caplog: pytest.LogCaptureFixture
) -> None:
    one = ids["deferrable"][0]
    if doubt == "outage":
        server.faults.add("GET", f"/requests/{one}", times=2, status=503, then=lambda: server.complete_request(one))
    else:
        server.fail_request(one)
        on_look(server, one, server.complete_request, looks=2)

    outcome = in_all_modes(run_dag, {"deferrable": one})

    assert outcome.results["deferrable"]["status"] == "COMPLETED"
    before, _, after = caplog.text.partition("running trigger in line")
    assert before.count(f'"GET /api/1.0/requests/{one}') == 1
    assert after.count(f'"GET /api/1.0/requests/{one}') >= 2


def test_an_outage_that_lasts_too_long(server: Any, ids: Any, run_dag: RunDag) -> None:
    for one in first_of(ids).values():
        on_look(server, one, lambda one: server.faults.add("GET", f"/requests/{one}", times=None, status=503))

    outcome = in_all_modes(run_dag, first_of(ids), "outage_budget=0.5")

    check_failed(outcome, "ServerError", "ProcessMaker could not be asked (outage_budget)")  # a retry may help


@pytest.mark.parametrize("arguments", ["timeout=0.5", "statuses='CANCELED'"], ids=["time-out", "another end"])
def test_soft_fail(server: Any, ids: Any, run_dag: RunDag, arguments: str) -> None:
    if "timeout" not in arguments:
        for one in first_of(ids).values():
            on_look(server, one, server.complete_request)

    outcome = in_all_modes(run_dag, first_of(ids), f"soft_fail=True, {arguments}")

    assert outcome.states == dict.fromkeys(MODES, "skipped")


def test_wanted_statuses(server: Any, ids: Any, run_dag: RunDag) -> None:
    for (one, other), job in zip(ids.values(), (server.cancel_request, server.fail_request, None), strict=True):
        for each in (one, other):
            on_look(server, each, job or server.complete_request)

    outcome = in_all_modes(run_dag, ids, "statuses=['COMPLETED', 'CANCELED', '{{ \"ERROR\" }}'], error_grace=0")
    at_once = run_dag(f"ProcessMakerRequestSensor(task_id='t', request_ids={ids['poke']}, statuses='CANCELED')")

    assert outcome.states == dict.fromkeys(MODES, "success")
    for mode, status in zip(MODES, ("CANCELED", "ERROR", "COMPLETED"), strict=True):
        assert {result["status"] for result in outcome.results[mode]} == {status}
    assert [result["status"] for result in at_once.results["t"]] == ["CANCELED", "CANCELED"]


def test_ids_from_templates_and_other_tasks(server: Any, ids: Any, run_dag: RunDag) -> None:
    one, other = ids["poke"]
    server.complete_request(one)
    server.complete_request(other)
    server.add_process("Done", [])

    outcome = run_dag(
        f"""
        started = ProcessMakerStartProcessOperator(task_id="start", process="Done", multiple_outputs=True)
        @task
        def known():
            return [{one}, {other}]
        for deferrable in (False, True):
            options = dict(deferrable=deferrable)
            ProcessMakerRequestSensor(task_id=f"text_{{deferrable}}", request_ids="[{one}, {other}]", **options)
            ProcessMakerRequestSensor(task_id=f"one_{{deferrable}}", request_ids="{{{{ {one} }}}}", **options)
            ProcessMakerRequestSensor(task_id=f"known_{{deferrable}}", request_ids=known(), **options)
            ProcessMakerRequestSensor(
                task_id=f"started_{{deferrable}}", request_ids=started.output["request_id"], **options
            )
            ProcessMakerRequestSensor.partial(task_id=f"each_{{deferrable}}", **options).expand(request_ids=known())
        """
    )

    assert outcome.error_of == {}
    both = [one, other]
    for deferrable in (False, True):
        for task in ("text", "known"):
            assert [result["request_id"] for result in outcome.results[f"{task}_{deferrable}"]] == both
        assert outcome.results[f"one_{deferrable}"]["request_id"] == one
        assert outcome.results[f"started_{deferrable}"] == outcome.results["start"]
        assert [outcome.results[f"each_{deferrable}", index]["request_id"] for index in range(2)] == both


WRONG = {
    "request_ids=[]": "No id of a request",
    "request_ids=''": "No id of a request",
    "request_ids='None'": "whole numbers, not 'None'",
    "request_ids=None": "No id of a request",
    "request_ids=0": "a whole number from 1",
    "request_ids=-1": "a whole number from 1",
    "request_ids=True": "whole numbers",
    "request_ids=[1, 'x']": "whole numbers",
    "request_ids=1.5": "whole numbers",
    "request_ids=[1.5]": "whole numbers",
    "statuses='DONE'": 'no status "DONE"',
    "statuses='Completed'": 'Did you mean "COMPLETED"?',
    "statuses=[]": "No status is given",
    "statuses=5": "must be a list of texts",
    "error_grace=-1": "error_grace",
    "outage_budget='x'": "outage_budget",
}


@pytest.mark.parametrize("deferrable", [False, True])
def test_a_wrong_argument_asks_nothing(server: Any, run_dag: RunDag, deferrable: bool) -> None:
    tasks = "\n".join(
        f"ProcessMakerRequestSensor(task_id='t{number}', retries=3, retry_delay=0, poke_interval=0.1, timeout=20, "
        f"deferrable={deferrable}, **dict(request_ids=1) | dict({argument}))"
        for number, argument in enumerate(WRONG)
    )

    outcome = run_dag(tasks)

    for number, (argument, words) in enumerate(WRONG.items()):
        assert (outcome.states[f"t{number}"], outcome.tries[f"t{number}"]) == ("failed", 1), argument
        assert type(outcome.error_of[f"t{number}"]).__name__ == "AirflowFailException", argument
        assert words in str(outcome.error_of[f"t{number}"]), argument
    assert server.calls == []


# -- cancelling ------------------------------------------------------------------------------------------------------


def test_cancelling(server: Any, ids: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    active, failed, completed, canceled, other, _ = (one for two in ids.values() for one in two)
    server.fail_request(failed)
    server.complete_request(completed)
    server.cancel_request(canceled)
    monkeypatch.setenv("AIRFLOW_CONN_BOB", server.connection_uri("bob", "Bob-pass1!"))
    server.give_request(other, "bob")

    outcome = run_dag(
        f"""
        options = dict(retries=2, retry_delay=0)
        ProcessMakerCancelRequestOperator(task_id="active", request_id="{{{{ {active} }}}}", **options)
        ProcessMakerCancelRequestOperator(task_id="failed", request_id={failed}, **options)
        ProcessMakerCancelRequestOperator(task_id="completed", request_id={completed}, **options)
        ProcessMakerCancelRequestOperator(task_id="canceled", request_id={canceled}, **options)
        ProcessMakerCancelRequestOperator(task_id="missing", request_id=999, **options)
        ProcessMakerCancelRequestOperator(
            task_id="no_right", request_id={other}, processmaker_conn_id="bob", **options
        )
        ProcessMakerCancelRequestOperator(task_id="nonsense", request_id="{{{{ 'x' }}}}", **options)
        """
    )

    found = {
        "active": (active, "ACTIVE", "CANCELED", True),
        "failed": (failed, "ERROR", "CANCELED", True),
        "completed": (completed, "COMPLETED", "COMPLETED", False),
        "canceled": (canceled, "CANCELED", "CANCELED", False),
    }
    for task, (request_id, before, after, cancelled) in found.items():
        assert outcome.results[task] == {
            "request_id": request_id,
            "found": before,
            "status": after,
            "cancelled": cancelled,
        }
        assert server.request(request_id).status == after
    refused = {"missing": "answered 404", "no_right": "answered 403", "nonsense": "whole number from 1, not by 'x'"}
    for task, words in refused.items():
        assert (outcome.states[task], outcome.tries[task]) == ("failed", 1)
        assert type(outcome.error_of[task]).__name__ == "AirflowFailException"
        assert words in str(outcome.error_of[task])
    assert server.request(other).status == "ACTIVE"
    puts = {call.path for call in server.calls if call.method == "PUT"}
    assert puts == {f"/api/1.0/requests/{one}" for one in (active, failed, other)}
