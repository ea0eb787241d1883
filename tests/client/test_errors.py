"""Every error answer that the facts know becomes one typed error that tells all."""

from __future__ import annotations

import base64
import copy
import json
import pickle
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    CallRefusedError,
    ForbiddenError,
    InvalidInputError,
    LoginError,
    NotFoundError,
    ProcessMakerError,
    RateLimitedError,
    RequestError,
    RequestFailedError,
    ServerError,
    TlsError,
    TransportError,
    UnauthenticatedError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
)
from airflow_provider_processmaker.client.errors import LONGEST_QUOTE, error_from, quote
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from tests.client.raw_server import Request, Wire

    Connect = Callable[..., ProcessMakerClient]

# status, body, class, the server's message, details
ANSWERS: list[tuple[int, Any, type[ProcessMakerError], str | None, dict[str, list[str]]]] = [
    (
        400,
        {"message": "Your PMQL contains invalid syntax."},
        CallRefusedError,
        "Your PMQL contains invalid syntax.",
        {},
    ),
    (400, {"message": "Unknown", "field": "requester"}, CallRefusedError, "Unknown", {}),
    (400, {"error": "PMQL error"}, CallRefusedError, "PMQL error", {}),
    (400, [], CallRefusedError, None, {}),
    (403, {"message": "This action is unauthorized."}, ForbiddenError, "This action is unauthorized.", {}),
    (404, {"error": "Not Found"}, NotFoundError, "Not Found", {}),
    (404, [], NotFoundError, None, {}),
    (405, {"message": "The POST method is not supported"}, CallRefusedError, "The POST method is not supported", {}),
    (408, "", CallRefusedError, None, {}),
    (409, [], CallRefusedError, None, {}),
    (425, "Too Early", CallRefusedError, "Too Early", {}),
    (413, "<html><head><title>413 Too &amp; Large</title></head></html>", CallRefusedError, "413 Too & Large", {}),
    (414, "<html><title>414 Request-URI Too Large</title></html>", CallRefusedError, "414 Request-URI Too Large", {}),
    (418, {"message": "?"}, CallRefusedError, "?", {}),
    (422, {"message": "Task already closed"}, CallRefusedError, "Task already closed", {}),
    (422, {"message": ""}, CallRefusedError, None, {}),
    (
        422,
        {"message": "Both. (and 1 more error)", "errors": {"username": ["Both.", "Two."], "email": "One."}},
        CallRefusedError,
        "Both. (and 1 more error)",
        {"username": ["Both.", "Two."], "email": ["One."]},
    ),
    (422, {"errors": {"id": ["Taken."]}}, CallRefusedError, None, {"id": ["Taken."]}),
    (422, ["First.", "Second."], CallRefusedError, "First. Second.", {}),
    (422, {"errors": ["First.", {"deep": 1}]}, CallRefusedError, None, {"errors": ["First.", '{"deep": 1}']}),
    (422, {"message": ["A.", "B."]}, CallRefusedError, "A. B.", {}),
    (423, {"message": "Invalid element"}, CallRefusedError, "Invalid element", {}),
    (429, {"message": "Too Many Attempts."}, RateLimitedError, "Too Many Attempts.", {}),
    (499, {"message": "No tenant"}, CallRefusedError, "No tenant", {}),
    (500, {"message": "Server Error"}, ServerError, "Server Error", {}),
    (500, {"errors": {"message": "no php"}}, ServerError, None, {"message": ["no php"]}),
    (500, {"message": "Undefined", "exception": "Error", "trace": [{"file": "x"}] * 50}, ServerError, "Undefined", {}),
    (502, "<html><title>502 Bad Gateway</title></html>", ServerError, "502 Bad Gateway", {}),
    (503, {"message": "Service Unavailable"}, ServerError, "Service Unavailable", {}),
    (503, "<html><head><title>Down</title></head></html>", ServerError, "Down", {}),
    (504, "plain words", ServerError, "plain words", {}),
    (599, "", ServerError, None, {}),
    (404, {"error": {"code": 404, "message": "No route"}}, UnexpectedAnswerError, "No route", {}),
]


@pytest.mark.parametrize(("status", "body", "kind", "message", "details"), ANSWERS)
def test_read(
    server: ProcessMakerServer,
    client: ProcessMakerClient,
    status: int,
    body: Any,
    kind: type[ProcessMakerError],
    message: str | None,
    details: dict[str, list[str]],
) -> None:
    content_type = "text/html" if str(body).startswith("<") else None
    server.faults.add("GET", "/groups/*", times=None, status=status, body=body, content_type=content_type)
    with pytest.raises(ProcessMakerError) as caught:
        client.get("groups/7", {"include": "secret-in-query"})
    error = caught.value
    assert type(error) is kind
    assert (error.status, error.method, error.path) == (status, "GET", "/api/1.0/groups/7")
    assert (error.server_message, error.details) == (message, details)
    # Of a proxy, or of two calls that met: these say nothing against the call.
    assert error.retryable is (status in {408, 409, 425, 429} or status >= 500)
    assert str(status) in str(error)
    assert "secret-in-query" not in str(error)
    if message:
        assert message in str(error)
    for texts in details.values():
        assert texts[0] in str(error)


@pytest.mark.parametrize(("status", "body"), [(status, body) for status, body, *_ in ANSWERS if status >= 500])
def test_a_write_that_met_a_server_failure_is_an_unknown_outcome(
    server: ProcessMakerServer, client: ProcessMakerClient, status: int, body: Any
) -> None:
    server.faults.add("POST", "/groups", status=status, body=body)
    with pytest.raises(UnknownOutcomeError, match="Look before") as caught:
        client.post("groups", {"name": "x"})
    assert (caught.value.status, caught.value.method, caught.value.retryable) == (status, "POST", False)


def test_the_real_answers_of_the_stand_in(
    server: ProcessMakerServer, connect: Callable[..., ProcessMakerClient]
) -> None:
    admin = connect(server)
    server.add_user("plain", "Plain-pass1!")
    plain = connect(server, username="plain", password="Plain-pass1!")
    for call, kind, status in [
        (lambda: admin.get("users/99999"), NotFoundError, 404),
        (lambda: admin.get("no/such/thing"), NotFoundError, 404),
        (lambda: admin.post("no/such/thing", {"a": 1}), CallRefusedError, 405),
        (lambda: admin.put("users", {"a": 1}), CallRefusedError, 405),
        (lambda: plain.get("environment_variables"), ForbiddenError, 403),
        (lambda: admin.get("users", {"order_by": "nope"}), ServerError, 500),
        (lambda: admin.get("/api/1.9/users"), UnauthenticatedError, 401),
    ]:
        with pytest.raises(kind) as caught:
            call()
        assert caught.value.status == status
    with pytest.raises(CallRefusedError) as refused:
        admin.post("users", {"username": "x"})
    assert set(refused.value.details) >= {"firstname", "lastname", "email", "status", "password"}


def test_maintenance(server: ProcessMakerServer, client: ProcessMakerClient) -> None:
    client.token()
    server.maintenance.on = True
    with pytest.raises(ServerError, match="not available") as caught:
        client.get("users")
    assert (caught.value.status, caught.value.retry_after, caught.value.retryable) == (503, 30, True)


@pytest.mark.parametrize(
    "error",
    [
        kind(
            "What.",
            method="PUT",
            path="/x",
            status=422,
            server_message="m",
            details={"a": ["b"]},
            hint="h",
            retry_after=1.5,
        )
        for kind in (
            CallRefusedError,
            ForbiddenError,
            InvalidInputError,
            LoginError,
            NotFoundError,
            ProcessMakerError,
            RateLimitedError,
            ServerError,
            TlsError,
            TransportError,
            UnauthenticatedError,
            UnknownOutcomeError,
        )
    ]
    + [UnexpectedAnswerError("What.", retryable=True, method="PUT")],
)
@pytest.mark.parametrize("copied", [lambda error: pickle.loads(pickle.dumps(error)), copy.copy, copy.deepcopy])
def test_errors_cross_process_borders(error: ProcessMakerError, copied: Callable[[Any], Any]) -> None:
    again = copied(error)
    assert type(again) is type(error)
    assert (str(again), again.__dict__, again.retryable) == (str(error), error.__dict__, error.retryable)


def family(kind: type[ProcessMakerError]) -> list[type[ProcessMakerError]]:
    return [kind, *(one for child in kind.__subclasses__() for one in family(child))]


@pytest.mark.parametrize("kind", family(ProcessMakerError), ids=lambda kind: kind.__name__)
def test_errors_go_through_json(kind: type[ProcessMakerError]) -> None:
    """As from the triggerer to the worker: the class, all that it tells, and whether a later try can help."""
    error = kind("What.", method="GET", path="/x", server="https://pm", status=503, hint="Do.", retry_after=1.5)
    error.details = {"a": ["b"]}
    if isinstance(error, RequestError):
        error.request_id = 17
    if isinstance(error, RequestFailedError):
        error.request_status = "ERROR"
    again = error_from(json.loads(json.dumps(error.as_dict())))
    assert type(again) is kind
    assert (str(again), again.__dict__, again.retryable) == (str(error), error.__dict__, error.retryable)


@pytest.mark.parametrize("retryable", [False, True])
def test_an_error_that_was_made_retryable_stays_so(retryable: bool) -> None:
    error = UnknownOutcomeError("What.")
    error.retryable = retryable
    assert error_from(json.loads(json.dumps(error.as_dict()))).retryable is retryable
    assert not UnknownOutcomeError("Another.").retryable


@pytest.mark.parametrize(
    ("data", "text"),
    [
        (
            {"kind": "BrandNewError", "what": "Something new.", "status": 599, "more": [1]},
            "Something new. (answered 599)",
        ),
        ({"kind": "ValueError", "what": "Not ours."}, "Not ours."),
        ({"kind": None, "what": "No kind."}, "No kind."),
        ({"what": "No kind at all."}, "No kind at all."),
        ({"kind": "ServerError", "what": "An older one."}, "An older one."),
    ],
)
def test_errors_of_another_version(data: dict[str, Any], text: str) -> None:
    error = error_from(data)
    assert isinstance(error, ProcessMakerError)
    assert str(error) == text
    assert error.retryable is (data.get("kind") == "ServerError")


def test_invalid_input_is_a_value_error() -> None:
    assert issubclass(InvalidInputError, ValueError)


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("two\n  lines\t", "two lines"),
        ("bell\x07 and half \ud800", "bell\ufffd and half \ufffd"),
        ("x" * LONGEST_QUOTE, "x" * LONGEST_QUOTE),
        ("x" * (LONGEST_QUOTE + 1), "x" * LONGEST_QUOTE + "… (301 characters in all)"),
        (" " * 1_000_000 + "x", "… (1000001 characters in all)"),
    ],
)
def test_quotes_are_short_and_on_one_line(text: str, expected: str) -> None:
    assert quote(text) == expected


def test_thousands_of_messages_are_cut(server: ProcessMakerServer, client: ProcessMakerClient) -> None:
    errors = {f"field{number}" * 50: ["m" * 1000] * 100 for number in range(60)}
    server.faults.add("POST", "/groups", status=422, body={"message": "m" * 5000, "errors": errors})
    with pytest.raises(CallRefusedError) as caught:
        client.post("groups", {"name": "x"})
    assert len(str(caught.value)) < 1500
    assert len(pickle.dumps(caught.value)) < 1_500_000


#: A token that tells its user, as ProcessMaker's do.
OF_USER_7 = "e30." + base64.urlsafe_b64encode(b'{"sub": "7"}').decode().rstrip("=") + ".s"
#: A server where all is well.
WELL: dict[str, Any] = {
    "GET /start_processes": {"data": [{"id": 4, "name": "P", "startEvents": [{"id": "node_1"}]}]},
    "GET /requests": {"data": [], "meta": {"total": 0}},
    "GET /requests/7": {"id": 7, "status": "ACTIVE"},
    "POST /process_events/4": {"id": 7, "status": "ACTIVE"},
}

#: Each verb, and the call of it that is answered by what is no answer to it.
VERBS: dict[str, tuple[Callable[[ProcessMakerClient], Any], str, type[ProcessMakerError]]] = {
    "token": (lambda client: client.token(), "POST /oauth/token", UnexpectedAnswerError),
    "whoami": (lambda client: client.whoami(), "GET /users/7", UnexpectedAnswerError),
    "count": (lambda client: client.count("users"), "GET /users", UnexpectedAnswerError),
    "iter_records": (lambda client: list(client.iter_records("users")), "GET /users", UnexpectedAnswerError),
    "start_event": (lambda client: client.start_event("P"), "GET /start_processes", UnexpectedAnswerError),
    "get_request": (lambda client: client.get_request(7), "GET /requests/7", UnexpectedAnswerError),
    "get_requests": (lambda client: client.get_requests([7, 8]), "GET /requests", UnexpectedAnswerError),
    "one status": (lambda client: client.request_statuses([7]), "GET /requests/7", UnexpectedAnswerError),
    "statuses": (lambda client: client.request_statuses([7, 8]), "GET /requests", UnexpectedAnswerError),
    "a look before the start": (
        lambda client: client.start_process("P", key="k", settle_window=0),
        "GET /requests",
        UnexpectedAnswerError,
    ),
    "start": (
        lambda client: client.start_process("P", settle_window=0),
        "POST /process_events/4",
        UnknownOutcomeError,
    ),
    "a look before the cancellation": (
        lambda client: client.cancel_request(7),
        "GET /requests/7",
        UnexpectedAnswerError,
    ),
    "cancellation": (lambda client: client.cancel_request(7), "PUT /requests/7", UnknownOutcomeError),
}
#: An empty list is a list, and a server that starts nothing.
FITTING = {("[]", verb) for verb in ("iter_records", "start_event", "get_requests", "a look before the start")}


def path_of(call: str) -> str:
    path = call.partition(" ")[2]
    return path if path.startswith("/oauth") else f"/api/1.0{path}"


def wrong(shape: str, at: str) -> Callable[[Request, Wire], bytes]:
    """A server where all is well but for one call."""

    def answer(request: Request, wire: Wire) -> bytes:
        call = f"{request.method} {request.path.removeprefix('/api/1.0')}"
        if call == at:
            return http(204) if shape == "204" else http(200, shape)
        return http(200, WELL[call])

    return answer


def shapes() -> list[Any]:
    found = []
    for verb in VERBS:
        for shape in ("204", "[]", '"x"', "{}"):
            if (shape, verb) not in FITTING:
                found += [pytest.param(verb, shape, id=f"{verb}-{shape}")]
    return found


@pytest.mark.parametrize(("verb", "shape"), shapes())
def test_another_body_than_is_due(connect: Connect, verb: str, shape: str) -> None:
    """Well-formed, and no answer to this call: from a proxy, perhaps, or another program at this address."""
    call, at, kind = VERBS[verb]
    with RawServer(wrong(shape, at)) as server:
        client = connect(server, access_token=None if verb == "token" else OF_USER_7)
        with pytest.raises(ProcessMakerError) as caught:
            call(client)
    error = caught.value
    assert type(error) is kind
    assert (error.method, error.path, error.server) == (at.partition(" ")[0], path_of(at), server.url)
    assert error.hint
    # A start and a cancellation look before they do it again.
    assert error.retryable is (kind is UnknownOutcomeError)


@pytest.mark.parametrize("shape", ["204", "[]", '"x"', "{}"])
def test_another_body_than_is_due_after_a_cancellation(connect: Connect, shape: str) -> None:
    """The call was sent, and nobody can say what it did: the next try looks first."""
    broken = wrong(shape, "GET /requests/7")

    def answer(request: Request, wire: Wire) -> bytes:
        if request.method == "PUT":
            return http(204)
        return broken(request, wire) if len(server.requests) > 2 else http(200, WELL["GET /requests/7"])

    with RawServer(answer) as server:
        with pytest.raises(ProcessMakerError) as caught:
            connect(server, access_token=OF_USER_7).cancel_request(7)
        assert [request.method for request in server.requests] == ["GET", "PUT", "GET"]
    assert type(caught.value) is UnknownOutcomeError
    assert caught.value.retryable


@pytest.mark.parametrize("verb", [verb for shape, verb in sorted(FITTING) if verb != "start_event"])
def test_an_empty_list_is_an_answer(connect: Connect, verb: str) -> None:
    call, at, _ = VERBS[verb]
    with RawServer(wrong("[]", at)) as server:
        assert call(connect(server, access_token=OF_USER_7)) in ([], WELL["POST /process_events/4"])


#: What is no row of a list of requests.
NO_REQUESTS = [
    [{}],
    [{"id": 7}],
    [{"status": "ACTIVE"}],
    [{"id": "7", "status": "ACTIVE"}],
    [{"id": None, "status": "ACTIVE"}],
    [{"id": True, "status": "ACTIVE"}],
    [{"id": 7.0, "status": "ACTIVE"}],
    [{"id": 7, "status": None}],
    [{"id": 7, "status": ["ACTIVE"]}],
    [{"id": 7, "status": "ACTIVE"}, {}],
    [None],
    [7],
    [[]],
]


@pytest.mark.parametrize("rows", NO_REQUESTS, ids=json.dumps)
class TestRowsThatAreNoRequests:
    """They may be a request of the key, so that nobody can tell; they are no reason to forget one that was started."""

    def test_before_the_start(self, connect: Connect, rows: list[Any]) -> None:
        with RawServer(wrong(json.dumps({"data": rows}), "GET /requests")) as server:
            client = connect(server, access_token=OF_USER_7)
            with pytest.raises(UnexpectedAnswerError, match=r"without id or status|list of records is due"):
                client.start_process("P", key="k", settle_window=0)
            assert [request.method for request in server.requests] == ["GET", "GET"], "nothing is started"

    def test_after_the_start(self, connect: Connect, rows: list[Any], caplog: pytest.LogCaptureFixture) -> None:
        with RawServer(wrong(json.dumps({"data": rows}), "GET /requests")) as server:
            started = connect(server, access_token=OF_USER_7).start_process("P", settle_window=0)
        assert started == WELL["POST /process_events/4"]
        assert "nobody can say whether it came a second time" in caplog.text

    def test_after_a_start_without_an_answer(self, connect: Connect, rows: list[Any]) -> None:
        broken = wrong(json.dumps({"data": rows}), "GET /requests")

        def answer(request: Request, wire: Wire) -> bytes | None:
            return None if request.method == "POST" else broken(request, wire)

        with RawServer(answer) as server:
            client = connect(server, access_token=OF_USER_7)
            with pytest.raises(UnknownOutcomeError, match="Nobody can say whether the process was started") as caught:
                client.start_process("P", settle_window=0)
            assert sum(request.method == "POST" for request in server.requests) == 1
        assert caught.value.retryable

    def test_by_their_ids(self, connect: Connect, rows: list[Any]) -> None:
        with RawServer(wrong(json.dumps({"data": rows}), "GET /requests")) as server:
            client = connect(server, access_token=OF_USER_7)
            with pytest.raises(UnexpectedAnswerError, match=r"without id or status|list of records is due"):
                client.get_requests([7, 8])
