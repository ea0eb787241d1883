"""BPMN read into nodes and flows: what the engine walks on."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

# Users of a test server write their own processes into it; nothing comes from strangers.
from xml.etree import ElementTree as ET

_BPMN = "http://www.omg.org/spec/BPMN/20100524/MODEL"
_XSI = "http://www.w3.org/2001/XMLSchema-instance"

TASKS = frozenset({"task", "userTask", "manualTask"})
SCRIPTS = frozenset({"scriptTask", "serviceTask"})
GATEWAYS = frozenset({"exclusiveGateway", "parallelGateway", "inclusiveGateway", "eventBasedGateway"})
CATCHES = frozenset({"intermediateCatchEvent"})
THROWS = frozenset({"intermediateThrowEvent"})

# What PHP calls the objects of these elements; the server says so in an error.
_CLASSES = {
    **dict.fromkeys(TASKS, "Activity"),
    "scriptTask": "ScriptTask",
    "serviceTask": "ServiceTask",
    "callActivity": "CallActivity",
    "endEvent": "EndEvent",
    "exclusiveGateway": "ExclusiveGateway",
    "parallelGateway": "ParallelGateway",
    "inclusiveGateway": "InclusiveGateway",
    "intermediateThrowEvent": "IntermediateThrowEvent",
    "sequenceFlow": "Flow",
}


class BpmnError(ValueError):
    """The text is no process that could run."""


class SchemaError(BpmnError):
    """The text is XML, but not BPMN."""


@dataclass(frozen=True)
class Flow:
    """A sequence flow."""

    id: str
    source: str
    target: str
    condition: str | None = None


@dataclass
class Node:
    """An element that tokens come through."""

    id: str
    kind: str
    name: str
    attributes: dict[str, str]
    # As the API shows them: {"id": ..., "$type": "timerEventDefinition", ...}.
    definitions: list[dict[str, Any]] = field(default_factory=list)
    duration: str | None = None
    incoming: list[Flow] = field(default_factory=list)
    outgoing: list[Flow] = field(default_factory=list)
    default: str | None = None

    def has(self, definition: str) -> bool:
        """
        Whether it is an event of a kind.

        :param definition: such as ``timer``.
        """
        return any(item["$type"] == f"{definition}EventDefinition" for item in self.definitions)

    @property
    def signals(self) -> list[str]:
        """The ids of the signals that it waits for or throws."""
        return [item["signalRef"] for item in self.definitions if "signalRef" in item]

    @property
    def php_class(self) -> str:
        """The class of its object in the engine of the real server."""
        return f"ProcessMaker\\Nayra\\Bpmn\\Models\\{_CLASSES.get(self.kind, 'FlowElement')}"


@dataclass
class Definition:
    """The process in a document."""

    callable_id: str
    name: str
    nodes: dict[str, Node]
    flows: dict[str, Flow]
    signals: dict[str, str]

    @property
    def starts(self) -> list[Node]:
        """The start events."""
        return [node for node in self.nodes.values() if node.kind == "startEvent"]

    def start_json(self, node: Node) -> dict[str, Any]:
        """
        A start event as the API shows it.

        :param node: the event.
        """
        owner = {"ownerProcessId": self.callable_id, "ownerProcessName": self.name}
        named = {"id": node.id, "name": node.name, **node.attributes}
        return {**named, **owner, "eventDefinitions": node.definitions}

    @property
    def self_service(self) -> dict[str, Any]:
        """Who may claim which task."""
        found = {}
        for node in self.nodes.values():
            if node.attributes.get("assignment") == "self_service":
                found[node.id] = self_service_of(node)
        return found

    @property
    def signal_starts(self) -> list[str]:
        """The ids of the signals that start the process."""
        return [signal for node in self.starts for signal in node.signals]

    @property
    def has_timer_start(self) -> bool:
        """Whether a timer starts it."""
        return any(node.has("timer") for node in self.starts)


def self_service_of(node: Node) -> dict[str, list[str]]:
    """
    Who may claim a task, as texts.

    :param node: the task.
    """
    return {
        "groups": node.attributes.get("assignedGroups", "").split(","),
        "users": node.attributes.get("assignedUsers", "").split(","),
    }


def _tag(element: ET.Element) -> str:
    return element.tag.rpartition("}")[2]


def _attributes(element: ET.Element) -> dict[str, str]:
    """Those of ProcessMaker's own namespace, without it."""
    return {
        name.rpartition("}")[2]: value
        for name, value in element.attrib.items()
        if name.startswith("{") and not name.startswith(f"{{{_XSI}}}")
    }


def _definition(element: ET.Element) -> dict[str, Any]:
    references = {name: value for name, value in element.attrib.items() if name.endswith("Ref")}
    return {"id": element.get("id", ""), **references, "$type": _tag(element)}


def _node(element: ET.Element) -> Node:
    kind = _tag(element)
    node = Node(element.get("id", ""), kind, element.get("name", ""), _attributes(element))
    for name in ("calledElement", "scriptRef"):
        if element.get(name) is not None:
            node.attributes[name] = element.get(name, "")
    node.default = element.get("default")
    for child in element:
        if _tag(child).endswith("EventDefinition"):
            node.definitions.append(_definition(child))
            duration = child.find(f"{{{_BPMN}}}timeDuration")
            if duration is not None and duration.text:
                node.duration = duration.text.strip()
    return node


def _flow(element: ET.Element) -> Flow:
    condition = element.find(f"{{{_BPMN}}}conditionExpression")
    text = None if condition is None or not (condition.text or "").strip() else (condition.text or "").strip()
    return Flow(element.get("id", ""), element.get("sourceRef", ""), element.get("targetRef", ""), text)


def parse(text: str) -> Definition:
    """
    Read a document; raises :class:`BpmnError` with the parser's words.

    :param text: XML.
    """
    if not text.lstrip().startswith("<"):
        raise BpmnError("DOMDocument::loadXML(): Start tag expected, '&lt;' not found in Entity, line: 1")
    try:
        root = ET.fromstring(text)  # noqa: S314 - see the import
    except ET.ParseError as error:
        raise BpmnError(f"DOMDocument::loadXML(): {error} in Entity, line: {error.position[0]}") from error
    if root.tag != f"{{{_BPMN}}}definitions":
        raise SchemaError(
            f"DOMDocument::schemaValidate(): Element '{_tag(root)}': "
            "No matching global declaration available for the validation root."
        )
    signals = {item.get("id", ""): item.get("name", "") for item in root.findall(f"{{{_BPMN}}}signal")}
    process = root.find(f"{{{_BPMN}}}process")
    if process is None:
        return Definition("", "", {}, {}, signals)
    definition = Definition(process.get("id", ""), process.get("name", ""), {}, {}, signals)
    for element in process:
        kind = _tag(element)
        if kind == "sequenceFlow":
            definition.flows[element.get("id", "")] = _flow(element)
        elif re.search(r"(Event|Gateway|[tT]ask|Activity)$", kind):
            node = _node(element)
            definition.nodes[node.id] = node
    for flow in definition.flows.values():
        if flow.source in definition.nodes and flow.target in definition.nodes:
            definition.nodes[flow.source].outgoing.append(flow)
            definition.nodes[flow.target].incoming.append(flow)
    return definition
