"""At most once in a real Airflow: retries, lost answers, refusals; and what a task keeps for its next try."""

from __future__ import annotations

from functools import partial
from typing import TYPE_CHECKING, Any

import pytest

from tests.airflow.starts import BOTH, both, on_start, starts, statuses

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer
    from tests.dag_runs import Outcome

    RunDag = Callable[..., Outcome]

pytestmark = pytest.mark.airflow

RETRY = "retries=1"


@pytest.fixture
def order(server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch) -> int:
    """The process, with a task for a person, behind a connection that does not repeat a call by itself."""
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("admin", "admin123", max_retries="0"))
    return server.add_process("Order", ["Approve"], start_users=["bob"])


def marks(server: ProcessMakerServer) -> list[tuple[str, str]]:
    """Key and generation of each request, the latter without the time of the run."""
    found = [(row.data["airflow_key"], row.data["airflow_generation"].partition("-")) for row in server.requests]
    return [(key, tries + ("+" + rest.partition("+")[2] if "+" in rest else "")) for key, (tries, _, rest) in found]


# -- refused ---------------------------------------------------------------------------------------------------------

BAD = {
    "process='Ordr'": 'Did you mean "Order"?',
    "process=0": "process",
    "process=None": "process",
    "start_event='Begin'": 'no single start event "Begin"',
    "start_event=5": "start event",
    "data=[1]": "must be a dict, not a list",
    "data='[1]'": "must be a dict, not a list",
    "data='number=1'": "no JSON object",
    "data={'airflow_key': 'mine'}": "reserved",
    "data={'_request': {}}": "reserved",
    "data={'when': {1}}": "is a set",
    "on_timeout='explode'": "on_timeout cannot be 'explode'",
    "on_error='restrat'": 'Did you mean "restart"?',
    "on_clear=None": "on_clear cannot be None",
    "poll_interval=0": "poll_interval",
    "timeout='1 h'": "timeout",
    "timeout=-1": "timeout",
    "error_grace=-1": "error_grace",
    "outage_budget='long'": "outage_budget",
    "settle_window=-1": "settle_window",
}


def test_a_wrong_argument_starts_nothing(server: Any, order: int, run_dag: RunDag) -> None:
    tasks = "\n".join(
        f"ProcessMakerStartProcessOperator(task_id='t{number}', retries=3, retry_delay=0, "
        f"{argument if 'process=' in argument else 'process=' + repr('Order') + ', ' + argument})"
        for number, argument in enumerate(BAD)
    )

    outcome = run_dag(tasks)

    for number, (argument, words) in enumerate(BAD.items()):
        assert (outcome.states[f"t{number}"], outcome.tries[f"t{number}"]) == ("failed", 1), argument
        assert words in str(outcome.error_of[f"t{number}"]), argument
    assert starts(server) == len(server.requests) == 0


@pytest.mark.parametrize(("process", "username", "status"), [(999, "admin", 404), (2, "eve", 403)])
def test_a_refusal_burns_no_retries(
    server: Any, order: int, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch, process: int, username: str, status: int
) -> None:
    server.add_user("eve", "Eve-pass1!")
    password = {"admin": "admin123", "eve": "Eve-pass1!"}[username]
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri(username, password))
    assert order == 2

    outcome = run_dag(
        f"""
        ProcessMakerStartProcessOperator(
            task_id="t", retries=3, retry_delay=0, process={process}, start_event="node_1"
        )
        """
    )

    assert (outcome.states["t"], outcome.tries["t"]) == ("failed", 1)
    assert type(outcome.errors[0]).__name__ == "AirflowFailException"
    assert f"answered {status}" in str(outcome.errors[0])
    assert starts(server) == 1
    assert len(server.requests) == 0


# -- lost ------------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("fault", "sent"),
    [
        ({"drop": "after"}, 1),
        ({"reset": "before"}, 2),
        ({"status": 500, "process": True}, 1),
        ({"status": 502, "body": "<html>Bad Gateway</html>", "content_type": "text/html"}, 2),
    ],
    ids=["dropped after", "reset before", "500 after", "502 before"],
)
def test_a_lost_answer_starts_nothing_twice(server: Any, order: int, run_dag: RunDag, fault: Any, sent: int) -> None:
    on_start(server, (0.0, server.complete_request))
    server.faults.add("POST", "/process_events/*", **fault)

    outcome = both(run_dag, "settle_window=0.5", modes=("poke",))

    assert outcome.states == {"poke": "success"}
    assert starts(server) == sent
    assert statuses(server) == {"COMPLETED": 1}


@pytest.mark.parametrize("done", [True, False])
def test_a_start_that_is_lost_altogether_is_found_by_the_retry(
    server: Any, order: int, run_dag: RunDag, done: bool
) -> None:
    """The server answers nothing from the start on, until the next try."""

    def down() -> None:
        server.faults.add("GET", "/requests", status=503)

    server.faults.add("POST", "/process_events/*", status=503, process=done, then=down)

    outcome = both(run_dag, f"settle_window=0, wait_for_completion=False, {RETRY}", modes=("poke",))

    assert (outcome.states, outcome.tries["poke"]) == ({"poke": "success"}, 2)
    assert type(outcome.errors[0]).__name__ == "UnknownOutcomeError"
    assert starts(server) == (1 if done else 2)
    assert statuses(server) == {"ACTIVE": 1}


@pytest.mark.parametrize("path", ["/oauth/token", "/start_processes", "/requests"])
def test_a_web_page_in_place_of_an_answer_is_tried_again(server: Any, order: int, run_dag: RunDag, path: str) -> None:
    """As of a server under maintenance: to fail for good might leave a request without its task."""
    page = {"status": 200, "body": "<html><title>Back soon</title></html>", "content_type": "text/html"}
    on_start(server, (0.0, server.complete_request))
    server.faults.add(path=path, **page)

    outcome = both(run_dag, f"settle_window=0, {RETRY}", modes=("poke",))

    assert (outcome.states, outcome.tries["poke"]) == ({"poke": "success"}, 2)
    assert "Back soon" in str(outcome.errors[0])
    assert starts(server) == 1
    assert statuses(server) == {"COMPLETED": 1}


# -- tried again -----------------------------------------------------------------------------------------------------


def test_a_retry_takes_over_what_was_started(server: Any, order: int, run_dag: RunDag) -> None:
    """The first try fails after the start, while it waits."""
    on_start(server, (1.5, server.complete_request))
    server.faults.add("POST", "/process_events/*", times=None, then_when="after", then=partial(lose_a_look, server))

    outcome = both(run_dag, f"outage_budget=0, {RETRY}")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert outcome.tries == dict.fromkeys(BOTH, 2)
    assert {type(error).__name__ for error in outcome.errors} == {"ServerError"}
    assert starts(server) == 2
    assert statuses(server) == {"COMPLETED": 2}
    assert len(set(marks(server))) == 2


def lose_a_look(server: ProcessMakerServer) -> None:
    server.faults.add("GET", "/requests/*", status=503)


def test_a_retry_finds_a_request_that_hides(server: Any, run_dag: RunDag, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its process overwrites the key; what the first try has noted leads to it."""
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", server.connection_uri("admin", "admin123", max_retries="0"))
    overwrite = lambda data, config: {"airflow_key": "none", "airflow_generation": ""}  # noqa: E731
    server.add_process("Order", [overwrite, "Approve"])
    server.faults.add("POST", "/process_events/*", times=None, then_when="after", then=partial(lose_a_look, server))
    on_start(server, (1.5, server.complete_request))

    outcome = both(run_dag, f"outage_budget=0, {RETRY}")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert outcome.tries == dict.fromkeys(BOTH, 2)
    assert starts(server) == 2
    assert {request.data["airflow_key"] for request in server.requests} == {"none"}


def test_a_retry_gives_the_result_of_what_has_completed(server: Any, order: int, run_dag: RunDag) -> None:
    on_start(server, (0.0, server.complete_request))
    server.faults.add("GET", "/requests/*", when=lambda call: "include=data" in call.query, times=2, status=503)

    outcome = both(run_dag, "outage_budget=0, return_data=True, retries=2")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert sum(outcome.tries.values()) == 4
    assert starts(server) == 2
    assert statuses(server) == {"COMPLETED": 2}


@pytest.mark.parametrize("ending", ["ERROR", "CANCELED", "deleted"])
def test_on_error_restart_starts_another_one_with_the_retry(
    server: Any, order: int, run_dag: RunDag, ending: str
) -> None:
    def end(request_id: int) -> None:
        key = server.request(request_id).data["airflow_key"]
        if key in ended:
            server.complete_request(request_id)
        else:
            ended.add(key)
            jobs[ending](request_id)

    ended: set[str] = set()
    jobs = {"ERROR": server.fail_request, "CANCELED": server.cancel_request, "deleted": server.delete_request}
    on_start(server, (0.3, end))

    outcome = both(run_dag, f"on_error='restart', error_grace=0.3, {RETRY}")

    assert outcome.states == dict.fromkeys(BOTH, "success")
    assert outcome.tries == dict.fromkeys(BOTH, 2)
    assert starts(server) == 4
    left = {} if ending == "deleted" else {ending: 2}
    assert statuses(server) == {"COMPLETED": 2, **left}
    if left:
        assert sorted(generation for _, generation in marks(server)) == ["1", "1", "1+1", "1+1"]
        assert len({key for key, _ in marks(server)}) == 2


def test_a_start_that_fell_into_error_is_not_repeated_by_a_retry(server: Any, order: int, run_dag: RunDag) -> None:
    """The grace is not over when the first try fails for another reason."""
    on_start(server, (0.0, server.fail_request), (2.5, server.resume_request), (2.6, server.complete_request))
    server.faults.add("POST", "/process_events/*", times=None, then_when="after", then=partial(lose_a_look, server))

    outcome = both(run_dag, f"on_error='restart', outage_budget=0, error_grace=60, {RETRY}", modes=("poke",))

    assert (outcome.states, outcome.tries["poke"]) == ({"poke": "success"}, 2)
    assert starts(server) == 1
    assert statuses(server) == {"COMPLETED": 1}


# -- kept ------------------------------------------------------------------------------------------------------------


def test_intent_and_request_id_are_kept(server: Any, order: int, run_dag: RunDag) -> None:
    on_start(server, (0.2, server.complete_request))

    outcome = both(run_dag, "timeout=3600")

    for mode in BOTH:
        (notes,) = outcome.notes[mode].values()
        request = server.request(outcome.results[mode]["request_id"])
        assert notes["request_id"] == request.id
        assert notes["generation"] == request.data["airflow_generation"]
        assert notes["phase"] == "done"
        assert 3000 < notes["deadline"] - outcome.started < 3700


def test_the_intent_is_kept_before_the_start(server: Any, order: int, run_dag: RunDag) -> None:
    server.faults.add("POST", "/process_events/*", times=None, status=422, body={"message": "No."})

    outcome = both(run_dag, modes=("poke",))

    (notes,) = outcome.notes["poke"].values()
    assert (notes["phase"], "request_id" in notes) == ("starting", False)
