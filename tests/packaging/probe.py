"""What an installed Airflow sees of the provider: the parts named as arguments, as JSON on the last line.

Runs in the Python of that Airflow, with nothing of this checkout.
"""

from __future__ import annotations

import importlib
import json
import sys
from importlib.metadata import entry_points
from typing import Any

TYPE = "processmaker"


def class_paths(described: Any) -> list[str]:
    """Everything in a provider's description that should be importable, wherever it stands."""
    if isinstance(described, dict):
        return [path for value in described.values() for path in class_paths(value)]
    if isinstance(described, list):
        return [path for value in described for path in class_paths(value)]
    is_path = isinstance(described, str) and described.startswith("airflow_provider_processmaker.")
    return [described] if is_path else []


def provider_info() -> dict[str, Any]:
    """The description by the entry point, as Airflow finds it."""
    (entry,) = [e for e in entry_points(group="apache_airflow_provider") if e.module.startswith("airflow_provider_p")]
    return entry.load()()


def imported(path: str) -> str:
    """The file that a module, or a name in one, comes from."""
    try:
        return str(importlib.import_module(path).__file__)
    except ModuleNotFoundError:
        module, _, name = path.rpartition(".")
        found = importlib.import_module(module)
        getattr(found, name)
        return str(found.__file__)


def form_of_the_server() -> dict[str, Any] | None:
    """What the page of Airflow 3 asks the API server for; ``None`` for Airflow 2, which has no such server."""
    try:
        from airflow.api_fastapi.core_api.services.ui.connections import HookMetaService
    except ModuleNotFoundError:
        return None
    return next(m.model_dump(mode="json") for m in HookMetaService.hook_meta_data() if m.connection_type == TYPE)


def widgets() -> dict[str, dict[str, Any]]:
    """The fields that flask-appbuilder draws, as the hook gives them."""
    from airflow_provider_processmaker.hooks.processmaker import ProcessMakerHook

    return {
        name: {
            "class": field.field_class.__name__,
            "widget": type(field.kwargs.get("widget")).__name__,
            "label": field.args[0],
            "description": field.kwargs["description"],
            "default": field.kwargs["default"],
        }
        for name, field in ProcessMakerHook.get_connection_form_widgets().items()
    }


def known_to_airflow() -> dict[str, Any]:
    """The fields, hidden fields and labels that Airflow's own registry took over from the hook or the description."""
    from airflow.providers_manager import ProvidersManager

    manager = ProvidersManager()
    prefix = f"extra__{TYPE}__"
    fields = {name: info for name, info in manager.connection_form_widgets.items() if name.startswith(prefix)}
    return {
        "fields": {name.removeprefix(prefix): bool(info.is_sensitive) for name, info in fields.items()},
        "behaviour": manager.field_behaviours[TYPE],
    }


PARTS = {
    "imported": lambda: {path: imported(path) for path in class_paths(provider_info())},
    "registry": known_to_airflow,
    "server": form_of_the_server,
    "widgets": widgets,
}


if __name__ == "__main__":
    print(json.dumps({part: PARTS[part]() for part in sys.argv[1:]}))
