"""Servers that misbehave on a real socket: a typed error or a right result, and within the time-outs."""

from __future__ import annotations

import contextlib
import functools
import gzip
import itertools
import socket
import time
import tracemalloc
import zlib
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import (
    CallRefusedError,
    NotFoundError,
    ProcessMakerError,
    RateLimitedError,
    ServerError,
    TransportError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
)
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from airflow_provider_processmaker.client import ProcessMakerClient
    from tests.client.raw_server import Request, Wire

    Connect = Callable[..., ProcessMakerClient]

#: The client's read time-out here, and how late it may be.
TIMEOUT, LATE = 0.4, 0.35


def ask(connect: Connect, server: RawServer, method: str = "GET", **changes: Any) -> Any:
    client = connect(server, **{"access_token": "t", "read_timeout": TIMEOUT, "connect_timeout": TIMEOUT, **changes})
    return client.request(method, "thing")


class TestNoServer:
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_refused(self, connect: Connect, method: str) -> None:
        with socket.create_server(("127.0.0.1", 0)) as listener:
            url = f"http://127.0.0.1:{listener.getsockname()[1]}"
        with pytest.raises(TransportError, match=r"No connection to the server could be made: .*refused") as caught:
            ask(connect, None, method, base_url=url)  # type: ignore[arg-type]
        assert caught.value.retryable

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_unknown_name(self, connect: Connect, method: str) -> None:
        with pytest.raises(TransportError, match=r"host name is not known.*Check the spelling") as caught:
            ask(connect, None, method, base_url="https://no-such-host.invalid")  # type: ignore[arg-type]
        assert caught.value.retryable

    def test_a_full_backlog(self, connect: Connect) -> None:
        """Nobody accepts: the connect time-out ends it."""
        with socket.socket() as listener:
            listener.bind(("127.0.0.1", 0))
            listener.listen(0)
            address = listener.getsockname()
            fillers = [socket.socket() for _ in range(8)]
            for filler in fillers:
                filler.setblocking(False)
                filler.connect_ex(address)
            try:
                started = time.monotonic()
                with pytest.raises(TransportError):
                    ask(connect, None, base_url=f"http://127.0.0.1:{address[1]}")  # type: ignore[arg-type]
                assert time.monotonic() - started < 2 * TIMEOUT + LATE
            finally:
                for filler in fillers:
                    filler.close()


HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nContent-Length: 5\r\n\r\n"

SLOW: dict[str, Callable[[Request, Wire], bytes | None]] = {
    "silence": lambda request, wire: wire.hang(),
    "silence after the status": lambda request, wire: (wire.sock.sendall(b"HTTP/1.1 200 OK\r\n"), wire.hang())[1],
    "silence after the head": lambda request, wire: (wire.sock.sendall(HEAD), wire.hang())[1],
    "silence in the body": lambda request, wire: (wire.sock.sendall(HEAD + b"[1"), wire.hang())[1],
    "a dripping status": lambda request, wire: wire.drip(b"HTTP/1.1 200 " + b"x" * 5000, 0.05),
    "a dripping head": lambda request, wire: (
        wire.sock.sendall(b"HTTP/1.1 200 OK\r\n"),
        wire.drip(b"X-Slow: 1\r\n" * 5000, 0.05),
    )[1],
    "a dripping body": lambda request, wire: (
        wire.sock.sendall(http(200, b"", length=5000)),
        wire.drip(b"[" * 5000, 0.05),
    )[1],
    "dripping chunks": lambda request, wire: (
        wire.sock.sendall(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"),
        wire.drip(b"1\r\n[\r\n" * 5000, 0.05),
    )[1],
    "dripping error": lambda request, wire: (
        wire.sock.sendall(http(404, b"", length=5000)),
        wire.drip(b"[" * 5000, 0.05),
    )[1],
    "endless continues": lambda request, wire: wire.pour(b"HTTP/1.1 100 Continue\r\n\r\n" * 100),
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("case", SLOW)
def test_too_slow(connect: Connect, case: str, method: str) -> None:
    """A read time-out bounds each piece only; the whole is bounded too, head and body each."""
    with RawServer(SLOW[case]) as server:
        started = time.monotonic()
        with pytest.raises(ProcessMakerError) as caught:
            ask(connect, server, method)
        assert time.monotonic() - started < 2 * TIMEOUT + LATE
    if case == "dripping error":  # its status has told what matters
        assert type(caught.value) is NotFoundError
        assert caught.value.status == 404
    else:
        assert type(caught.value) is (UnknownOutcomeError if method == "POST" else TransportError)
        assert caught.value.retryable is (method == "GET")
        assert f"{TIMEOUT:g} s" in str(caught.value)


def test_silence_after_a_slow_start(connect: Connect) -> None:
    """The head has one read time-out in all, not one more after each byte."""

    def answer(request: Request, wire: Wire) -> None:
        wire.drip(b"HTTP/1.", 0.05)
        wire.hang()

    with RawServer(answer) as server:
        started = time.monotonic()
        with pytest.raises(TransportError, match="too slowly"):
            ask(connect, server)
        assert TIMEOUT - 0.05 < time.monotonic() - started < TIMEOUT + 0.25


def test_slow_but_steady_is_fine(connect: Connect) -> None:
    """More than the read time-out in all, but never a long silence, and fast enough."""
    body = b"[" + b"1," * 10_000 + b"1]"

    def answer(request: Request, wire: Wire) -> None:
        wire.sock.sendall(http(200, b"", length=len(body)))
        for start in range(0, len(body), 2_500):
            time.sleep(0.1)
            wire.sock.sendall(body[start : start + 2_500])

    with RawServer(answer) as server:
        started = time.monotonic()
        assert len(ask(connect, server)) == 10_001
        assert time.monotonic() - started > 1.5 * TIMEOUT


def test_no_thread_is_left_behind(connect: Connect) -> None:
    import threading

    before = threading.active_count()
    for case in ("silence", "a dripping head", "a dripping body"):
        with RawServer(SLOW[case]) as server, pytest.raises(TransportError):
            ask(connect, server)
    assert threading.active_count() == before


CHUNKED = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PACKED = {"Content-Encoding": "gzip"}
ROWS = gzip.compress(b"[" + b",".join(b"%d" % number for number in range(50_000)) + b"]")

BROKEN: dict[str, bytes | Callable[[Request, Wire], bytes | None]] = {
    "nothing": lambda request, wire: None,
    "a reset": lambda request, wire: wire.reset(),
    "a reset in the body": lambda request, wire: (wire.sock.sendall(HEAD + b"[1"), time.sleep(0.1), wire.reset())[2],
    "a short body": http(200, b"[1", length=10),
    "a short chunk": CHUNKED + b"9\r\n[1",
    "no last chunk": CHUNKED + b"3\r\n[1]\r\n",
    "a chunk without a length": CHUNKED + b"hush-hush\r\n[1]\r\n",
    "truncated gzip": http(200, ROWS[: len(ROWS) // 2], PACKED),
    "gzip without its end": http(200, ROWS[:-8], PACKED),
    "gzip that is none": http(200, b"[1, 2, 3]", PACKED),
    "a second gzip without its end": http(200, ROWS + ROWS[:-8], PACKED),
    "broken gzip": http(200, ROWS[:100] + b"\0" * 100 + ROWS[200:], PACKED),
    "not HTTP": b"SSH-2.0-OpenSSH_9.6 hush-hush\r\n\r\n",
    "a head without its end": b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\n",
    "half a head": b"HTTP/1.1 200 OK\r\nContent-Ty",
    "a silly status": b"HTTP/1.1 hush-hush OK\r\n\r\n",
    "a line without end": b"HTTP/1.1 200 OK\r\nX: " + b"x" * 100_000 + b"\r\n\r\n",
    "too many headers": b"HTTP/1.1 200 OK\r\n" + b"X: x\r\n" * 200 + b"\r\n",
}


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize("case", BROKEN)
def test_broken(connect: Connect, case: str, method: str) -> None:
    with RawServer(BROKEN[case]) as server:
        with pytest.raises(UnknownOutcomeError if method == "POST" else TransportError) as caught:
            ask(connect, server, method)
        assert len(server.requests) == 1
    assert caught.value.retryable is (method == "GET")
    assert "hush-hush" not in str(caught.value), "nothing that the server sent"


@pytest.mark.parametrize("case", ["a short body", "truncated gzip", "no last chunk"])
def test_what_was_cut_off_is_asked_for_again(connect: Connect, case: str) -> None:
    said = iter([BROKEN[case], http(200, [1])])
    with RawServer(lambda request, wire: next(said)) as server:  # type: ignore[arg-type, return-value]
        assert ask(connect, server, max_retries=1) == [1]


#: What comes, and what is said of it. All of it may pass, such as the page of a maintenance.
NOT_JSON: dict[str, tuple[bytes, str]] = {
    "a login page": (
        http(200, "<!DOCTYPE html><html><head><title>Login - PM</title></head></html>", content_type="text/html"),
        "web page came instead of JSON.*Login - PM",
    ),
    "a page that says it is JSON": (http(200, "  <html><title>T</title>"), "web page came instead of JSON.*T"),
    "a redirect to the login": (http(302, b"", {"Location": "/login"}), "redirects to /login"),
    "cut JSON": (http(200, '{"access_token": "hush-hu'), "not JSON, or was cut off"),
    "two values": (http(200, "[1][2]"), "not JSON"),
    "bytes": (http(200, bytes(range(128, 256))), "not JSON"),
    "UTF-16": (http(200, '{"a": 1}'.encode("utf-16")), "not JSON"),
    "nested without end": (http(200, "[" * 200_000), "not JSON"),
    "a number without end": (http(200, "1" * 10_000), "not JSON"),
    "brotli unasked": (http(200, b"\x0b\x02\x80\x03", {"Content-Encoding": "br"}), "not JSON"),
}


@pytest.mark.parametrize("case", NOT_JSON)
def test_not_json(connect: Connect, case: str) -> None:
    answer, words = NOT_JSON[case]
    with RawServer(answer) as server, pytest.raises(UnexpectedAnswerError, match=words) as caught:
        ask(connect, server)
    assert caught.value.retryable
    assert "hush" not in str(caught.value), "a good answer is never quoted, however broken"


@pytest.mark.parametrize("method", ["POST", "PUT", "PATCH", "DELETE"])
@pytest.mark.parametrize("case", NOT_JSON)
def test_not_json_to_a_write(connect: Connect, case: str, method: str) -> None:
    """What stands in between may have let the call through, so it is not sent again by itself."""
    answer, words = NOT_JSON[case]
    with RawServer(answer) as server:
        with pytest.raises(UnknownOutcomeError, match=words) as caught:
            ask(connect, server, method, max_retries=2)
        assert len(server.requests) == 1
    error = caught.value
    assert (error.method, error.path, error.server, error.retryable) == (method, "/api/1.0/thing", server.url, False)
    assert "It may or may not have been done." in str(error)
    assert "Look before sending it again." in str(error)
    assert "hush" not in str(error)


@pytest.mark.parametrize("case", NOT_JSON)
def test_not_json_to_a_write_that_may_be_repeated(connect: Connect, case: str) -> None:
    answer, words = NOT_JSON[case]
    with RawServer(answer) as server:
        client = connect(server, access_token="t")
        with pytest.raises(UnexpectedAnswerError, match=words) as caught:
            client.delete("thing", idempotent=True)
    assert caught.value.retryable


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"", None),
        (b"null", None),
        (b'\xef\xbb\xbf{"a": 1}', {"a": 1}),
        (b'{"a": "\\ud800"}', {"a": "\ud800"}),
        (b'{"a": NaN, "b": Infinity}', None),
        ('{"a": "Müller"}'.encode("latin-1"), {"a": "Müller"}),
        ('{"a": "Müller 🙂"}'.encode(), {"a": "Müller 🙂"}),
        (b"[1e999]", [float("inf")]),
        (b"[" * 500 + b"]" * 500, None),
        (b"[123456789012345678901234567890]", None),
        (b'{"a":1,"a":2}', {"a": 2}),
        (b'"text"', "text"),
        (b' \r\n{"a": 1}\n', {"a": 1}),
    ],
)
def test_odd_json_is_read(connect: Connect, body: bytes, value: Any) -> None:
    with RawServer(http(200, body)) as server:
        got = ask(connect, server)
    if value is not None:
        assert got == value
    if b"NaN" in body:
        assert got["a"] != got["a"]
        assert got["b"] == float("inf")


@pytest.mark.parametrize("answer", [http(204), http(200), http(201, b"[]"), http(200, b"[]"), http(203, b"{}")])
def test_answers_with_little_in_them(connect: Connect, answer: bytes) -> None:
    with RawServer(answer) as server:
        assert not ask(connect, server, "PUT")


def test_head(connect: Connect) -> None:
    with RawServer(b"HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n") as server:
        assert ask(connect, server, "HEAD") is None


@pytest.mark.parametrize(("method", "kind"), [("GET", UnexpectedAnswerError), ("POST", UnknownOutcomeError)])
def test_unmodified(connect: Connect, method: str, kind: type[ProcessMakerError]) -> None:
    """Not a redirect to nowhere: the header that asks for it is named."""
    with (
        RawServer(b"HTTP/1.1 304 Not Modified\r\n\r\n") as server,
        pytest.raises(kind, match=r"nothing has changed.*If-None-Match") as caught,
    ):
        ask(connect, server, method)
    assert (type(caught.value), caught.value.status, caught.value.retryable) == (kind, 304, False)


@pytest.mark.parametrize("parts", [1, 2, 3])
def test_packed_parts_are_unpacked_all(connect: Connect, parts: int) -> None:
    """As some proxies pack: several members, one behind the other, cut anywhere by the network."""
    body = b"[" + b",".join(b"%d" % number for number in range(9_000)) + b"]"
    cuts = [len(body) * number // parts for number in range(parts + 1)]
    packed = b"".join(gzip.compress(body[start:end]) for start, end in itertools.pairwise(cuts))

    def answer(request: Request, wire: Wire) -> None:
        wire.sock.sendall(http(200, b"", PACKED, length=len(packed)))
        for start in range(0, len(packed), 997):
            wire.sock.sendall(packed[start : start + 997])

    with RawServer(answer) as server:
        assert ask(connect, server, read_timeout=10) == list(range(9_000))


class TestRateLimit:
    @pytest.mark.parametrize("retry_after", [None, "7", "Wed, 21 Oct 2015 07:28:00 GMT", "nonsense"])
    def test_told_on(self, connect: Connect, retry_after: str | None) -> None:
        headers = {"Retry-After": retry_after} if retry_after else {}
        answer = http(429, {"message": "Too Many Attempts."}, headers)
        with RawServer(answer) as server, pytest.raises(RateLimitedError) as caught:
            ask(connect, server)
        assert caught.value.retry_after == {"7": 7, "Wed, 21 Oct 2015 07:28:00 GMT": 0}.get(retry_after or "")

    def test_as_a_web_page(self, connect: Connect) -> None:
        page = "<html><title>Too Many Requests</title></html>"
        answer = http(429, page, content_type="text/html")
        with RawServer(answer) as server, pytest.raises(RateLimitedError, match="Too Many Requests"):
            ask(connect, server)


@functools.cache
def bomb() -> bytes:
    """Five megabytes, one member, that unpack to a gigabyte."""
    packer, zeros = zlib.compressobj(1, zlib.DEFLATED, 16 + zlib.MAX_WBITS), bytes(2**20)
    return b"".join(packer.compress(zeros) for _ in range(1024)) + packer.flush()


#: The head of a packed answer with a file name, which nothing comes out of as long as the name goes on.
NAME_WITHOUT_END = b"\x1f\x8b\x08\x08" + bytes(6)

MB = 1_000_000


@contextlib.contextmanager
def at_most(megabytes: int, seconds: float) -> Iterator[None]:
    """Holds what is allocated inside to a peak, the test's own server with it, and the time to a bound."""
    started = time.monotonic()
    tracemalloc.start()
    try:
        yield
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak < megabytes * MB
    assert time.monotonic() - started < seconds


class TestSize:
    def test_a_large_error_is_neither_read_nor_told_whole(self, connect: Connect) -> None:
        with RawServer(http(500, "x" * 10_000_000)) as server:
            client = connect(server, access_token="t", read_timeout=10)
            # The test's own server holds the 10 MB once more while it sends.
            with at_most(16, 5), pytest.raises(ServerError) as caught:
                client.get("thing")
        assert len(str(caught.value)) < 600

    def test_a_bomb_as_an_error(self, connect: Connect) -> None:
        answer = http(500, bomb(), PACKED)
        with RawServer(answer) as server:
            client = connect(server, access_token="t", read_timeout=10)
            with at_most(16, 5), pytest.raises(ServerError, match="ProcessMaker failed"):
                client.get("thing")

    @pytest.mark.parametrize(("method", "kind"), [("GET", UnexpectedAnswerError), ("POST", UnknownOutcomeError)])
    def test_a_bomb(self, connect: Connect, method: str, kind: type[ProcessMakerError]) -> None:
        answer = http(200, bomb(), PACKED)
        with RawServer(answer) as server:
            client = connect(server, access_token="t", read_timeout=10, max_retries=2)
            # The bound, and what is held beside it.
            with at_most(300, 20), pytest.raises(kind, match=r"larger than 256 MB.*smaller page_size") as caught:
                client.request(method, "thing")
            assert len(server.requests) == 1
        assert (type(caught.value), caught.value.retryable) == (kind, False)

    @pytest.mark.parametrize("head", ["plain", "packed"])
    @pytest.mark.parametrize("status", [200, 500])
    def test_a_body_without_end(self, connect: Connect, head: str, status: int) -> None:
        """Unpacked, or packed so that nothing comes out of it. The time of a body is no bound for a fast one."""

        def answer(request: Request, wire: Wire) -> None:
            start = http(status, b"", length=None) if head == "plain" else http(status, b"", PACKED, length=None)
            wire.sock.sendall(start + (b"" if head == "plain" else NAME_WITHOUT_END))
            # Then silence: a client that knows no bound must not take the machine's memory, but a time-out.
            wire.pour(b"[" * 65_536, times=320 * 16)
            wire.hang()

        kind, words = (UnexpectedAnswerError, "larger than 256 MB") if status == 200 else (ServerError, "failed")
        with RawServer(answer) as server:
            client = connect(server, access_token="t", read_timeout=10)
            with at_most(300 if (head, status) == ("plain", 200) else 16, 9), pytest.raises(kind, match=words):
                client.get("thing")

    def test_a_large_answer_is_fine(self, connect: Connect) -> None:
        rows = [{"id": number, "name": "x" * 200} for number in range(50_000)]
        with RawServer(http(200, rows)) as server:
            assert len(ask(connect, server, read_timeout=10)) == 50_000


def test_a_server_that_echoes_secrets(connect: Connect) -> None:
    """As one in debug mode: neither the error nor the log shows them."""
    secret, password = 'cl/ient "secret" <é>', "pass word+%40&é"

    def answer(request: Request, wire: Wire) -> bytes:
        said = request.body.decode() + " | " + f"{secret} | {password}"
        return http(500, {"message": said, "errors": {password: [secret]}})

    with RawServer(answer) as server, pytest.raises(ServerError) as caught:
        connect(server, client_secret=secret, password=password, username="joe").token()
    for spelling in ("pass word", "pass+word", "cl/ient", "cl%2Fient", "cl\\/ient"):
        assert spelling not in repr(caught.value.__dict__)
    assert "***" in str(caught.value)

    def echo(request: Request, wire: Wire) -> bytes:
        return http(422, {"message": "m" * 290 + request.headers["authorization"]})

    with RawServer(echo) as server, pytest.raises(CallRefusedError) as refused:
        connect(server, access_token="the-personal-token").get("users")
    assert "the-p" not in str(refused.value), "not even a part of it, cut at the end of the quote"
