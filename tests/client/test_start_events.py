"""Which process is meant, and where it begins: found by itself where that is certain, else told what there is."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import ForbiddenError, InvalidInputError, NotFoundError
from airflow_provider_processmaker.client.start_events import StartEvent, start_event_of
from airflow_provider_processmaker.testing.workflow import diagrams
from tests.client.runs import starts

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

    Connect = Callable[..., ProcessMakerClient]

TIMER = '<bpmn:timerEventDefinition id="t1"><bpmn:timeCycle>R/PT1H</bpmn:timeCycle></bpmn:timerEventDefinition>'
MESSAGE = '<bpmn:messageEventDefinition id="m1" messageRef="msg" />'
SIGNAL = '<bpmn:signalEventDefinition id="s1" signalRef="sig" />'
CONDITION = (
    '<bpmn:conditionalEventDefinition id="c1"><bpmn:condition>a</bpmn:condition></bpmn:conditionalEventDefinition>'
)
PLAIN: dict[str, Any] = {"id": "node_1", "name": "Start", "eventDefinitions": []}
MORE = '<bpmn:message id="msg" name="Message" />\n<bpmn:signal id="sig" name="Signal" />\n'


def diagram(*events: diagrams.Part) -> str:
    task = diagrams.task("node_2", "Approve")
    parts = [*events, task, diagrams.end("node_3")]
    return diagrams.document(parts, [*((event.id, "node_2") for event in events), ("node_2", "node_3")], MORE)


def web_entry(node_id: str, config: str = '{"web_entry": {"id": 5}}') -> diagrams.Part:
    return diagrams.event("startEvent", node_id, "Web", "", f"pm:config={diagrams.quoted(config)}")


@pytest.fixture
def examples(server: ProcessMakerServer) -> list[int]:
    return server.add_example_processes()


class TestWhichProcess:
    @pytest.mark.parametrize("process", [2, "2", " 2 ", "002", "Simple Task"])
    def test_by_id_and_by_name(self, patient: ProcessMakerClient, examples: list[int], process: Any) -> None:
        assert patient.start_event(process) == StartEvent(2, "node_1", "Simple Task")

    def test_every_example_with_a_plain_start(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, examples: list[int]
    ) -> None:
        for process in examples:
            if server.process(process).name != "Signal Start":
                assert patient.start_event(process).process_id == process

    def test_one_call_finds_it(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, examples: list[int]
    ) -> None:
        patient.token()
        server.reset_calls()
        patient.start_event("Two Steps")
        assert [call.path for call in server.calls] == ["/api/1.0/start_processes"]

    def test_among_hundreds(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        ids = [server.add_process(f"Process {number:04}") for number in range(300)]
        assert patient.start_event("Process 0299").process_id == ids[-1]

    @pytest.mark.parametrize("name", ["Simpel Task", "simple task", "Simple", "Simple Task 2"])
    def test_a_name_that_is_not_there(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, examples: list[int], name: str
    ) -> None:
        with pytest.raises(InvalidInputError, match="There is no process with the name") as caught:
            patient.start_process(name)
        assert name in str(caught.value)
        assert 'Did you mean "Simple Task"?' in str(caught.value)
        assert "may start by hand" in str(caught.value)
        assert starts(server) == 0

    def test_a_name_like_none(self, patient: ProcessMakerClient, examples: list[int]) -> None:
        with pytest.raises(InvalidInputError, match=r"Known: Assigned To Bob, Call Parent, .*, Wait Message"):
            patient.start_event("xyzzy")

    def test_no_process_at_all(self, patient: ProcessMakerClient) -> None:
        with pytest.raises(InvalidInputError, match='There is no process with the name "Any"'):
            patient.start_event("Any")

    def test_an_id_that_is_not_there(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, examples: list[int]
    ) -> None:
        with pytest.raises(InvalidInputError, match="There is no process with the id 99 to start"):
            patient.start_process(99)
        assert starts(server) == 0

    def test_a_name_that_two_have(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        ids = [server.add_process("Twin") for _ in range(2)]
        with pytest.raises(InvalidInputError, match='2 processes have the name "Twin"') as caught:
            patient.start_process("Twin")
        assert str(caught.value).endswith(f"Give the id: {ids[0]}, {ids[1]}.")
        assert patient.start_process(ids[1])["process_id"] == ids[1]
        assert starts(server) == 1

    def test_a_name_of_digits_is_an_id(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        server.add_process("2026")
        with pytest.raises(InvalidInputError, match="with the id 2026"):
            patient.start_event("2026")

    @pytest.mark.parametrize("process", [None, True, 1.0, "", "  ", b"2", [2], {"id": 2}, 0, -2, "0"])
    def test_what_is_no_process(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: Any) -> None:
        with pytest.raises(InvalidInputError, match="The process must be its id or its exact name"):
            patient.start_process(process, start_event="node_1")
        assert server.calls == []

    @pytest.mark.parametrize("event", ["", " ", 1, True, b"node_1", ["node_1"]])
    def test_what_is_no_start_event(self, server: ProcessMakerServer, patient: ProcessMakerClient, event: Any) -> None:
        with pytest.raises(InvalidInputError, match="The start event must be its id or its name"):
            patient.start_process(2, start_event=event)
        assert server.calls == []


class TestWhichStartEvent:
    @pytest.fixture
    def process(self, server: ProcessMakerServer) -> int:
        return server.add_process("Three", starts=["By phone", "By letter", "By phone"])

    def test_one_of_several(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        with pytest.raises(InvalidInputError, match='"Three" has 3 plain start events') as caught:
            patient.start_process(process)
        assert 'node_1 ("By phone"), node_1_2 ("By letter"), node_1_3 ("By phone")' in str(caught.value)
        assert starts(server) == 0

    @pytest.mark.parametrize(("given", "found"), [("node_1_3", "node_1_3"), ("By letter", "node_1_2")])
    def test_by_id_and_by_name(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, given: str, found: str
    ) -> None:
        assert patient.start_event("Three", given).event_id == found
        row = patient.start_process("Three", start_event=given)
        assert server.request(row["id"]).start.id == found

    @pytest.mark.parametrize("given", ["By phone", "By pigeon", "node_2"])
    def test_none_or_two_of_a_name(self, patient: ProcessMakerClient, process: int, given: str) -> None:
        with pytest.raises(InvalidInputError, match=f'has no single start event "{given}"') as caught:
            patient.start_event(process, given)
        assert 'There are: node_1 ("By phone"), node_1_2 ("By letter")' in str(caught.value)

    @pytest.mark.parametrize("inside", [MESSAGE, SIGNAL, CONDITION])
    def test_what_starts_by_itself_is_not_taken(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, inside: str
    ) -> None:
        event = diagrams.start("node_5", "Special", inside=inside)
        process = server.add_process("Special", bpmn=diagram(event))
        with pytest.raises(InvalidInputError, match=r'has no plain start event.*node_5 \("Special"\)'):
            patient.start_event(process)
        assert patient.start_event(process, "Special").event_id == "node_5"
        both = server.add_process("Both", bpmn=diagram(event, diagrams.start("node_1")))
        assert patient.start_event(both).event_id == "node_1"

    def test_a_timer_is_not_even_shown(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        timer = diagrams.start("node_5", "Every hour", inside=TIMER)
        both = server.add_process("Both", bpmn=diagram(timer, diagrams.start("node_1")))
        assert patient.start_event(both).event_id == "node_1"
        assert patient.start_event(both, "Every hour").event_id == "node_5", "who names it shall have it"
        alone = server.add_process("Alone", bpmn=diagram(timer))
        with pytest.raises(InvalidInputError, match="that is no timer and no web entry"):
            patient.start_event(alone)
        assert patient.start_process(alone, start_event="node_5")["status"] == "ACTIVE"

    def test_a_form_on_the_web(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        process = server.add_process("Web", bpmn=diagram(web_entry("node_5"), diagrams.start("node_1")))
        assert patient.start_event(process).event_id == "node_1"

    def test_the_signal_start_of_the_examples(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, examples: list[int]
    ) -> None:
        with pytest.raises(InvalidInputError, match=r'node_1 \("Signal start"\)'):
            patient.start_process("Signal Start")
        assert starts(server) == 0


class TestWhatAServerMayTell:
    """Rows as other servers have them: what this one leaves out, and what is broken."""

    def found(self, **row: Any) -> str:
        return start_event_of(lambda: iter([{"id": 2, "name": "P", **row}]), 2, None).event_id

    @pytest.mark.parametrize(
        "config", ["", None, "{}", "[]", "no JSON", '{"web_entry": null}', '{"web_entry": false}', 5]
    )
    def test_plain_all_the_same(self, config: Any) -> None:
        assert self.found(startEvents=[{**PLAIN, "config": config}]) == "node_1"

    def test_a_web_entry_that_is_shown(self) -> None:
        web = {**PLAIN, "id": "node_5", "config": '{"web_entry": {"id": 3}}'}
        assert self.found(startEvents=[web, PLAIN]) == "node_1"

    def test_older_names_of_the_list(self) -> None:
        assert self.found(events=[PLAIN]) == "node_1"
        assert self.found(startEvents=[], start_events=[PLAIN]) == "node_1"

    def test_the_users_own_events_come_first(self) -> None:
        other = {**PLAIN, "id": "node_5"}
        assert self.found(startEvents=[PLAIN], start_events=[PLAIN, other]) == "node_1"

    @pytest.mark.parametrize("events", [None, [], {}, "x", [None], [{}], [{"name": "x"}]])
    def test_nothing_of_use(self, events: Any) -> None:
        with pytest.raises(InvalidInputError, match="no plain start event for this user"):
            self.found(startEvents=events)


class TestWhoAsks:
    @pytest.fixture
    def bob(self, server: ProcessMakerServer, connect: Connect) -> ProcessMakerClient:
        return connect(server, username="bob", password="Bob-pass1!", read_timeout=30)

    def test_only_what_he_may_start(
        self, server: ProcessMakerServer, bob: ProcessMakerClient, examples: list[int]
    ) -> None:
        assert bob.start_event("Assigned To Bob").event_id == "node_1"
        with pytest.raises(InvalidInputError, match=r"Known: Assigned To Bob\..*that he is assigned to"):
            bob.start_process("Simple Task")
        assert bob.start_process("Assigned To Bob")["user_id"] == server.user("bob").id
        assert starts(server) == 1

    def test_of_two_start_events_he_has_one(self, server: ProcessMakerServer, bob: ProcessMakerClient) -> None:
        events = [diagrams.start("node_1", "His", users="3"), diagrams.start("node_5", "Hers", users="4")]
        process = server.add_process("Shared", bpmn=diagram(*events))
        assert bob.start_event(process).event_id == "node_1"
        with pytest.raises(ForbiddenError):
            bob.start_process(process, start_event="Hers")
        assert server.requests == []

    def test_not_in_the_list_but_named(self, server: ProcessMakerServer, patient: ProcessMakerClient) -> None:
        """The list shows no inactive process; the server starts it all the same when asked."""
        process = server.add_process("Resting", status="INACTIVE")
        with pytest.raises(InvalidInputError, match="with the id"):
            patient.start_event(process)
        with pytest.raises(InvalidInputError, match="with the name"):
            patient.start_event("Resting", "node_1")
        assert patient.start_event(process, "node_1") == StartEvent(process, "node_1", None)
        assert patient.start_process(process, start_event="node_1")["status"] == "ACTIVE"

    def test_the_server_has_the_last_word(
        self, server: ProcessMakerServer, bob: ProcessMakerClient, patient: ProcessMakerClient, examples: list[int]
    ) -> None:
        with pytest.raises(ForbiddenError, match="bob"):
            bob.start_process(2, start_event="node_1")
        with pytest.raises(NotFoundError):
            patient.start_process(99, start_event="node_1")
        assert server.requests == []
