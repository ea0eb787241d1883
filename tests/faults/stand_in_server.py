"""The stand-in ProcessMaker in a process of its own: ``python -m tests.faults.stand_in_server '{"users": 5}'``.

Its remote control are lines of JSON over its standard input and output. When its input ends, it ends too.
"""

from __future__ import annotations

import json
import sys
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import Fault, ProcessMakerServer


class _Control:
    """What can be asked of the server, in terms of JSON. Whatever is not here is the server's own."""

    def __init__(self, server: ProcessMakerServer) -> None:
        self._server = server
        self._faults: list[Fault] = []

    def __getattr__(self, name: str) -> Any:
        return getattr(self._server, name)

    def facts(self) -> dict[str, Any]:
        return {"port": self._server.port, "client_secret": self._server.client_secret}

    def start(self) -> None:
        self._server.start()

    def advance_clock(self, seconds: float) -> None:
        self._server.clock.advance(seconds)

    def reset(self) -> None:
        self._server.start()
        self._server.faults.clear()
        self._server.clock.offset = 0.0
        self._server.reset_calls()

    def calls(self, method: str | None, path: str) -> list[dict[str, Any]]:
        names = ("method", "path", "query", "status", "time")
        found = (call for call in self._server.calls if method in {None, call.method} and path in call.path)
        return [{name: getattr(call, name) for name in names} for call in found]

    def token_calls(self) -> int:
        return self._server.token_calls

    def issued_tokens(self) -> list[str]:
        return self._server.issued_tokens

    def add_fault(self, method: str | None, path: str | None, **what: Any) -> int:
        self._faults.append(self._server.faults.add(method, path, **what))
        return len(self._faults) - 1

    def fault_hits(self, number: int) -> int:
        return self._faults[number].hits

    def fault_remove(self, number: int) -> None:
        self._faults[number].remove()

    def clear_faults(self) -> None:
        self._server.faults.clear()

    def add_process(self, name: str, steps: list[Any], **settings: Any) -> int:
        made = [step if isinstance(step, str) else _script(step) for step in steps]
        return self._server.add_process(name, made, **settings)

    def requests(self, process_id: int | None) -> list[dict[str, Any]]:
        return [
            {
                "id": row.id,
                "process_id": row.process_id,
                "status": row.status,
                "data": row.data,
                "parent_request_id": row.parent_request_id,
                "created_at": row.columns.get("created_at"),
            }
            for row in self._server.requests
            if process_id in {None, row.process_id}
        ]

    def start_request(self, process_id: int, data: dict[str, Any] | None, **options: Any) -> int:
        return self._server.start_request(process_id, data, **options).id


def _script(step: dict[str, Any]) -> Callable[[Any, Any], Any]:
    def script(data: Any, config: Any) -> Any:
        if "raises" in step:
            raise RuntimeError(step["raises"])
        return step["returns"]

    return script


def main() -> None:
    """Serve, and do as told."""
    from airflow_provider_processmaker.testing import ProcessMakerServer

    with ProcessMakerServer(**json.loads(sys.argv[1])) as server:
        control = _Control(server)
        for line in sys.stdin:
            name, arguments, keywords = json.loads(line)
            try:
                answer = json.dumps({"result": getattr(control, name)(*arguments, **keywords)})
            except Exception as error:  # noqa: BLE001  # it is the asker's
                answer = json.dumps({"error": repr(error)})
            print(answer, flush=True)


if __name__ == "__main__":
    main()
