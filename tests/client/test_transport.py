"""What leaves on the wire, and over which connection."""

from __future__ import annotations

import base64
import socket
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker import __version__
from airflow_provider_processmaker.client import (
    InvalidInputError,
    ProcessMakerError,
    TransportError,
    UnexpectedAnswerError,
    UnknownOutcomeError,
)
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.client import ProcessMakerClient
    from airflow_provider_processmaker.testing import ProcessMakerServer
    from tests.client.raw_server import Request, Wire

    Connect = Callable[..., ProcessMakerClient]


class TestHeaders:
    def test_exactly_these(self, connect: Connect) -> None:
        with RawServer(http(200, []), keep_alive=True) as server:
            client = connect(server, access_token="the-token", headers={"X-Gateway-Key": "gate"})
            client.get("users")
            client.post("users", {"ä": "ö"})
            client.delete("users/1")
            get, post, delete = server.requests
        common = {
            "host": f"127.0.0.1:{server.port}",
            "accept": "application/json",
            "accept-encoding": "gzip",
            "authorization": "Bearer the-token",
            "user-agent": f"airflow-provider-processmaker/{__version__}",
            "x-gateway-key": "gate",
        }
        assert get.headers == common
        assert post.headers == {**common, "content-type": "application/json", "content-length": "11"}
        assert post.body == '{"ä":"ö"}'.encode()
        assert delete.headers == {**common, "content-length": "0"}

    def test_the_token_call(self, server: ProcessMakerServer, client: ProcessMakerClient) -> None:
        client.token()
        (call,) = server.calls
        assert call.headers["accept"] == "application/json"
        assert call.headers["content-type"] == "application/x-www-form-urlencoded"
        assert call.query == ""
        assert "authorization" not in call.headers

    def test_query(self, connect: Connect) -> None:
        with RawServer(http(200, [])) as server:
            connect(server, access_token="t").get(
                "users",
                {"a": True, "b": [1, "x"], "c": None, "d": {"k": "v"}, "e": "ä &=?/", "f": 1.5, "g": False},
            )
        assert server.requests[0].target == (
            "/api/1.0/users?a=true&b=1%2Cx&d=%7B%22k%22%3A%22v%22%7D&e=%C3%A4+%26%3D%3F%2F&f=1.5&g=false"
        )

    def test_base_path(self, connect: Connect) -> None:
        with RawServer(http(200, [])) as server:
            connect(server, base_url=f"{server.url}/pm//base/api/1.0/", access_token="t").get("/users/")
        assert server.requests[0].target == "/pm/base/api/1.0/users"


class TestCookies:
    def test_never_sent_back(self, connect: Connect) -> None:
        cookies = {"Set-Cookie": "laravel_token=abc; Path=/"}
        with RawServer(http(200, [], cookies), keep_alive=True) as server:
            client = connect(server, access_token="t")
            for _ in range(3):
                client.get("users")
        assert not [request for request in server.requests if "cookie" in request.headers]


class TestRedirects:
    @pytest.mark.parametrize("status", [300, 301, 302, 303, 307, 308])
    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_not_followed(self, connect: Connect, status: int, method: str) -> None:
        """What redirects a write may have let it through; a read may go through when it no longer does."""
        kind = UnexpectedAnswerError if method == "GET" else UnknownOutcomeError
        with RawServer(http(200, [])) as elsewhere:
            location = {"Location": f"{elsewhere.url}/login?token=hush"}
            with RawServer(http(status, b"", location)) as server:
                with pytest.raises(kind, match=r"redirects to .*/login instead") as caught:
                    connect(server, access_token="t", max_retries=2).request(method, "users")
                assert len(server.requests) == 1
            assert elsewhere.accepted == 0
        assert (caught.value.status, caught.value.retryable) == (status, method == "GET")
        assert "is the address right" in str(caught.value)
        assert "hush" not in str(caught.value)

    def test_not_modified_is_no_redirect(self, connect: Connect) -> None:
        with (
            RawServer(http(304)) as server,
            pytest.raises(UnexpectedAnswerError, match="nothing has changed") as caught,
        ):
            connect(server, access_token="t", headers={"If-None-Match": '"1"'}).get("users")
        assert not caught.value.retryable

    @pytest.mark.parametrize("location", ["", "http://[", "//", "\xff\xfe", "x" * 50_000, "http://u:p@h/"])
    def test_odd_targets(self, connect: Connect, location: str) -> None:
        with (
            RawServer(http(302, b"", {"Location": location})) as server,
            pytest.raises(UnexpectedAnswerError, match="redirects") as caught,
        ):
            connect(server, access_token="t").get("users")
        assert len(str(caught.value)) < 500


class TestConnections:
    def test_one_serves_many_calls(self, connect: Connect) -> None:
        """Also after errors and packed answers: each body is read to its end."""
        import gzip

        answers: list[bytes] = [
            http(200, [1]),
            http(404, {"error": "Not Found"}),
            http(200, gzip.compress(b"[2]"), {"Content-Encoding": "gzip"}),
            http(204),
            http(500, "x" * 100_000),
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n[3\r\n1\r\n]\r\n0\r\n\r\n",
        ]
        script = iter(answers * 3)
        with RawServer(lambda request, wire: next(script), keep_alive=True) as server:
            client = connect(server, access_token="t")
            for _ in range(3):
                got = []
                for _ in answers:
                    try:
                        got.append(client.get("x"))
                    except ProcessMakerError as error:
                        got.append(error.status)
                assert got == [[1], 404, [2], None, 500, [3]]
            assert server.accepted == 1

    def test_a_pool_for_threads(self, connect: Connect) -> None:
        with RawServer(http(200, [1]), keep_alive=True) as server:
            client = connect(server, access_token="t")
            with ThreadPoolExecutor(8) as pool:
                assert list(pool.map(lambda _: client.get("x"), range(80))) == [[1]] * 80
            assert server.accepted <= 8

    def test_an_idle_connection_that_the_server_closed(self, connect: Connect) -> None:
        with RawServer(http(200, [1])) as server:
            client = connect(server, access_token="t")
            for _ in range(3):
                assert client.post("x", {}) == [1], "a stale connection is noticed before the call"
            assert server.accepted == 3

    def test_closed_at_the_end(self, connect: Connect, server: ProcessMakerServer) -> None:
        client = connect(server)
        with client:
            client.get("users")
        assert client.get("users"), "it can be used again"
        client.close()


class Proxy(RawServer):
    """A proxy: forwards plain calls, tunnels CONNECT."""

    def __init__(self, *, status: int = 200) -> None:
        super().__init__(self._forward)
        self.status = status

    def _forward(self, request: Request, wire: Wire) -> bytes | None:
        if self.status != 200:
            return http(self.status, b"no", {"Proxy-Authenticate": "Basic"})
        if request.method == "CONNECT":
            return self._tunnel(request, wire)
        host, _, rest = request.target.removeprefix("http://").partition("/")
        name, _, port = host.partition(":")
        head = request.head.replace(request.target.encode(), f"/{rest}".encode(), 1)
        with socket.create_connection((name, int(port))) as upstream:
            upstream.sendall(head + b"\r\nConnection: close\r\n\r\n" + request.body)
            answer = b""
            while piece := upstream.recv(65_536):
                answer += piece
        return answer

    @staticmethod
    def _tunnel(request: Request, wire: Wire) -> None:
        name, _, port = request.target.partition(":")
        with socket.create_connection((name, int(port))) as upstream:
            wire.sock.sendall(b"HTTP/1.1 200 Connection established\r\n\r\n")
            wire.sock.settimeout(5)

            def pump(source: socket.socket, sink: socket.socket) -> None:
                try:
                    while piece := source.recv(65_536):
                        sink.sendall(piece)
                    sink.shutdown(socket.SHUT_WR)
                except OSError:
                    pass

            back = threading.Thread(target=pump, args=(upstream, wire.sock))
            back.start()
            pump(wire.sock, upstream)
            back.join()


class TestProxy:
    def test_of_the_settings(self, server: ProcessMakerServer, connect: Connect) -> None:
        with Proxy() as proxy:
            url = proxy.url.replace("http://", "http://joe:pass%20word@")
            assert connect(server, proxy=url).whoami()["username"] == "admin"
            assert [request.target for request in proxy.requests] == [
                f"{server.url}/oauth/token",
                f"{server.url}/api/1.0/users/1",
            ]
            expected = "Basic " + base64.b64encode(b"joe:pass word").decode()
            assert {request.headers["proxy-authorization"] for request in proxy.requests} == {expected}

    def test_of_the_environment_read_once(
        self, server: ProcessMakerServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        with Proxy() as proxy:
            monkeypatch.setenv("HTTP_PROXY", proxy.url)
            monkeypatch.setenv("http_proxy", proxy.url)
            client = connect(server)
            monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
            monkeypatch.setenv("HTTP_PROXY", "http://127.0.0.1:1")
            client.whoami()
            assert len(proxy.requests) == 2
            with pytest.raises(TransportError, match="proxy"):
                connect(server).whoami()

    def test_no_proxy(self, server: ProcessMakerServer, connect: Connect, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        monkeypatch.setenv("no_proxy", "127.0.0.1")
        assert connect(server).whoami()["username"] == "admin"

    def test_the_settings_win(
        self, server: ProcessMakerServer, connect: Connect, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("http_proxy", "http://127.0.0.1:1")
        with Proxy() as proxy:
            assert connect(server, proxy=f"127.0.0.1:{proxy.port}").whoami()["username"] == "admin"

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_not_there(self, server: ProcessMakerServer, connect: Connect, method: str) -> None:
        """Nothing arrived, so that a write is no unknown outcome."""
        client = connect(server, proxy="http://joe:hush-hush@127.0.0.1:1", access_token="t")
        with pytest.raises(TransportError, match="proxy refuses or cannot be reached") as caught:
            client.request(method, "users")
        assert "hush-hush" not in str(caught.value)
        assert server.calls == []

    @pytest.mark.parametrize("method", ["GET", "POST"])
    def test_a_tunnel_refused(self, connect: Connect, method: str) -> None:
        with Proxy(status=407) as proxy:
            client = connect(proxy, base_url="https://127.0.0.1:1", proxy=proxy.url, access_token="t")
            with pytest.raises(TransportError, match="proxy refuses"):
                client.request(method, "users")
            assert [request.method for request in proxy.requests] == ["CONNECT"]

    def test_tls_through_a_tunnel(self, connect: Connect, authority: Any) -> None:
        pair = authority.issue("tunnelled")
        with RawServer(http(200, [1]), tls=pair.server_context()) as server, Proxy() as proxy:
            client = connect(server, proxy=proxy.url, ca_bundle=authority.bundle, access_token="t")
            assert client.get("users") == [1]
            assert [request.method for request in proxy.requests] == ["CONNECT"]
            assert "authorization" not in proxy.requests[0].headers
            client.close()

    @pytest.mark.parametrize(
        "proxy",
        ["ftp://host:1", "http://", "http://ho st:1", "http://host:99999", "http://host:x", "://", "http://[::1"],
    )
    def test_no_url_of_a_proxy(self, server: ProcessMakerServer, connect: Connect, proxy: str) -> None:
        with pytest.raises(InvalidInputError, match="no URL of a proxy") as caught:
            connect(server, proxy=proxy)
        assert "host" not in str(caught.value)
