from __future__ import annotations

import signal
import socket
import ssl
import subprocess
import sys
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from airflow_provider_processmaker.testing import ProcessMakerServer

if TYPE_CHECKING:
    from .conftest import Api


def test_the_connection_uri() -> None:
    with ProcessMakerServer(0, client_secret="s/e&c=r?t") as server:
        parts = urlsplit(server.conn_uri)
        assert (parts.scheme, parts.username, parts.password) == ("processmaker", "admin", "admin123")
        assert (parts.hostname, parts.port, parts.path) == ("127.0.0.1", server.port, "/http")
        assert parse_qs(parts.query) == {"client_id": ["3"], "client_secret": ["s/e&c=r?t"]}
        assert "page_size=50" in server.connection_uri("bob", "Bob-pass1!", page_size="50")
        assert "s/e" not in repr(server) + repr(server.state.clients.get(3))


def test_calls_are_logged_without_secrets(api: Api) -> None:
    server = api.server
    server.reset_calls()
    api.get("/users?per_page=1", headers={"Cookie": "a=b"})
    api.get("/users/99999")
    api.token()
    assert [(call.method, call.path, call.status) for call in server.calls] == [
        ("GET", "/api/1.0/users", 200),
        ("GET", "/api/1.0/users/99999", 404),
        ("POST", "/oauth/token", 200),
    ]
    first = server.calls[0]
    assert (first.query, first.headers["authorization"], first.headers["cookie"]) == ("per_page=1", "***", "***")
    assert abs(first.time - time.time()) < 60
    shown = repr(server.calls) + repr(server.state.tokens.refresh.values()) + repr(list(server.state.clients))
    assert not [secret for secret in [server.client_secret, *server.issued_tokens] if repr(secret) in shown]


def test_nothing_is_left_behind() -> None:
    def open_files() -> int:
        folder = Path("/proc/self/fd")
        return len(list(folder.iterdir())) if folder.is_dir() else 0

    with ProcessMakerServer(0):
        pass
    threads, files = threading.active_count(), open_files()
    for _ in range(5):
        with ProcessMakerServer(3) as server:
            for _ in range(3):
                assert requests.get(f"{server.url}/api/1.0/users", timeout=5).status_code == 401
    assert threading.active_count() == threads
    assert open_files() <= files


def test_it_starts_and_stops_fast() -> None:
    with ProcessMakerServer(0):
        pass
    started = time.monotonic()
    with ProcessMakerServer():
        pass
    assert time.monotonic() - started < 0.5


def test_stop_and_start_again_on_the_same_port() -> None:
    server = ProcessMakerServer(0)
    with server:
        url = server.url
        token = server.issue_token()
    server.stop()
    with pytest.raises(requests.ConnectionError):
        requests.get(url, timeout=1)
    with server.start():
        assert server.url == url
        answer = requests.get(f"{url}/api/1.0/users/1", headers={"Authorization": f"Bearer {token}"}, timeout=5)
        assert answer.status_code == 200


def test_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken, pytest.raises(OSError, match="in use"):
        ProcessMakerServer(0, port=taken.getsockname()[1]).start()


def test_ipv6() -> None:
    try:
        with socket.create_server(("::1", 0), family=socket.AF_INET6):
            pass
    except OSError:
        pytest.skip("no IPv6 here")
    with ProcessMakerServer(0, host="::1") as server:
        assert "[::1]" in server.url
        assert requests.get(f"{server.url}/api/1.0/users", timeout=5).status_code == 401


def test_half_a_request_is_none(processmaker_server: ProcessMakerServer) -> None:
    with socket.create_connection(("127.0.0.1", processmaker_server.port), timeout=5) as connection:
        connection.sendall(b"POST /oauth/token HTTP/1.1\r\nHost: x\r\nContent-Length: 100\r\n\r\n{")
    assert requests.get(f"{processmaker_server.url}/api/1.0/users", timeout=5).status_code == 401
    assert [call.method for call in processmaker_server.calls] == ["GET"]


def test_many_clients_at_once(api: Api) -> None:
    token = api.server.issue_token()

    def work(number: int) -> int:
        with requests.Session() as session:
            session.headers["Authorization"] = f"Bearer {token}"
            answers = [session.get(f"{api.server.url}/api/1.0/users?page={number}", timeout=30) for _ in range(5)]
        return sum(answer.status_code == 200 for answer in answers)

    with ThreadPoolExecutor(40) as pool:
        assert list(pool.map(work, range(1, 81))) == [5] * 80
    assert len(api.server.calls) == 400


def test_https_can_be_refused(processmaker_server: ProcessMakerServer) -> None:
    # Without a certificate a TLS server can only fail the handshake; what matters is that the context is used.
    with ProcessMakerServer(0, ssl_context=ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)) as server:
        assert server.url.startswith("https://")
        assert "/https?" in server.conn_uri
        with pytest.raises(requests.exceptions.SSLError):
            requests.get(server.url, timeout=5)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_command_line(number: signal.Signals) -> None:
    command = [sys.executable, "-m", "airflow_provider_processmaker.testing", "--port", "0", "--users", "7"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        line = process.stdout.readline().strip()
        parts = urlsplit(line)
        try:
            assert parts.scheme == "processmaker"
            address = f"http://{parts.hostname}:{parts.port}"
            body = {
                "grant_type": "password",
                "username": parts.username,
                "password": parts.password,
                **{name: values[0] for name, values in parse_qs(parts.query).items()},
            }
            token = requests.post(f"{address}/oauth/token", json=body, timeout=5).json()["access_token"]
            headers = {"Authorization": f"Bearer {token}"}
            users = requests.get(f"{address}/api/1.0/users", headers=headers, timeout=5).json()
            assert users["meta"]["total"] == 11
        finally:
            process.send_signal(number)
            process.wait(10)
        assert process.stderr.read().count("\n") == 1, "a word for the person at the terminal, and nothing else"
        assert process.returncode == 0


def test_command_line_with_a_port_that_is_taken() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = str(taken.getsockname()[1])
        command = [sys.executable, "-m", "airflow_provider_processmaker.testing", "--port", port]
        done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=20)
    assert done.returncode == 1
    assert "cannot listen" in done.stderr


def test_imports_are_lazy_and_know_nothing_of_the_client() -> None:
    code = (
        "import sys\n"
        "import airflow_provider_processmaker.testing, airflow_provider_processmaker.testing.pytest_plugin\n"
        "early = {name.partition('.')[0] for name in sys.modules} & {'uvicorn', 'starlette', 'requests'}\n"
        "from airflow_provider_processmaker.testing import ProcessMakerServer\n"
        "with ProcessMakerServer(1): pass\n"
        "late = [name for name in sys.modules if name.partition('.')[0] in {'airflow', 'requests', 'msgspec'}]\n"
        "late += [name for name in sys.modules if name.startswith('airflow_provider_processmaker.')\n"
        "         and not name.startswith('airflow_provider_processmaker.testing')]\n"
        "print(sorted(early), sorted(late))\n"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True, timeout=20)
    assert done.stdout.strip() == "[] []"
