"""The file store survives what happens to files, and in the worst case works in memory and says why, once."""

from __future__ import annotations

import errno
import logging
import os
import resource
import signal
import stat
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import FileStore, ProcessMakerClient, Settings, TransportError
from airflow_provider_processmaker.client import file_store as module
from airflow_provider_processmaker.client.token_store import login_of
from airflow_provider_processmaker.client.tokens import Token
from tests.tokens.test_swarm import ROOT, settings_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

SETTINGS = Settings(
    base_url="https://pm.example.com", username="ann", password="pa55-Word!", client_id="3", client_secret="s3cret" * 7
)
LOGIN = login_of(SETTINGS)
TOKEN = Token("access.token.text", "refresh-token-text", 1.0, 2.0)


def the_file(store: FileStore, kind: str = "token") -> Path:
    """The only file of a kind."""
    (found,) = store.folder.glob(f"*.{kind}")
    return found


def calls_after(server: ProcessMakerServer, folder: Path) -> int:
    """How many token calls a new process would make now; its call must succeed."""
    before = server.token_calls
    with ProcessMakerClient(Settings(**settings_of(server)), token_store=FileStore(folder)) as client:
        assert client.whoami()["username"] == "admin"
    return server.token_calls - before


def test_what_is_saved_is_found_by_another_process(store: FileStore, tmp_path: Path) -> None:
    store.save(LOGIN, TOKEN)

    other = FileStore(tmp_path / "tokens")
    assert other.load(LOGIN) == TOKEN
    other.forget(LOGIN)
    assert store.load(LOGIN) is None


def test_a_token_that_another_process_saved_is_seen_at_the_next_load(store: FileStore, tmp_path: Path) -> None:
    store.save(LOGIN, TOKEN)
    assert store.load(LOGIN) == TOKEN

    FileStore(tmp_path / "tokens").save(LOGIN, Token("another"))
    assert store.load(LOGIN) == Token("another")


def test_files_are_private_encrypted_and_tell_nothing(store: FileStore) -> None:
    store.save(LOGIN, TOKEN)
    with store.lock(LOGIN):
        pass

    assert store.folder.name == str(os.geteuid())
    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    for path in store.folder.iterdir():
        assert stat.S_IMODE(path.stat().st_mode) == 0o600
        data = path.read_bytes()
        for word in (*TOKEN.secrets, "pa55-Word!", "s3cret", "ann", "pm.example.com"):
            assert word.encode() not in data
            assert word not in path.name


def test_each_file_has_a_salt_of_its_own(store: FileStore) -> None:
    """The bytes after the mark of the format; Fernet alone would make the rest differ."""
    salts = set()
    for _ in range(20):
        store.save(LOGIN, TOKEN)
        data = the_file(store).read_bytes()
        assert data[:4] == b"PMT1"
        salts.add(data[4:20])
    assert len(salts) == 20


def test_another_secret_finds_another_name_and_cannot_read_the_file(store: FileStore) -> None:
    store.save(LOGIN, TOKEN)
    for change in ({"password": "another-One1!"}, {"client_secret": "x"}, {"username": "bob"}, {"client_id": "4"}):
        values = {"username": "ann", "password": "pa55-Word!", "client_id": "3", "client_secret": "s3cret" * 7}
        other = login_of(Settings(base_url="https://pm.example.com", **{**values, **change}))
        assert other.name != LOGIN.name
        assert store.load(other) is None

    wrong_key = type(LOGIN)(LOGIN.name, b"x" * 32, LOGIN.door)
    assert FileStore(store.folder.parent).load(wrong_key) is None


@pytest.mark.parametrize("content", ["empty", "truncated", "garbage", "foreign", "unknown field"])
def test_a_spoilt_file_counts_as_none_and_is_replaced(server: ProcessMakerServer, tmp_path: Path, content: str) -> None:
    assert calls_after(server, tmp_path) == 1
    store = FileStore(tmp_path)
    path = the_file(store)
    good = path.read_bytes()
    if content == "unknown field":
        from airflow_provider_processmaker.client.sealing import seal

        login = login_of(Settings(**settings_of(server)))
        good = seal(login, {"access_token": "x", "invented_later": 1})
    spoilt = {
        "empty": b"",
        "truncated": good[: len(good) // 2],
        "garbage": os.urandom(500),
        "foreign": b"PMT9" + good[4:],
        "unknown field": good,
    }
    path.write_bytes(spoilt[content])

    assert calls_after(server, tmp_path) == 1
    assert calls_after(server, tmp_path) == 0


def test_a_planted_link_is_not_followed_and_is_replaced(
    server: ProcessMakerServer, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    folder, elsewhere = tmp_path / "tokens", tmp_path / "precious"
    elsewhere.write_text("untouched", encoding="utf-8")
    assert calls_after(server, folder) == 1
    path = the_file(FileStore(folder))
    path.unlink()
    path.symlink_to(elsewhere)

    assert calls_after(server, folder) == 1
    assert elsewhere.read_text(encoding="utf-8") == "untouched"
    assert not path.is_symlink()
    told = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert told == [f"A file of ProcessMaker's tokens counts as none, and the next login replaces it: {path} is a link"]
    assert calls_after(server, folder) == 0


def test_a_planted_pipe_does_not_hang(store: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    store.save(LOGIN, TOKEN)
    path = the_file(store)
    path.unlink()
    os.mkfifo(path)

    assert FileStore(store.folder.parent).load(LOGIN) is None
    assert "not a private file of ours" in caplog.text


def test_a_file_that_others_can_read_is_not_used(store: FileStore) -> None:
    store.save(LOGIN, TOKEN)
    the_file(store).chmod(0o644)

    assert FileStore(store.folder.parent).load(LOGIN) is None


def in_memory_and_says_why_once(store: FileStore, caplog: pytest.LogCaptureFixture, words: str) -> None:
    """The store works within the process, and there is one warning."""
    with caplog.at_level(logging.WARNING):
        for _ in range(3):
            with store.lock(LOGIN):
                store.save(LOGIN, TOKEN)
            assert store.load(LOGIN) == TOKEN
    told = [record.getMessage() for record in caplog.records if "cannot be kept" in record.getMessage()]
    assert len(told) == 1, told
    assert words in told[0]


@pytest.mark.parametrize("mode", [0o777, 0o720])
def test_a_folder_that_others_can_write_is_not_used(
    store: FileStore, caplog: pytest.LogCaptureFixture, mode: int
) -> None:
    store.folder.mkdir(parents=True)
    store.folder.chmod(mode)

    in_memory_and_says_why_once(store, caplog, "can be written by others")
    assert list(store.folder.iterdir()) == []


@pytest.mark.parametrize("mode", [0o755, 0o711, 0o740])
def test_a_folder_of_ours_that_others_can_look_into_is_closed(store: FileStore, mode: int) -> None:
    store.folder.mkdir(parents=True)
    store.folder.chmod(mode)

    store.save(LOGIN, TOKEN)

    assert stat.S_IMODE(store.folder.stat().st_mode) == 0o700
    assert FileStore(store.folder.parent).load(LOGIN) == TOKEN


def test_a_link_in_place_of_the_folder_is_not_used(
    store: FileStore, caplog: pytest.LogCaptureFixture, tmp_path: Path
) -> None:
    store.folder.parent.mkdir()
    (tmp_path / "theirs").mkdir()
    store.folder.symlink_to(tmp_path / "theirs")

    in_memory_and_says_why_once(store, caplog, "is not a folder")


def test_a_file_in_place_of_the_folder(store: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    store.folder.parent.write_text("in the way", encoding="utf-8")

    in_memory_and_says_why_once(store, caplog, "File exists")


as_root = pytest.mark.skipif(os.geteuid() != 0, reason="only root can act for two users")


@as_root
def test_a_folder_of_someone_else_is_not_used(store: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    store.folder.mkdir(parents=True)
    os.chown(store.folder, 65534, 65534)

    in_memory_and_says_why_once(store, caplog, "belongs to someone else")


def as_nobody(code: str) -> subprocess.CompletedProcess[str]:
    """Run a piece of code as the user ``nobody``, who may not write where root may."""
    # What is needed is imported before: nobody may not be able to read this Python.
    prepare = _SAVE_IMPORTS + "import os; os.setgroups([]); os.setgid(65534); os.setuid(65534)"
    script = f"{prepare}\n{code}"
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True, cwd=ROOT)


_SAVE_IMPORTS = """
import logging, tempfile
logging.basicConfig(level="WARNING", format="%(message)s")
from pathlib import Path
from airflow_provider_processmaker.client import FileStore
from airflow_provider_processmaker.client.token_store import Login
from airflow_provider_processmaker.client.tokens import Token
with tempfile.TemporaryDirectory() as warm, FileStore(Path(warm)).lock(Login("warm", b"k" * 32, "door")):
    FileStore(Path(warm)).save(Login("warm", b"k" * 32, "door"), Token("warm"))
"""
_SAVE = """
store, login = FileStore(Path({folder!r})), Login("one", b"k" * 32, "door")
for _ in range(3):
    with store.lock(login):
        store.save(login, Token("mine"))
print(store.load(login) == Token("mine"))
print(sorted(str(path.name) for path in Path({folder!r}).glob("65534/*")))
"""


@as_root
def test_a_folder_that_cannot_be_written(tmp_path_factory: pytest.TempPathFactory) -> None:
    folder = tmp_path_factory.getbasetemp() / "readonly"
    folder.mkdir(mode=0o755)
    open_to_all(folder)

    run = as_nobody(_SAVE.format(folder=str(folder)))

    assert run.stdout.split("\n")[:2] == ["True", "[]"]
    assert run.stderr.count("cannot be kept") == 1
    assert "Permission denied" in run.stderr


@as_root
def test_two_unix_users_have_tokens_of_their_own(tmp_path_factory: pytest.TempPathFactory) -> None:
    from airflow_provider_processmaker.client.token_store import Login

    folder = tmp_path_factory.getbasetemp() / "shared"
    folder.mkdir()
    folder.chmod(0o1777)
    open_to_all(folder)
    login = Login("one", b"k" * 32, "door")
    FileStore(folder).save(login, Token("root's"))

    run = as_nobody(_SAVE.format(folder=str(folder)))

    assert run.stdout.split("\n")[:2] == ["True", "['one.lock', 'one.token']"]
    assert run.stderr == ""
    assert FileStore(folder).load(login) == Token("root's")
    assert sorted(path.name for path in folder.iterdir()) == ["0", "65534"]


def open_to_all(folder: Path) -> None:
    """Let other users pass through the folders above."""
    for parent in folder.parents:
        if parent.stat().st_uid == os.geteuid() and parent != Path("/"):
            parent.chmod(parent.stat().st_mode | 0o011)


def test_a_full_disk(store: FileStore, caplog: pytest.LogCaptureFixture) -> None:
    """No byte more can be written to a file: what a full disk looks like to a process."""
    store.save(LOGIN, Token("older"))
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    ignored = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (0, before[1]))
    try:
        in_memory_and_says_why_once(store, caplog, "File too large")
        assert store.load(LOGIN) == TOKEN, "the older token in the file is not taken for the newer one"
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)
        signal.signal(signal.SIGXFSZ, ignored)
    assert [path.name for path in store.folder.iterdir() if path.name.startswith(".new")] == []

    FileStore(store.folder.parent).save(LOGIN, Token("newer still"))
    assert store.load(LOGIN) == Token("newer still"), "and what another process writes later is"


@pytest.mark.parametrize(("number", "words"), [(errno.EROFS, "Read-only file system"), (errno.ENOSPC, "No space left")])
def test_a_disk_that_takes_no_files(
    store: FileStore, caplog: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, number: int, words: str
) -> None:
    """As such a disk answers; the older token that lies on it is not used again, also after it was found dead."""
    store.save(LOGIN, Token("older"))

    def fail(*_: Any, **__: Any) -> None:
        raise OSError(number, os.strerror(number))

    for module_, name in ((tempfile, "mkstemp"), (Path, "unlink"), (Path, "mkdir")):
        monkeypatch.setattr(module_, name, fail)
    store.forget(LOGIN)
    assert store.load(LOGIN) is None
    caplog.clear()
    store = FileStore(store.folder.parent)
    in_memory_and_says_why_once(store, caplog, words)
    store.forget(LOGIN)
    assert store.load(LOGIN) is None


def test_what_nobody_needs_any_more_is_removed(store: FileStore) -> None:
    store.save(LOGIN, TOKEN)
    day = 86_400
    ages = {
        "old.token": 401,
        "old.lock": 401,
        "old.accepted": 401,
        "old.refusal": 1.1,
        ".new-old": 1.1,
        "young.token": 399,
        "young.lock": 399,
        "young.accepted": 399,
        "young.refusal": 0.9,
        ".new-young": 0.9,
        "somebody's": 4000,
        "somebody's.txt": 4000,
    }
    for name, days in ages.items():
        (store.folder / name).write_bytes(b"")
        moment = time.time() - days * day
        os.utime(store.folder / name, (moment, moment))

    store.save(LOGIN, TOKEN)

    found = {path.name for path in store.folder.iterdir()} - {f"{LOGIN.name}.token"}
    assert found == {name for name in ages if "old" not in name}


def test_a_lock_file_that_a_cleaner_deletes(store: FileStore) -> None:
    with store.lock(LOGIN):
        the_file(store, "lock").unlink()
        store.save(LOGIN, TOKEN)
    with store.lock(LOGIN):
        assert store.load(LOGIN) == TOKEN


def test_a_folder_that_a_cleaner_deletes(server: ProcessMakerServer, tmp_path: Path) -> None:
    import shutil

    folder = tmp_path / "tokens"
    with ProcessMakerClient(Settings(**settings_of(server)), token_store=FileStore(folder)) as client:
        client.whoami()
        shutil.rmtree(folder)
        client.whoami()
        assert server.token_calls == 2  # deleting the file is how a token is forgotten
        client.whoami()
        assert server.token_calls == 2


def test_a_lock_that_is_never_released_ends_in_an_error_that_can_be_retried(
    store: FileStore, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LONGEST_LOCK", 0.2)
    holding, done = threading.Event(), threading.Event()

    def hold() -> None:
        with FileStore(store.folder.parent).lock(LOGIN):
            holding.set()
            done.wait(10)

    thread = threading.Thread(target=hold)
    thread.start()
    holding.wait(10)
    try:
        with pytest.raises(TransportError, match="Another process has been asking") as caught, store.lock(LOGIN):
            pass
        assert caught.value.retryable
    finally:
        done.set()
        thread.join()


def test_two_hundred_connections(tmp_path: Path) -> None:
    store = FileStore(tmp_path)
    values: dict[str, Any] = {"username": "u", "password": "p", "client_secret": "s", "base_url": "https://pm"}
    logins = [login_of(Settings(**values, client_id=str(number))) for number in range(200)]
    for number, login in enumerate(logins):
        with store.lock(login):
            store.save(login, Token(f"token {number}"))

    fresh = FileStore(tmp_path)
    assert [fresh.load(login) for login in logins] == [Token(f"token {number}") for number in range(200)]
    open_files = len(list(Path("/proc/self/fd").iterdir()))
    assert open_files < 150, "locks are given back"
