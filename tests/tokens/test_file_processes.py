"""Several processes at the same files: one is killed with the lock, one reads while another writes, one forks."""

from __future__ import annotations

import contextlib
import json
import subprocess
import sys
import threading
from typing import TYPE_CHECKING

import pytest
from filelock import FileLock, Timeout

from airflow_provider_processmaker.client import FileStore, Settings
from airflow_provider_processmaker.client.token_store import login_of
from airflow_provider_processmaker.client.tokens import Token
from tests.tokens.test_file_store import LOGIN, TOKEN, calls_after
from tests.tokens.test_swarm import ROOT, settings_of

if TYPE_CHECKING:
    from pathlib import Path

    from airflow_provider_processmaker.testing import ProcessMakerServer


def test_a_token_is_read_while_another_process_holds_the_lock(store: FileStore) -> None:
    store.save(LOGIN, TOKEN)
    code = """
import sys, time
from pathlib import Path
from airflow_provider_processmaker.client import FileStore
from airflow_provider_processmaker.client.token_store import Login
with FileStore(Path(sys.argv[1])).lock(Login(sys.argv[2], b"", "")):
    print("held", flush=True)
    sys.stdin.read()
"""
    command = [sys.executable, "-c", code, str(store.folder.parent), LOGIN.name]
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == "held\n"
        with pytest.raises(Timeout):
            FileLock(store.folder / f"{LOGIN.name}.lock", timeout=0).acquire()
        assert FileStore(store.folder.parent).load(LOGIN) == TOKEN
        holder.communicate("")
    assert holder.returncode == 0


def test_a_reader_beside_a_writer_never_sees_half_a_file(store: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    """Of another process; each token fills a file of another size."""
    tokens = [Token("x" * size, f"refresh {size}", 1.0, 2.0) for size in (10, 20_000, 500, 9_000)]
    store.save(LOGIN, tokens[0])
    code = """
import select, sys
from pathlib import Path
from airflow_provider_processmaker.client import FileStore
from airflow_provider_processmaker.client.token_store import Login
from airflow_provider_processmaker.client.tokens import Token
store, login = FileStore(Path(sys.argv[1])), Login(sys.argv[2], bytes.fromhex(sys.argv[3]), "")
print("begun", flush=True)
while not select.select([sys.stdin], [], [], 0)[0]:
    for size in (10, 20_000, 500, 9_000):
        store.save(login, Token("x" * size, f"refresh {size}", 1.0, 2.0))
"""
    command = [sys.executable, "-c", code, str(store.folder.parent), LOGIN.name, LOGIN.key.hex()]
    seen: list[Token | None] = []
    with subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        assert writer.stdout.readline() == "begun\n"
        try:
            while len(seen) < 1000 or any(token not in seen for token in tokens):
                seen.append(FileStore(store.folder.parent).load(LOGIN))
                assert seen[-1] in tokens
        finally:
            writer.communicate("")
    assert writer.returncode == 0
    assert caplog.records == []


_LOG_IN = """
import json, sys
from pathlib import Path
from airflow_provider_processmaker.client import FileStore, ProcessMakerClient, Settings
client = ProcessMakerClient(Settings(**json.loads(sys.argv[1])), token_store=FileStore(Path(sys.argv[2])))
print("ready", flush=True)
client.whoami()
"""


@pytest.mark.parametrize(("moment", "statuses"), [("before", [200]), ("after", [401, 200])])
def test_the_holder_of_the_lock_is_killed(
    server: ProcessMakerServer, tmp_path: Path, moment: str, statuses: list[int]
) -> None:
    """SIGKILL while it refreshes, before the server has answered, or after, but before the token is written.

    Those who wait for it go on: with the refresh token, or with the password if the server has taken that one back.
    """
    login = login_of(Settings(**settings_of(server)))
    assert calls_after(server, tmp_path) == 1
    store = FileStore(tmp_path)
    old = store.load(login)
    assert old is not None
    store.save(login, Token(old.access_token, old.refresh_token, 1.0, 2.0))  # so that it must be refreshed
    server.reset_calls()
    reached = threading.Event()
    server.faults.add(method="POST", path="/oauth/token", then=reached.set, then_when=moment)
    server.faults.add(method="POST", path="/oauth/token", delay=60, delay_when=moment)
    with contextlib.ExitStack() as ending:
        holder = run_login(server, tmp_path, ending)
        assert reached.wait(60)
        waiting = [run_login(server, tmp_path, ending) for _ in range(4)]
        holder.kill()
        holder.wait()
        assert [process.wait(60) for process in waiting] == [0] * 4

    answered = [call.status for call in server.calls if call.path == "/oauth/token"]
    assert len(answered) == 1 + len(statuses)
    assert answered[1:] == statuses
    assert calls_after(server, tmp_path) == 0


def run_login(server: ProcessMakerServer, folder: Path, ending: contextlib.ExitStack) -> subprocess.Popen[str]:
    """A process that is about to call the server."""
    command = [sys.executable, "-c", _LOG_IN, json.dumps(settings_of(server)), str(folder)]
    process = ending.enter_context(subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True))
    ending.callback(process.kill)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n"
    return process


def test_a_forked_child_uses_neither_the_sockets_nor_the_locks_of_its_parent(
    server: ProcessMakerServer, tmp_path: Path
) -> None:
    script = """
import json, os, sys, threading
from pathlib import Path
from airflow_provider_processmaker.client import FileStore, ProcessMakerClient, Settings
settings = Settings(**json.loads(sys.argv[1]))
store = FileStore(Path(sys.argv[2]))
client = ProcessMakerClient(settings, token_store=store)
client.whoami()  # a connection is open now
inside = threading.Event()
def hold():
    from airflow_provider_processmaker.client.token_store import login_of
    with store._memory.lock(login_of(settings)):
        inside.set()
        done.wait()
done = threading.Event()
holder = threading.Thread(target=hold)
holder.start()
inside.wait()
children = []
for _ in range(4):
    child = os.fork()
    if child == 0:
        store.forget(__import__("airflow_provider_processmaker.client.token_store", fromlist=["x"]).login_of(settings))
        names = {client.whoami()["username"] for _ in range(20)}
        os._exit(0 if names == {"admin"} else 1)
    children.append(child)
ended = [os.waitpid(child, 0)[1] for child in children]
done.set()
holder.join()
for _ in range(20):
    client.get("groups", {"per_page": 1})
print(ended)
"""
    run = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", script, json.dumps(settings_of(server)), str(tmp_path)],
        capture_output=True,
        text=True,
        cwd=ROOT,
        timeout=60,
        check=False,
    )

    assert run.stdout.strip() == "[0, 0, 0, 0]", run.stderr
    ports = [call.client[1] for call in server.calls]
    assert len(set(ports)) >= 5, "each process has connections of its own"
