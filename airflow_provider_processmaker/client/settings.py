"""What the client needs to know: where, who, TLS, time-outs, retries, page sizes. Standard library only."""

from __future__ import annotations

from dataclasses import dataclass, field
from types import MappingProxyType
from typing import TYPE_CHECKING

from airflow_provider_processmaker.client.addresses import check_proxy, normalise_base_url, proxy_passwords
from airflow_provider_processmaker.client.errors import InvalidInputError
from airflow_provider_processmaker.client.sendable import check_sendable, checked_headers

if TYPE_CHECKING:
    from collections.abc import Mapping

__all__ = ["MAX_LOOK_AHEAD", "MAX_PAGE_SIZE", "MAX_RETRIES", "MAX_TIMEOUT", "Settings", "check_range"]

#: Beyond these a value is a slip of the pen rather than a wish.
MAX_PAGE_SIZE = 10_000
MAX_RETRIES = 20
MAX_LOOK_AHEAD = 16
MAX_TIMEOUT = 3_600.0


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
    :param look_ahead: pages of a list to read ahead; 1: one after the other. Default: 4.
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
    look_ahead: int = 4

    def __post_init__(self) -> None:
        """Normalise the address, freeze the headers, refuse what cannot work."""
        object.__setattr__(self, "base_url", normalise_base_url(self.base_url, allow_http=self.allow_http))
        object.__setattr__(self, "headers", MappingProxyType(checked_headers(self.headers)))
        self._check_credentials()
        if self.proxy:
            check_proxy(self.proxy)
        check_range("connect_timeout", self.connect_timeout, 0.001, MAX_TIMEOUT)
        check_range("read_timeout", self.read_timeout, 0.001, MAX_TIMEOUT)
        check_range("max_retries", self.max_retries, 0, MAX_RETRIES, whole=True)
        if self.page_size is not None:
            check_range("page_size", self.page_size, 1, MAX_PAGE_SIZE, whole=True)
        check_range("look_ahead", self.look_ahead, 1, MAX_LOOK_AHEAD, whole=True)

    def _check_credentials(self) -> None:
        for name in ("username", "password", "client_id", "client_secret", "access_token"):
            check_sendable(name, getattr(self, name), in_header=name == "access_token")
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
        known = (self.password, self.client_secret, self.access_token, self.proxy, *self.headers.values())
        return tuple(value for value in known if value) + proxy_passwords(self.proxy)


def check_range(name: str, value: float, lowest: float, highest: float, *, whole: bool = False) -> None:
    """Refuse a number that makes no sense.

    :param name: what it is.
    :param value: the number.
    :param lowest: smallest one that does.
    :param highest: largest one.
    :param whole: whether it must be a whole number.
    :raises InvalidInputError: if it is none, or is out of these bounds.
    """
    if whole and not isinstance(value, int):
        raise InvalidInputError(f"{name} must be a whole number, not {value!r}.")
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise InvalidInputError(f"{name} must be a number, not {type(value).__name__}.")
    if not lowest <= value <= highest:
        raise InvalidInputError(f"{name} must be between {lowest:g} and {highest:g}, not {value:g}.")
