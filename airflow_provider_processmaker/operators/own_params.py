"""Which ``params`` a task itself was given: Airflow merges those of its DAG into them, before any constructor."""

from __future__ import annotations

import copy
from typing import TYPE_CHECKING, Any

try:  # common-compat does not have it
    from airflow.sdk.definitions.param import ParamsDict
except ModuleNotFoundError:  # Airflow 2
    from airflow.models.param import ParamsDict  # type: ignore[import-not-found,no-redef]

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

__all__ = ["OwnParams", "own_names", "params_of"]


class OwnParams(ParamsDict):
    """Params of a mapped task, which know their own: those of ``partial``, and what ``expand`` puts into a copy.

    :param merged: all of them, those of the DAG too.
    :param own: names of those that the task was given.
    """

    def __init__(self, merged: Mapping[str, Any], own: Iterable[str]) -> None:
        super().__init__(merged)
        self.own = set(own)

    def __copy__(self) -> OwnParams:
        return OwnParams(params_of(self), self.own)

    def __deepcopy__(self, memo: dict[int, Any] | None) -> OwnParams:
        return OwnParams(copy.deepcopy(params_of(self), memo), self.own)

    def __setitem__(self, key: str, value: Any) -> None:
        self.own.add(key)
        super().__setitem__(key, value)


def params_of(given: ParamsDict | dict[str, Any]) -> dict[str, Any]:
    """The params themselves, each with its description and schema, not their values.

    :param given: as Airflow holds them.
    """
    return dict(given.items())


def own_names(given: Any) -> frozenset[str]:
    """The names of what a task was given.

    :param given: the argument ``params`` of its class, before Airflow merges.
    """
    return frozenset(given.own if isinstance(given, OwnParams) else given or ())
