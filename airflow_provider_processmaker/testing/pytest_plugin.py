"""
Fixtures for tests with a stand-in ProcessMaker, there in every project that installs this package.

Nothing but pytest is imported until a test asks for a fixture: the plugin is loaded in every test run of every project,
also where the extra ``testing`` is not installed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from airflow_provider_processmaker.testing.server import ProcessMakerServer

_MISSING = (
    "The fixture processmaker_server needs {name}, which the extra 'testing' brings: "
    "pip install 'airflow-provider-processmaker[testing]'"
)


@pytest.fixture
def processmaker_server() -> Iterator[ProcessMakerServer]:
    """A stand-in ProcessMaker with 500 users on a free port, fresh for each test."""
    try:
        # All of what the server needs, asked for here: it imports some of it later, in its thread.
        import starlette  # noqa: F401
        import uvicorn  # noqa: F401
    except ModuleNotFoundError as error:
        pytest.fail(_MISSING.format(name=error.name), pytrace=False)
    from airflow_provider_processmaker.testing.server import ProcessMakerServer

    with ProcessMakerServer() as server:
        yield server


@pytest.fixture
def processmaker_connection(processmaker_server: ProcessMakerServer, monkeypatch: pytest.MonkeyPatch) -> str:
    """The id of an Airflow connection to the stand-in server, set in the environment for this test.

    Tokens stay in memory, so that the test leaves nothing in the home of Airflow.
    """
    monkeypatch.setenv("AIRFLOW__PROCESSMAKER__TOKEN_CACHE", "memory")
    monkeypatch.setenv("AIRFLOW_CONN_PROCESSMAKER_DEFAULT", processmaker_server.conn_uri)
    return "processmaker_default"
