"""
A stand-in ProcessMaker server for tests and demonstrations.

It answers on a real socket as ProcessMaker 4.15 does: OAuth with rotation, revocation and throttle, users, groups,
memberships, environment variables and permissions, processes and a small engine that runs them, requests, tasks, PMQL,
files, scripts and more, with the error answers and the page quirks of the real one.

Nothing here is used by production code, and nothing heavy is imported until :class:`ProcessMakerServer` is asked for,
so that the pytest plugin costs a project nothing that does not use it.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from airflow_provider_processmaker.testing.calls import Call
    from airflow_provider_processmaker.testing.faults import Fault
    from airflow_provider_processmaker.testing.server import ProcessMakerServer

__all__ = ["Call", "Fault", "ProcessMakerServer"]

_HOMES = {"Call": "calls", "Fault": "faults", "ProcessMakerServer": "server"}


def __getattr__(name: str) -> Any:
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    return getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)


def __dir__() -> list[str]:
    return sorted(__all__)
