"""The extra of a connection. Standard library only."""

from __future__ import annotations

import json
from typing import Any

__all__ = ["extra_of"]


def extra_of(text: str | None) -> dict[str, Any]:
    """The extra of a connection as a dict.

    :param text: as Airflow keeps it.
    :raises InvalidInputError: if it is no JSON object.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    try:
        extra = json.loads(text) if text else {}
    except ValueError as error:
        raise InvalidInputError(
            f"The extra of the connection is not valid JSON ({error.args[0].split(':')[0]})."
        ) from None
    if not isinstance(extra, dict):
        raise InvalidInputError("The extra of the connection is not a JSON object.")
    return extra
