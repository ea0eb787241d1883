"""The processes of an Airflow: started, killed, frozen, and started again."""

from __future__ import annotations

import contextlib
import signal
import subprocess
import sys
import time
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any

import requests

from tests.faults import processes
from tests.faults.waiting import wait_for

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

COMPONENTS = ("api-server", "scheduler", "dag-processor", "triggerer")
# Tasks tell that they live every 3 s; one that was silent for this long counts as dead.
HEARTBEAT_TIMEOUT = 20
# The tasks of a scheduler that was silent for this long go to another one. LocalExecutor cannot take them over, so they
# begin anew, whether their processes live or not. The heartbeat time-out is looked for by a task's own scheduler alone.
SCHEDULER_TIMEOUT = 15
# The triggers of a triggerer that was silent for this long go to another one.
TRIGGERER_TIMEOUT = 10
# A component that was silent for this long hangs.
SILENCE = 20
SETTINGS = {
    "CORE__EXECUTOR": "LocalExecutor",
    "CORE__MP_START_METHOD": "fork",  # as in Python < 3.14: workers that are there from the start
    "CORE__PARALLELISM": "8",
    "CORE__MAX_ACTIVE_TASKS_PER_DAG": "1000",
    "CORE__MAX_ACTIVE_RUNS_PER_DAG": "1000",
    "CORE__LOAD_EXAMPLES": "False",
    "CORE__MIN_SERIALIZED_DAG_UPDATE_INTERVAL": "0",  # what a test edits holds at once
    "CORE__UNIT_TEST_MODE": "False",
    "CORE__SIMPLE_AUTH_MANAGER_ALL_ADMINS": "True",
    "API__WORKERS": "1",
    "DAG_PROCESSOR__REFRESH_INTERVAL": "2",
    "DAG_PROCESSOR__BUNDLE_REFRESH_CHECK_INTERVAL": "1",
    "DAG_PROCESSOR__MIN_FILE_PROCESS_INTERVAL": "3",
    "DAG_PROCESSOR__PARSING_PROCESSES": "1",
    "WORKERS__MIN_HEARTBEAT_INTERVAL": "3",
    "SCHEDULER__SCHEDULER_IDLE_SLEEP_TIME": "0.5",
    "SCHEDULER__SCHEDULER_HEARTBEAT_SEC": "2",
    "SCHEDULER__SCHEDULER_HEALTH_CHECK_THRESHOLD": f"{SCHEDULER_TIMEOUT}",
    "SCHEDULER__ORPHANED_TASKS_CHECK_INTERVAL": "5",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT": f"{HEARTBEAT_TIMEOUT}",
    "SCHEDULER__TASK_INSTANCE_HEARTBEAT_TIMEOUT_DETECTION_INTERVAL": "3",
    "SCHEDULER__TRIGGER_TIMEOUT_CHECK_INTERVAL": "3",
    "TRIGGERER__JOB_HEARTBEAT_SEC": "2",
    "TRIGGERER__TRIGGERER_HEALTH_CHECK_THRESHOLD": f"{TRIGGERER_TIMEOUT}",
    "LOGGING__NAMESPACE_LEVELS": "http.access=WARNING",
}
# Logs lie in a folder that all of them see.
_ARGUMENTS = {"scheduler": ["--skip-serve-logs"], "triggerer": ["--skip-serve-logs"]}


@dataclass
class _Component:
    process: subprocess.Popen[bytes]
    started: float


class Components:
    """The processes of an Airflow.

    They are named ``api-server``, ``scheduler``, ``dag-processor`` and ``triggerer``; a number after the name, as in
    ``triggerer2``, is one more of them.

    :param home: ``AIRFLOW_HOME``; the working directory of all of them.
    :param url: of the API server.
    :param environment: of all of them.
    """

    def __init__(self, home: Path, url: str, environment: Mapping[str, str]) -> None:
        self.home = home
        self.url = url
        self.environment = dict(environment)
        self._running: dict[str, _Component] = {}
        self._sessions: list[int] = []

    def command(self, *arguments: str) -> None:
        """Run a command of Airflow to its end."""
        process = self._start("command", list(arguments), {})
        assert process.wait(180) == 0, self.component_log("command")

    def start(self, name: str, *, wait: bool = True, **environment: str) -> None:
        """Start a component.

        :param name: which.
        :param wait: until it is healthy.
        :param environment: more variables, for this start.
        """
        command = _kind(name)
        assert name not in self._running, f"{name} runs already"
        process = self._start(name, [command, *_ARGUMENTS.get(command, [])], environment)
        self._running[name] = _Component(process, time.time())
        if wait:
            self.wait_healthy(name)

    def _start(self, name: str, arguments: list[str], environment: Mapping[str, str]) -> subprocess.Popen[bytes]:
        with self._log(name).open("ab") as log:
            process = subprocess.Popen(
                [sys.executable, "-m", "airflow", *arguments],
                cwd=self.home,
                env={**self.environment, **environment},
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        self._sessions.append(process.pid)
        return process

    def kill(self, name: str, number: signal.Signals = signal.SIGKILL, *, tree: bool = True) -> None:
        """Send a component a signal. After SIGKILL and SIGTERM it is waited for until it is gone.

        :param name: which.
        :param number: SIGKILL, SIGTERM, SIGSTOP, SIGCONT.
        :param tree: to all its processes, as when the machine dies; else only to the first of them. LocalExecutor's
            workers with their tasks live on when their scheduler is killed alone, and so do its database connections,
            which they have inherited: locks of a transaction that it was in stay until :meth:`bury`.
        """
        component = self._running[name]
        pids = self.pids(name) if tree else [component.process.pid]
        processes.send(pids, number)
        if number not in {signal.SIGKILL, signal.SIGTERM}:
            return
        component.process.wait(120)
        del self._running[name]
        if tree:  # also what was born meanwhile, or did not hear
            processes.send(processes.session(component.process.pid), signal.SIGKILL)
            processes.wait_gone(pids)

    def freeze(self, name: str) -> None:
        """Stop a component and all its processes in their tracks."""
        self.kill(name, signal.SIGSTOP)

    def thaw(self, name: str) -> None:
        """Let a frozen component go on."""
        self.kill(name, signal.SIGCONT)

    def restart(self, name: str, number: signal.Signals = signal.SIGKILL, **environment: str) -> None:
        """Kill a component with all its processes and start it again."""
        self.kill(name, number)
        self.start(name, **environment)

    def end(self) -> None:
        """Kill all of them."""
        for name in list(self._running):
            self.kill(name)
        self.bury()

    def bury(self) -> None:
        """Kill what is left of components that are gone, such as workers whose scheduler was killed alone."""
        running = {component.process.pid for component in self._running.values()}
        left = [pid for leader in self._sessions if leader not in running for pid in processes.session(leader)]
        processes.send(left, signal.SIGKILL)
        self._sessions = [leader for leader in self._sessions if leader in running]

    def pids(self, name: str) -> list[int]:
        """The processes of a component, the first one first."""
        leader = self._running[name].process.pid
        return [leader, *(pid for pid in processes.session(leader) if pid != leader)]

    def ended(self) -> list[str]:
        """The components that have ended by themselves, as most do when they lose their database."""
        return [name for name, component in self._running.items() if component.process.poll() is not None]

    # -- health ------------------------------------------------------------------------------------------------------

    def wait_healthy(self, *names: str, seconds: float = 120) -> None:
        """Wait until components (all that were started, if none is named) run and have been heard of lately."""
        for name in names or tuple(self._running):
            wait_for(lambda name=name: self._is_well(name), seconds, lambda name=name: self._why(name))

    def _is_well(self, name: str) -> bool:
        assert name not in self.ended(), self._why(name)
        return self.is_healthy(name)

    def _why(self, name: str) -> str:
        return f"{name} is not healthy:\n{self.component_log(name)}"

    def is_healthy(self, name: str) -> bool:
        """Whether it was heard of lately; without an API server nobody knows."""
        health = self._health()
        return health is not None and self._was_heard(name, health)

    def _health(self) -> dict[str, Any] | None:
        try:
            health: dict[str, Any] = requests.get(f"{self.url}/api/v2/monitor/health", timeout=10).json()
        except (requests.RequestException, ValueError):
            return None
        return health if health.get("metadatabase", {}).get("status") == "healthy" else None

    def _was_heard(self, name: str, health: Mapping[str, Any], after: float = 0) -> bool:
        if _kind(name) == "api-server":
            return True
        key = _kind(name).replace("-", "_")
        heard = (health.get(key) or {}).get(f"latest_{key}_heartbeat")
        # The last word of the one before is still there.
        since = max(self._running[name].started, time.time() - SILENCE, after)
        return heard is not None and datetime.fromisoformat(heard).timestamp() > since

    def revive(self, seconds: float = 180) -> list[str]:
        """Start again what has ended or hangs, as whoever runs an Airflow has something do, until all are well.

        :param seconds: how long that may take.
        :return: the components that had to be started again.
        """
        again: list[str] = []
        began = time.time()

        def all_well() -> bool:
            health = self._health()
            for name in list(self._running):
                silent = time.time() - max(began, self._running[name].started) > SILENCE
                if name in self.ended() or (silent and health is not None and not self._was_heard(name, health)):
                    again.append(name)
                    self.kill(name)
                    self.start(name, wait=False)
            # What was said before may have been a last word.
            return health is not None and all(self._was_heard(name, health, began + 5) for name in self._running)

        wait_for(all_well, seconds, lambda: "\n".join(self._why(name) for name in self._running), pause=1)
        return again

    def heal(self) -> None:
        """Let each component run once, whatever was done to them."""
        for name in [name for name in self._running if name not in COMPONENTS]:
            self.kill(name)
        for name in self._running:
            self.thaw(name)
        for name in self.ended():
            self.kill(name)
        self.bury()
        if "api-server" not in self._running:
            self.start("api-server")
        deadline = time.monotonic() + SILENCE / 2
        for name in COMPONENTS:
            while name in self._running and not self.is_healthy(name) and time.monotonic() < deadline:
                time.sleep(0.5)
            if name in self._running and not self.is_healthy(name):
                self.kill(name)
            if name not in self._running:
                self.start(name, wait=False)
        self.wait_healthy()

    # -- logs --------------------------------------------------------------------------------------------------------

    def _log(self, name: str) -> Path:
        return self.home / f"{name}.log"

    def component_log(self, name: str, size: int = 4000) -> str:
        """The end of a component's own log."""
        with contextlib.suppress(FileNotFoundError):
            return self._log(name).read_text(errors="replace")[-size:]
        return ""


def _kind(name: str) -> str:
    return name.rstrip("0123456789")
