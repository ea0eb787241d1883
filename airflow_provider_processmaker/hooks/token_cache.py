"""Airflow's configuration says where tokens live: section ``[processmaker]``."""

from __future__ import annotations

import functools
from pathlib import Path
from typing import TYPE_CHECKING, Any

from airflow_provider_processmaker.configuration import SECTION, default_of

if TYPE_CHECKING:
    from airflow_provider_processmaker.client import TokenStore

__all__ = ["brake_window", "configured_store", "refresh_margin"]


def configured_store() -> TokenStore:
    """The store of this process, as ``token_cache`` and ``token_cache_dir`` say.

    :raises InvalidInputError: for an unknown kind of cache.
    """
    from airflow_provider_processmaker.client import InvalidInputError
    from airflow_provider_processmaker.client.suggest import did_you_mean
    from airflow_provider_processmaker.client.token_store import process_store

    kind = str(_option("token_cache")).strip().lower()
    if kind == "memory":
        return process_store()
    if kind != "file":
        raise InvalidInputError(f'[{SECTION}] token_cache is "{kind}".', hint=did_you_mean(kind, ("file", "memory")))
    return _file_store(Path(_folder()).expanduser().absolute())


@functools.cache
def _file_store(folder: Path) -> TokenStore:
    """One store for each folder, so that it says only once what is wrong with it."""
    from airflow_provider_processmaker.client.file_store import FileStore
    from airflow_provider_processmaker.client.token_store import process_store

    return FileStore(folder, memory=process_store())


def refresh_margin() -> float:
    """Seconds before its end at which a token is renewed."""
    return _seconds("refresh_margin")


def brake_window() -> float:
    """Seconds for which a refused login is not tried again."""
    return _seconds("brake_window")


def _folder() -> str:
    configured = str(_option("token_cache_dir") or "").strip()
    if configured:
        return configured
    from airflow.configuration import AIRFLOW_HOME

    return str(Path(AIRFLOW_HOME) / "processmaker_tokens")


def _option(name: str) -> Any:
    from airflow.providers.common.compat.sdk import conf

    return conf.get(SECTION, name, fallback=default_of(name))


def _seconds(name: str) -> float:
    from airflow_provider_processmaker.client import InvalidInputError

    value = _option(name)
    try:
        seconds = float(value)
    except (TypeError, ValueError):
        seconds = -1.0
    if not 0 <= seconds <= 86_400:
        raise InvalidInputError(f"[{SECTION}] {name} must be seconds between 0 and 86400, not {value!r}.")
    return seconds
