"""A process is started at most once, whatever happens to the calls. The requests on the server are counted."""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_processmaker.client import (
    ProcessMakerError,
    UnknownOutcomeError,
)
from tests.client.runs import LOST, OURS, calls, requests, starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

PATH = "/process_events/*"


class TestTheAnswerIsLost:
    @pytest.mark.parametrize("key", [OURS, None])
    @pytest.mark.parametrize("fault", LOST)
    def test_once(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, fault: str, key: str | None
    ) -> None:
        how, done = LOST[fault]
        server.faults.add("POST", PATH, **how)
        row = patient.start_process(process, key=key, settle_window=0)
        assert (row["id"], row["status"]) == (1, "ACTIVE")
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == (1 if done else 2)

    @pytest.mark.parametrize("second", LOST)
    def test_the_second_one_too(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, second: str
    ) -> None:
        how, done = LOST[second]
        server.faults.add("POST", PATH, drop="before")
        server.faults.add("POST", PATH, after=1, **how)
        if done:
            assert patient.start_process(process, key=OURS, settle_window=0)["id"] == 1
        else:
            with pytest.raises(UnknownOutcomeError, match="Nobody can say whether") as caught:
                patient.start_process(process, key=OURS, settle_window=0)
            assert caught.value.retryable
            assert OURS in str(caught.value)
        assert requests(server) == ({"ACTIVE": 1} if done else {})
        assert starts(server) == 2
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}

    def test_the_log_tells(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.faults.add("POST", PATH, drop="before")
        patient.start_process(process, key=OURS, settle_window=0)
        assert "The start has no answer; looking for it." in caplog.text
        assert "It was not started; starting it again." in caplog.text

    def test_the_server_is_still_working_on_it(self, server: ProcessMakerServer, connect: Connect) -> None:
        """The client gives up after a second, and the row appears seconds later."""
        process = server.add_process("Slow", ["Approve"])
        impatient = connect(server, read_timeout=1.0)
        server.faults.add("POST", PATH, delay=2.5)
        row = impatient.start_process(process, key=OURS, settle_window=60)
        assert row["id"] == 1
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 1

    def test_it_never_comes_to_work_on_it(self, server: ProcessMakerServer, connect: Connect) -> None:
        process = server.add_process("Hangs", ["Approve"])
        impatient = connect(server, read_timeout=1.0)
        server.faults.add("POST", PATH, hang=True)
        assert impatient.start_process(process, key=OURS, settle_window=0)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 2

    def test_looks_are_few_and_fill_the_window(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        pauses: list[float] = []
        start = dataclasses.replace(patient.keyed_start(process, key=OURS), sleep=pauses.append)
        server.faults.add("POST", PATH, drop="before")
        start.start()
        assert sum(pauses) == pytest.approx(start.settle_window)
        assert len(pauses) < 15
        # One look before each pause, one after the last, and one after the second start.
        assert calls(server, "GET", "/requests") == len(pauses) + 2
        assert requests(server) == {"ACTIVE": 1}

    def test_looks_that_take_long_do_not_prolong_the_window(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        server.faults.add("POST", PATH, drop="before")
        server.faults.add("GET", "/requests", times=2, delay=0.6)
        start = patient.keyed_start(process, key=OURS, settle_window=1)
        start.start()
        assert calls(server, "GET", "/requests") == 3, "two looks in the window, one after the second start"
        assert requests(server) == {"ACTIVE": 1}


class TestNobodyCanSay:
    @pytest.mark.parametrize("done", [False, True])
    @pytest.mark.parametrize("key", [OURS, None])
    def test_the_server_is_down_for_the_whole_window(
        self,
        server: ProcessMakerServer,
        patient: ProcessMakerClient,
        connect: Connect,
        process: int,
        done: bool,
        key: str | None,
    ) -> None:
        pauses: list[float] = []

        def sleep(seconds: float) -> None:
            server.stop()
            pauses.append(seconds)

        start = dataclasses.replace(patient.keyed_start(process, key=key), sleep=sleep)
        server.faults.add("POST", PATH, drop="after" if done else "before")
        server.faults.add("GET", "/requests", drop="before")
        with pytest.raises(UnknownOutcomeError, match="Nobody can say whether") as caught:
            start.start()
        assert caught.value.retryable
        assert sum(pauses) == pytest.approx(start.settle_window)
        assert requests(server) == ({"ACTIVE": 1} if done else {})
        assert starts(server) == 1
        server.start()
        again = connect(server, read_timeout=30)
        assert again.start_process(process, key=start.key)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}

    @pytest.mark.parametrize(
        "fault", ["dropped before", "500 before", "503 before", "HTML before", "redirected before"]
    )
    def test_whatever_it_says_instead(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, fault: str
    ) -> None:
        server.faults.add("POST", PATH, drop="after")
        looks = server.faults.add("GET", "/requests", times=None, **LOST[fault][0])
        start = dataclasses.replace(patient.keyed_start(process, key=OURS), sleep=lambda seconds: None)
        with pytest.raises(UnknownOutcomeError) as caught:
            start.start()
        assert caught.value.retryable
        assert requests(server) == {"ACTIVE": 1}
        looks.remove()
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 1

    def test_one_look_that_succeeds_is_enough(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        start = dataclasses.replace(patient.keyed_start(process, key=OURS), sleep=lambda seconds: None)
        server.faults.add("POST", PATH, drop="before")
        server.faults.add("GET", "/requests", times=4, status=503)
        assert start.start()["id"] == 1
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 2

    def test_the_last_look_is_the_one_that_counts(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        """The row may appear while the server is out of sight."""
        start = dataclasses.replace(patient.keyed_start(process, key=OURS), sleep=lambda seconds: None)
        server.faults.add("POST", PATH, drop="before")
        server.faults.add("GET", "/requests", times=None, after=4, status=503)
        with pytest.raises(UnknownOutcomeError):
            start.start()
        assert requests(server) == {}
        assert starts(server) == 1

    @pytest.mark.parametrize("status", [401, 403, 404])
    def test_not_allowed_to_look(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, status: int
    ) -> None:
        """That the start may have been done matters more than why nobody could look."""
        server.faults.add("POST", PATH, drop="after")
        looks = server.faults.add("GET", "/requests", times=None, status=status)
        start = patient.keyed_start(process, key=OURS)
        with pytest.raises(UnknownOutcomeError, match="Nobody can say whether") as caught:
            start.start()
        assert isinstance(caught.value.__cause__, ProcessMakerError)
        assert requests(server) == {"ACTIVE": 1}
        looks.remove()
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}

    @pytest.mark.parametrize("key", [OURS, None])
    def test_it_was_started_and_cannot_be_looked_at(
        self,
        server: ProcessMakerServer,
        patient: ProcessMakerClient,
        process: int,
        key: str | None,
        caplog: pytest.LogCaptureFixture,
    ) -> None:
        """The answer has told of the request: that it cannot be looked at again must not hide it."""
        server.faults.add("GET", "/requests", times=None, after=1 if key else 0, status=500)
        row = patient.start_process(process, key=key, settle_window=0.5)
        assert row["id"] == 1
        assert "Request 1 was started" in caplog.text
        assert requests(server) == {"ACTIVE": 1}
        assert starts(server) == 1


FIXED = settings(derandomize=True, deadline=None, max_examples=120, suppress_health_check=list(HealthCheck))
REFUSED: dict[str, dict[str, Any]] = {"429": {"status": 429}, "403": {"status": 403}, "401": {"status": 401}}
STARTS = st.sampled_from(["well", *LOST, *REFUSED])
LOOKS = st.sampled_from(["well", *(name for name, (_, done) in LOST.items() if not done), *REFUSED])


@FIXED
@given(st.lists(STARTS, max_size=4), st.lists(LOOKS, max_size=6), st.booleans())
def test_any_mix_of_faults(
    server: ProcessMakerServer, patient: ProcessMakerClient, posts: list[str], looks: list[str], at_once: bool
) -> None:
    """Two calls with one key, everything going wrong in any order; then a third when all is well."""
    process = server.add_process("Any", () if at_once else ["Approve"])
    key = f"any-{process}"
    for method, path, names in [("POST", PATH, posts), ("GET", "/requests", looks)]:
        for number, name in enumerate(names):
            how = {} if name == "well" else REFUSED.get(name) or LOST[name][0]
            server.faults.add(method, path, after=number, **how)
    ids, failures = set(), []
    for _ in range(2):
        try:
            ids.add(patient.start_process(process, key=key, settle_window=0)["id"])
        except ProcessMakerError as error:
            failures.append(error)
        alive = requests(server, key)
        assert sum(alive.values()) <= 1
    server.faults.clear()
    ids.add(patient.start_process(process, key=key)["id"])
    assert len(ids) == 1
    assert requests(server, key) == {"COMPLETED" if at_once else "ACTIVE": 1}
