"""BPMN as text, in the form in which ProcessMaker's modeler writes it."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from xml.sax.saxutils import escape, quoteattr

_HEAD = (
    '<?xml version="1.0" encoding="UTF-8"?>\n'
    '<bpmn:definitions xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"'
    ' xmlns:bpmn="http://www.omg.org/spec/BPMN/20100524/MODEL"'
    ' xmlns:bpmndi="http://www.omg.org/spec/BPMN/20100524/DI"'
    ' xmlns:dc="http://www.omg.org/spec/DD/20100524/DC" xmlns:di="http://www.omg.org/spec/DD/20100524/DI"'
    ' xmlns:pm="http://processmaker.com/BPMN/2.0/Schema.xsd" xmlns:xsd="http://www.w3.org/2001/XMLSchema"'
    ' targetNamespace="http://bpmn.io/schema/bpmn" exporter="ProcessMaker Modeler" exporterVersion="1.0">\n'
)


def quoted(text: str) -> str:
    """
    A text as the value of an attribute, with its quotes.

    :param text: the text.
    """
    return quoteattr(text)


@dataclass(frozen=True)
class Part:
    """An element: its kind, id, name, attributes as text, and what is inside."""

    kind: str
    id: str
    name: str
    attributes: str = ""
    inside: str = ""

    def xml(self) -> str:
        """The element."""
        return (
            f'<bpmn:{self.kind} id="{self.id}" name={quoteattr(self.name)} {self.attributes}>'
            f"{self.inside}</bpmn:{self.kind}>\n"
        )


def start(
    node_id: str = "node_1", name: str = "Start Event", *, users: str = "", groups: str = "", inside: str = ""
) -> Part:
    """
    A start event.

    :param node_id: its id.
    :param name: its name.
    :param users: ids of those who may start, with commas.
    :param groups: ids of groups of those.
    :param inside: event definitions.
    """
    attributes = 'pm:allowInterstitial="false"'
    if users or groups:
        attributes += f' pm:assignment="{"user" if users else "group"}"'
        attributes += f' pm:assignedUsers="{users}"' if users else ""
        attributes += f' pm:assignedGroups="{groups}"' if groups else ""
    return Part("startEvent", node_id, name, attributes, inside)


def task(node_id: str, name: str, assignment: str = 'pm:assignment="requester"', *, kind: str = "task") -> Part:
    """
    A task for a person.

    :param node_id: its id.
    :param name: its name.
    :param assignment: attributes that say whose.
    :param kind: ``task`` or ``manualTask``.
    """
    common = 'pm:allowInterstitial="false" pm:assignmentLock="false" pm:allowReassignment="false" pm:dueIn="72"'
    return Part(kind, node_id, name, f'{common} pm:screenRef="3" {assignment}')


def script(node_id: str, name: str, script_id: int | str) -> Part:
    """
    A script task.

    :param node_id: its id.
    :param name: its name.
    :param script_id: the script.
    """
    return Part("scriptTask", node_id, name, f'pm:scriptRef="{script_id}" pm:config=""')


def gateway(kind: str, node_id: str, name: str = "Gateway", default: str = "") -> Part:
    """
    A gateway.

    :param kind: ``exclusiveGateway`` and so on.
    :param node_id: its id.
    :param name: its name.
    :param default: the flow that is taken when no condition holds.
    """
    return Part(kind, node_id, name, f'default="{default}"' if default else "")


def event(kind: str, node_id: str, name: str, inside: str, attributes: str = "") -> Part:
    """
    An event in the middle or at the end.

    :param kind: ``intermediateCatchEvent`` and so on.
    :param node_id: its id.
    :param name: its name.
    :param inside: its definition.
    :param attributes: its attributes.
    """
    return Part(kind, node_id, name, attributes, inside)


def end(node_id: str = "node_3", name: str = "End Event", inside: str = "") -> Part:
    """
    An end event.

    :param node_id: its id.
    :param name: its name.
    :param inside: its definition.
    """
    return Part("endEvent", node_id, name, "", inside)


def document(parts: list[Part], flows: list[tuple[str, str] | tuple[str, str, str]], more: str = "") -> str:
    """
    A whole document.

    :param parts: the elements.
    :param flows: source, target and, if there is one, the condition.
    :param more: elements beside the process, such as signals.
    """
    lines = [_HEAD, '<bpmn:process id="ProcessId" name="ProcessName" isExecutable="true">\n']
    lines += [part.xml() for part in parts]
    for number, (source, target, *condition) in enumerate(flows, 1):
        inside = "".join(
            f'<bpmn:conditionExpression xsi:type="bpmn:tFormalExpression">{escape(text)}</bpmn:conditionExpression>'
            for text in condition
        )
        lines.append(
            f'<bpmn:sequenceFlow id="flow_{number}" name="" sourceRef="{source}" targetRef="{target}">'
            f"{inside}</bpmn:sequenceFlow>\n"
        )
    return f"{''.join(lines)}</bpmn:process>\n{more}</bpmn:definitions>"


def sequence(*parts: Part, more: str = "") -> str:
    """
    A document in which one element follows the other.

    :param parts: the elements in order.
    :param more: elements beside the process.
    """
    return document(list(parts), [(a.id, b.id) for a, b in pairwise(parts)], more)
