"""The fields of a ``processmaker`` connection: one table, from which form, parser, secrets and docs come.

Standard library only at import, since every Airflow process reads the table.
"""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.connection_fields import Field

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.settings import Settings

__all__ = ["CONNECTION_TYPE", "DEFAULT_CONNECTION", "FIELDS", "Field", "conn_fields", "field_behaviour", "parse"]

CONNECTION_TYPE = "processmaker"
DEFAULT_CONNECTION = "processmaker_default"
HOOK_NAME = "ProcessMaker"

log = logging.getLogger(__name__)


FIELDS: tuple[Field, ...] = (
    Field(
        name="host",
        label="ProcessMaker URL",
        kind="text",
        help="Address of the server. https unless it says otherwise; port and path are allowed.",
        placeholder="https://processmaker.example.com",
        standard=True,
        setting="base_url",
    ),
    Field(
        name="login",
        label="Username",
        kind="text",
        help="User name (not e-mail address) of the user whose permissions all calls have.",
        placeholder="airflow",
        standard=True,
        setting="username",
    ),
    Field(name="password", label="Password", kind="secret", help="Password of this user.", secret=True, standard=True),
    Field(
        name="client_id",
        label="Client ID",
        kind="text",
        help="Id of an auth client with Enable Password Grant (Admin > Auth Clients).",
        placeholder="3",
    ),
    Field(name="client_secret", label="Client Secret", kind="secret", help="Secret of this client.", secret=True),
    Field(
        name="access_token",
        label="Access Token",
        kind="secret",
        help="A personal access token, used instead of user name, password and client.",
        secret=True,
    ),
    Field(
        name="verify_tls",
        label="Verify TLS",
        kind="boolean",
        help="Check the certificate of the server. Switch off for tests only.",
        default=True,
    ),
    Field(
        name="ca_bundle",
        label="CA Bundle",
        kind="text",
        help="Path of a PEM file with the authorities to trust, on the machines where tasks run.",
        placeholder="/etc/ssl/certs/our-ca.pem",
    ),
    Field(
        name="client_cert",
        label="Client Certificate",
        kind="text",
        help="Path of a PEM file with certificate and key for mutual TLS, or two paths with a comma between.",
        placeholder="/etc/ssl/airflow.pem",
    ),
    Field(
        name="proxy",
        label="Proxy",
        kind="text",
        help="URL, as http://proxy.example.com:3128. Empty: what HTTPS_PROXY and NO_PROXY say.",
        secret=True,
        placeholder="http://proxy.example.com:3128",
    ),
    Field(
        name="headers",
        label="Extra Headers",
        kind="object",
        help=(
            'JSON object of headers for every call, as a gateway may want: {"X-Gateway-Key": "..."}. '
            "Airflow's REST API shows them to people who may read connections."
        ),
        secret=True,
        placeholder='{"X-Gateway-Key": "..."}',
    ),
    Field(
        name="allow_http",
        label="Allow plain http",
        kind="boolean",
        help="Send secrets unencrypted to a host other than this machine.",
        default=False,
    ),
    Field(
        name="connect_timeout",
        label="Connect Timeout",
        kind="number",
        help="Seconds to wait for a connection.",
        default=5,
        lowest=0.001,
        highest=3600,
    ),
    Field(
        name="read_timeout",
        label="Read Timeout",
        kind="number",
        help="Seconds to wait for an answer; the server itself may hold a write for 60.",
        default=65,
        lowest=0.001,
        highest=3600,
    ),
    Field(
        name="max_retries",
        label="Max Retries",
        kind="integer",
        help="How often a call that may be repeated safely is repeated.",
        default=3,
        lowest=0,
        highest=20,
    ),
    Field(
        name="page_size",
        label="Page Size",
        kind="integer",
        help="Rows a page of every list. Empty: what suits each list.",
        lowest=1,
        highest=10_000,
    ),
    Field(
        name="look_ahead",
        label="Look Ahead",
        kind="integer",
        help="Pages of a list to fetch ahead of the one in hand. 1: one after the other.",
        default=4,
        lowest=1,
        highest=16,
    ),
)

_EXTRA_FIELDS = tuple(field for field in FIELDS if not field.standard)
_STANDARD_FIELDS = tuple(field for field in FIELDS if field.standard)

#: Fields of Airflow's form that are not shown: the URL says it all.
HIDDEN_STANDARD_FIELDS = ("schema", "extra")


def conn_fields() -> dict[str, dict[str, Any]]:
    """``conn-fields`` of the provider: the form of Airflow 3.2 and later."""
    return {
        field.name: {"label": field.label, "description": field.help, "schema": field.schema()}
        for field in _EXTRA_FIELDS
    }


def field_behaviour() -> dict[str, Any]:
    """``ui-field-behaviour`` of the provider, in the spelling of its schema."""
    return {
        "hidden-fields": list(HIDDEN_STANDARD_FIELDS),
        "relabeling": {field.name: field.label for field in _STANDARD_FIELDS},
        "placeholders": {field.name: field.placeholder for field in FIELDS if field.placeholder},
    }


def parse(
    *,
    host: str | None,
    login: str | None = None,
    password: str | None = None,
    port: int | None = None,
    schema: str | None = None,
    extra: Mapping[str, Any] | None = None,
) -> Settings:
    """The client's settings from the parts of a connection, however it was stored.

    :param host: the ProcessMaker URL, or only a host name with ``port`` and ``schema`` beside it.
    :param login: user name.
    :param password: password.
    :param port: port, as a hand-written URI has it.
    :param schema: ``http`` or ``https``, likewise.
    :param extra: the other fields; unknown ones are warned about.
    :return: frozen settings.
    :raises InvalidInputError: for a missing or impossible value, by its label in the form.
    """
    from airflow_provider_processmaker.client.settings import Settings

    stored = {**_known({} if extra is None else extra), "login": login, "password": password, "host": host}
    values = {field.argument: field.read(stored.get(field.name)) for field in FIELDS}
    values["base_url"] = _address(values["base_url"], port, (schema or "").strip().lower())
    values["headers"] = values["headers"] or {}
    _check_credentials(values)
    return Settings(**values)


def _known(extra: Mapping[str, Any]) -> dict[str, Any]:
    """The extra without what is not ours, and with a warning about it."""
    from airflow_provider_processmaker.client.errors import InvalidInputError
    from airflow_provider_processmaker.client.suggest import did_you_mean

    if not isinstance(extra, Mapping):
        raise InvalidInputError(f"The extra of the connection must be a JSON object, not {type(extra).__name__}.")
    prefix = f"extra__{CONNECTION_TYPE}__"  # as the form of old Airflow stored them
    names = {field.name for field in _EXTRA_FIELDS}
    found = {}
    for key, value in extra.items():
        name = key.removeprefix(prefix)
        if name in names:
            found[name] = value
        else:
            log.warning('The connection has an unknown field "%s" in its extra. %s', key, did_you_mean(name, names))
    return found


def _address(host: str | None, port: int | None, schema: str) -> str:
    """One URL from host, port and schema."""
    from airflow_provider_processmaker.client.addresses import check_beginning
    from airflow_provider_processmaker.client.errors import InvalidInputError

    if not host:
        raise InvalidInputError(
            'The connection has no "ProcessMaker URL".',
            hint="Fill it with the address that you open in the browser, such as https://processmaker.example.com.",
        )
    host = host.strip()
    if "@" in host.partition("/")[0] or "@" in host.rpartition("://")[2].partition("/")[0]:
        raise InvalidInputError('"ProcessMaker URL" has a user name in it.', hint="Put it into the field for it.")
    if schema not in {"", "http", "https"}:
        raise InvalidInputError(
            f'The schema of the connection is "{schema}"; it can be http or https.',
            hint='A path belongs into "ProcessMaker URL".',
        )
    check_beginning(host)
    given, _, rest = host.rpartition("://")
    if given and schema and given.lower() != schema:
        raise InvalidInputError(f'"ProcessMaker URL" begins with {given}://, but the schema is {schema}.')
    scheme = given or schema or "https"
    return f"{scheme}://{_with_port(rest, port)}"


def _with_port(rest: str, port: Any) -> str:
    from airflow_provider_processmaker.client.errors import InvalidInputError

    netloc, slash, path = rest.partition("/")
    if netloc.count(":") > 1 and not netloc.startswith("["):  # an IPv6 address: a URI's brackets don't reach us
        netloc = f"[{netloc}]"
    if not port:  # the page of Airflow 3.3 says 0 for none
        return f"{netloc}{slash}{path}"
    named = netloc.rpartition("]")[2].partition(":")[2]
    if named and named != str(port):
        raise InvalidInputError(f'"ProcessMaker URL" names port {named}, and the port of the connection is {port}.')
    return f"{netloc if named else f'{netloc}:{port}'}{slash}{path}"


def _check_credentials(values: Mapping[str, Any]) -> None:
    """What a login needs, told by the labels of the form."""
    from airflow_provider_processmaker.client.errors import InvalidInputError

    labels = {field.argument: field.label for field in FIELDS}
    if values["access_token"]:
        also = [labels[name] for name in ("password", "client_secret") if values[name]]
        if also:
            raise InvalidInputError(
                f'The connection has both "{labels["access_token"]}" and {_quoted(also)}.',
                hint="Leave one of them empty: the token is used instead of a login.",
            )
        return
    needed = ("client_id", "client_secret", "username", "password")
    missing = [labels[name] for name in needed if not values[name]]
    if missing:
        raise InvalidInputError(
            f"The connection lacks {_quoted(missing)}.",
            hint=f'Fill {"it" if len(missing) == 1 else "them"}, or "{labels["access_token"]}" alone.',
        )


def _quoted(labels: list[str]) -> str:
    return ", ".join(f'"{label}"' for label in labels)
