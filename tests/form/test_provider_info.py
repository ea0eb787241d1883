"""What Airflow discovers, and that a connection means the same however it was stored."""

from __future__ import annotations

import importlib
import json
import re
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import quote, urlencode

import jsonschema
import pytest

from airflow_provider_processmaker.connection import CONNECTION_TYPE, FIELDS
from airflow_provider_processmaker.get_provider_info import get_provider_info

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import Settings

pytestmark = pytest.mark.airflow
#: Where what Airflow is told of has its modules.
PARTS = ("hooks", "operators", "sensors", "triggers")
EXTRA_FIELDS = {field.name: field for field in FIELDS if not field.standard}
LOGIN = {"host": "https://pm.test", "login": "airflow", "password": "secret-password"}
CLIENT = {"client_id": "3", "client_secret": "secret-of-the-client"}


def schema(name: str) -> dict[str, Any]:
    """One of the schemas that Airflow brings."""
    import airflow

    return json.loads((Path(airflow.__file__).parent / name).read_text(encoding="utf-8"))


def settings_of(monkeypatch: pytest.MonkeyPatch, stored: str) -> Settings:
    """The settings of a connection in the environment, by the hook and so by Airflow's own reading of it."""
    from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook

    monkeypatch.setenv("AIRFLOW_CONN_STORED", stored)
    return ProcessMakerHook("stored").get_settings()


def as_json(extra: dict[str, Any], **parts: Any) -> str:
    return json.dumps({"conn_type": CONNECTION_TYPE, **parts, "extra": extra})


def as_form(extra: dict[str, Any], **parts: Any) -> str:
    """As the form saves it: what was left empty is there too, the extra is text."""
    empty = dict.fromkeys(EXTRA_FIELDS)
    standard = {"port": None, "schema": "", "description": ""}
    return json.dumps({"conn_type": CONNECTION_TYPE, **standard, **parts, "extra": json.dumps(empty | extra)})


def as_airflows_uri(extra: dict[str, Any], **parts: Any) -> str:
    """As Airflow writes it, for the Test button among others."""
    from airflow.models.connection import Connection

    uri = Connection("any", CONNECTION_TYPE, extra=json.dumps(extra), **parts).get_uri()
    # Once more through Airflow: what the server gets, it may write again.
    return Connection("any", uri=uri).get_uri()


def as_flat_uri(extra: dict[str, Any], *, host: str, login: str = "", password: str = "") -> str:
    """As a person writes it: each field a text of its own, the host as it is."""
    scheme, _, address = host.partition("://")
    netloc, _, path = address.partition("/")
    assert not path, "a path in the URI is Airflow's schema"
    texts = {k: json.dumps(v) if isinstance(v, dict) else str(v).lower() if v in {True, False} else str(v)
             for k, v in extra.items()}  # fmt: skip
    who = f"{quote(login, safe='')}:{quote(password, safe='')}@" if login else ""
    return f"{CONNECTION_TYPE}://{who}{netloc}/{scheme}?{urlencode(texts)}"


def test_the_description_fits_airflows_schemas() -> None:
    info = get_provider_info()
    jsonschema.validate(info, schema("provider_info.schema.json"))
    # The schema of the source file knows the form; it wants more than a description has, hence this part alone.
    strict = schema("provider.yaml.schema.json")
    for part in ("connection-types", "integrations", "extra-links", *PARTS):
        jsonschema.validate(info[part], {"definitions": strict.get("definitions", {}), **strict["properties"][part]})


def test_every_class_path_imports() -> None:
    info = get_provider_info()
    modules = [name for part in PARTS for entry in info[part] for name in entry["python-modules"]]
    for name in modules:
        importlib.import_module(name)
    (connection,) = info["connection-types"]
    module, _, name = connection["hook-class-name"].rpartition(".")
    hook = getattr(importlib.import_module(module), name)
    assert (hook.conn_type, hook.hook_name) == (connection["connection-type"], connection["hook-name"])
    for path in info["extra-links"]:
        module, _, name = path.rpartition(".")
        assert getattr(importlib.import_module(module), name)().name


def test_every_module_that_airflow_should_know_is_named() -> None:
    import airflow_provider_processmaker as package

    info = get_provider_info()
    named = {name for part in PARTS for entry in info[part] for name in entry["python-modules"]}
    root = Path(package.__file__).parent
    found = {
        f"{package.__name__}.{part}.{path.stem}"
        for part in PARTS
        for path in (root / part).glob("*.py")
        if re.search(r"^class \w+\(\w*(Operator|Hook|Trigger)\)", path.read_text(encoding="utf-8"), re.MULTILINE)
    }
    assert named == found


@pytest.mark.usefixtures("airflow_database")
def test_the_page_gets_every_field() -> None:
    from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService

    (ours,) = [hook for hook in HookMetaService.hook_meta_data() if hook.connection_type == CONNECTION_TYPE]
    assert ours.hook_name == "ProcessMaker"
    standard = ours.standard_fields
    assert standard is not None
    assert standard.url_schema is not None
    assert standard.url_schema.hidden
    labels = {name: getattr(standard, name).title for name in ("host", "login", "password")}
    assert labels == {"host": "ProcessMaker URL", "login": "Username", "password": "Password"}
    given = ours.extra_fields
    assert given is not None
    assert list(given) == list(EXTRA_FIELDS)
    for name, field in EXTRA_FIELDS.items():
        assert given[name]["schema"]["title"] == field.label
        assert given[name]["description"] == field.help
        assert given[name]["value"] == field.default
        assert given[name]["schema"].get("format") == ("password" if field.secret else None), name
        assert "null" in given[name]["schema"]["type"], "or the form demands a value"


def test_airflow_masks_what_is_secret() -> None:
    """Airflow's API hides a part of a connection by its name alone, whatever the form says.

    So the name of a secret field must be one that Airflow takes for a secret. ``headers`` is not, unless an
    administrator adds it to ``[core] sensitive_var_conn_names``; the page on the connection says so.
    """
    from airflow.sdk.log import redact

    shown = redact(dict.fromkeys(EXTRA_FIELDS, "visible"))
    assert isinstance(shown, dict)
    secret = {name for name, field in EXTRA_FIELDS.items() if field.secret}
    assert {name for name, value in shown.items() if value == "***"} == secret - {"headers"}


def test_airflow_shows_headers_but_for_names_that_look_secret() -> None:
    """As the field's help and the page on the connection say."""
    from airflow.sdk.log import redact

    headers = {"Authorization": "hidden", "X-Gateway-Key": "visible"}
    assert redact({"headers": headers}) == {"headers": {**headers, "Authorization": "***"}}
    assert redact({"headers": json.dumps(headers)}) == {"headers": json.dumps(headers)}
    assert "REST API" in EXTRA_FIELDS["headers"].help


EVERYTHING: dict[str, Any] = {
    **CLIENT,
    "verify_tls": False,
    "ca_bundle": "/etc/ssl/our ca+1.pem",
    "client_cert": "/etc/ssl/a.pem,/etc/ssl/b.pem",
    "proxy": "http://us%40er:p%2Fw@proxy.test:3128",
    "headers": {"X-Gateway-Key": "k/%+ &=?#@:", "X-Other": "two-words"},
    "allow_http": True,
    "connect_timeout": 2.5,
    "read_timeout": 90,
    "max_retries": 0,
    "page_size": 250,
    "look_ahead": 7,
}
ODD = "@/:%+#?& =;é日😀'\"\\"


def test_every_field_is_tried() -> None:
    """In the stored forms below; a token and a login exclude each other."""
    assert {*EVERYTHING, "access_token"} == set(EXTRA_FIELDS)
    assert [name for name, value in EVERYTHING.items() if value == EXTRA_FIELDS[name].default] == []


@pytest.mark.parametrize(
    ("extra", "parts"),
    [
        pytest.param(CLIENT, LOGIN, id="plain"),
        pytest.param({"access_token": "eyJ0.a-b_c.d"}, {"host": "https://pm.test"}, id="access token"),
        pytest.param(EVERYTHING, LOGIN, id="every field"),
        pytest.param({**CLIENT, "verify_tls": True, "allow_http": False}, LOGIN, id="booleans the other way"),
        pytest.param(CLIENT, {**LOGIN, "host": "https://PM.Example.COM"}, id="upper case"),
        pytest.param(CLIENT, {**LOGIN, "host": "https://pm.test:8443"}, id="port"),
        pytest.param(CLIENT, {**LOGIN, "host": "http://127.0.0.1:8080"}, id="http"),
        pytest.param(CLIENT, {**LOGIN, "host": "https://[2001:db8::1]"}, id="IPv6"),
        pytest.param(CLIENT, {**LOGIN, "host": "https://[2001:db8::1]:8443"}, id="IPv6 with port"),
        pytest.param(
            {"client_id": "3", "client_secret": f"s{ODD}"},
            {"host": "https://pm.test", "login": f"u{ODD}", "password": f"p{ODD}"},
            id="special characters",
        ),
        pytest.param(CLIENT, {**LOGIN, "password": " begins and ends with a space "}, id="spaces around"),
    ],
)
def test_form_json_and_uris_give_the_same_settings(
    extra: dict[str, Any], parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    wanted = settings_of(monkeypatch, as_form(extra, **parts))
    given = {"username": parts.get("login"), "password": parts.get("password"), **extra}
    assert {name: getattr(wanted, name) for name in given} == given
    for write in (as_json, as_airflows_uri, as_flat_uri):
        assert settings_of(monkeypatch, write(extra, **parts)) == wanted, write.__name__


@pytest.mark.parametrize("host", ["https://pm.test/base", "pm.test:8443/base/", "https://[::1]:8443/a/b/api/1.0"])
def test_a_path_survives_airflows_round_trip(host: str, monkeypatch: pytest.MonkeyPatch) -> None:
    parts = {**LOGIN, "host": host}
    wanted = settings_of(monkeypatch, as_form(CLIENT, **parts))
    assert wanted.base_url.endswith(("/base", "/a/b"))
    for write in (as_json, as_airflows_uri):
        assert settings_of(monkeypatch, write(CLIENT, **parts)) == wanted, write.__name__


@pytest.mark.parametrize(
    "parts",
    [
        {"host": "pm.test", "port": 8443},
        {"host": "pm.test", "port": 8443, "schema": "https"},
        {"host": "https://pm.test:8443", "port": 8443},
        {"host": "https://pm.test:8443", "port": 0},
    ],
)
def test_port_and_schema_beside_the_host_are_honoured(parts: dict[str, Any], monkeypatch: pytest.MonkeyPatch) -> None:
    login = {"login": "airflow", "password": "secret-password"}
    for write in (as_json, as_airflows_uri):
        assert settings_of(monkeypatch, write(CLIENT, **login, **parts)).base_url == "https://pm.test:8443"


def test_an_empty_field_is_its_default(monkeypatch: pytest.MonkeyPatch) -> None:
    plain = settings_of(monkeypatch, as_json(CLIENT, **LOGIN))
    emptied = dict.fromkeys(EXTRA_FIELDS, "") | CLIENT
    assert settings_of(monkeypatch, as_json(emptied, **LOGIN)) == plain
    assert (plain.verify_tls, plain.read_timeout, plain.page_size) == (True, 65.0, None)


def test_no_secret_is_in_the_text_of_the_settings(monkeypatch: pytest.MonkeyPatch) -> None:
    settings = settings_of(monkeypatch, as_json(EVERYTHING, **LOGIN))
    assert len(settings.secrets) >= 5
    assert [secret for secret in settings.secrets if secret in repr(settings)] == []
