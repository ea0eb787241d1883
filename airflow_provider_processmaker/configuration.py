"""The section ``[processmaker]`` of Airflow's configuration. Standard library only, since every process reads it."""

from __future__ import annotations

from typing import Any

__all__ = ["OPTIONS", "SECTION", "default_of"]

SECTION = "processmaker"

#: The options, in the shape that Airflow wants of a provider.
OPTIONS: dict[str, dict[str, Any]] = {
    "token_cache": {
        "description": (
            "Where tokens live between tasks: ``file``, encrypted and shared by all processes of a user on a machine, "
            "or ``memory``, so that each process logs in by itself."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "memory",
        "default": "file",
    },
    "token_cache_dir": {
        "description": (
            "Folder of the files; each Unix user has one of his own in it. Empty: ``processmaker_tokens`` in "
            "``AIRFLOW_HOME``."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "/var/lib/airflow/processmaker_tokens",
        "default": "",
    },
    "refresh_margin": {
        "description": "Seconds before its end at which a token is renewed, at most a tenth of its life.",
        "version_added": "0.1.0",
        "type": "float",
        "example": "300",
        "default": "60",
    },
    "brake_window": {
        "description": (
            "Seconds for which a login that ProcessMaker refused is not tried again with the same credentials."
        ),
        "version_added": "0.1.0",
        "type": "float",
        "example": "300",
        "default": "30",
    },
    "installation_id": {
        "description": (
            "A text that tells this Airflow from others that start processes of the same ProcessMaker, the same in all "
            "its components; do not change it while processes run. Empty: the address of its web server (``[api] "
            "base_url``), or where that is only localhost, a fingerprint of its Fernet key."
        ),
        "version_added": "0.1.0",
        "type": "string",
        "example": "production-eu",
        "default": "",
    },
}


def default_of(name: str) -> str:
    """What holds if nothing is configured.

    :param name: of the option.
    """
    return str(OPTIONS[name]["default"])
