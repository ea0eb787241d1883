"""The house plan, held: who imports whom, what is public, how large things may grow."""

from __future__ import annotations

import ast
import inspect
import sys
from importlib import import_module
from pathlib import Path

import pytest

import airflow_provider_processmaker
from airflow_provider_processmaker import client

PACKAGE = "airflow_provider_processmaker"
ROOT = Path(airflow_provider_processmaker.__file__).parent

LONGEST_MODULE = 420
LONGEST_FUNCTION = 45


def module_name(path: Path) -> str:
    parts = path.relative_to(ROOT).with_suffix("").parts
    return ".".join([PACKAGE, *(part for part in parts if part != "__init__")])


MODULES = {module_name(path): path for path in sorted(ROOT.rglob("*.py"))}
TREES = {name: ast.parse(path.read_text(encoding="utf-8")) for name, path in MODULES.items()}


def is_type_checking(node: ast.AST) -> bool:
    return isinstance(node, ast.If) and "TYPE_CHECKING" in ast.unparse(node.test)


def imported(tree: ast.AST, *, everywhere: bool) -> set[str]:
    """Modules that a module imports when it runs; what only a type checker reads does not count.

    ``everywhere``: inside functions too, not only when the module is loaded.
    """
    found: set[str] = set()
    waiting = [tree]
    while waiting:
        node = waiting.pop()
        if is_type_checking(node):
            waiting += node.orelse
            continue
        if isinstance(node, ast.Import):
            found |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            assert not node.level, "imports are absolute"
            module = node.module or ""
            found.add(module)
            found |= {f"{module}.{alias.name}" for alias in node.names if f"{module}.{alias.name}" in MODULES}
        if everywhere or not isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda):
            waiting += ast.iter_child_nodes(node)
    return found


def room_of(name: str) -> str:
    """The room of the house that a module of ours stands in."""
    return name.removeprefix(f"{PACKAGE}.").partition(".")[0] if name.startswith(f"{PACKAGE}.") else ""


def is_airflow(name: str) -> bool:
    return name == "airflow" or name.startswith("airflow.")


#: Rooms that a room must not enter, not even inside a function.
FORBIDDEN = {
    "client": {"connection", "get_provider_info", "hooks", "operators", "sensors", "triggers", "transfers", "links",
               "notifications", "testing"},
    "testing": {"client", "connection", "get_provider_info", "hooks", "operators", "sensors", "triggers",
                "transfers", "links", "notifications"},
    "connection": {"hooks", "operators", "sensors", "triggers", "transfers", "links", "notifications", "testing"},
    "hooks": {"operators", "sensors", "triggers", "transfers", "links", "notifications", "testing"},
    "triggers": {"operators", "sensors", "transfers", "notifications", "testing"},
    "operators": {"sensors", "testing"},
    "sensors": {"testing"},
    "transfers": {"testing"},
    "notifications": {"testing"},
}  # fmt: skip


@pytest.mark.parametrize("name", MODULES)
def test_rooms_are_entered_from_above_only(name: str) -> None:
    room = room_of(name)
    entered = {room_of(other) for other in imported(TREES[name], everywhere=True)}
    assert not entered & FORBIDDEN.get(room, set())


@pytest.mark.parametrize("name", [name for name in MODULES if room_of(name) in {"client", "testing"}])
def test_client_and_stand_in_need_no_airflow(name: str) -> None:
    assert not [other for other in imported(TREES[name], everywhere=True) if is_airflow(other)]


@pytest.mark.parametrize("name", [f"{PACKAGE}.{name}" for name in ("get_provider_info", "connection", "configuration")])
def test_what_every_airflow_process_reads_is_standard_library(name: str) -> None:
    allowed = {*sys.stdlib_module_names, PACKAGE}
    modules = imported(TREES[name], everywhere=False)
    assert {other.partition(".")[0] for other in modules} <= allowed
    assert {room_of(other) for other in modules} <= {"", "configuration", "connection", "connection_fields"}


def test_dag_files_load_nothing_heavy() -> None:
    """All that importing the operators, sensors and so on loads, directly or not."""
    doors = {"operators", "sensors", "triggers", "transfers", "links", "notifications"}
    loaded = {name for name in MODULES if room_of(name) in doors}
    foreign: set[str] = set()
    waiting = list(loaded)
    while waiting:
        modules = imported(TREES[waiting.pop()], everywhere=False)
        foreign |= modules - set(MODULES)
        waiting += modules & set(MODULES) - loaded
        loaded |= modules & set(MODULES)
    assert len(loaded) > 5
    assert not {name.partition(".")[0] for name in foreign} & {"requests", "urllib3", "msgspec", "cryptography"}
    assert "client" not in {room_of(name) for name in loaded}


def test_no_circles() -> None:
    graph = {name: imported(tree, everywhere=False) & set(MODULES) - {name} for name, tree in TREES.items()}
    # A package is loaded before what is in it; that is no circle.
    graph = {name: {other for other in to if not name.startswith(f"{other}.")} for name, to in graph.items()}
    done: set[str] = set()

    def visit(name: str, trail: tuple[str, ...]) -> None:
        assert name not in trail, f"a circle: {' -> '.join([*trail, name])}"
        if name not in done:
            for other in sorted(graph[name]):
                visit(other, (*trail, name))
            done.add(name)

    for name in graph:
        visit(name, ())


def public_names() -> list[tuple[str, str]]:
    found = []
    for name, tree in TREES.items():
        for node in tree.body:
            if isinstance(node, ast.Assign) and any(getattr(target, "id", "") == "__all__" for target in node.targets):
                found += [(name, str(item)) for item in ast.literal_eval(node.value)]
    return found


@pytest.mark.parametrize(("module", "name"), public_names())
def test_public_names_exist_and_are_documented(module: str, name: str) -> None:
    value = getattr(import_module(module), name)
    if inspect.isclass(value) or inspect.isfunction(value):
        assert inspect.getdoc(value), f"{module}.{name} has no docstring"
        if inspect.isclass(value) and value.__module__.startswith(PACKAGE):
            for method, function in vars(value).items():
                if not method.startswith("_") and inspect.isfunction(function):
                    assert inspect.getdoc(function), f"{module}.{name}.{method} has no docstring"


@pytest.mark.parametrize("name", MODULES)
def test_modules_and_functions_stay_small_and_modules_say_what_they_are_for(name: str) -> None:
    text = MODULES[name].read_text(encoding="utf-8")
    assert len(text.splitlines()) <= LONGEST_MODULE
    assert ast.get_docstring(TREES[name]), "no docstring"
    for node in ast.walk(TREES[name]):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            assert body_lines(node) <= LONGEST_FUNCTION, f"{node.name} is too long"


def body_lines(node: ast.FunctionDef | ast.AsyncFunctionDef) -> int:
    """Lines of a function below its signature and its docstring."""
    first = node.body[1] if ast.get_docstring(node) and len(node.body) > 1 else node.body[0]
    return (node.end_lineno or 0) - first.lineno + 1


def test_the_client_lists_its_names_once_and_loads_them_late() -> None:
    homes = client._HOMES
    assert sorted(client.__all__) == sorted(name for names in homes.values() for name in names)
    assert set(client.__all__) <= set(dir(client))
    for home, names in homes.items():
        assert set(names) <= set(import_module(f"{client.__name__}.{home}").__all__)
    typed = {
        alias.name
        for node in ast.walk(TREES[client.__name__])
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith(client.__name__)
        for alias in node.names
    }
    assert typed == set(client.__all__)
    with pytest.raises(AttributeError, match="no attribute 'Nope'"):
        _ = client.Nope
