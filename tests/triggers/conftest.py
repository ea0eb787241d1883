"""What the tests of the triggers share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Callable

    from airflow_provider_processmaker.testing import ProcessMakerServer


@pytest.fixture
def ids(server: ProcessMakerServer) -> list[int]:
    """Requests that wait for somebody."""
    server.add_process("Order", ["Approve"], start_users=["bob"])
    return [request.id for request in server.add_requests("Order", 5)]


@pytest.fixture
def shown(caplog: pytest.LogCaptureFixture, capfd: pytest.CaptureFixture[str]) -> Callable[[], str]:
    """All that was logged: a trigger's own log is Airflow's, which goes to the output here."""
    caplog.set_level("INFO")
    return lambda: caplog.text + "".join(capfd.readouterr())
