"""What an attempt does about what earlier attempts have started, and by what it tells itself from other tasks."""

from __future__ import annotations

import datetime as dt
import re
from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from airflow_provider_processmaker.client.starting import checked_key
from airflow_provider_processmaker.hooks.installation import installation_id
from airflow_provider_processmaker.operators.adoption import Policy, decide
from airflow_provider_processmaker.operators.attempts import Attempt, attempt_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from airflow_provider_processmaker.operators.adoption import Decision

pytestmark = pytest.mark.airflow

OURS, OTHER = "2-1000", "3-1000"
STATUSES = ("ACTIVE", "COMPLETED", "ERROR", "CANCELED")
FIRST, RETRY = Attempt("af1-key", OURS, first=True), Attempt("af1-key", OURS, first=False)
#: The run was never cleared, and so has the start that it had from the first.
SAME_RUN = Attempt("af1-key", OURS, first=False, run_cleared=False)
OLDER = "2-999"
PHASES = ("starting", "waiting", "deferred", "done", "failed", "broken off")
KEPT = Policy(cancel_on_kill=False)
RESTART = Policy(on_error="restart")
ANEW = Policy(on_clear="restart")


def row(request_id: int, status: str, generation: str | None = OURS) -> dict[str, Any]:
    data = {} if generation is None else {"airflow_generation": generation}
    return {"id": request_id, "status": status, "data": data}


def noted(phase: str, request_id: int | None = 1, generation: str = OURS) -> dict[str, Any]:
    return {"generation": generation, "phase": phase, "request_id": request_id}


def told(decision: Decision) -> tuple[list[int], str, bool, list[int]]:
    return (
        [each["id"] for each in decision.adopt],
        decision.generation,
        decision.confirm,
        [each["id"] for each in decision.cancel],
    )


def adopt(*ids: int) -> tuple[list[int], str, bool, list[int]]:
    return (list(ids), "", False, [])


def anew(generation: str, *cancelled: int) -> tuple[list[int], str, bool, list[int]]:
    return ([], generation, False, list(cancelled))


@pytest.mark.parametrize(
    ("rows", "attempt", "notes", "policy", "expected"),
    [
        pytest.param([], FIRST, {}, Policy(), anew(OURS), id="first run"),
        pytest.param([row(1, "ACTIVE", OTHER)], FIRST, {}, Policy(), anew(OURS), id="a deleted run of the same name"),
        pytest.param([row(1, "ACTIVE")], FIRST, {}, Policy(), adopt(1), id="the same try twice"),
        pytest.param([], RETRY, noted("starting", None), Policy(), anew(OURS), id="died before the start"),
        pytest.param([row(1, "ACTIVE")], RETRY, noted("starting", None), Policy(), adopt(1), id="died in the start"),
        pytest.param([row(1, "ACTIVE")], RETRY, noted("waiting"), Policy(), adopt(1), id="SIGKILL while waiting"),
        pytest.param([row(1, "ACTIVE")], RETRY, noted("deferred"), Policy(), adopt(1), id="trigger failed"),
        pytest.param([row(1, "ACTIVE")], RETRY, {}, Policy(), adopt(1), id="no store: exception or SIGKILL"),
        pytest.param([row(1, "COMPLETED")], RETRY, noted("done"), Policy(), adopt(1), id="failed after the end"),
        pytest.param([row(1, "COMPLETED")], RETRY, {}, RESTART, adopt(1), id="no store: failed after the end"),
        # Killed while running, and the clear did not raise max_tries (several at once; Airflow 2.11).
        pytest.param([row(1, "CANCELED")], RETRY, noted("waiting"), Policy(), anew(f"{OURS}+1"), id="killed"),
        pytest.param([row(1, "CANCELED")], RETRY, {}, Policy(), anew(f"{OURS}+1"), id="no store: killed"),
        pytest.param([row(1, "ACTIVE")], RETRY, noted("waiting"), ANEW, adopt(1), id="worker lost after a clear"),
        pytest.param([row(1, "CANCELED")], RETRY, noted("waiting"), KEPT, adopt(1), id="canceled, but not by a kill"),
        pytest.param([row(1, "CANCELED")], FIRST, {}, Policy(), adopt(1), id="canceled before any kill"),
        pytest.param([row(1, "CANCELED")], RETRY, noted("failed"), Policy(), adopt(1), id="canceled by somebody"),
        pytest.param(
            [row(1, "CANCELED")], RETRY, noted("failed"), RESTART, anew(f"{OURS}+1"), id="canceled by somebody, restart"
        ),
        pytest.param([row(1, "CANCELED")], RETRY, noted("broken off"), Policy(), adopt(1), id="canceled in an outage"),
        pytest.param([row(1, "ACTIVE")], RETRY, noted("broken off"), RESTART, adopt(1), id="an outage"),
        pytest.param(
            [row(1, "ERROR")],
            RETRY,
            noted("broken off"),
            RESTART,
            ([1], f"{OURS}+1", True, []),
            id="ERROR, outage",
        ),
        pytest.param([row(1, "ERROR")], RETRY, noted("failed"), Policy(), adopt(1), id="failed for good"),
        pytest.param(
            [row(1, "ERROR")], RETRY, noted("failed"), RESTART, ([1], f"{OURS}+1", False, []), id="failed, restart"
        ),
        pytest.param(
            [row(1, "ERROR")], RETRY, noted("waiting"), RESTART, ([1], f"{OURS}+1", True, []), id="died in the grace"
        ),
        pytest.param([row(1, "PAUSED")], RETRY, {}, RESTART, adopt(1), id="a status of a newer server"),
        # The second start of one generation, the third, the eleventh.
        pytest.param(
            [row(1, "CANCELED"), row(2, "ACTIVE", f"{OURS}+1")], RETRY, {}, Policy(), adopt(2), id="restarted, waiting"
        ),
        pytest.param(
            [row(n + 1, "CANCELED", f"{OURS}+{n}" if n else OURS) for n in range(11)],
            RETRY,
            noted("waiting", 11),
            Policy(),
            anew(f"{OURS}+11"),
            id="killed again and again",
        ),
        pytest.param([row(1, "ACTIVE"), row(2, "ACTIVE")], RETRY, {}, Policy(), adopt(1, 2), id="came twice"),
        pytest.param([row(1, "CANCELED"), row(2, "ACTIVE")], RETRY, {}, Policy(), adopt(1, 2), id="twice, one is left"),
        # Found by its id alone: adopted after a clear, or its process has overwritten the key.
        pytest.param(
            [row(1, "ACTIVE", OTHER)], RETRY, noted("waiting"), ANEW, adopt(1), id="adopted before, then a retry"
        ),
        pytest.param([row(1, "ACTIVE", None)], RETRY, noted("waiting"), ANEW, adopt(1), id="overwritten key"),
        pytest.param([row(1, "ACTIVE", None)], SAME_RUN, noted("waiting"), ANEW, adopt(1), id="the same, no clear"),
        # Of a run of the same name that was deleted: nobody's.
        pytest.param([row(1, "ACTIVE", OLDER)], SAME_RUN, {}, Policy(), anew(OURS), id="another run's, at a retry"),
        pytest.param(
            [row(1, "COMPLETED", OLDER), row(2, "ACTIVE")],
            SAME_RUN,
            {},
            Policy(),
            adopt(2),
            id="another run's beside it",
        ),
        pytest.param([row(1, "ACTIVE", OTHER)], SAME_RUN, {}, Policy(), adopt(1), id="cleared in Airflow 2.11"),
        pytest.param(
            [row(1, "ACTIVE", OTHER)], RETRY, noted("starting", None), Policy(), anew(OURS), id="decided before it died"
        ),
        pytest.param(
            [row(1, "CANCELED", OTHER)],
            RETRY,
            noted("waiting"),
            Policy(),
            anew(f"{OURS}+1"),
            id="adopted before, then killed",
        ),
        pytest.param(
            [row(1, "COMPLETED", OTHER), row(2, "ACTIVE")], RETRY, noted("waiting", 2), Policy(), adopt(2), id="cleared"
        ),
    ],
)
def test_retries(rows: list[Any], attempt: Attempt, notes: Mapping[str, Any], policy: Policy, expected: Any) -> None:
    assert told(decide(rows, attempt, notes, policy)) == expected


@pytest.mark.parametrize("phase", [None, *PHASES])
@pytest.mark.parametrize("status", STATUSES)
@pytest.mark.parametrize("on_clear", ["resume", "restart"])
@pytest.mark.parametrize("cancel_on_kill", [True, False])
def test_clears(phase: str | None, status: str, on_clear: str, cancel_on_kill: bool) -> None:
    """Another ``max_tries``: after a success, a failure, all retries; while deferred, running, up for retry."""
    notes = {} if phase is None else noted(phase, 2, OTHER)
    policy = Policy(on_clear=on_clear, cancel_on_kill=cancel_on_kill)

    decision = decide([row(1, "CANCELED", OTHER), row(2, status, f"{OTHER}+1")], RETRY, notes, policy)

    # The trigger's on_kill comes after the new attempt has begun: what it is about to cancel must not be adopted.
    doomed = cancel_on_kill and phase == "deferred"
    resumed = on_clear == "resume" and (status == "COMPLETED" or (status == "ACTIVE" and not doomed))
    cancelled = [2] if status == "ACTIVE" and cancel_on_kill else []
    assert told(decision) == (adopt(2) if resumed else anew(OURS, *cancelled))


def test_a_start_of_an_older_generation_that_still_runs_is_seen_to() -> None:
    rows = [row(1, "ACTIVE", "1-1000"), row(2, "ERROR", OTHER)]

    assert told(decide(rows, RETRY, {}, Policy())) == anew(OURS, 1)
    assert told(decide(rows, RETRY, {}, KEPT)) == anew(OURS)


generations = st.sampled_from([OURS, f"{OURS}+1", f"{OURS}+2", OTHER, f"{OTHER}+1", "1-1000", OLDER, "", None])
bodies = st.one_of(
    generations.map(lambda one: {} if one is None else {"airflow_generation": one}), st.sampled_from([[], None, "x"])
)
histories = st.lists(st.tuples(st.sampled_from([*STATUSES, "PAUSED"]), bodies), max_size=6).map(
    lambda found: [{"id": n, "status": status, "data": data} for n, (status, data) in enumerate(found, 1)]
)
attempts = st.builds(Attempt, st.just("af1-key"), st.just(OURS), st.booleans(), st.booleans())
memories = st.fixed_dictionaries(
    {},
    optional={
        "generation": st.sampled_from([OURS, OTHER]),
        "phase": st.sampled_from(
            ["starting", "waiting", "deferred", "done", "failed", "broken off", "of a later version"]
        ),
        "request_id": st.integers(1, 7),
    },
)
policies = st.builds(
    Policy, st.sampled_from(["fail", "restart"]), st.sampled_from(["resume", "restart"]), st.booleans()
)


@given(histories, attempts, memories, policies)
def test_what_holds_of_every_decision(
    rows: list[dict[str, Any]], attempt: Attempt, notes: dict[str, Any], policy: Policy
) -> None:
    decision = decide(rows, attempt, notes, policy)

    adopted, marks = list(decision.adopt), [_mark(each) for each in rows]
    mine = [each for each in rows if _mark(each).partition("+")[0] == OURS]
    known = notes.get("request_id") if notes.get("generation") == OURS else None
    # There is always something to do, and it can be told.
    assert adopted or decision.generation
    assert decision.why
    # A retry never starts anew beside what it has under way or has brought to its end.
    latest = [each for each in mine if _number(each) == max(map(_number, mine))]
    if any(each["status"] in {"ACTIVE", "COMPLETED"} for each in latest):
        assert adopted == latest
        assert not decision.generation
    # What is started can be told from all that is there, and belongs to this attempt.
    if decision.generation:
        assert decision.generation not in marks
        assert decision.generation.partition("+")[0] == OURS
    # Requests of two starts are never taken for one that came twice.
    assert len({_mark(each) for each in adopted}) <= 1
    # A kill's promise is kept for what still runs, never for what this attempt goes on with.
    assert all(each["status"] == "ACTIVE" for each in decision.cancel)
    assert not [each for each in decision.cancel if each in mine or each in adopted]
    assert not decision.cancel or (policy.cancel_on_kill and not attempt.first)
    # What is another generation's is only gone on with after a clear, by on_clear, or where it was noted before.
    foreign = [each for each in adopted if each not in mine and each["id"] != known]
    assert not foreign or (not attempt.first and policy.on_clear == "resume")
    assert not foreign or any(each["status"] in {"ACTIVE", "COMPLETED"} for each in foreign)
    # Without a clear of the run, what is of another run is not touched.
    if not attempt.run_cleared:
        assert not [each for each in (*foreign, *decision.cancel) if _mark(each) in {"", OLDER}]
    # Nor is anything started beside what was noted and goes on.
    if known is not None and not mine:
        going_on = [each for each in rows if each["id"] == known and each["status"] in {"ACTIVE", "COMPLETED"}]
        assert not going_on or adopted == going_on


def _mark(each: dict[str, Any]) -> str:
    return str(each["data"].get("airflow_generation", "")) if isinstance(each["data"], dict) else ""


def _number(each: dict[str, Any]) -> int:
    number = _mark(each).partition("+")[2]
    return int(number) if number.isdigit() else 0


# -- key and generation ---------------------------------------------------------------------------------------------

BEGUN = dt.datetime(2026, 11, 25, 1, 2, 3, 456789, tzinfo=dt.UTC)


def context(begun: dt.datetime | None = BEGUN, **changes: Any) -> Any:
    ti = {"dag_id": "d", "run_id": "r", "task_id": "t", "map_index": -1, "max_tries": 2, "try_number": 1, **changes}
    return {"ti": SimpleNamespace(**ti), "dag_run": SimpleNamespace(start_date=begun)}


@pytest.fixture
def named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__PROCESSMAKER__INSTALLATION_ID", "production")


@pytest.mark.parametrize(
    "change",
    [
        {"dag_id": "e"},
        {"run_id": "s"},
        {"task_id": "u"},
        {"map_index": 0},
        {"map_index": 1},
        {"dag_id": "d.r", "run_id": ""},
        {"task_id": 't", -1, "'},
    ],
)
@pytest.mark.usefixtures("named")
def test_no_other_task_has_the_key(change: dict[str, Any]) -> None:
    assert attempt_of(context(**change)).key != attempt_of(context()).key


@pytest.mark.usefixtures("named")
def test_no_other_airflow_has_the_key(monkeypatch: pytest.MonkeyPatch) -> None:
    ours = attempt_of(context()).key
    monkeypatch.setenv("AIRFLOW__PROCESSMAKER__INSTALLATION_ID", "staging")

    assert attempt_of(context()).key != ours


@pytest.mark.usefixtures("named")
def test_retries_and_clears_keep_the_key_and_it_can_be_searched_for() -> None:
    first, retry = attempt_of(context()), attempt_of(context(try_number=2))
    cleared = attempt_of(context(try_number=3, max_tries=4))

    assert first.key == retry.key == cleared.key == checked_key(first.key)
    assert re.fullmatch(r"af1-[0-9a-f]{32}", first.key)
    assert first.generation == retry.generation != cleared.generation
    assert (first.first, retry.first, cleared.first) == (True, False, False)
    assert "+" not in first.generation


@pytest.mark.usefixtures("named")
def test_the_generation_tells_a_run_that_was_made_again() -> None:
    again = context(begun=BEGUN + dt.timedelta(microseconds=1))

    assert attempt_of(again).generation != attempt_of(context()).generation
    assert attempt_of(context(begun=None)).generation == "2-0"
    assert attempt_of(context(try_number=0)).first  # airflow tasks test


@pytest.mark.usefixtures("named")
def test_whether_the_run_was_cleared_is_only_denied_where_airflow_tells() -> None:
    for number, cleared in ((0, False), (1, True), (None, True)):
        told = context()
        told["dag_run"].clear_number = number
        assert attempt_of(told).run_cleared == cleared
    assert attempt_of(context()).run_cleared


@pytest.mark.parametrize(
    ("variables", "expected"),
    [
        ({"AIRFLOW__PROCESSMAKER__INSTALLATION_ID": " production "}, "production"),
        (
            {"AIRFLOW__PROCESSMAKER__INSTALLATION_ID": "x", "AIRFLOW__API__BASE_URL": "https://airflow.example.com"},
            "x",
        ),
        ({"AIRFLOW__API__BASE_URL": "https://Airflow.example.com/team/"}, "https://airflow.example.com/team"),
        ({"AIRFLOW__API__BASE_URL": "http://localhost:8080", "AIRFLOW__CORE__FERNET_KEY": ""}, ""),
        ({"AIRFLOW__API__BASE_URL": "http://0.0.0.0:8080", "AIRFLOW__CORE__FERNET_KEY": ""}, ""),
        ({"AIRFLOW__API__BASE_URL": "http://[::1]:8080", "AIRFLOW__CORE__FERNET_KEY": ""}, ""),
        ({"AIRFLOW__API__BASE_URL": "", "AIRFLOW__CORE__FERNET_KEY": ""}, ""),
    ],
)
def test_installation_id(
    monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture, variables: dict[str, str], expected: str
) -> None:
    for name, value in variables.items():
        monkeypatch.setenv(name, value)

    assert installation_id() == expected
    # Where nothing tells this Airflow from another one, that is said.
    assert ("installation_id" in caplog.text) == (not expected)


def test_installation_id_of_an_airflow_on_its_default_address(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AIRFLOW__API__BASE_URL", "http://localhost:8080")
    found = set()
    for key in ("key-of-one-airflow", "key-of-one-airflow,the-one-before", "key-of-another"):
        monkeypatch.setenv("AIRFLOW__CORE__FERNET_KEY", key)
        found.add(installation_id())
        assert re.fullmatch("[0-9a-f]{64}", installation_id())
        assert key not in installation_id()

    assert len(found) == 2
