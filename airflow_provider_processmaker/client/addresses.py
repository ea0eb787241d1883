"""Addresses of servers and proxies in one canonical form. Standard library only."""

from __future__ import annotations

import ipaddress
import re
from typing import TYPE_CHECKING
from urllib.parse import unquote, urlsplit

from airflow_provider_processmaker.client.errors import InvalidInputError

if TYPE_CHECKING:
    from urllib.parse import SplitResult

__all__ = ["check_beginning", "check_proxy", "normalise_base_url", "proxy_passwords"]

_LABEL = re.compile(r"(?i)[a-z0-9_]([a-z0-9_-]{0,61}[a-z0-9_])?")
_PROXY_SCHEMES = ("http", "https", "socks4", "socks4a", "socks5", "socks5h")


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
    if re.search(r"[\s\x00-\x1f\x7f\ud800-\udfff\\]", text):
        raise InvalidInputError(f"The address {_shown(text)} has a space, a backslash or the like in it.")
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


def check_beginning(text: str) -> None:
    """Refuse an address with a slip in its scheme, such as ``https:/host``: it would name a host called "https".

    :param text: the address.
    :raises InvalidInputError: for one.
    """
    if re.match(r"(?i)https?:/*(?=[^/\d]|$)", text) and not re.match(r"(?i)https?://[^/]", text):
        raise InvalidInputError(f"The address {_shown(text)} does not begin with https:// or http://.")


def _split(text: str) -> tuple[str, str, int | None, str]:
    check_beginning(text)
    if "://" not in text:
        text = f"https://{_bracket_ipv6(text)}"
    try:
        parts = urlsplit(text)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        why = "its port is no number between 1 and 65535" if "port" in str(error).lower() else "check its brackets"
        raise InvalidInputError(f"The address {_shown(text)} cannot be read: {why}.") from None
    scheme = parts.scheme.lower()
    if scheme not in {"http", "https"}:
        raise InvalidInputError(
            f"The address starts with {scheme[:20]}://; ProcessMaker is reached by https:// or http://."
        )
    if parts.username is not None or parts.password is not None:
        raise InvalidInputError("The address has a user name in it.", hint="Put it into the field for it.")
    if parts.query or parts.fragment:
        raise InvalidInputError(
            f"The address {_shown(text)} has a query or a fragment; only host, port and path belong there."
        )
    if port == 0:
        raise InvalidInputError("The address has port 0; a port is between 1 and 65535.")
    if not _is_host(host):
        raise InvalidInputError(f"The address {_shown(text)} has no usable host name.")
    return scheme, host, port, parts.path


def _shown(text: str) -> str:
    """An address for an error: people paste passwords into it, and a query may hold a token."""
    shown = re.sub(r"^.*@", "…@", text, flags=re.DOTALL)
    return repr(re.sub(r"[?#].*", "?…", shown, flags=re.DOTALL)[:200])


def _bracket_ipv6(text: str) -> str:
    try:
        ipaddress.IPv6Address(text)
    except ValueError:
        return text
    return f"[{text}]"


def _is_host(host: str) -> bool:
    if ":" in host:
        return _as_ip(host) is not None and re.fullmatch(r"[0-9a-f:.]+(%[\w.-]+)?", host) is not None
    try:
        ascii_host = host.encode("idna").decode("ascii") if not host.isascii() else host
    except UnicodeError:
        return False
    labels = ascii_host.removesuffix(".").split(".")
    return len(ascii_host) <= 253 and all(_LABEL.fullmatch(label) for label in labels)


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
    if any(part in {".", ".."} for part in unquote(path).split("/")):
        raise InvalidInputError(f"The path {path[:200]!r} of the address has dots for a folder in it.")
    return re.sub(r"(?i)/api/1\.0$", "", path)


def check_proxy(proxy: str) -> None:
    """Refuse what cannot be the URL of a proxy, without telling it: it may hold a password.

    :param proxy: what a person typed.
    :raises InvalidInputError: if no proxy can be meant by it.
    """
    parts = _split_proxy(proxy)
    if parts is None or parts.scheme.lower() not in _PROXY_SCHEMES or not _is_host(parts.hostname or ""):
        raise InvalidInputError(
            "The proxy is no URL of a proxy.",
            hint=f"It looks like http://proxy.example.com:3128; known schemes: {', '.join(_PROXY_SCHEMES)}.",
        )


def _split_proxy(proxy: str) -> SplitResult | None:
    if not isinstance(proxy, str) or re.search(r"[\s\x00-\x1f\x7f\ud800-\udfff]", proxy):
        return None
    try:
        parts = urlsplit(proxy if "://" in proxy else f"http://{proxy}")
        parts.port  # noqa: B018 - raises if it is none
    except ValueError:
        return None
    return parts


def proxy_passwords(proxy: str | None) -> tuple[str, ...]:
    """The secret parts of a proxy's URL, as they are written and as they are meant.

    :param proxy: the URL.
    """
    parts = _split_proxy(proxy) if proxy else None
    return (parts.password, unquote(parts.password)) if parts and parts.password else ()
