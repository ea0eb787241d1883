"""What a test of process runs counts on the server, and what it lets go wrong there."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.client.starting import KEY
from airflow_provider_processmaker.client.waiting import Wait

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing import ProcessMakerServer

#: The key of a start.
OURS = "orders.2026-11.17"

HTML = "<!DOCTYPE html><html><head><title>Bad Gateway</title></head><body>nginx</body></html>"
_CUT = '{"id": 17, "status": "ACT'

#: What may happen to a call that starts something: the fault, and whether the server has done it.
LOST: dict[str, tuple[dict[str, Any], bool]] = {
    "dropped before": ({"drop": "before"}, False),
    "dropped after": ({"drop": "after"}, True),
    "reset before": ({"reset": "before"}, False),
    "reset after": ({"reset": "after"}, True),
    "reset in the answer": ({"reset": "body"}, True),
    "truncated": ({"truncate": 20}, True),
    "broken gzip": ({"gzip": "corrupt"}, True),
    "500 before": ({"status": 500}, False),
    "500 after": ({"status": 500, "process": True}, True),
    "502 before": ({"status": 502, "body": HTML, "content_type": "text/html"}, False),
    "503 before": ({"status": 503, "body": {"message": "Service Unavailable"}}, False),
    "504 after": ({"status": 504, "body": HTML, "content_type": "text/html", "process": True}, True),
    "HTML before": ({"status": 200, "body": HTML, "content_type": "text/html"}, False),
    "HTML after": ({"status": 200, "body": HTML, "content_type": "text/html", "process": True}, True),
    "redirected before": ({"redirect": "/login"}, False),
    "redirected after": ({"redirect": "/login", "process": True}, True),
    "half a JSON": ({"status": 201, "body": _CUT, "process": True}, True),
    "no JSON": ({"status": 201, "body": "OK", "process": True}, True),
    "nothing": ({"status": 204, "process": True}, True),
    "a list": ({"status": 201, "body": [], "process": True}, True),
    "no id": ({"status": 201, "body": {"status": "ACTIVE"}, "process": True}, True),
    "no HTTP before": ({"raw": b"garbage\r\n\r\n"}, False),
    "no HTTP after": ({"raw": b"garbage\r\n\r\n", "process": True}, True),
}


def requests(server: ProcessMakerServer, key: str | None = None) -> dict[str, int]:
    """How many requests there are on the server, by status."""
    rows = (row for row in server.requests if key is None or row.data.get(KEY) == key)
    return dict(Counter(row.status for row in rows))


def calls(server: ProcessMakerServer, method: str, path: str) -> int:
    """How many calls the server has had."""
    return sum(call.method == method and call.path == f"/api/1.0{path}" for call in server.calls)


def starts(server: ProcessMakerServer) -> int:
    """How many starts the server was asked for."""
    return sum(call.method == "POST" and "/process_events/" in call.path for call in server.calls)


class Seconds:
    """A clock on which seconds pass when somebody sleeps, or when the test says so."""

    def __init__(self, now: float = 1000.0) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


#: What the clock on the wall says more than a test's clock.
EPOCH = 1e9


def wait(clock: Seconds, ids: Any = (1,), wanted: Any = ("COMPLETED",), **options: Any) -> Wait:
    """A wait on a test's clock."""
    return Wait(ids, wanted, clock=clock, wall=lambda: clock.now + EPOCH, **options)
