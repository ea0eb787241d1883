"""Faults that a test scripts: what goes wrong with which call."""

from __future__ import annotations

import fnmatch
import threading
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Literal

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from airflow_provider_processmaker.testing.calls import Call

API_PREFIX = "/api/1.0"
Moment = Literal["before", "after"]


@dataclass(eq=False)
class Fault:
    """A fault, and which calls it hits. Made by :meth:`Faults.add`, which explains the fields."""

    method: str | None = None
    path: str | None = None
    when: Callable[[Call], bool] | None = None
    times: int | None = 1
    after: int = 0
    every: int = 1
    delay: float = 0.0
    delay_when: Moment = "before"
    then: Callable[[], object] | None = None
    then_when: Moment = "before"
    status: int | None = None
    body: Any = None
    headers: Mapping[str, str] = field(default_factory=dict)
    content_type: str | None = None
    process: bool = False
    redirect: str | None = None
    change: Callable[[Any], Any] | None = None
    drop: Moment | None = None
    reset: Literal["before", "after", "body"] | None = None
    truncate: int | None = None
    gzip: Literal["good", "truncated", "corrupt"] | None = None
    drip: float | None = None
    hang: bool = False
    raw: bytes | None = None
    seen: int = 0
    hits: int = 0
    _owner: Faults | None = field(default=None, repr=False)

    def remove(self) -> None:
        """Let no more calls be hit."""
        if self._owner is not None:
            self._owner.discard(self)

    @property
    def answers(self) -> bool:
        """Whether it stands in for the handler's answer."""
        return self.status is not None or self.body is not None or self.redirect is not None or self.raw is not None

    @property
    def processes(self) -> bool:
        """Whether the handler runs (and so the state may change)."""
        if self.hang or self.drop == "before" or self.reset == "before":
            return False
        return self.process or not self.answers

    def matches(self, call: Call) -> bool:
        """
        Whether this is a call of the kind; counts nothing.

        :param call: the call.
        """
        if self.method is not None and self.method.upper() != call.method:
            return False
        if self.path is not None:
            candidates = {call.path, call.path.rstrip("/"), call.path.removeprefix(API_PREFIX).rstrip("/")}
            if not any(fnmatch.fnmatchcase(candidate, self.path) for candidate in candidates):
                return False
        return self.when is None or bool(self.when(call))

    def takes(self, call: Call) -> bool:
        """
        Whether this very call is hit; counts it.

        :param call: the call.
        """
        if not self.matches(call):
            return False
        self.seen += 1
        turn = self.seen - self.after
        if turn < 1 or (turn - 1) % self.every or (self.times is not None and self.hits >= self.times):
            return False
        self.hits += 1
        return True


class Faults:
    """The faults of a server. May be used from any thread."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._faults: list[Fault] = []

    def add(
        self,
        method: str | None = None,
        path: str | None = None,
        *,
        when: Callable[[Call], bool] | None = None,
        times: int | None = 1,
        after: int = 0,
        every: int = 1,
        delay: float = 0.0,
        delay_when: Moment = "before",
        then: Callable[[], object] | None = None,
        then_when: Moment = "before",
        status: int | None = None,
        body: Any = None,
        headers: Mapping[str, str] | None = None,
        content_type: str | None = None,
        process: bool = False,
        redirect: str | None = None,
        change: Callable[[Any], Any] | None = None,
        drop: Moment | None = None,
        reset: Literal["before", "after", "body"] | None = None,
        truncate: int | None = None,
        gzip: Literal["good", "truncated", "corrupt"] | None = None,
        drip: float | None = None,
        hang: bool = False,
        raw: bytes | None = None,
    ) -> Fault:
        """
        Script a fault; returns it, with ``hits`` counting and ``remove()``.

        Several faults may hit one call: their delays and hooks add up, for the rest the first one counts.

        :param method: only calls with this method.
        :param path: only calls with this path: ``/users``, ``/oauth/token``, ``/users/*``; without ``/api/1.0``.
        :param when: only calls for which this is true.
        :param times: how many calls are hit, ``None`` for all.
        :param after: let this many calls of the kind pass first.
        :param every: hit only each so-many-th call of the kind.
        :param delay: wait so many seconds.
        :param delay_when: wait before the call is processed, or after it and before the answer.
        :param then: call this (in the server's thread), for example to delete a user while a client walks the pages.
        :param then_when: before the call is processed or after it.
        :param status: answer with this status instead.
        :param body: answer with this: bytes or text as they are, anything else as JSON.
        :param headers: more headers of the answer.
        :param content_type: of the answer.
        :param process: let the handler run although its answer is replaced.
        :param redirect: answer 302 to this path.
        :param change: change the decoded JSON of the real answer: takes and returns it.
        :param drop: close the connection without an answer, before or after processing.
        :param reset: the same with a TCP reset; ``"body"`` resets in the middle of the answer's body.
        :param truncate: send only so many bytes of the body, after headers that promise all of it.
        :param gzip: compress the body: well, cut short, or with broken bytes.
        :param drip: send the body a byte at a time, with so many seconds in between.
        :param hang: never answer.
        :param raw: write these bytes to the socket instead of an HTTP answer, and close.
        """
        fault = Fault(
            method=method, path=path, when=when, times=times, after=after, every=every, delay=delay,
            delay_when=delay_when, then=then, then_when=then_when, status=status, body=body, headers=headers or {},
            content_type=content_type, process=process, redirect=redirect, change=change, drop=drop, reset=reset,
            truncate=truncate, gzip=gzip, drip=drip, hang=hang, raw=raw, _owner=self,
        )  # fmt: skip
        with self._lock:
            self._faults.append(fault)
        return fault

    def discard(self, fault: Fault) -> None:
        """
        Take a fault away.

        :param fault: made by :meth:`add`.
        """
        with self._lock:
            if fault in self._faults:
                self._faults.remove(fault)

    def clear(self) -> None:
        """Take all faults away."""
        with self._lock:
            self._faults.clear()

    def hitting(self, call: Call) -> list[Fault]:
        """
        The faults that hit a call, counted.

        :param call: the call.
        """
        with self._lock:
            return [fault for fault in self._faults if fault.takes(call)]
