"""The table of lists against what ProcessMaker describes of itself, and against its routes."""

from __future__ import annotations

import json
import os
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker.client import RESOURCES, InvalidInputError
from airflow_provider_processmaker.client.resource_table import resource_named
from airflow_provider_processmaker.client.resources import META

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
    **{
        (name, parameter): "6.11"
        for name in ("cases", "cases_in_progress", "cases_completed")
        for parameter in ("userId", "filterBy", "search")
    },
    ("cases", "status"): "6.11",
    ("comments", "order_by"): "an ordinary list (3.1)",
    ("comments", "order_direction"): "an ordinary list (3.1)",
    ("comments", "commentable_id"): "required by the controller",
    ("comments", "commentable_type"): "required by the controller",
    ("comments", "type"): "kind of comment",
    # PMQL (4.1).
    **{
        (name, "pmql"): "4.1"
        for name in ("requests", "tasks", "processes", "scripts", "screens", "settings", "security_logs", "signals")
    },
    # The filter of columns (3.11).
    ("requests", "advanced_filter"): "3.11",
    ("tasks", "advanced_filter"): "3.11",
    # Files of a request by their name or number (9.1).
    ("request_files", "name"): "9.1",
    ("request_files", "id"): "9.1",
    # Filters of processes (5.1).
    ("processes", "category"): "5.1",
    ("processes", "cat_status"): "5.1",
    # Filters of users (10.2).
    ("users", "mention_username"): "10.2",
    # What the controllers read.
    ("group_users", "order_by"): "GroupController::users",
    ("group_groups", "order_by"): "GroupController::groups",
    ("settings", "group"): "SettingController::index",
    ("process_categories", "include"): "ProcessCategoryController::index",
    ("process_categories", "status"): "ProcessCategoryController::index",
    **{
        ("task_assignments", name): "TaskAssignmentController::index"
        for name in ("include", "process_id", "process_task_id", "assignment_id", "assignment_type")
    },
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
    # Ignored by their controllers.
    "environment_variables": {"include"},
    "settings": {"include"},
    "notifications": {"include"},
    "task_assignments": {"filter"},
    "script_executors": {"filter"},
}


@pytest.mark.parametrize("name", RESOURCES)
def test_it_agrees_with_itself(name: str) -> None:
    resource = RESOURCES[name]
    assert re.fullmatch(r"[a-z_]+", name)
    assert resource_named(f"/{name}/") is resource
    if resource.order_parameter == "order_by":
        assert resource.order_by is None or {"order_by", "order_direction"} <= set(resource.parameters)
    assert not resource.ascending or (resource.order_by is not None and resource.id_type == "integer")
    assert not resource.tells_total or resource.paged
    assert set(resource.required) <= set(resource.parameters)
    assert {name for name, _ in resource.choices} <= set(resource.parameters)
    assert len(set(resource.parameters)) == len(resource.parameters)
    assert not set(resource.path_names) & set(resource.parameters)
    assert resource.cleans_pmql or resource.pmql
    assert resource.permission
    assert all(quirk.endswith(".") for quirk in resource.quirks)
    assert 1 <= resource.page_size <= 1000


@pytest.mark.parametrize("name", [name for name, resource in RESOURCES.items() if resource.path_names])
def test_a_path_must_be_filled(name: str) -> None:
    resource = RESOURCES[name]
    with pytest.raises(InvalidInputError, match=f"needs {resource.path_names[0]}"):
        resource.endpoint({})
    (first,) = resource.path_names
    path, rest = resource.endpoint({first: "a/b?c"})
    assert "a%2Fb%3Fc" in path
    assert rest == {}


def schema_of(given: Any) -> dict[str, Any]:
    """A schema, its references followed and its parts put together."""
    while "$ref" in given:
        at = OPENAPI
        for step in given["$ref"].split("/")[1:]:
            at = at[step]
        given = at
    merged = dict(given)
    for part in given.get("allOf", []):
        merged["properties"] = {**merged.get("properties", {}), **schema_of(part).get("properties", {})}
    return merged


def answer_of(given: dict[str, Any]) -> dict[str, Any]:
    """Properties of the described answer of a list."""
    content = given["responses"]["200"]["content"]["application/json"]["schema"]
    found: dict[str, Any] = schema_of(content).get("properties", {})
    return found


#: Where the description says otherwise than the server does, by what says so.
SEEN_OTHERWISE = {
    ("request_files", "meta"): "no meta (9.1)",
}


@described
@pytest.mark.parametrize("name", [name for name, one in RESOURCES.items() if OPENAPI and operation(one)])
def test_its_answer_is_as_described(name: str) -> None:
    """A list, with or without its meta, whose rows have the field that tells them apart."""
    resource = RESOURCES[name]
    given = operation(resource)
    assert given
    answer = answer_of(given)
    assert ("meta" in answer) == (resource.meta != "none") or (name, "meta") in SEEN_OTHERWISE
    rows = schema_of(schema_of(answer["data"]).get("items", {})).get("properties", {})
    if resource.key in rows:
        # (It calls many whole numbers a text; the facts, 14.4, have them right.)
        kind = {"integer": ("integer", "string"), "text": ("string",), "uuid": ("string",)}[resource.id_type]
        assert rows[resource.key]["type"] in kind


@described
@pytest.mark.parametrize("name", RESOURCES)
def test_its_permission_is_that_of_its_route(name: str) -> None:
    resource = RESOURCES[name]
    routes = [one for one in ROUTES["routes"] if one["method"] == "GET"]
    needed = {
        permission.removeprefix("can:").partition(",")[0]
        for route in routes
        if shape(route["path"]) == shape(full_path(resource))
        for permission in route["required_permission"]
    }
    assert needed <= {resource.permission, "view"}, "(view is the policy of the record in the path)"


#: Lists that there are and that are not in the table, and why.
NOT_OF_THE_TABLE = {
    "/api/1.0/group_members_available": "groups of which a user is no member: for the form of the web pages",
    "/api/1.0/user_members_available": "users who are not in a group: for the form of the web pages",
    "/api/1.0/users_task_count": "a page of fifty, whatever is asked for: for the form that reassigns",
    "/api/1.0/settings/groups": "names of groups of settings, not records",
    "/api/1.0/version_histories": "of a package; a part of the record that it is about",
    "/api/1.0/saved-searches/icons": "pictures",
    "/api/1.0/saved-searches/{}/charts": "of a package; a part of the record that it is about",
    "/api/1.0/saved-searches/{}/users": "of a package; a part of the record that it is about",
    "/api/1.0/saved-searches/{}/groups": "of a package; a part of the record that it is about",
    "/api/1.0/script-executors/available-languages": "names of languages, not records",
    "/api/1.0/processes/{}/start_events": "there is no such route: start_events has the one that there is",
}


@described
def test_every_list_that_is_described_is_in_the_table_or_left_out_for_a_reason() -> None:
    lists = set()
    for path, methods in OPENAPI["paths"].items():
        given = methods.get("get", {})
        if "200" not in given.get("responses", {}):
            continue
        content = given["responses"]["200"].get("content", {}).get("application/json", {}).get("schema", {})
        if {"data", "meta"} <= schema_of(content).get("properties", {}).keys():
            lists.add(shape(f"/api/1.0{path}"))
    table = {shape(full_path(resource)) for resource in RESOURCES.values()}
    assert lists - table - NOT_OF_THE_TABLE.keys() == set()
    undescribed = {"/api/1.0/user_members_available", "/api/1.0/settings/groups"} - lists
    assert set(NOT_OF_THE_TABLE) - lists - undescribed == set(), "no reason is idle"


@pytest.mark.parametrize("name", [name for name, resource in RESOURCES.items() if resource.choices])
def test_other_values_are_refused(name: str) -> None:
    resource = RESOURCES[name]
    path = dict.fromkeys(resource.path_names, 1)
    for parameter, values in resource.choices:
        several = [list(values), ",".join(values)]
        for good in (values[0], *(several if parameter == "include" else [])):
            resource.endpoint({**path, parameter: good})
        for bad in (
            "bogus",
            [values[0], "bogus"],
            f"{values[0]},bogus",
            True,
            *(several if parameter != "include" else []),
        ):
            with pytest.raises(InvalidInputError, match=f"knows no {parameter}"):
                resource.endpoint({**path, parameter: bad})


def test_kinds_of_meta_are_used() -> None:
    assert {resource.meta for resource in RESOURCES.values()} == set(META)
