"""The data of a new request: checked before it is sent, and what the server makes of it is said beforehand."""

from __future__ import annotations

import json
import re
from collections import UserDict
from datetime import UTC, date, datetime
from decimal import Decimal
from types import MappingProxyType
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_processmaker.client import InvalidInputError
from airflow_provider_processmaker.client.starting import GENERATION, KEY, checked_data
from tests.client.runs import OURS, starts

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

SAID = "ProcessMaker will change this body"


def kept(client: ProcessMakerClient, process: int, data: Any, key: str | None = None) -> dict[str, Any]:
    """The data as the API shows it after a start, without our own keys."""
    row = client.start_process(process, data, key=key)
    shown: dict[str, Any] = client.get_request(row["id"], data=True)["data"]
    return {name: value for name, value in shown.items() if name not in {KEY, GENERATION}}


class TestWhatTheServerChanges:
    @pytest.mark.parametrize(
        ("data", "place", "after"),
        [
            ({"_hidden": 1, "a": 2}, "json['_hidden'] has a reserved name", {"a": 2}),
            ({"a": {"10": "x", "20": "y"}}, "json['a'] is an object of numeric keys only", {"a": ["x", "y"]}),
            ({"a": [{"b": {"1": 2}}]}, "json['a'][0]['b'] is an object of numeric", {"a": [{"b": [2]}]}),
            ({"a": "Dear {{name}}"}, "json['a'] has \"{{\"", {"a": "Dear name"}),
            ({"a": "x <b>bold</b> y"}, "json['a'] has a tag", {"a": "x bold y"}),
            ({"a": "<user@example.com>"}, "json['a'] has a tag", {"a": ""}),
            ({"a": ""}, "json['a'] is an empty text", {"a": None}),
            ({"a": " \n"}, "json['a'] is an empty text", {"a": None}),
            ({"a": {"b": ["", "x"]}}, "json['a']['b'][0] is an empty text", {"a": {"b": [None, "x"]}}),
            ({"a": " x "}, "json['a'] has spaces around it", {"a": "x"}),
            ({"a": {}}, "json['a'] is an empty object", {"a": []}),
            ({"a": {"b": {}}}, "json['a']['b'] is an empty object", {"a": {"b": []}}),
            ({"a": 2**63}, "json['a'] is beyond 64 bits", {"a": float(2**63)}),
        ],
    )
    def test_is_said_and_is_so(
        self,
        patient: ProcessMakerClient,
        process: int,
        caplog: pytest.LogCaptureFixture,
        data: dict[str, Any],
        place: str,
        after: dict[str, Any],
    ) -> None:
        assert kept(patient, process, data) == after
        said = [record.getMessage() for record in caplog.records if SAID in record.getMessage()]
        assert len(said) == 1
        assert place in said[0]

    @pytest.mark.parametrize(
        "data",
        [
            {},
            {"amount": 5, "name": "x", "open": True, "none": None, "list": [], "rate": 1.5},
            {"a": {"b": "<b>kept</b> {{below}} the first level", "_c": 1}},
            {"a": "1 < 2 and { x }", "b": "äöü 日本 \U0001f600"},
            {"10": "x", "20": "y"},
            {"a": {"10": "x", "b": "y"}},
            {"date": "2026-11-24", "number": "0012"},
        ],
    )
    def test_nothing_is_said_of_what_stays(
        self, patient: ProcessMakerClient, process: int, caplog: pytest.LogCaptureFixture, data: dict[str, Any]
    ) -> None:
        """Numeric keys at the top stay too: ours stands beside them."""
        assert kept(patient, process, data) == data
        assert SAID not in caplog.text

    def test_the_values_are_not_in_the_log(
        self, patient: ProcessMakerClient, process: int, caplog: pytest.LogCaptureFixture
    ) -> None:
        kept(patient, process, {"salary": " 5000 for <b>Smith</b>"})
        assert SAID in caplog.text
        assert "5000" not in caplog.text
        assert "Smith" not in caplog.text


TEXTS = st.sampled_from(["", " ", " x", "x", "<b>x</b>", "<", "a < b", "{{x}}", "}}", "1", "é", "x\u00a0"])
NAMES = st.sampled_from(["a", "b", "_c", "1", "2.5", "password", "data", "bpmn"])
VALUES = st.recursive(
    TEXTS | st.none() | st.booleans() | st.sampled_from([0, -1, 2**63 - 1, 2**63, 1.5]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAMES, inner, max_size=3),
    max_leaves=8,
)


def places(sent: Any, stored: Any, place: str = "json") -> set[str]:
    """Where two values differ, by their innermost common places."""
    if isinstance(sent, dict) and isinstance(stored, dict):
        gone = {f"{place}[{name!r}]" for name in sent if name not in stored}
        return gone.union(*(places(sent[name], stored[name], f"{place}[{name!r}]") for name in sent if name in stored))
    if isinstance(sent, list) and isinstance(stored, list) and len(sent) == len(stored):
        pairs = enumerate(zip(sent, stored, strict=True))
        return set().union(*(places(one, other, f"{place}[{index}]") for index, (one, other) in pairs))
    return set() if sent == stored and type(sent) is type(stored) else {place}


@settings(derandomize=True, deadline=None, max_examples=150, suppress_health_check=list(HealthCheck))
@given(data=st.dictionaries(NAMES, VALUES, max_size=4))
def test_every_change_is_named(
    patient: ProcessMakerClient, process: int, caplog: pytest.LogCaptureFixture, data: dict[str, Any]
) -> None:
    """Whatever the data, the places that differ afterwards are named in the warning, unless there are too many."""
    caplog.clear()
    changed = places(data, kept(patient, process, data))
    if "and more" in caplog.text:
        return
    for place in changed:
        assert re.search(f"{re.escape(place)}( (has|is)|\\[)", caplog.text), (place, caplog.text)


class TestRefusedBeforeAnythingIsSent:
    @pytest.mark.parametrize(
        ("data", "why"),
        [
            ({"a": float("nan")}, "data['a'] is nan"),
            ({"a": [1, float("inf")]}, "data['a'][1] is inf"),
            ({"a": datetime(2026, 11, 24, tzinfo=UTC)}, "data['a'] is a datetime"),
            ({"a": {"b": date(2026, 11, 24)}}, "data['a']['b'] is a date"),
            ({"a": {1, 2}}, "data['a'] is a set"),
            ({"a": b"bytes"}, "data['a'] is a bytes"),
            ({"a": Decimal("1.5")}, "data['a'] is a Decimal"),
            ({"a": "\ud800"}, "half of a surrogate pair"),
            ({"a": {("x",): 1}}, "data['a'] has a key that is a tuple"),
            ({1: "x"}, "a key that is a int: 1"),
            ({None: "x"}, "a key that is a NoneType"),
            ([1, 2], "must be a dict, not a list"),
            ([{"a": 1}], "must be a dict, not a list"),
            (b'{"a": 1}', "must be a dict, not a bytes"),
            (5, "must be a dict, not a int"),
            (True, "must be a dict, not a bool"),
            ("", "a text that is no JSON object"),
            ("amount=5", "a text that is no JSON object"),
            ("{'a': 1}", "a text that is no JSON object"),
            ('{"a": 1', "a text that is no JSON object"),
            ("[" * 100_000, "a text that is no JSON object"),
            ("[1, 2]", "must be a dict, not a list"),
            ('"text"', "must be a dict, not a str"),
            ("5", "must be a dict, not a int"),
            ('{"a": NaN}', "data['a'] is nan"),
            ('{"a": 1e999}', "data['a'] is inf"),
        ],
    )
    def test_what_is_no_json_object(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, data: Any, why: str
    ) -> None:
        with pytest.raises(InvalidInputError) as caught:
            patient.start_process(process, data)
        assert why in str(caught.value)
        assert server.calls == []

    @pytest.mark.parametrize(
        "name",
        [
            "_user", "_request", "_parent", "loopCounter", "numberOfInstances", "numberOfActiveInstances",
            "numberOfCompletedInstances", "loopCharacteristics", KEY, GENERATION,
        ],
    )  # fmt: skip
    @pytest.mark.parametrize("as_text", [False, True])
    def test_reserved_keys(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, name: str, as_text: bool
    ) -> None:
        data = {"a": 1, name: 1}
        with pytest.raises(InvalidInputError, match=f'cannot have the key "{name}": it is reserved'):
            patient.start_process(process, json.dumps(data) if as_text else data, key=OURS)
        assert server.calls == []

    def test_deeper_down_they_are_free(
        self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int
    ) -> None:
        data = {"order": {"_user": 1, KEY: "x", "loopCounter": 2}, "numberOfBooks": 3, "user": 4}
        assert kept(patient, process, data) == data
        assert starts(server) == 1

    def test_too_deep(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        data: dict[str, Any] = {}
        for _ in range(100_000):
            data = {"a": data}
        with pytest.raises(InvalidInputError, match="nested too deeply"):
            patient.start_process(process, data)
        assert server.calls == []
        while data:  # taken apart by hand: the interpreter would do it by recursion
            data = data["a"]


class TestWhatIsTaken:
    @pytest.mark.parametrize("data", ['{"a": {"b": [1]}}', ' {"a": {"b": [1]}}\n', {"a": {"b": (1,)}}])
    def test_a_dict_or_its_text(self, patient: ProcessMakerClient, process: int, data: Any) -> None:
        assert kept(patient, process, data) == {"a": {"b": [1]}}

    @pytest.mark.parametrize("data", [None, {}, "{}", "null"])
    def test_nothing(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int, data: Any) -> None:
        patient.start_process(process, data, key=OURS)
        assert server.request(1).data == {KEY: OURS}

    def test_the_callers_dict_is_left_alone(self, patient: ProcessMakerClient, process: int) -> None:
        data = {"a": {"b": 1}}
        patient.start_process(process, data, key=OURS)
        assert data == {"a": {"b": 1}}
        assert checked_data(data) is not data

    def test_a_mapping_that_is_no_dict(self, patient: ProcessMakerClient, process: int) -> None:
        for data in (MappingProxyType({"a": 1}), UserDict(a=1)):
            assert kept(patient, process, data) == {"a": 1}

    def test_much(self, server: ProcessMakerServer, patient: ProcessMakerClient, process: int) -> None:
        data = {"lines": [{"number": number, "text": "x" * 90} for number in range(5_000)]}
        assert kept(patient, process, data) == data
        assert starts(server) == 1
