"""The clean-up itself, against a stand-in that fails: nothing that was made on somebody's server may be forgotten."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import ServerError, UnknownOutcomeError
from airflow_provider_processmaker.testing import ProcessMakerServer
from tests.live.conftest import everything
from tests.live.target import Target, settings_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator


@pytest.fixture
def server() -> Iterator[ProcessMakerServer]:
    with ProcessMakerServer(users=3) as started:
        yield started


@pytest.fixture
def failing(server: ProcessMakerServer) -> Iterator[Target]:
    """Its administrator; on the server are the faults that a test adds."""
    with contextlib.closing(Target(settings_of(server.conn_uri))) as made:
        yield made


MAKE: dict[str, tuple[str, Callable[[Target], Any]]] = {
    "groups": ("/groups", lambda target: target.create_group()),
    "users": ("/users", lambda target: target.create_user()),
    "user_tokens": ("/users/1/tokens", lambda target: target.create_token(1)),
    "processes": ("/processes", lambda target: target.create_process()),
}


@pytest.mark.parametrize("moment", ["before", "after"])
@pytest.mark.parametrize("kind", MAKE)
def test_a_create_whose_answer_is_lost(server: ProcessMakerServer, failing: Target, kind: str, moment: Any) -> None:
    """It was made, perhaps: it is looked for by the name that it was to have."""
    path, make = MAKE[kind]
    before = everything(failing)
    server.faults.add("POST", path, drop=moment)
    with pytest.raises(UnknownOutcomeError):
        make(failing)
    assert len(failing.leftovers.found()) == (moment == "after")
    assert (everything(failing) == before) is (moment == "before")
    failing.leftovers.clean_up()
    assert everything(failing) == before
    assert (failing.leftovers.found(), failing.leftovers.waiting) == ([], [])


def test_a_deletion_that_fails(server: ProcessMakerServer, failing: Target) -> None:
    """The others are deleted all the same, and this one at the next time."""
    before = everything(failing)
    made = [failing.create_group()["name"], failing.create_user()[0]["username"], failing.create_group()["name"]]
    fault = server.faults.add("DELETE", "/users/*", status=500)
    with pytest.raises(ExceptionGroup, match="not all that was made could be deleted") as caught:
        failing.leftovers.clean_up()
    assert [type(problem) for problem in caught.value.exceptions] == [ServerError]
    assert failing.leftovers.found() == [one.name for one in failing.leftovers.waiting] == [made[1]]
    failing.leftovers.clean_up()
    assert fault.hits == 1
    assert everything(failing) == before


def test_a_server_that_is_away(server: ProcessMakerServer, failing: Target) -> None:
    before = everything(failing)
    for _, make in MAKE.values():
        make(failing)
    fault = server.faults.add(status=500, times=None)
    with pytest.raises(ExceptionGroup) as caught:
        failing.leftovers.clean_up()
    assert len(caught.value.exceptions) == len(failing.leftovers.waiting) == len(MAKE)
    fault.remove()
    failing.leftovers.clean_up()
    assert everything(failing) == before


def test_a_request_that_cannot_be_deleted(server: ProcessMakerServer, failing: Target) -> None:
    before = everything(failing)
    process = failing.create_process()
    stuck, _ = (failing.admin.start_process(process["id"])["id"] for _ in range(2))
    server.faults.add("DELETE", f"/requests/{stuck}", status=500)
    with pytest.raises(ExceptionGroup):
        failing.leftovers.clean_up()
    assert everything(failing) == {**before, "requests": [stuck]}
    failing.leftovers.clean_up()
    assert everything(failing) == before


def test_what_a_test_has_deleted_itself(failing: Target) -> None:
    before = everything(failing)
    group, (user, _), (token, _) = failing.create_group(), failing.create_user(), failing.create_token(1)
    for path in (f"groups/{group['id']}", f"users/{user['id']}", token):
        failing.admin.delete(path)
    failing.leftovers.clean_up()
    assert everything(failing) == before


def test_a_renamed_one(failing: Target) -> None:
    before = everything(failing)
    group = failing.create_group()
    failing.admin.put(f"groups/{group['id']}", {"name": f"{group['name']}-b", "status": "ACTIVE"})
    failing.leftovers.clean_up()
    assert everything(failing) == before


def test_a_category_of_our_own_stays_with_its_archived_process(failing: Target) -> None:
    """Where the server has none that is active; the next run takes it again."""
    for category in list(failing.admin.iter_records("process_categories")):
        failing.admin.put(f"process_categories/{category['id']}", {"name": category["name"], "status": "INACTIVE"})
    before = everything(failing)
    first = failing.create_process()
    failing.leftovers.clean_up()
    assert failing.leftovers.waiting == []
    ours = int(first["process_category_id"])
    assert everything(failing) == {**before, "process_categories": [*before["process_categories"], ours]}
    assert int(failing.create_process()["process_category_id"]) == ours


def test_what_is_left_is_told(failing: Target) -> None:
    group, (user, _) = failing.create_group(), failing.create_user()
    failing.create_token(user["id"])
    failing.create_token(1)
    failing.leftovers.waiting.clear()
    assert failing.leftovers.found() == sorted(
        one.name for one in failing.leftovers.made if one.user_id != user["id"]
    ), "the token of a user of ours goes with him"
    failing.admin.delete(f"groups/{group['id']}")
    assert group["name"] not in failing.leftovers.found()
