"""Conditions at gateways: comparisons of variables, as in ``amount > 100 and kind == "x"``."""

from __future__ import annotations

import ast
import operator
import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

_COMPARISONS: dict[type[ast.cmpop], Callable[[Any, Any], Any]] = {
    ast.Eq: operator.eq,
    ast.NotEq: operator.ne,
    ast.Lt: operator.lt,
    ast.LtE: operator.le,
    ast.Gt: operator.gt,
    ast.GtE: operator.ge,
    ast.In: lambda left, right: left in right,
}
_WORDS = {"true": True, "false": False, "null": None}


class ExpressionError(ValueError):
    """The condition cannot be decided."""


def evaluate(text: str, data: Mapping[str, Any]) -> bool:
    """
    Decide a condition.

    :param text: the condition.
    :param data: the variables.
    """
    source = text.replace("&&", " and ").replace("||", " or ")
    source = re.sub(r"!(?!=)", " not ", re.sub(r"(?<![=!<>])=(?!=)", "==", source))
    try:
        tree = ast.parse(source.strip(), mode="eval")
    except SyntaxError as error:
        raise ExpressionError(f"Unexpected token in expression `{text}`.") from error
    return bool(_value(tree.body, data, text))


def _value(node: ast.expr, data: Mapping[str, Any], text: str) -> Any:
    if isinstance(node, ast.Constant):
        return node.value
    if isinstance(node, ast.Name):
        return _variable(node, data, text)
    if isinstance(node, ast.BoolOp):
        values = (_value(item, data, text) for item in node.values)
        return all(values) if isinstance(node.op, ast.And) else any(values)
    if isinstance(node, ast.UnaryOp):
        value = _value(node.operand, data, text)
        return not value if isinstance(node.op, ast.Not) else -value
    if isinstance(node, ast.Attribute):
        owner = _value(node.value, data, text)
        return owner.get(node.attr) if isinstance(owner, dict) else None
    if isinstance(node, ast.Compare):
        return _compared(node, data, text)
    raise ExpressionError(f"Unexpected token in expression `{text}`.")


def _variable(node: ast.Name, data: Mapping[str, Any], text: str) -> Any:
    if node.id in data:
        return data[node.id]
    if node.id in _WORDS:
        return _WORDS[node.id]
    raise ExpressionError(
        f'Undefined variable "{node.id}". Variable "{node.id}" is not valid around position {node.col_offset + 1} '
        f"for expression `{text}`."
    )


def _compared(node: ast.Compare, data: Mapping[str, Any], text: str) -> bool:
    left = _value(node.left, data, text)
    for kind, item in zip(node.ops, node.comparators, strict=True):
        right = _value(item, data, text)
        try:
            if not _COMPARISONS[type(kind)](left, right):
                return False
        except (KeyError, TypeError) as error:
            raise ExpressionError(f"Unexpected token in expression `{text}`.") from error
        left = right
    return True
