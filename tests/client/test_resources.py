"""The table of lists against what ProcessMaker describes of itself, and against its routes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import RESOURCES, InvalidInputError
from airflow_provider_processmaker.client.resources import resource_named

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import Resource

PROJECT = Path(__file__).resolve().parents[2]
_RECORDINGS = os.environ.get("PROCESSMAKER_RECORDINGS")
FACTS = Path(_RECORDINGS).parent if _RECORDINGS else PROJECT.parent / "shared" / "facts"


def facts(name: str) -> Any:
    file = FACTS / name
    return json.loads(file.read_text()) if file.is_file() else None


OPENAPI = facts("openapi.json")
ROUTES = facts("routes.json")
described = pytest.mark.skipif(OPENAPI is None or ROUTES is None, reason=f"no openapi.json and routes.json in {FACTS}")

#: Lists of separate packages, which the routes of the community server lack.
OF_PACKAGES = {"collections", "collection_records", "saved_searches"}

#: Parameters that the description lacks, and what says that the list takes them.
NOT_DESCRIBED = {
    # Lists that have no description at all.
    ("deleted_users", "filter"): "listed like users (10.2)",
    ("deleted_users", "order_by"): "listed like users (10.2)",
    ("deleted_users", "order_direction"): "listed like users (10.2)",
    ("cases", "userId"): "6.11",
    ("cases", "status"): "6.11",
    ("cases", "filterBy"): "6.11",
    ("cases", "search"): "6.11",
    ("comments", "order_by"): "an ordinary list (3.1)",
    ("comments", "order_direction"): "an ordinary list (3.1)",
    ("comments", "filter"): "an ordinary list (3.1)",
    ("comments", "commentable_id"): "required by the controller",
    ("comments", "commentable_type"): "required by the controller",
    ("comments", "type"): "kind of comment",
    # PMQL (4.1).
    ("requests", "pmql"): "4.1",
    ("tasks", "pmql"): "4.1",
    ("processes", "pmql"): "4.1",
    ("scripts", "pmql"): "4.1",
    ("screens", "pmql"): "4.1",
    ("settings", "pmql"): "4.1",
    ("security_logs", "pmql"): "4.1",
    ("signals", "pmql"): "4.1",
    # The filter of columns (3.11).
    ("requests", "advanced_filter"): "3.11",
    ("tasks", "advanced_filter"): "3.11",
    # Files of a request by their name or number (9.1).
    ("request_files", "name"): "9.1",
    ("request_files", "id"): "9.1",
    # The category of a process (5.1).
    ("processes", "category"): "5.1",
    # Filters of tasks (7.2).
    **{
        ("tasks", name): "7.2"
        for name in (
            "process_id", "user_id", "status", "element_id", "element_name", "include_sub_tasks", "statusfilter",
            "overdue", "non_system", "processesIManage",
        )
    },
}  # fmt: skip

#: Every list of the issue, by the name that the table gives it.
WANTED = {
    "users", "deleted_users", "groups", "group_users", "group_groups", "group_members", "processes", "start_processes",
    "start_events", "process_categories", "screen_categories", "script_categories", "requests", "cases", "tasks",
    "request_files", "files", "scripts", "script_executors", "screens", "environment_variables", "signals", "settings",
    "security_logs", "notifications", "comments", "task_assignments", "user_tokens", "collections",
    "collection_records", "saved_searches",
}  # fmt: skip


def full_path(resource: Resource) -> str:
    return resource.path if resource.path.startswith("/") else f"/api/1.0/{resource.path}"


def shape(path: str) -> str:
    """A path without the names of its parameters, which differ between the description and the routes."""
    return re.sub(r"\{[^}]*\}", "{}", path)


def operation(resource: Resource) -> dict[str, Any] | None:
    for path, methods in OPENAPI["paths"].items():
        if shape(f"/api/1.0{path}") == shape(full_path(resource)):
            return methods.get("get")
    return None


def parameters(given: dict[str, Any]) -> dict[str, str]:
    """Names of the parameters of an operation, and where each goes."""
    found = {}
    shared = OPENAPI["components"]["parameters"]
    for one in given.get("parameters", []):
        parameter = shared[one["$ref"].rpartition("/")[2]] if "$ref" in one else one
        found[parameter["name"]] = parameter["in"]
    return found


def test_it_covers_every_list_that_is_wanted() -> None:
    assert set(RESOURCES) >= WANTED


@described
@pytest.mark.parametrize("name", RESOURCES)
def test_the_path_is_a_list_of_the_server(name: str) -> None:
    resource = RESOURCES[name]
    routes = {shape(route["path"]) for route in ROUTES["routes"] if route["method"] == "GET"}
    if name in OF_PACKAGES:
        assert shape(full_path(resource)) not in routes
        assert operation(resource), "described at least"
    else:
        assert shape(full_path(resource)) in routes


@described
@pytest.mark.parametrize("name", RESOURCES)
def test_its_parameters_are_described(name: str) -> None:
    resource = RESOURCES[name]
    given = operation(resource)
    known = parameters(given) if given else {}
    unknown = [key for key in resource.parameters if key not in known and (name, key) not in NOT_DESCRIBED]
    assert unknown == []
    if given:
        # (One of start_processes is described as if it were in the path.)
        in_path = [key for key, place in known.items() if place == "path" and key != "without_event_definitions"]
        assert len(in_path) == len(resource.path_names)
        if resource.paged and name != "tasks":  # (its per_page is told in section 3 only)
            assert known.get(resource.size_parameter) == "query"


@described
@pytest.mark.parametrize(("name", "parameter"), NOT_DESCRIBED)
def test_no_exception_is_idle(name: str, parameter: str) -> None:
    given = operation(RESOURCES[name])
    assert parameter in RESOURCES[name].parameters
    assert parameter not in (parameters(given) if given else {})


@described
@pytest.mark.parametrize("name", RESOURCES)
def test_what_is_described_is_known(name: str) -> None:
    """But for what the walk does itself, and what changes the shape of the rows."""
    given = operation(RESOURCES[name])
    query = {key for key, place in (parameters(given) if given else {}).items() if place == "query"}
    left = query - {*RESOURCES[name].parameters, "per_page", "page"} - LEFT_OUT.get(name, set())
    assert left == set()


#: What is described, and left out on purpose.
LEFT_OUT = {
    # Gives something else than processes.
    "processes": {"simplified_data_for_selector"},
    # The list comes whole and in no order, whatever is asked (9.1).
    "request_files": {"filter", "order_by", "order_direction"},
    # Ignored by the server, as was seen on a real one.
    "users": {"include"},
}


@pytest.mark.parametrize("name", RESOURCES)
def test_it_agrees_with_itself(name: str) -> None:
    resource = RESOURCES[name]
    assert re.fullmatch(r"[a-z_]+", name)
    assert resource_named(f"/{name}/") is resource
    assert resource.order_by is None or {"order_by", "order_direction"} <= set(resource.parameters)
    assert not resource.tells_total or resource.paged
    assert set(resource.required) <= set(resource.parameters)
    assert len(set(resource.parameters)) == len(resource.parameters)
    assert not set(resource.path_names) & set(resource.parameters)
    assert not {key for key, _ in resource.fixed} & set(resource.parameters)
    assert 1 <= resource.page_size <= 500


@pytest.mark.parametrize("name", [name for name, resource in RESOURCES.items() if resource.path_names])
def test_a_path_must_be_filled(name: str) -> None:
    resource = RESOURCES[name]
    with pytest.raises(InvalidInputError, match=f"needs {resource.path_names[0]}"):
        resource.endpoint({})
    (first,) = resource.path_names
    path, rest = resource.endpoint({first: "a/b?c"})
    assert "a%2Fb%3Fc" in path
    assert rest == {}
