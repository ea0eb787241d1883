"""Which Airflow this is: part of the key by which a start is found again."""

from __future__ import annotations

import hashlib
import logging
from urllib.parse import urlsplit

from airflow import __version__

from airflow_provider_processmaker.configuration import SECTION, default_of

__all__ = ["installation_id"]

log = logging.getLogger(__name__)


def installation_id() -> str:
    """A text that all processes of one Airflow share, and no other Airflow has.

    ``[processmaker] installation_id``; else the address of Airflow's web server, if that is more than the default; else
    a fingerprint of its Fernet key.
    """
    configured = _option(SECTION, "installation_id", default_of("installation_id")).strip()
    if configured:
        return configured
    # Airflow 3 warns of the section that Airflow 2 has it in.
    address = _option("webserver" if __version__.startswith("2.") else "api", "base_url").strip().rstrip("/").lower()
    if urlsplit(address).hostname not in {None, "localhost", "127.0.0.1", "0.0.0.0", "::1"}:  # noqa: S104
        return address
    fernet_key = _option("core", "fernet_key").partition(",")[0].strip()
    if fernet_key and "{" not in fernet_key:  # Airflow 3 gives its own template where none is configured
        return hashlib.sha256(b"processmaker installation" + fernet_key.encode()).hexdigest()
    log.warning(
        "Nothing tells this Airflow from another one. If another starts processes of the same ProcessMaker, give each "
        "an installation_id in the section [%s] of its configuration.",
        SECTION,
    )
    return ""


def _option(section: str, name: str, fallback: str = "") -> str:
    from airflow.providers.common.compat.sdk import conf

    return str(conf.get(section, name, fallback=fallback) or "")
