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

__all__ = ["OwnParams", "own_names", "own_names_of_mapped", "params_of"]


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


def own_names_of_mapped(given: Any, dag: Any) -> frozenset[str]:
    """The names of what an instance of a mapped task was given.

    Airflow 2 exchanges the params of a mapped task for those of the run before it makes the instance. There a value
    that is also the DAG's counts as the DAG's.

    :param given: the argument ``params`` of its class.
    :param dag: its DAG, if it has one.
    """
    if isinstance(given, OwnParams) or not given or dag is None:
        return own_names(given)
    of_dag = dict(dag.params)
    return frozenset(name for name, value in dict(given).items() if name not in of_dag or of_dag[name] != value)
