"""Whatever comes, the outcome is a result or one of our errors, within the time-outs, with no secret in its text."""

from __future__ import annotations

import contextlib
import gzip
import json
import logging
import os
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient, ProcessMakerError, Settings
from airflow_provider_processmaker.client.encoding import encode_params, endpoint_url, http_method
from airflow_provider_processmaker.client.fields import FieldSelection
from airflow_provider_processmaker.client.records import page_of
from airflow_provider_processmaker.client.retrying import parse_retry_after
from airflow_provider_processmaker.client.rewriting import rewritten_places
from airflow_provider_processmaker.client.tokens import Token
from airflow_provider_processmaker.connection import FIELDS, parse
from tests.client.conftest import settings_for
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from tests.client.raw_server import Request, Wire

#: The same examples in every run: a failure on one machine is one on all. By hand, ``PROCESSMAKER_TEST_RANDOM=1`` tries
#: fresh ones, and prints of a failure what brings it back.
steady = settings(
    derandomize=not os.environ.get("PROCESSMAKER_TEST_RANDOM"),
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
    print_blob=True,
)

TIMEOUT = 0.25
PASSWORD, SECRET, TOKEN = "S3cret pass/word é", "cl13nt-s3cret-value", "pers0nal-access-t0ken"

any_json = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=20),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=8), inner, max_size=4),
    max_leaves=12,
)


class TestConnection:
    secret = st.text(min_size=5, max_size=12, alphabet=st.characters(exclude_characters=" ")).map(
        lambda text: f"hush{text}"
    )
    host = st.one_of(
        st.text(max_size=40),
        st.from_regex(r"(https?://)?[a-z0-9.:\[\]@/%?# -]{0,30}", fullmatch=True),
        st.sampled_from(["https://pm.example.com", "127.0.0.1:8800", "::1", "http://localhost/api/1.0"]),
    )
    value = st.one_of(st.none(), st.booleans(), st.integers(), st.floats(), st.text(max_size=20), any_json)

    @given(data=st.data(), host=host | value, secret=secret)
    @settings(steady, max_examples=600)
    def test_fields(self, data: st.DataObject, host: Any, secret: str) -> None:
        names = [field.name for field in FIELDS if not field.standard]
        extra = data.draw(st.dictionaries(st.sampled_from([*names, "clientid", "x"]), self.value, max_size=6))
        login = data.draw(st.sampled_from(["admin", None, ""]) | self.value)
        secrets = data.draw(st.sets(st.sampled_from(["client_secret", "access_token", "proxy", "headers"])))
        for name in secrets:
            extra[name] = {"headers": {"X-Key": secret}, "proxy": f"http://u:{secret}@h:1"}.get(name, secret)
        port = data.draw(st.none() | st.integers() | st.text(max_size=5))
        schema = data.draw(st.none() | st.sampled_from(["http", "https", "ftp", ""]))
        try:
            made = parse(host=host, login=login, password=secret, port=port, schema=schema, extra=extra)
        except ProcessMakerError as error:
            said = str(error)
        else:
            assert isinstance(made, Settings)
            said = repr(made)
            with contextlib.suppress(ProcessMakerError):  # a bundle or certificate that is not there
                client = ProcessMakerClient(made, token_store=MemoryStore())
                said += repr(client)
                client.close()
        assert secret not in said


class Scripted:
    """One server for all examples: it answers what the example drew."""

    def __init__(self) -> None:
        self.token_answer = b""
        self.answer: bytes = b""
        self.by_call: dict[tuple[str, str], bytes] = {}
        self.server = RawServer(self._say)

    def _say(self, request: Request, wire: Wire) -> bytes | None:
        said = self.token_answer if request.path == "/oauth/token" else self.answer
        said = self.by_call.get((request.method, request.path.removeprefix("/api/1.0/")), said)
        # Some servers echo: whatever a drawn answer holds of these marks is replaced by what was sent.
        said = said.replace(b"%BODY%", request.body)
        return said.replace(b"%AUTH%", request.headers.get("authorization", "").encode("latin-1"))


@pytest.fixture(scope="module")
def scripted() -> Iterator[Scripted]:
    scripted = Scripted()
    with scripted.server:
        yield scripted


header_value = st.text(alphabet=st.characters(max_codepoint=255, exclude_characters="\r\n\0"), max_size=30)
headers = st.dictionaries(
    st.sampled_from(
        [
            "Retry-After",
            "Content-Encoding",
            "Location",
            "Set-Cookie",
            "Transfer-Encoding",
            "Content-Type",
            "X-Any",
            "ETag",
        ]
    ),
    header_value
    | st.sampled_from(["gzip", "chunked", "0", "61", "text/html", "application/json", "br", "deflate", "/login"]),
    max_size=3,
)
bodies = st.one_of(
    st.binary(max_size=60),
    any_json.map(lambda value: json.dumps(value).encode()),
    st.sampled_from(
        [
            b"",
            b"<html><title>%AUTH% %BODY%</title>",
            b'{"message":"%AUTH%","errors":{"%AUTH%":["%BODY%"]}}',
            b'{"error":"invalid_grant","message":"%BODY%"}',
            b'{"error":{"message":"%AUTH%"}}',
            b"%AUTH% %BODY%",
            b"[" * 3000,
            b'{"data":[{"id":1}],"meta":{"last_page":9,"total":"x"}}',
            gzip.compress(b'{"data":[]}'),
            gzip.compress(b'{"data":[]}')[:-5],
        ]
    ),
)
statuses = st.one_of(
    st.sampled_from([200, 200, 201, 204, 301, 302, 400, 401, 403, 404, 422, 429, 500, 503]), st.integers(100, 999)
)


@st.composite
def answers(draw: st.DrawFn) -> bytes:
    kind = draw(st.integers(0, 9))
    if kind == 0:
        return draw(st.binary(max_size=80))
    body = draw(bodies)
    said = http(
        draw(statuses),
        body,
        draw(headers),
        length=draw(st.sampled_from([-1, -1, -1, None, 0, len(body) + 3, max(0, len(body) - 1)])),
    )
    if kind == 1:
        return said[: draw(st.integers(0, len(said)))]
    if kind == 2:
        return said.replace(b"Whatever", draw(st.sampled_from([b"%AUTH%", b"", b"\xff", b"x\r\n%AUTH%"])), 1)
    return said


def outcome(client: ProcessMakerClient, method: str) -> str:
    """What came of a call, as the text that a log would show."""
    said = ""
    started = time.monotonic()
    try:
        if method == "LIST":
            for number, _ in enumerate(client.iter_records("users", page_size=1)):
                if number > 20:
                    break
        elif method == "WHO":
            client.whoami()
        else:
            client.request(method, "groups/1", json={"name": "x"} if method == "POST" else None)
    except ProcessMakerError as error:
        said = f"{error} {error!r} {error.__dict__}"
    # An answer of several calls has the time of several.
    assert time.monotonic() - started < 8 * TIMEOUT + 1
    assert len(said) < 100_000
    return said


@given(answer=answers(), method=st.sampled_from(["GET", "POST", "DELETE", "LIST", "WHO"]))
@settings(steady, max_examples=400)
def test_answers_of_the_api(scripted: Scripted, caplog: pytest.LogCaptureFixture, answer: bytes, method: str) -> None:
    scripted.answer, scripted.by_call = answer, {}
    caplog.clear()
    made = settings_for(scripted.server, access_token=TOKEN, read_timeout=TIMEOUT)
    with ProcessMakerClient(made, token_store=MemoryStore()) as client:
        said = outcome(client, method)
    assert TOKEN not in said
    assert TOKEN not in caplog.text


@given(answer=answers())
@settings(steady, max_examples=300)
def test_answers_of_the_token_endpoint(scripted: Scripted, caplog: pytest.LogCaptureFixture, answer: bytes) -> None:
    scripted.token_answer, scripted.answer, scripted.by_call = answer, http(200, []), {}
    caplog.clear()
    made = settings_for(scripted.server, password=PASSWORD, client_secret=SECRET, read_timeout=TIMEOUT)
    with ProcessMakerClient(made, token_store=MemoryStore()) as client:
        said = outcome(client, "GET") + caplog.text
    for secret in (PASSWORD, SECRET, "S3cret+pass", "S3cret%20pass"):
        assert secret not in said


STARTED = {"id": 7, "status": "ACTIVE"}
any_id = st.sampled_from([7, 7, 7, 8, 9, 0, -1, 2**70, 7.0, "7", None, True]) | any_json
any_status = st.sampled_from(["ACTIVE", "ACTIVE", "COMPLETED", "ERROR", "CANCELED", "PAUSED", "", None, 7]) | any_json
moment = st.sampled_from(["2026-11-27T10:00:00+00:00", "2026-11-27T10:00:01+00:00", "2026-11-27 10:00", "x", None])
row = st.fixed_dictionaries(
    {"id": any_id, "status": any_status},
    optional={
        "data": st.fixed_dictionaries({}, optional={"airflow_key": any_json, "airflow_generation": any_json})
        | any_json,
        "parent_request_id": st.none() | any_json,
        "created_at": moment | any_json,
        "completed_at": moment | any_json,
        "name": any_json,
        "case_number": any_json,
        "errors": st.lists(st.dictionaries(st.sampled_from(["element_name", "message"]), any_json)) | any_json,
        "startEvents": st.lists(st.fixed_dictionaries({"id": any_json}, optional={"config": any_json})) | any_json,
    },
)
rows = st.lists(row | any_json, max_size=4) | st.just([STARTED]) | st.just([STARTED, {**STARTED, "id": 8}])
row_bodies = st.one_of(
    row,
    rows,
    st.fixed_dictionaries(
        {"data": rows},
        optional={"meta": st.dictionaries(st.sampled_from(["total", "last_page"]), any_json | st.just(2))},
    ),
    st.just(STARTED),
    st.fixed_dictionaries({"meta": st.fixed_dictionaries({"total": st.integers(0, 3) | any_json})}),
    any_json,
)
row_answers = st.builds(http, st.sampled_from([200, 200, 200, 200, 201, 404, 403, 500]), row_bodies) | answers()
by_call = st.fixed_dictionaries(
    {},
    optional={
        ("GET", "start_processes"): row_answers,
        ("GET", "requests"): row_answers,
        ("GET", "requests/7"): row_answers,
        ("GET", "requests/8"): row_answers,
        ("PUT", "requests/7"): row_answers,
        ("PUT", "requests/8"): row_answers,
        ("POST", "process_events/4"): row_answers,
    },
)
start = {"process": 4, "data": {"a": 1}, "start_event": "node_1", "settle_window": 0}
RUN_VERBS: dict[str, Callable[[ProcessMakerClient], Any]] = {
    "start": lambda client: client.start_process(**start),
    "start by name": lambda client: client.start_process("P", settle_window=0),
    "start with a key": lambda client: client.start_process(**start, key="order-7"),
    "cancel": lambda client: client.cancel_request(7),
    "wait": lambda client: client.wait_for_requests(
        [7], poll_interval=0.02, timeout=0.05, error_grace=0, outage_budget=0
    ),
    "wait for two": lambda client: client.wait_for_requests(
        [7, 8], poll_interval=0.02, timeout=0.05, error_grace=0, outage_budget=0
    ),
    "request": lambda client: client.get_request(7, data=True),
    "requests": lambda client: client.get_requests([7, 8], data=True),
    "status": lambda client: client.request_statuses([7]),
    "statuses": lambda client: client.request_statuses([7, 8]),
    "count": lambda client: client.count("requests"),
    "event": lambda client: client.start_event("P"),
}


def holds(verb: str, result: Any) -> None:
    """What a caller relies on, whatever the server said."""
    if verb == "count":
        assert type(result) is int
        assert result >= 0
    elif verb in {"status", "statuses"}:
        assert set(result) == ({7} if verb == "status" else {7, 8})
        assert all(isinstance(status, str) for status in result.values())
    elif verb == "cancel":
        assert isinstance(result.cancelled, bool)
    elif verb != "event":
        for one in [result] if isinstance(result, dict) else result:
            assert (type(one["id"]), type(one["status"])) == (int, str)


@given(by_call=by_call, verb=st.sampled_from(sorted(RUN_VERBS)))
@settings(steady, max_examples=600)
def test_answers_to_process_runs(
    scripted: Scripted, caplog: pytest.LogCaptureFixture, by_call: dict[tuple[str, str], bytes], verb: str
) -> None:
    """Each call of a verb has an answer of its own: what was drawn for it, or a good one."""
    good = {
        ("GET", "start_processes"): http(200, [{"id": 4, "name": "P", "startEvents": [{"id": "node_1"}]}]),
        ("GET", "requests"): http(200, {"data": [STARTED], "meta": {"total": 1}}),
        ("POST", "process_events/4"): http(201, STARTED),
    }
    scripted.answer, scripted.by_call = http(200, STARTED), good | by_call
    caplog.clear()
    caplog.set_level(logging.DEBUG)
    made = settings_for(scripted.server, access_token=TOKEN, read_timeout=TIMEOUT)
    started, said = time.monotonic(), ""
    with ProcessMakerClient(made, token_store=MemoryStore()) as client:
        try:
            holds(verb, RUN_VERBS[verb](client))
        except ProcessMakerError as error:
            said = f"{error} {error!r} {error.__dict__}"
    assert time.monotonic() - started < 12 * TIMEOUT + 1
    assert TOKEN not in said + caplog.text


class TestPureParts:
    @given(access_token=st.text(max_size=40) | st.builds("{}.{}.{}".format, st.text(), st.text(), st.text()))
    @settings(steady, max_examples=200)
    def test_user_of_a_token(self, access_token: str) -> None:
        user = Token(access_token).user_id
        assert user is None or user.replace("-", "").isalnum()

    @given(value=st.text(max_size=40))
    @settings(steady, max_examples=300)
    def test_retry_after(self, value: str) -> None:
        seconds = parse_retry_after({"retry-after": value})
        assert seconds is None or seconds >= 0

    @given(body=any_json)
    @settings(steady, max_examples=200)
    def test_pages(self, body: Any) -> None:
        with contextlib.suppress(ProcessMakerError):
            selection = FieldSelection(("id",))
            for record in selection.of(page_of(body, "/x").records):
                assert list(record) == ["id"]
            selection.end()

    @given(body=any_json)
    @settings(steady, max_examples=200)
    def test_rewriting(self, body: Any) -> None:
        for place, what in rewritten_places("POST", "https://x/api/1.0/process_events/1", body):
            assert place.startswith("json")
            assert what

    @given(endpoint=st.text(max_size=40) | any_json)
    @settings(steady, max_examples=300)
    def test_endpoints(self, endpoint: Any) -> None:
        with contextlib.suppress(ProcessMakerError):
            url = endpoint_url("https://pm.example.com/base", endpoint)
            assert url.startswith("https://pm.example.com/base/api/")
            assert "/../" not in f"{url}/"

    huge = st.integers(3_000, 9_000).map(lambda digits: 10**digits)

    @given(
        params=st.dictionaries(st.text(), any_json | huge | st.lists(huge | st.integers(), max_size=2), max_size=4)
        | st.dictionaries(st.text(max_size=3), st.dictionaries(st.text(max_size=3), huge, max_size=2), max_size=2)
        | any_json,
        method=st.text(max_size=8),
    )
    @settings(steady, max_examples=300)
    def test_params_and_methods(self, params: Any, method: str) -> None:
        with contextlib.suppress(ProcessMakerError):
            assert all(isinstance(value, str) for value in encode_params(params).values())
        with contextlib.suppress(ProcessMakerError):
            http_method(method)
