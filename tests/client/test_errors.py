"""Every error answer that the facts know becomes one typed error that tells all."""

from __future__ import annotations

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

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer

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
    (409, [], CallRefusedError, None, {}),
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
    assert error.retryable is (status == 429 or status >= 500)
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
