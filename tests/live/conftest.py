from __future__ import annotations

import contextlib
import os
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.live.target import VARIABLE, Target, settings_of

if TYPE_CHECKING:
    from collections.abc import Iterator

#: Of the sixty token calls a minute that a server allows, all flows together take at most so many.
MOST_TOKEN_CALLS = 30


def everything(target: Target) -> dict[str, list[Any]]:
    """The ids of all that a flow could leave behind."""
    lists = ("users", "groups", "requests", "processes", "process_categories")
    found = {name: [row["id"] for row in target.admin.iter_records(name)] for name in lists}
    me = target.admin.whoami()["id"]
    return found | {"tokens": [row["id"] for row in target.admin.iter_records("user_tokens", user_id=me)]}


def in_the_end(target: Target) -> None:
    """What could not be deleted after its test is tried once more."""
    target.leftovers.clean_up()
    assert target.leftovers.found() == [], "something was left behind"


@pytest.fixture(scope="package", params=["stand-in", pytest.param("live", marks=pytest.mark.live)])
def server_settings(request: pytest.FixtureRequest) -> Iterator[Target]:
    """The stand-in always; a real server if its connection is given."""
    if request.param == "live":
        connection = os.environ.get(VARIABLE)
        if not connection:
            pytest.skip(f"needs a real ProcessMaker: an Airflow connection (URI or JSON) to it in {VARIABLE}")
        with contextlib.closing(Target(settings_of(connection))) as target:
            yield target
            in_the_end(target)
        return
    with ProcessMakerServer(users=30) as server, contextlib.closing(Target(settings_of(server.conn_uri))) as target:
        before = everything(target)
        yield target
        in_the_end(target)
        # Here nobody else makes anything, so that also what was not told of before shows.
        assert everything(target) == before, "something was left behind"
        assert server.token_calls <= MOST_TOKEN_CALLS


@pytest.fixture
def target(server_settings: Target) -> Iterator[Target]:
    """The server; what a test leaves behind is deleted."""
    try:
        yield server_settings
    finally:
        server_settings.leftovers.clean_up()


@pytest.fixture
def login(target: Target) -> Target:
    """The server, for what is about logging in with a password."""
    if not target.has_login:
        pytest.skip(f"is about logging in with a password: the connection in {VARIABLE} has a personal access token")
    return target
