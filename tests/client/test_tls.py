"""TLS: whom we trust, whom we do not, and who we are."""

from __future__ import annotations

import logging
import shutil
import socket
import ssl
import subprocess
import threading
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import InvalidInputError, TlsError, TransportError
from tests.client.raw_server import RawServer, http

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from airflow_provider_processmaker.client import ProcessMakerClient
    from tests.client.certificates import Authority, Pair
    from tests.client.raw_server import Request, Wire

    Connect = Callable[..., ProcessMakerClient]

OK = http(200, [1])


@pytest.fixture(scope="module")
def pair(authority: Authority) -> Pair:
    return authority.issue("server")


def test_own_authority(connect: Connect, authority: Authority, pair: Pair) -> None:
    with RawServer(OK, tls=pair.server_context()) as server:
        assert connect(server, ca_bundle=authority.bundle, access_token="t").get("users") == [1]


def test_own_authority_in_a_folder(connect: Connect, authority: Authority, pair: Pair, tmp_path: Path) -> None:
    """As OpenSSL wants it: named by the hash of its subject."""
    openssl = shutil.which("openssl")
    if openssl is None:
        pytest.skip("needs the openssl program")
    hashed = subprocess.run(
        [openssl, "x509", "-hash", "-noout", "-in", authority.bundle], capture_output=True, check=True
    )
    shutil.copy(authority.bundle, tmp_path / f"{hashed.stdout.decode().strip()}.0")
    with RawServer(OK, tls=pair.server_context()) as server:
        assert connect(server, ca_bundle=str(tmp_path), access_token="t").get("users") == [1]


@pytest.mark.parametrize("name", ["REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"])
def test_authority_of_the_environment(
    connect: Connect, authority: Authority, pair: Pair, monkeypatch: pytest.MonkeyPatch, name: str
) -> None:
    monkeypatch.setenv(name, authority.bundle)
    with RawServer(OK, tls=pair.server_context()) as server:
        assert connect(server, access_token="t").get("users") == [1]
        monkeypatch.setenv(name, "/nowhere/at-all.pem")
        with pytest.raises(InvalidInputError, match=f"{name}.*cannot be used"):
            connect(server, access_token="t")


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("case", "words"),
    [
        ("unknown authority", "unable to get local issuer|self-signed|self signed"),
        ("another bundle", "unable to get local issuer"),
        ("expired", "expired"),
        ("wrong name", "(IP address|host ?name) mismatch"),
    ],
)
def test_not_trusted(
    connect: Connect, authority: Authority, stranger: Authority, method: str, case: str, words: str
) -> None:
    """Also for a write nothing is unknown: the server never saw it."""
    pair = authority.issue(
        f"untrusted-{case}".replace(" ", "-"),
        host="other.example.com" if case == "wrong name" else "127.0.0.1",
        expired=case == "expired",
    )
    bundle = {"unknown authority": None, "another bundle": stranger.bundle}.get(case, authority.bundle)
    with RawServer(OK, tls=pair.server_context()) as server:
        client = connect(server, ca_bundle=bundle, access_token="t", max_retries=2)
        with pytest.raises(TlsError, match=words) as caught:
            client.request(method, "users")
        assert not caught.value.retryable
        assert "CA bundle" in str(caught.value)
        assert server.requests == []
        assert server.accepted == 1, "certificates do not mend themselves"


def test_unchecked_if_so_wished(connect: Connect, authority: Authority, caplog: pytest.LogCaptureFixture) -> None:
    pair = authority.issue("expired-and-unchecked", host="other.example.com", expired=True)
    with RawServer(OK, tls=pair.server_context()) as server, caplog.at_level(logging.WARNING):
        client = connect(server, verify_tls=False, access_token="t")
        for _ in range(3):
            assert client.get("users") == [1]
    assert caplog.text.count("is not checked") == 1


def test_checked_again_by_the_next_client(connect: Connect, stranger: Authority) -> None:
    """The wish of one client is not that of another in the same process."""
    pair = stranger.issue("next-client")
    with RawServer(OK, tls=pair.server_context()) as server:
        assert connect(server, verify_tls=False, access_token="t").get("users") == [1]
        with pytest.raises(TlsError):
            connect(server, access_token="t").get("users")


@pytest.mark.parametrize("method", ["GET", "POST"])
def test_plain_http_where_tls_is_due(connect: Connect, method: str) -> None:
    with RawServer(OK) as server:
        client = connect(server, base_url=server.url.replace("http:", "https:"), access_token="t")
        with pytest.raises(TransportError, match="No connection to the server could be made") as caught:
            client.request(method, "users")
        assert server.requests == []
    assert type(caught.value) is TransportError
    assert caught.value.retryable


def test_tls_where_plain_http_is_asked(connect: Connect, pair: Pair) -> None:
    with RawServer(OK, tls=pair.server_context()) as server:
        client = connect(server, base_url=server.url.replace("https:", "http:"), access_token="t")
        with pytest.raises(TransportError) as caught:
            client.get("users")
    assert type(caught.value) is TransportError
    assert caught.value.retryable


def test_a_handshake_that_never_comes(connect: Connect) -> None:
    with RawServer(lambda request, wire: None) as server:
        client = connect(
            server,
            base_url=server.url.replace("http:", "https:"),
            access_token="t",
            connect_timeout=0.3,
            read_timeout=0.3,
        )
        with pytest.raises(TransportError, match="No connection"):
            client.post("users")


def test_a_handshake_that_breaks_off(connect: Connect) -> None:
    """A write has not arrived then, so nothing is unknown."""
    with socket.create_server(("127.0.0.1", 0)) as listener:

        def hang_up() -> None:
            sock, _ = listener.accept()
            sock.recv(10_000)
            sock.close()

        thread = threading.Thread(target=hang_up)
        thread.start()
        client = connect(None, base_url=f"https://127.0.0.1:{listener.getsockname()[1]}", access_token="t")
        with pytest.raises(TransportError, match="No connection") as caught:
            client.post("users")
        thread.join()
    assert caught.value.retryable


class TestClientCertificate:
    @pytest.mark.parametrize("form", ["one file", "two files"])
    def test_shown(self, connect: Connect, authority: Authority, pair: Pair, form: str) -> None:
        ours = authority.issue("our-client")
        cert = ours.both if form == "one file" else f"{ours.cert}, {ours.key}"
        peers: list[Any] = []

        def answer(request: Request, wire: Wire) -> bytes:
            peers.append(wire.sock.getpeercert())
            return OK

        with RawServer(answer, tls=pair.server_context(client_authority=authority.bundle)) as server:
            client = connect(server, ca_bundle=authority.bundle, client_cert=cert, access_token="t")
            assert client.get("users") == [1]
        assert "our-client" in str(peers[0]["subject"])

    @pytest.mark.parametrize("method", ["GET", "POST"])
    @pytest.mark.parametrize(
        ("version", "words"),
        [
            (ssl.TLSVersion.TLSv1_2, "HANDSHAKE_FAILURE"),
            # Here the server says so only after the call was sent; it has not read it.
            (ssl.TLSVersion.TLSv1_3, "CERTIFICATE_REQUIRED"),
        ],
    )
    def test_missing(
        self, connect: Connect, authority: Authority, pair: Pair, method: str, version: ssl.TLSVersion, words: str
    ) -> None:
        tls = pair.server_context(client_authority=authority.bundle)
        tls.minimum_version = tls.maximum_version = version
        with RawServer(OK, tls=tls) as server:
            client = connect(server, ca_bundle=authority.bundle, access_token="t", max_retries=2)
            with pytest.raises(TlsError, match=words) as caught:
                client.request(method, "users")
            assert (server.requests, server.accepted) == ([], 1)
        assert not caught.value.retryable

    @pytest.mark.parametrize("case", ["missing", "folder", "no key", "other key", "locked key", "rubbish", "nul"])
    def test_unusable_files(self, connect: Connect, authority: Authority, tmp_path: Path, case: str) -> None:
        """Found when the client is made; a key with a passphrase does not ask for it at the terminal."""
        ours, other = authority.issue("ours"), authority.issue("other")
        rubbish = tmp_path / "rubbish.pem"
        rubbish.write_text("rubbish")
        cert = {
            "missing": str(tmp_path / "no.pem"),
            "folder": str(tmp_path),
            "no key": ours.cert,
            "other key": f"{ours.cert},{other.key}",
            "locked key": f"{ours.cert},{ours.locked_key}",
            "rubbish": str(rubbish),
            "nul": "a\0b",
        }[case]
        with RawServer(OK) as server:
            with pytest.raises(InvalidInputError, match=r"client certificate .* cannot be used"):
                connect(server, client_cert=cert, access_token="t")
            assert server.accepted == 0


@pytest.mark.parametrize("case", ["missing", "rubbish", "empty", "unreadable", "nul"])
def test_unusable_bundles(connect: Connect, tmp_path: Path, case: str) -> None:
    path = tmp_path / "bundle.pem"
    if case in {"rubbish", "empty"}:
        path.write_text("rubbish" if case == "rubbish" else "")
    elif case == "unreadable":
        loop = tmp_path / "loop"
        loop.symlink_to(loop)
        path = loop
    bundle = "a\0b" if case == "nul" else str(path)
    with RawServer(OK) as server:
        with pytest.raises(InvalidInputError, match=r"CA bundle .* cannot be used"):
            connect(server, ca_bundle=bundle, access_token="t")
        assert server.accepted == 0
