"""Processes as ``/proc`` shows them; and the reaper, which leaves none of a folder's processes behind.

Everything that the rig starts has its working directory in the rig's folder, and so has all that those start in turn.
Unlike process groups and environments, which Airflow changes, that stays; so the folder tells what belongs to it.
"""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING

from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Iterator

_PATIENCE = 20.0
# PostgreSQL leaves shared memory behind when it is killed; this is its "stop at once".
_GENTLER = {"postgres": signal.SIGQUIT}


def numbers() -> list[int]:
    """The ids of all processes."""
    return [int(entry) for entry in os.listdir("/proc") if entry.isdigit()]  # noqa: PTH208  # names alone


def title(pid: int) -> str:
    """What ``ps`` shows of a process; empty if there is none."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/cmdline").read_bytes().replace(b"\0", b" ").decode(errors="replace").strip()
    return ""


def titled(text: str) -> list[int]:
    """The processes with exactly this title."""
    return [pid for pid in numbers() if title(pid) == text]


def _status(pid: int) -> list[str]:
    """State, parent, group, session, …; empty if there is no such process."""
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    return []


def alive(pid: int) -> bool:
    """Whether it runs; one that has ended and was not waited for does not."""
    return _status(pid)[:1] not in ([], ["Z"], ["X"])


def session(leader: int) -> list[int]:
    """The living processes of a session. Airflow gives tasks groups of their own, but no sessions."""
    return [pid for pid in numbers() if _status(pid)[3:4] == [str(leader)] and alive(pid)]


def under(folder: Path) -> list[int]:
    """The processes whose working directory is the folder or lies in it."""
    root = os.path.realpath(folder)
    found = []
    for pid in numbers():
        with contextlib.suppress(OSError):
            place = os.readlink(f"/proc/{pid}/cwd")  # noqa: PTH115  # may be of a folder that is gone
            if f"{place}/".startswith(f"{root}/"):
                found.append(pid)
    return [pid for pid in found if pid != os.getpid()]


def send(pids: list[int], number: signal.Signals) -> None:
    """Send a signal to each that is still there."""
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)


def wait_gone(pids: list[int], seconds: float = _PATIENCE) -> None:
    """Wait until none of these runs."""
    wait_for(
        lambda: not any(alive(pid) for pid in pids),
        seconds,
        lambda: f"gone; there are {[title(pid) for pid in pids if alive(pid)]}",
        pause=0.05,
    )


def sweep(folder: Path) -> list[str]:
    """End the processes of a folder and remove it; what could not be ended or removed."""
    deadline = time.monotonic() + _PATIENCE
    late = time.monotonic() + _PATIENCE / 4
    while (pids := under(folder)) and time.monotonic() < deadline:
        for pid in pids:
            gentler = None if time.monotonic() > late else _GENTLER.get(_name(pid))
            send([pid], gentler or signal.SIGKILL)
        time.sleep(0.1)
    left = [title(pid) for pid in under(folder)]
    _unmount(folder)
    shutil.rmtree(folder, ignore_errors=True)
    return left + ([str(folder)] if folder.exists() else [])


def _unmount(folder: Path) -> None:
    """A test may have mounted a full disk in it."""
    for line in Path("/proc/mounts").read_text().splitlines():
        place = line.split()[1]
        if place.startswith(f"{folder}/"):
            subprocess.run(["umount", "--lazy", place], check=False, capture_output=True)


def _name(pid: int) -> str:
    with contextlib.suppress(OSError):
        return Path(f"/proc/{pid}/comm").read_text().strip()
    return ""


@contextlib.contextmanager
def reaped(folder: Path) -> Iterator[None]:
    """See to it that neither a process of the folder nor the folder remains, even if this process is killed.

    It is done by a process of its own, which begins when its standard input ends.
    """
    reaper = subprocess.Popen(
        [sys.executable, "-m", "tests.faults.processes", str(folder)],
        cwd=Path(__file__).parents[2],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        yield
    finally:
        left, _ = reaper.communicate()
        assert not left, f"this remained: {left}"


if __name__ == "__main__":
    for _number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(_number, signal.SIG_IGN)
    sys.stdin.read()
    print("\n".join(sweep(Path(sys.argv[1]))), end="")
