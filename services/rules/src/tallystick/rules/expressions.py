"""A checked condition as a polars expression: SQL's three-valued logic by column, each row by itself."""

from collections.abc import Callable, Mapping
from functools import reduce

import polars as pl

from tallystick.rules.language import Column, Kind, Literal, Node

_TYPES = {Kind.NUMBER: pl.Float64(), Kind.TEXT: pl.String(), Kind.TRUTH: pl.Boolean()}


def polars_type(kind: Kind) -> pl.DataType:
    """Return the type of a column of this kind."""
    return _TYPES[kind]


def expression(node: Node) -> pl.Expr:
    """Return the polars expression of a node that `language.parse` has checked; its columns are named as the node's."""
    if isinstance(node, Column):
        return pl.col(node.name)
    if isinstance(node, Literal):
        return pl.lit(node.value, dtype=_TYPES[node.kind])
    if node.operator == "in":
        subject, *members = node.operands
        return expression(subject).is_in([member.value for member in members if isinstance(member, Literal)])
    return _MAKERS[node.operator](*map(expression, node.operands))


def _joined(join: Callable[[pl.Expr, pl.Expr], pl.Expr]) -> Callable[..., pl.Expr]:
    return lambda *operands: reduce(join, operands)


def _number(result: pl.Expr) -> pl.Expr:
    """Say of what is no number that it is not known."""
    return result.fill_nan(None)


_MAKERS: Mapping[str, Callable[..., pl.Expr]] = {
    "or": _joined(lambda a, b: a | b),
    "and": _joined(lambda a, b: a & b),
    "not": lambda a: ~a,
    "=": lambda a, b: a == b,
    "<>": lambda a, b: a != b,
    "<": lambda a, b: a < b,
    "<=": lambda a, b: a <= b,
    ">": lambda a, b: a > b,
    ">=": lambda a, b: a >= b,
    "null": lambda a: a.is_null(),
    "+": lambda a, b: _number(a + b),
    "-": lambda a, b: _number(a - b),
    "*": lambda a, b: _number(a * b),
    "/": lambda a, b: _number(pl.when(b != 0.0).then(a / b)),
    "abs": lambda a: a.abs(),
    # Not `pl.coalesce`: of a column of NULLs and a literal it makes one value, which is no column.
    "coalesce": lambda *operands: reduce(lambda rest, a: pl.when(a.is_not_null()).then(a).otherwise(rest), reversed(operands)),
}
