"""What the client needs to know: where, who, TLS, time-outs, retries, page sizes. Standard library only."""

from __future__ import annotations

import ipaddress
import re
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from airflow_provider_processmaker.client.errors import InvalidInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_PAGE_SIZE", "MAX_RETRIES", "MAX_TIMEOUT", "Settings", "normalise_base_url"]

#: Beyond these a value is a slip of the pen rather than a wish.
MAX_PAGE_SIZE = 10_000
MAX_RETRIES = 20
MAX_TIMEOUT = 3_600.0

_HOST_NAME = re.compile(r"(?i)^[a-z0-9_]([a-z0-9_.-]*[a-z0-9_])?\.?$")


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """Everything that a :class:`~airflow_provider_processmaker.client.ProcessMakerClient` needs, frozen.

    Either ``access_token``, or all of ``client_id``, ``client_secret``, ``username`` and ``password``.

    :param base_url: address of the server, such as ``https://pm.example.com`` or
        ``https://example.com:8443/base``. Scheme ``https`` if absent; ``/api/1.0`` at the end is forgiven.
    :param username: user of the password grant; his permissions are those of every call.
    :param password: his password.
    :param client_id: id of the OAuth client (in ProcessMaker: Admin > Auth Clients).
    :param client_secret: its secret.
    :param access_token: a personal access token, used as it is instead of a grant.
    :param verify_tls: check the server's certificate. Default: True.
    :param ca_bundle: path of a PEM file with the authorities to trust. Default: those of the system.
    :param client_cert: path of a PEM file with our certificate and key, or two paths with a comma between.
    :param proxy: URL of a proxy. Default: as the environment says (``HTTPS_PROXY``, ``NO_PROXY``).
    :param headers: headers added to every call, as for a gateway in front of ProcessMaker.
    :param allow_http: allow plain http to a host other than this machine. Default: False.
    :param connect_timeout: seconds to wait for a connection. Default: 5.
    :param read_timeout: seconds to wait for the next piece of an answer. Default: 65, since the server itself
        may hold a write for 60.
    :param max_retries: how often a call that may be repeated is repeated. Default: 3.
    :param page_size: rows a page of a list, instead of what suits each list. Default: None.
    :raises InvalidInputError: for a missing or impossible value.
    """

    base_url: str
    username: str | None = None
    password: str | None = field(default=None, repr=False)
    client_id: str | None = None
    client_secret: str | None = field(default=None, repr=False)
    access_token: str | None = field(default=None, repr=False)
    verify_tls: bool = True
    ca_bundle: str | None = None
    client_cert: str | None = None
    proxy: str | None = field(default=None, repr=False)
    headers: Mapping[str, str] = field(default_factory=dict, repr=False)
    allow_http: bool = False
    connect_timeout: float = 5.0
    read_timeout: float = 65.0
    max_retries: int = 3
    page_size: int | None = None

    def __post_init__(self) -> None:
        """Normalise the address, freeze the headers, refuse what cannot work."""
        object.__setattr__(self, "base_url", normalise_base_url(self.base_url, allow_http=self.allow_http))
        object.__setattr__(self, "headers", MappingProxyType(dict(self.headers)))
        self._check_credentials()
        _check_range("connect_timeout", self.connect_timeout, 0.001, MAX_TIMEOUT)
        _check_range("read_timeout", self.read_timeout, 0.001, MAX_TIMEOUT)
        _check_range("max_retries", self.max_retries, 0, MAX_RETRIES)
        if self.page_size is not None:
            _check_range("page_size", self.page_size, 1, MAX_PAGE_SIZE)

    def _check_credentials(self) -> None:
        grant = ("client_id", "client_secret", "username", "password")
        missing = [name for name in grant if not getattr(self, name)]
        if self.access_token:
            if self.password or self.client_secret:
                raise InvalidInputError(
                    "Both an access token and a password or client secret are given.",
                    hint="Leave one of them out: the token is used instead of a login.",
                )
        elif missing:
            raise InvalidInputError(
                f"Missing: {', '.join(missing)}.",
                hint="Give all of client_id, client_secret, username and password, or an access_token.",
            )

    @property
    def api_url(self) -> str:
        """Root of the REST API, without a slash at the end."""
        return f"{self.base_url}/api/1.0"

    @property
    def token_url(self) -> str:
        """The OAuth token endpoint."""
        return f"{self.base_url}/oauth/token"

    @property
    def secrets(self) -> tuple[str, ...]:
        """The values that must never be shown."""
        known = (self.password, self.client_secret, self.access_token, *self.headers.values())
        return tuple(value for value in known if value)


def _check_range(name: str, value: float, lowest: float, highest: float) -> None:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInputError(f"{name} must be a number, not {type(value).__name__}.")
    if not lowest <= value <= highest:
        raise InvalidInputError(f"{name} must be between {lowest:g} and {highest:g}, not {value:g}.")


def normalise_base_url(url: str, *, allow_http: bool = False) -> str:
    """The address of a server in its one canonical form.

    :param url: what a person typed: scheme optional, port and path allowed, ``/api/1.0`` at the end forgiven.
    :param allow_http: allow plain http to a host other than this machine.
    :return: scheme, lower-case host, port if it is not the scheme's own, path; no slash at the end.
    :raises InvalidInputError: if it cannot be the address of a server, or would send secrets in the clear.
    """
    text = url.strip() if isinstance(url, str) else ""
    if not text:
        raise InvalidInputError("The address of the ProcessMaker server is missing.")
    if re.search(r"\s|[\x00-\x1f\x7f]", text):
        raise InvalidInputError(f"The address {_without_user(text)!r} has a space in it.")
    scheme, host, port, path = _split(text)
    if scheme == "http" and not allow_http and not _is_loopback(host):
        raise InvalidInputError(
            f"http://{host} would send the password and every token readable over the network.",
            hint='Use https, or tick "Allow plain http" (allow_http) for a network you trust.',
        )
    netloc = f"[{host}]" if ":" in host else host
    if port and port != {"http": 80, "https": 443}[scheme]:
        netloc = f"{netloc}:{port}"
    return f"{scheme}://{netloc}{_strip_api(path)}"


def _split(text: str) -> tuple[str, str, int | None, str]:
    if "://" not in text:
        text = f"https://{_bracket_ipv6(text)}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise InvalidInputError(f"The address {_without_user(text)!r} cannot be read: {error}.") from None
    scheme = parts.scheme.lower()
    if scheme not in {"http", "https"}:
        raise InvalidInputError(f"The address starts with {scheme}://; ProcessMaker is reached by https:// or http://.")
    if parts.username or parts.password:
        raise InvalidInputError("The address has a user name in it.", hint="Put it into the field for it.")
    if parts.query or parts.fragment:
        raise InvalidInputError(
            f"The address {text!r} has a query or a fragment; only host, port and path belong there."
        )
    if port == 0:
        raise InvalidInputError("The address has port 0; a port is between 1 and 65535.")
    if not _is_host(host):
        raise InvalidInputError(f"The address {text!r} has no usable host name.")
    return scheme, host, port, parts.path


def _without_user(text: str) -> str:
    return re.sub(r"//[^/@]*@", "//…@", text)


def _bracket_ipv6(text: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return text
    return f"[{text}]"


def _is_host(host: str) -> bool:
    if ":" in host:
        return _as_ip(host) is not None
    try:
        ascii_host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        return False
    return len(ascii_host) <= 253 and ".." not in host and bool(_HOST_NAME.match(ascii_host))


def _as_ip(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host.partition("%")[0])
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _as_ip(host)
    return address.is_loopback if address else host in {"localhost", "localhost."} or host.endswith(".localhost")


def _strip_api(path: str) -> str:
    path = re.sub(r"/{2,}", "/", path).rstrip("/")
    if any(part in {".", ".."} for part in path.split("/")):
        raise InvalidInputError(f"The path {path!r} of the address has dots for a folder in it.")
    return re.sub(r"(?i)/api/1\.0$", "", path)
