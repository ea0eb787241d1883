"""Processes to play with: one for each thing that the engine can do. Those that the real server was recorded with."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, NamedTuple

from airflow_provider_processmaker.testing.workflow import saving
from airflow_provider_processmaker.testing.workflow.diagrams import (
    Part,
    document,
    end,
    event,
    gateway,
    script,
    sequence,
    start,
    task,
)
from airflow_provider_processmaker.testing.workflow.scripting import ScriptError

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing.state import State
    from airflow_provider_processmaker.testing.workflow.tables import Process

_SIGNAL = '<bpmn:signal id="sig_seed" name="Seed Signal" />\n'
_MESSAGE = '<bpmn:message id="msg_seed" name="Seed Message" />\n'
_TERMINATE = '<bpmn:terminateEventDefinition id="td1" />'


def _sum(data: Any, config: Any) -> dict[str, Any]:
    values = data if isinstance(data, dict) else {}
    return {"sum": values.get("a", 0) + values.get("b", 0), "cfg": config, "var": "value-1"}


def _sum_only(data: Any, config: Any) -> dict[str, Any]:
    return {"sum": _sum(data, config)["sum"]}


def _boom(*_: Any) -> None:
    raise ScriptError(
        "PHP Fatal error:  Uncaught Exception: boom from script in /script.php:2\nStack trace:\n#0 {main}"
    )


def _too_slow(*_: Any) -> None:
    raise ScriptError("Script took too long to complete. Consider increasing the timeout.")


def _fatal(*_: Any) -> None:
    raise ScriptError("PHP Fatal error:  Uncaught Error: Call to undefined function nosuchfunction()")


# By title, in the order of their ids.
SCRIPTS: dict[str, Callable[[Any, Any], Any]] = {
    "Sum Php": _sum,
    "Sum Js": _sum_only,
    "Boom Php": _boom,
    "Slow Php": _too_slow,
    "Scalar Php": lambda *_: 42,
    "Fatal Php": _fatal,
}


class Example(NamedTuple):
    """A process of the seed."""

    id: int
    name: str
    bpmn: str
    description: str = ""


def _signal(name: str) -> str:
    return f'<bpmn:signalEventDefinition id="{name}" signalRef="sig_seed" />'


def _catch(node_id: str, name: str, inside: str, attributes: str = "") -> Part:
    return event("intermediateCatchEvent", node_id, name, inside, attributes)


def _message(attributes: str = "") -> Part:
    inside = '<bpmn:messageEventDefinition id="md1" messageRef="msg_seed" />'
    return _catch("node_20", "Wait for message", inside, attributes)


def _fork(ending: str) -> str:
    """Two tasks side by side, to be joined or to be cut short."""
    join = gateway("parallelGateway", "node_63") if ending == "join" else end("node_63", "Stop", _TERMINATE)
    parts = [start(), gateway("parallelGateway", "node_60"), task("node_61", "Left"), task("node_62", "Right"), join]
    flows: list[tuple[str, str] | tuple[str, str, str]] = [
        ("node_1", "node_60"), ("node_60", "node_61"), ("node_60", "node_62"), ("node_61", "node_63"),
    ]  # fmt: skip
    flows += [("node_62", "node_63"), ("node_63", "node_3")] if ending == "join" else [("node_62", "node_3")]
    return document([*parts, end()], flows)


def _exclusive() -> str:
    parts = [
        start(), task("node_2", "Decide"), gateway("exclusiveGateway", "node_50", default="flow_4"),
        task("node_51", "Big"), task("node_52", "Small"), end(),
    ]  # fmt: skip
    return document(
        parts,
        [("node_1", "node_2"), ("node_2", "node_50"), ("node_50", "node_51", "amount > 100"), ("node_50", "node_52"),
         ("node_51", "node_3"), ("node_52", "node_3")],
    )  # fmt: skip


def _duration(text: str) -> str:
    kind = 'xsi:type="bpmn:tFormalExpression"'
    duration = f"<bpmn:timeDuration {kind}>{text}</bpmn:timeDuration>"
    return f'<bpmn:timerEventDefinition id="tm1">{duration}</bpmn:timerEventDefinition>'


_NOBODY = 'pm:assignment="user"'
_BOB = 'pm:assignment="user" pm:assignedUsers="3"'
_TEAM = 'pm:assignment="self_service" pm:assignedUsers="" pm:assignedGroups="4"'
_CHILD = 'calledElement="ProcessId-2" pm:allowInterstitial="false"'

EXAMPLES = (
    Example(2, "Simple Task", sequence(start(), task("node_2", "Fill form"), end()), "start, task, end"),
    Example(3, "Wait Message", sequence(start(), _message(), task("node_2", "After message"), end(), more=_MESSAGE)),
    Example(
        4,
        "Wait Message Restricted",
        sequence(start(), _message('pm:allowedUsers="3" pm:allowedGroups=""'), end(), more=_MESSAGE),
    ),
    Example(
        5,
        "Signal Thrower",
        sequence(
            start(), event("intermediateThrowEvent", "node_30", "Throw signal", _signal("sd1")), end(), more=_SIGNAL
        ),
    ),
    Example(
        6,
        "Signal Start",
        sequence(
            start(name="Signal start", inside=_signal("sd1")),
            task("node_2", "After signal", _NOBODY),
            end(),
            more=_SIGNAL,
        ),
    ),
    Example(
        7, "Signal Wait", sequence(start(), _catch("node_31", "Wait for signal", _signal("sd1")), end(), more=_SIGNAL)
    ),
    Example(
        8,
        "Script Ok",
        sequence(start(), script("node_40", "Run script", 1), task("node_2", "Review"), end()),
    ),
    Example(9, "Script Error", sequence(start(), script("node_40", "Run failing script", 3), end())),
    Example(10, "Assigned To Bob", sequence(start(users="3"), task("node_2", "Bob task", _BOB), end())),
    Example(11, "Self Service Group", sequence(start(), task("node_2", "Claim me", _TEAM), end())),
    Example(12, "Exclusive Gateway", _exclusive()),
    Example(13, "Parallel Gateway", _fork("join")),
    Example(14, "Manual Task", sequence(start(), task("node_2", "Do it", kind="manualTask"), end())),
    Example(15, "Two Steps", sequence(start(), task("node_2", "Step one"), task("node_4", "Step two"), end())),
    Example(16, "Call Parent", sequence(start(), Part("callActivity", "node_70", "Call child", _CHILD), end())),
    Example(17, "Timer Wait", sequence(start(), _catch("node_80", "Wait", _duration("PT1H")), end())),
    Example(18, "Terminate End", _fork("terminate")),
)


def add(state: State, example: Example, category_id: int = 2) -> Process:
    """
    Add one of them, with its own id.

    :param state: the server's data.
    :param example: which.
    :param category_id: its category.
    """
    state.workflow.processes.expect_id(example.id)
    values = {
        "name": example.name,
        "description": example.description or example.name,
        "process_category_id": category_id,
    }
    return saving.new_process(state, values, example.bpmn)
