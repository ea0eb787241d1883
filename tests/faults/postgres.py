"""A throwaway PostgreSQL from Debian's packages."""

from __future__ import annotations

import contextlib
import importlib.util
import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self

from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from types import TracebackType

_USER = "airflow"
_SETTINGS = {
    "listen_addresses": "127.0.0.1",
    "unix_socket_directories": "",
    "max_connections": "200",
    # Nothing of it is to outlive the machine.
    "fsync": "off",
    "full_page_writes": "off",
    "synchronous_commit": "off",
}
_SIGNALS = {"fast": signal.SIGINT, "immediate": signal.SIGQUIT, "kill": signal.SIGKILL}
_PATIENCE = 60.0


def programs() -> Path | None:
    """The folder with PostgreSQL's programs, the newest; ``None`` if there is none."""
    found = [path for path in Path("/usr/lib/postgresql").glob("*/bin") if (path / "initdb").exists()]
    if found:
        return max(found, key=lambda path: float(path.parent.name))
    on_path = shutil.which("initdb")
    return None if on_path is None else Path(on_path).resolve().parent


def missing() -> str | None:
    """Why there can be no PostgreSQL here; ``None`` if there can."""
    if programs() is None:
        return "there is no PostgreSQL (initdb) in /usr/lib/postgresql or on the PATH: apt-get install postgresql"
    drivers = [name for name in ("psycopg2", "asyncpg") if importlib.util.find_spec(name) is None]
    return f"the driver {drivers[0]} is not installed: uv run --group faults" if drivers else None


class Postgres:
    """A PostgreSQL on a free port of this machine; a context manager.

    :param folder: where it may live; if we are root, everybody must be able to get there.
    """

    def __init__(self, folder: Path) -> None:
        found = programs()
        assert found is not None
        self._programs = found
        self._folder = folder / "postgres"
        self._password = secrets.token_hex(16)
        self._identity = _unprivileged() if os.geteuid() == 0 else None
        with socket.create_server(("127.0.0.1", 0)) as free:
            self.port = free.getsockname()[1]
        self._process: subprocess.Popen[bytes] | None = None

    def url(self, database: str) -> str:
        """For ``[database] sql_alchemy_conn``. The driver is named, since SQLAlchemy 2.1 takes another by default."""
        return f"postgresql+psycopg2://{_USER}:{self._password}@127.0.0.1:{self.port}/{database}"

    def __enter__(self) -> Self:
        self._folder.mkdir()
        if self._identity is not None:
            os.chown(self._folder, self._identity.pw_uid, self._identity.pw_gid)
        self._folder.chmod(0o700)
        password = self._folder / "password"
        password.write_text(self._password)
        password.chmod(0o644)  # its folder is closed to others
        self._run("initdb", "--no-sync", "-A", "scram-sha-256", f"--pwfile={password}", "-U", _USER, "-E", "UTF8",
                  "--locale=C.UTF-8", "-D", str(self._folder / "data"))  # fmt: skip
        self.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.stop("immediate")

    def create(self, database: str) -> None:
        """Make a database."""
        self._run("createdb", "--maintenance-db=template1", database)

    def start(self) -> None:
        """Start it, and wait until it answers."""
        assert self._process is None, "PostgreSQL runs already"
        settings = [part for name, value in _SETTINGS.items() for part in ("-c", f"{name}={value}")]
        with (self._folder / "postgres.log").open("ab") as log:
            self._process = subprocess.Popen(
                [self._programs / "postgres", "-D", str(self._folder / "data"), "-p", str(self.port), *settings],
                cwd=self._folder,
                env=self._environment,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
                **self._as_user,
            )
        wait_for(self._is_ready, _PATIENCE, self.log, pause=0.1)

    def _is_ready(self) -> bool:
        assert self.is_up, self.log()
        return self._start("pg_isready", "-q").returncode == 0

    @property
    def is_up(self) -> bool:
        """Whether it runs."""
        return self._process is not None and self._process.poll() is None

    def stop(self, how: Literal["fast", "immediate", "kill"] = "fast") -> None:
        """Stop it.

        :param how: ``fast`` ends all connections; ``immediate`` is a crash that cleans up after itself, ``kill`` one
            that does not.
        """
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(_SIGNALS[how])
        self._process.wait(_PATIENCE)
        self._process = None

    def restart(self, how: Literal["fast", "immediate", "kill"] = "fast", seconds: float = 0) -> None:
        """Stop it and start it again.

        :param how: see :meth:`stop`.
        :param seconds: how long it is away.
        """
        self.stop(how)
        time.sleep(seconds)
        self.start()

    def query(self, text: str, database: str) -> list[str]:
        """What a query finds, each row as a line of fields with ``|`` in between."""
        return self._run("psql", "-X", "-A", "-t", "-q", "-c", text, database).splitlines()

    def dump(self, database: str) -> str:
        """All that is in a database."""
        return self._run("pg_dump", "--inserts", database)

    def log(self) -> str:
        """The end of its log."""
        return (self._folder / "postgres.log").read_text(errors="replace")[-3000:]

    @property
    def _environment(self) -> dict[str, str]:
        return {
            "PATH": os.environ["PATH"],
            "HOME": str(self._folder),
            "LC_ALL": "C.UTF-8",
            "PGHOST": "127.0.0.1",
            "PGPORT": str(self.port),
            "PGUSER": _USER,
            "PGPASSWORD": self._password,
        }

    @property
    def _as_user(self) -> dict[str, Any]:
        """PostgreSQL won't run as root."""
        if self._identity is None:
            return {}
        return {"user": self._identity.pw_uid, "group": self._identity.pw_gid, "extra_groups": []}

    def _run(self, program: str, *arguments: str) -> str:
        done = self._start(program, *arguments)
        assert done.returncode == 0, f"{program}: {done.stdout}{done.stderr}"
        return done.stdout

    def _start(self, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run(
            [self._programs / program, *arguments],
            check=False,
            cwd=self._folder,
            env=self._environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            **self._as_user,
        )


def _unprivileged() -> pwd.struct_passwd:
    for name in ("postgres", "nobody"):
        with contextlib.suppress(KeyError):
            return pwd.getpwnam(name)
    raise AssertionError("neither a user postgres nor nobody, and PostgreSQL won't run as root")
