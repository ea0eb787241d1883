"""The wheel in clean environments of other Airflow versions: found, importable, its form drawn, its example DAG run.

One version alone: ``PROCESSMAKER_TEST_VERSIONS=1 uv run pytest tests/packaging/test_wheel.py -k 2.11``.
"""

from __future__ import annotations

import json
import zipfile
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest

from airflow_provider_processmaker import __version__
from airflow_provider_processmaker.connection import FIELDS
from tests.packaging.environments import ROOT, only_if_asked_for, uv

if TYPE_CHECKING:
    from tests.packaging.environments import Installed

EXTRA_FIELDS = {field.name: field for field in FIELDS if not field.standard}
pytestmark = only_if_asked_for


@pytest.fixture(scope="session")
def probed(installed: Installed) -> dict[str, Any]:
    """What this Airflow sees of us."""
    found: dict[str, Any] = {}
    # Asked for its form, the server of Airflow 3.1 reads all hooks with stubs in the place of the old form's library:
    # that has a process of its own.
    for parts in (["imported", "registry", *(["widgets"] if installed.old_form else [])], ["server"]):
        done = installed.run("python", "-W", "ignore", ROOT / "tests" / "packaging" / "probe.py", *parts)
        assert done.returncode == 0, done.stderr
        found |= json.loads(done.stdout.splitlines()[-1])
    return found


def test_the_distributions_hold_what_they_should(distributions: Path) -> None:
    (wheel,) = distributions.glob("*.whl")
    (sdist,) = distributions.glob("*.tar.gz")
    assert f"-{__version__}" in wheel.name
    assert f"-{__version__}" in sdist.name
    names = zipfile.ZipFile(wheel).namelist()
    sources = {str(path.relative_to(ROOT)) for path in ROOT.glob("airflow_provider_processmaker/**/*.py")}
    assert {name for name in names if name.endswith(".py")} == sources
    assert "airflow_provider_processmaker/py.typed" in names
    assert {name.split("/")[0] for name in names if not name.startswith("airflow_provider_processmaker/")} == {
        f"airflow_provider_processmaker-{__version__}.dist-info"
    }


def test_the_environment_holds_together(installed: Installed) -> None:
    uv("pip", "check", "--python", installed.python, cwd=installed.home)
    version = installed.run("python", "-c", "import importlib.metadata as m; print(m.version('apache-airflow'))").stdout
    assert version.startswith(f"{installed.version}.")


def test_airflow_lists_the_provider(installed: Installed) -> None:
    done = installed.run("airflow", "providers", "list", "--output", "json")
    assert done.returncode == 0, done.stderr
    (ours,) = [row for row in rows_of(done.stdout) if row["package_name"] == "airflow-provider-processmaker"]
    assert ours["version"] == __version__
    assert ours["description"].startswith("ProcessMaker")


def test_every_class_path_imports_from_the_wheel(installed: Installed, probed: dict[str, Any]) -> None:
    paths = probed["imported"]
    assert {path.split(".")[1] for path in paths} >= {"hooks", "links", "operators", "sensors", "triggers"}
    assert all(Path(file).is_relative_to(installed.python.parents[1]) for file in paths.values()), paths


def test_the_form_has_all_fields_and_masks_the_secret_ones(installed: Installed, probed: dict[str, Any]) -> None:
    known = probed["registry"]
    assert known["fields"] == {name: field.secret for name, field in EXTRA_FIELDS.items()}
    assert known["behaviour"]["relabeling"] == {f.name: f.label for f in FIELDS if f.standard}
    assert set(known["behaviour"]["hidden_fields"]) == {"schema", "extra"}
    assert known["behaviour"]["placeholders"]["extra__processmaker__client_id"] == EXTRA_FIELDS["client_id"].placeholder


def test_the_old_form_draws_each_field_with_the_right_widget(installed: Installed, probed: dict[str, Any]) -> None:
    if not installed.old_form:
        pytest.skip("this Airflow draws the declared fields, see the next test")
    for name, field in EXTRA_FIELDS.items():
        drawn = probed["widgets"][name]
        kinds = {"boolean": ("BooleanField", "NoneType"), "integer": ("IntegerField", "BS3TextFieldWidget")}
        kind = kinds.get(field.kind, ("StringField", "BS3TextFieldWidget"))
        if field.secret:
            kind = ("PasswordField", "BS3PasswordFieldWidget")
        assert (drawn["class"], drawn["widget"]) == kind, name
        assert (drawn["label"], drawn["description"]) == (field.label, field.help)
        assert drawn["default"] == (str(field.default) if field.kind == "number" else field.default)


def test_the_server_gives_each_field_with_the_right_type(installed: Installed, probed: dict[str, Any]) -> None:
    if installed.version == "2.11":
        pytest.skip("Airflow 2 has no such server")
    fields = probed["server"]["extra_fields"]
    assert list(fields) == list(EXTRA_FIELDS)
    for name, field in EXTRA_FIELDS.items():
        given = fields[name]
        kinds = {"boolean": "boolean", "integer": "integer", "number": "string" if installed.old_form else "number"}
        assert given["schema"]["type"] == [kinds.get(field.kind, "string"), "null"], name
        assert given["schema"].get("format") == ("password" if field.secret else None), name
        assert (given["schema"]["title"], given["description"]) == (field.label, field.help)
    assert probed["server"]["standard_fields"]["host"]["title"] == "ProcessMaker URL"
    assert probed["server"]["standard_fields"]["url_schema"]["hidden"] is True


def test_the_example_dag_lists_users(installed: Installed) -> None:
    example = ROOT / "example_dags" / "processmaker_list_users.py"
    done = installed.run("python", ROOT / "scripts" / "run_example.py", example, "--users", "60")
    assert done.returncode == 0, done.stdout + done.stderr
    assert f"in Airflow {installed.version}." in done.stdout
    tail = [" ".join(line.split()) for line in done.stdout.splitlines()[-6:]]
    assert tail[0] == "Records 64"
    assert tail[-1] == "DAG run success"


def test_a_failed_run_says_why_on_its_last_line(installed: Installed) -> None:
    example = ROOT / "example_dags" / "processmaker_list_users.py"
    uri = "processmaker://admin:wrong@127.0.0.1:9/http?client_id=3&client_secret=none"
    code = f"import os, runpy, sys; os.environ['AIRFLOW_CONN_PROCESSMAKER_DEFAULT'] = '{uri}'; sys.argv = sys.argv[1:]"
    run = f"{code}; runpy.run_path(sys.argv[0], run_name='__main__')"
    done = installed.run("python", "-c", run, ROOT / "scripts" / "run_example.py", example)
    assert done.returncode == 1, done.stdout + done.stderr
    assert done.stdout.splitlines()[-1].startswith("Failed: list_users: No connection to the server could be made")


def test_nothing_is_left_in_the_home_folder(installed: Installed) -> None:
    assert not (installed.home / "airflow").exists()


def rows_of(output: str) -> list[dict[str, str]]:
    """The JSON list in an output where Airflow may have logged something before it."""
    return json.loads(output[output.rindex("\n[{") + 1 if "\n[{" in output else output.index("[{") :])
