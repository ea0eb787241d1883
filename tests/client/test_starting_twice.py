"""Two that start the same, and those that only look as if they did. The requests on the server are counted."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client.starting import GENERATION, KEY
from tests.client.conftest import PASSWORD
from tests.client.runs import OURS, calls, requests, starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

PATH = "/process_events/*"

#: Says that it is ready, waits for what to do, and prints the id of the request.
WORKER = """
import json, sys
from airflow_provider_processmaker.client import ProcessMakerClient, Settings
print("ready", flush=True)
given = json.loads(sys.stdin.readline())
with ProcessMakerClient(Settings(**given["settings"])) as client:
    print(client.start_process(given["process"], key=given["key"])["id"], flush=True)
"""


class TestTwoAtOnce:
    @pytest.mark.parametrize("generation", ["", "2"])
    def test_that_have_both_looked_before(
        self, server: ProcessMakerServer, connect: Connect, process: int, generation: str
    ) -> None:
        """Both find nothing, so both start it."""
        workers = [connect(server, read_timeout=30).keyed_start(process, key=OURS) for _ in range(2)]
        assert [worker.found() for worker in workers] == [[], []]
        with ThreadPoolExecutor(2) as pool:
            rows = list(pool.map(lambda worker: worker.start(generation), workers))
        assert {row["id"] for row in rows} == {1}
        assert requests(server) == {"ACTIVE": 1, "CANCELED": 1}
        assert server.request(1).status == "ACTIVE"
        assert starts(server) == 2

    def test_threads_with_clients_of_their_own(
        self, server: ProcessMakerServer, connect: Connect, process: int
    ) -> None:
        barrier = threading.Barrier(4)

        def work(key: str) -> int:
            client = connect(server, read_timeout=30)
            barrier.wait(60)
            return int(client.start_process(process, key=key)["id"])

        for number in range(5):
            key = f"round-{number}"
            with ThreadPoolExecutor(4) as pool:
                ids = set(pool.map(work, [key] * 4))
            assert len(ids) == 1
            assert requests(server, key)["ACTIVE"] == 1
            assert server.request(ids.pop()).status == "ACTIVE"

    def test_processes_of_the_operating_system(self, server: ProcessMakerServer, process: int) -> None:
        settings = {
            "base_url": server.url, "username": "admin", "password": PASSWORD,
            "client_id": server.client_id, "client_secret": server.client_secret,
        }  # fmt: skip
        # So long in coming that both have looked before.
        server.faults.add("POST", PATH, times=2, delay=1.0)
        workers = [
            subprocess.Popen([sys.executable, "-c", WORKER], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
            for _ in range(2)
        ]
        line = json.dumps({"settings": settings, "process": process, "key": OURS})
        for worker in workers:
            assert worker.stdout is not None
            assert worker.stdout.readline() == "ready\n"
        for worker in workers:
            assert worker.stdin is not None
            worker.stdin.write(f"{line}\n")
            worker.stdin.flush()
        said = [worker.communicate(timeout=120)[0].strip() for worker in workers]
        assert said == ["1", "1"]
        assert requests(server)["ACTIVE"] == 1
        assert server.request(1).status == "ACTIVE"


class TestALateFirstCall:
    def test_that_is_carried_out_before_the_second(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        server.faults.add("POST", PATH, drop="before")
        server.faults.add("POST", PATH, after=1, then=lambda: server.start_request(process, {KEY: OURS}))
        assert patient.start_process(process, key=OURS, settle_window=0)["id"] == 1
        assert [row.status for row in server.requests] == ["ACTIVE", "CANCELED"]

    def test_that_is_carried_out_after_the_second(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        server.faults.add("POST", PATH, drop="before")
        late = lambda: server.start_request(process, {KEY: OURS})  # noqa: E731
        server.faults.add("POST", PATH, after=1, then=late, then_when="after")
        assert patient.start_process(process, key=OURS, settle_window=0)["id"] == 1
        assert [row.status for row in server.requests] == ["ACTIVE", "CANCELED"]
        assert "Request 1 came a second time, as 2; canceling it." in caplog.text

    def test_that_is_carried_out_when_nobody_looks_any_more(
        self, server: ProcessMakerServer, connect: Connect, patient: ProcessMakerClient, process: int
    ) -> None:
        """What cannot be closed. Whoever comes next with the key puts it right, and keeps the one that was told."""
        impatient = connect(server, read_timeout=1.0)
        server.faults.add("POST", PATH, delay=4.0)
        told = impatient.start_process(process, key=OURS, settle_window=0)
        end = time.monotonic() + 60
        while len(server.requests) < 2 and time.monotonic() < end:
            time.sleep(0.05)
        assert requests(server) == {"ACTIVE": 2}
        assert patient.start_process(process, key=OURS)["id"] == told["id"]
        assert requests(server) == {"ACTIVE": 1, "CANCELED": 1}
        assert server.request(told["id"]).status == "ACTIVE"
        assert starts(server) == 2


class TestALookThatLagsBehind:
    """As on a replica of the database: the answer to the start has told more than a look does a moment later."""

    def test_it_shows_only_the_other_one(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        server.faults.add("POST", PATH, then=lambda: server.start_request(process, {KEY: OURS}))
        server.faults.add("GET", "/requests", after=1, change=lambda body: {**body, "data": body["data"][:1]})
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert [row.status for row in server.requests] == ["ACTIVE", "CANCELED"]

    def test_it_shows_only_the_later_one(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        late = lambda: server.start_request(process, {KEY: OURS})  # noqa: E731
        server.faults.add("POST", PATH, then=late, then_when="after")
        server.faults.add("GET", "/requests", after=1, change=lambda body: {**body, "data": body["data"][1:]})
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert [row.status for row in server.requests] == ["ACTIVE", "CANCELED"]

    def test_it_shows_nothing(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        server.faults.add("GET", "/requests", after=1, change=lambda body: {**body, "data": []})
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}

    def test_the_process_overwrites_the_key(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        """It hides from the look, and from every later one: the limit of a key in the data."""
        process = server.add_process("Overwrites", [lambda data, config: {KEY: "mine"}, "Approve"])
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1}
        assert patient.start_process(process, key=OURS)["id"] == 2


class TestWhatCameTwice:
    def twice(self, server: ProcessMakerServer, process: int, **options: Any) -> None:
        server.add_requests(process, 2, [{KEY: OURS}] * 2, **options)

    @pytest.mark.parametrize(
        ("statuses", "kept", "after"),
        [
            (["ACTIVE", "ACTIVE"], 1, ["ACTIVE", "CANCELED"]),
            (["COMPLETED", "ACTIVE"], 1, ["COMPLETED", "CANCELED"]),
            (["ACTIVE", "COMPLETED"], 1, ["ACTIVE", "COMPLETED"]),
            (["ERROR", "ACTIVE"], 2, ["ERROR", "ACTIVE"]),
            (["CANCELED", "ACTIVE"], 2, ["CANCELED", "ACTIVE"]),
            (["CANCELED", "COMPLETED"], 2, ["CANCELED", "COMPLETED"]),
            (["ACTIVE", "ERROR"], 1, ["ACTIVE", "ERROR"]),
            (["ERROR", "CANCELED"], 1, ["ERROR", "CANCELED"]),
        ],
    )
    def test_which_one_is_kept(
        self,
        server: ProcessMakerServer,
        patient: ProcessMakerClient,
        process: int,
        statuses: list[str],
        kept: int,
        after: list[str],
    ) -> None:
        self.twice(server, process)
        end = {"COMPLETED": server.complete_request, "ERROR": server.fail_request, "CANCELED": server.cancel_request}
        for number, status in enumerate(statuses, 1):
            if status != "ACTIVE":
                end[status](number)  # type: ignore[operator]
        assert patient.start_process(process, key=OURS)["id"] == kept
        assert [row.status for row in server.requests] == after
        assert starts(server) == 0

    def test_without_the_right_to_cancel(
        self, server: ProcessMakerServer, connect: Connect, caplog: pytest.LogCaptureFixture
    ) -> None:
        """It is said, and the older one is given back all the same."""
        process = server.add_process("For Bob", ["Approve"], start_users=["bob"])
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        early = lambda: server.start_request(process, {KEY: OURS}, username="bob")  # noqa: E731
        server.faults.add("POST", PATH, then=early)
        assert bob.start_process(process, key=OURS)["id"] == 1
        assert "Request 2 is left as it is: it cannot be canceled." in caplog.text
        assert "Not authorized to cancel this request." in caplog.text
        assert requests(server) == {"ACTIVE": 2}

    def test_with_the_right_to_cancel(self, server: ProcessMakerServer, connect: Connect) -> None:
        process = server.add_process("For Bob", ["Approve"], start_users=["bob"], cancel_users=["bob"])
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        early = lambda: server.start_request(process, {KEY: OURS}, username="bob")  # noqa: E731
        server.faults.add("POST", PATH, then=early)
        assert bob.start_process(process, key=OURS)["id"] == 1
        assert [row.status for row in server.requests] == ["ACTIVE", "CANCELED"]

    def test_the_cancellation_is_lost(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        """The next one with the key does it."""
        self.twice(server, process)
        server.faults.add("PUT", "/requests/*", drop="before")
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert "Request 2 is left as it is" in caplog.text
        assert requests(server) == {"ACTIVE": 2}
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1, "CANCELED": 1}

    def test_a_crowd(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        server.add_requests(process, 5, [{KEY: OURS}] * 5)
        assert patient.start_process(process, key=OURS)["id"] == 1
        assert requests(server) == {"ACTIVE": 1, "CANCELED": 4}
        assert calls(server, "GET", "/requests") == 1


class TestOthersWithTheSameKey:
    def test_of_another_process(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        other = server.add_process("Other", ["Approve"])
        theirs = server.start_request(other, {KEY: OURS})
        mine = patient.start_process(process, key=OURS)
        assert mine["id"] != theirs.id
        assert patient.start_process(process, key=OURS)["id"] == mine["id"]
        assert requests(server) == {"ACTIVE": 2}

    def test_of_an_older_generation(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        """It is neither taken for this one nor canceled, also when the answer is lost."""
        older = server.start_request(process, {KEY: OURS, GENERATION: "1"})
        start = patient.keyed_start(process, key=OURS, settle_window=0)
        server.faults.add("POST", PATH, drop="after")
        assert start.start("2")["id"] == 2
        assert [row["id"] for row in start.found()] == [1, 2]
        assert requests(server) == {"ACTIVE": 2}
        assert older.status == "ACTIVE"
        assert starts(server) == 1

    def test_of_an_older_generation_when_the_start_was_not_done(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        server.start_request(process, {KEY: OURS, GENERATION: "1"})
        start = patient.keyed_start(process, key=OURS, settle_window=0)
        server.faults.add("POST", PATH, drop="before")
        assert start.start("2")["id"] == 2
        assert requests(server) == {"ACTIVE": 2}
        assert starts(server) == 2

    def test_of_several_generations_without_being_asked_for_one(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        """The latest start is given back; what belongs to another one is not taken for a second time of it."""
        generations = ["1", "2", "2"]
        server.add_requests(process, 3, [{KEY: OURS, GENERATION: number} for number in generations])
        assert patient.start_process(process, key=OURS)["id"] == 2
        assert [row.status for row in server.requests] == ["ACTIVE", "ACTIVE", "CANCELED"]
        assert starts(server) == 0

    def test_of_a_request_that_another_one_called(
        self, server: ProcessMakerServer, patient: ProcessMakerClient
    ) -> None:
        """A call activity hands the data of its process down, the key in it too."""
        server.add_example_processes()
        parent = patient.start_process("Call Parent", key=OURS)
        child = server.request(parent["id"] + 1)
        assert (child.columns["parent_request_id"], child.data[KEY]) == (parent["id"], OURS)
        assert patient.start_process("Call Parent", key=OURS)["id"] == parent["id"]
        assert requests(server) == {"ACTIVE": 2}
        mine = patient.start_process(child.process_id, key=OURS)
        assert mine["id"] not in {parent["id"], child.id}
        assert patient.start_process(child.process_id, key=OURS)["id"] == mine["id"]
        assert requests(server) == {"ACTIVE": 3}

    def test_of_one_that_was_given_to_somebody_else(self, server: ProcessMakerServer, connect: Connect) -> None:
        """What the user may not see, nobody finds: he cannot know that he has started it before."""
        process = server.add_process("For Bob", ["Approve"], start_users=["bob"])
        bob = connect(server, username="bob", password="Bob-pass1!", read_timeout=30)
        first = bob.start_process(process, key=OURS)
        server.give_request(first["id"], "ina")
        assert bob.start_process(process, key=OURS)["id"] != first["id"]
        assert requests(server) == {"ACTIVE": 2}

    def test_that_only_ends_like_it(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        for key in [f"x{OURS}", f"{OURS}x", OURS.replace(".", "_"), {"deep": OURS}, [OURS], 17]:
            server.start_request(process, {KEY: key, "other": OURS})
        mine = patient.start_process(process, key=OURS)
        assert server.request(mine["id"]).data == {KEY: OURS}
        assert requests(server) == {"ACTIVE": 7}
