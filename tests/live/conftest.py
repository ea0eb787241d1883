from __future__ import annotations

import os
from typing import TYPE_CHECKING

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.live.target import VARIABLE, Target, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of the sixty token calls a minute that a server allows, all flows together take at most so many.
MOST_TOKEN_CALLS = 30


@pytest.fixture(scope="package", params=["stand-in", pytest.param("live", marks=pytest.mark.live)])
def server_settings(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The stand-in always; a real server if its connection is given."""
    if request.param == "live":
        connection = os.environ.get(VARIABLE)
        if not connection:
            pytest.skip(f"needs a real ProcessMaker: an Airflow connection (URI or JSON) to it in {VARIABLE}")
        target = Target(settings_of(connection))
        yield target
        target.close()
        return
    with ProcessMakerServer(users=30) as server:
        users = server.user_ids
        target = Target(settings_of(server.conn_uri))
        yield target
        target.close()
        assert (server.requests, server.user_ids) == ([], users), "something was left behind"
        assert server.token_calls <= MOST_TOKEN_CALLS


@pytest.fixture
def target(server_settings: Target) -> Iterator[Target]:
    """The server; what a test leaves behind is deleted."""
    try:
        yield server_settings
    finally:
        server_settings.clean_up()
