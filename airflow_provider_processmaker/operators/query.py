"""The ``query`` of an operator."""

from __future__ import annotations

from typing import Any

__all__ = ["checked_query", "list_query"]


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
    for name, place in (("fields", "an argument of the operator"), ("page_size", "a field of the connection")):
        if name in parameters:
            raise InvalidInputError(f'"{name}" is no parameter of a query, but {place}.')
    return parameters
