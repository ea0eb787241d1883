"""Whatever comes, the outcome is a result or one of our errors, within the time-outs, with no secret in its text."""

from __future__ import annotations

import contextlib
import gzip
import json
import time
from typing import TYPE_CHECKING, Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from airflow_provider_processmaker.client import MemoryStore, ProcessMakerClient, ProcessMakerError, Settings
from airflow_provider_processmaker.client.encoding import encode_params, endpoint_url, http_method
from airflow_provider_processmaker.client.fields import select_fields
from airflow_provider_processmaker.client.records import page_of
from airflow_provider_processmaker.client.retrying import parse_retry_after
from airflow_provider_processmaker.client.rewriting import rewritten_places
from airflow_provider_processmaker.client.tokens import Token
from airflow_provider_processmaker.connection import FIELDS, parse
from tests.client.conftest import settings_for
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Iterator

    from tests.client.raw_server import Request, Wire

#: The same examples in every run: a failure on one machine is one on all.
steady = settings(derandomize=True, deadline=None, suppress_health_check=list(HealthCheck), print_blob=True)

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
        self.server = RawServer(self._say)

    def _say(self, request: Request, wire: Wire) -> bytes | None:
        said = self.token_answer if request.path == "/oauth/token" else self.answer
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
    scripted.answer = answer
    caplog.clear()
    made = settings_for(scripted.server, access_token=TOKEN, read_timeout=TIMEOUT)
    with ProcessMakerClient(made, token_store=MemoryStore()) as client:
        said = outcome(client, method)
    assert TOKEN not in said
    assert TOKEN not in caplog.text


@given(answer=answers())
@settings(steady, max_examples=300)
def test_answers_of_the_token_endpoint(scripted: Scripted, caplog: pytest.LogCaptureFixture, answer: bytes) -> None:
    scripted.token_answer, scripted.answer = answer, http(200, [])
    caplog.clear()
    made = settings_for(scripted.server, password=PASSWORD, client_secret=SECRET, read_timeout=TIMEOUT)
    with ProcessMakerClient(made, token_store=MemoryStore()) as client:
        said = outcome(client, "GET") + caplog.text
    for secret in (PASSWORD, SECRET, "S3cret+pass", "S3cret%20pass"):
        assert secret not in said


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
            page = page_of(body, "/x")
            list(select_fields(page.records, ("id",)))

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

    @given(params=st.dictionaries(st.text(), any_json, max_size=4) | any_json, method=st.text(max_size=8))
    @settings(steady, max_examples=200)
    def test_params_and_methods(self, params: Any, method: str) -> None:
        with contextlib.suppress(ProcessMakerError):
            assert all(isinstance(value, str) for value in encode_params(params).values())
        with contextlib.suppress(ProcessMakerError):
            http_method(method)
