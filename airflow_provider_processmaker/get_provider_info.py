"""What Airflow discovers: the entry point ``apache_airflow_provider``.

Standard library only: every Airflow process calls it.
"""

from __future__ import annotations

from typing import Any

from airflow_provider_processmaker.configuration import OPTIONS, SECTION
from airflow_provider_processmaker.connection import CONNECTION_TYPE, HOOK_NAME, conn_fields, field_behaviour

_PACKAGE = "airflow_provider_processmaker"
_INTEGRATION = "ProcessMaker"


def get_provider_info() -> dict[str, Any]:
    """The provider's description, as Airflow's schema for it wants."""
    return {
        "package-name": "airflow-provider-processmaker",
        "name": "ProcessMaker",
        "description": (
            "ProcessMaker (https://www.processmaker.com/): start processes and wait for them, list users, requests and "
            "tasks, call its API."
        ),
        "integrations": [
            {
                "integration-name": _INTEGRATION,
                "external-doc-url": "https://docs.processmaker.com/",
                "tags": ["service"],
            }
        ],
        "connection-types": [
            {
                "connection-type": CONNECTION_TYPE,
                "hook-class-name": f"{_PACKAGE}.hooks.processmaker.ProcessMakerHook",
                "hook-name": HOOK_NAME,
                "ui-field-behaviour": field_behaviour(),
                "conn-fields": conn_fields(),
            }
        ],
        "config": {
            SECTION: {"description": "Settings of the ProcessMaker provider.", "options": OPTIONS},
        },
        "hooks": _modules("hooks", "processmaker"),
        "operators": _modules("operators", "api", "processes", "records"),
        "sensors": _modules("sensors", "processes", "records"),
        "triggers": _modules("triggers", "processes", "records"),
        "extra-links": [f"{_PACKAGE}.links.processmaker.ProcessMakerRequestLink"],
    }


def _modules(folder: str, *names: str) -> list[dict[str, Any]]:
    """The modules of a folder, as Airflow's schema wants them."""
    return [{"integration-name": _INTEGRATION, "python-modules": [f"{_PACKAGE}.{folder}.{name}" for name in names]}]
