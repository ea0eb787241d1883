"""Certificates and proxies: read once when a client is made, and checked before anything is sent."""

from __future__ import annotations

import logging
import os
import ssl
import warnings
from pathlib import Path
from re import escape
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

from requests.utils import get_environ_proxies
from urllib3.exceptions import InsecureRequestWarning

from airflow_provider_processmaker.client.errors import InvalidInputError

if TYPE_CHECKING:
    from airflow_provider_processmaker.client.settings import Settings

__all__ = ["client_certificate", "proxies_for", "silence_warning", "trusted_authorities"]

log = logging.getLogger(__name__)


def proxies_for(settings: Settings) -> dict[str, str]:
    """The proxies in the form of ``requests``: that of the settings, or what the environment says.

    :param settings: the settings.
    :raises InvalidInputError: for a SOCKS proxy without the library that it needs.
    """
    if not settings.proxy:
        return dict(get_environ_proxies(settings.base_url, no_proxy=None))
    if settings.proxy.lower().startswith("socks"):
        try:
            import socks  # type: ignore[import-untyped]  # noqa: F401
        except ImportError:
            raise InvalidInputError(
                "A SOCKS proxy needs the library PySocks.", hint="pip install 'requests[socks]'"
            ) from None
    return {"http": settings.proxy, "https": settings.proxy}


def trusted_authorities(settings: Settings) -> str | bool:
    """What ``requests`` calls ``verify``: our CA bundle, the environment's, the default one, or no check.

    :param settings: the settings.
    :raises InvalidInputError: if the file or folder cannot be used.
    """
    if not settings.verify_tls:
        return False
    if settings.ca_bundle:
        return _checked_bundle(settings.ca_bundle, "The CA bundle")
    for name in ("REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE"):
        # Reading a bundle takes some 30 ms, and plain HTTP has no use for it.
        if os.environ.get(name) and settings.base_url.startswith("https:"):
            return _checked_bundle(os.environ[name], f"The CA bundle that {name} names,")
    return True


def _checked_bundle(path: str, what: str) -> str:
    try:
        folder = Path(path).is_dir()
        ssl.create_default_context(cafile=None if folder else path, capath=path if folder else None)
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"{what} {path} cannot be used: {_reason(error)}.",
            hint="It must be a PEM file that this user can read on the machine where the task runs.",
        ) from None
    return path


def client_certificate(settings: Settings) -> str | tuple[str, str] | None:
    """What ``requests`` calls ``cert``.

    :param settings: the settings.
    :raises InvalidInputError: if a file cannot be used, or needs a passphrase.
    """
    if not settings.client_cert:
        return None
    cert, _, key = (part.strip() for part in settings.client_cert.partition(","))
    try:
        # The empty passphrase: without one, OpenSSL would ask for it at a terminal that is not there.
        ssl.create_default_context().load_cert_chain(cert, key or None, password="")
    except (OSError, ValueError) as error:
        raise InvalidInputError(
            f"The client certificate {settings.client_cert} cannot be used: {_reason(error)}.",
            hint="It must be a PEM file with certificate and key, or two such files with a comma between, and "
            "the key without a passphrase.",
        ) from None
    return (cert, key) if key else cert


def _reason(error: Exception) -> str:
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).rstrip(".")


def silence_warning(settings: Settings) -> None:
    """Say once that certificates are not checked, instead of once a call as urllib3 does.

    :param settings: the settings.
    """
    host = urlsplit(settings.base_url).hostname or ""
    log.warning('The certificate of %s is not checked: "Verify TLS" of the connection is off.', host)
    warnings.filterwarnings(
        "ignore",
        message=f"Unverified HTTPS request is being made to host '{escape(host)}'",
        category=InsecureRequestWarning,
    )
