"""The ``query`` of an operator."""

from __future__ import annotations

from typing import Any

__all__ = ["checked_ids", "checked_query", "list_query"]


def checked_query(query: Any) -> dict[str, Any]:
    """Query parameters, if that is what they are.

    :param query: what the DAG gives.
    :raises InvalidInputError: if it is no dict.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    if query is None:
        return {}
    if not isinstance(query, dict):
        raise InvalidInputError(f"query must be a dict, not {type(query).__name__}.")
    return {str(key): value for key, value in query.items()}


def list_query(query: Any) -> dict[str, Any]:
    """The parameters of a list.

    :param query: what the DAG gives.
    :raises InvalidInputError: if it is no dict, or holds what is an argument of its own.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    parameters = checked_query(query)
    places = {
        "fields": "an argument of the operator",
        "page_size": "a field of the connection",
        "look_ahead": "a field of the connection",
    }
    for name, place in places.items():
        if name in parameters:
            raise InvalidInputError(f'"{name}" is no parameter of a query, but {place}.')
    return parameters


def checked_ids(ids: Any) -> list[int] | None:
    """Ids, also from the text that a template makes of a list.

    :param ids: a list of ids, or a text such as ``[3, 4]`` or ``3,4``.
    :raises InvalidInputError: if that is not what they are.
    """
    from airflow_provider_processmaker.client.errors import InvalidInputError

    parts = ids.strip().strip("[]()").split(",") if isinstance(ids, str) else ids
    if parts is None or parts in ([], [""]):
        return None
    try:
        return [int(str(part).strip(" '\"")) for part in parts]
    except (TypeError, ValueError):
        raise InvalidInputError(f"Ids must be a list of whole numbers, not {ids!r}.") from None
