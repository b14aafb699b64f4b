"""A policy, ready to rule on batches."""

from collections.abc import Iterable, Sequence

import numpy as np
import polars as pl

from tallystick.contracts import ListSubject, Outcome, PolicyList, PolicyStatement
from tallystick.rules.columns import Batch, makers
from tallystick.rules.expressions import expression, polars_type
from tallystick.rules.language import Column, Node, Operation, RuleError, columns_of, parse_rules
from tallystick.rules.lists import MemberList
from tallystick.rules.outcomes import outcomes
from tallystick.trust.rulings import Ruling, reason_by_name, rule_on

_REMEMBERED = 10_000
_OUTCOMES = (Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_DECLINE)


class Policy:
    """A policy for one feature schema; `rule` is a function of each row by itself.

    Attributes:
        statement: what it says.
        groups: the disclosure groups of the evidence that it takes to rule again, by their short names.
        attributes: the names of the transaction's attributes that its rules are about, which evidence has to hold.
    """

    def __init__(self, statement: PolicyStatement, features: Sequence[str], lists: Sequence[MemberList | None] = ()) -> None:
        """Make a policy ready.

        Args:
            statement: a well-formed one (`trust.policy_statements.check_policy`).
            features: the names of the features, in the matrix's order.
            lists: its lists, in its order; None for one that cannot be asked here, as if nobody were on it.

        Raises:
            RuleError: A rule is not one of the language, or about a feature that there is not.
        """
        conditions = parse_rules(statement, features)
        columns = frozenset[str]().union(*map(columns_of, conditions))
        if len(lists) != len(statement.lists):
            raise RuleError(f"the policy has {len(statement.lists)} lists, and {len(lists)} are here")
        self.statement = statement
        self.attributes = tuple(sorted(name.partition(".")[2] for name in columns if name.startswith("attribute.")))
        self.groups = _groups(columns, [item for item, here in zip(statement.lists, lists, strict=True) if here is not None])
        self._lists = tuple(lists)
        self._makers = makers(columns, features)
        # NULL is not TRUE.
        self._expressions = [
            expression(condition).fill_null(value=False).alias(str(place)) for place, condition in enumerate(conditions)
        ]
        _try(self._expressions, conditions)
        self._reasons = reason_by_name(statement)
        self._names = tuple(self._reasons)
        self._by_margin = {outcome: rule_on(outcome, (), self._reasons) for outcome in _OUTCOMES}
        self._rulings: dict[tuple[Outcome, tuple[int, ...]], Ruling] = {}

    def rule(self, batch: Batch) -> list[Ruling]:
        """Return the ruling on each row."""
        by_margin = outcomes(batch.margins, self.statement)
        rulings = [self._by_margin[outcome] for outcome in by_margin]
        if self._names and by_margin:
            for row, places in self._applied(batch).items():
                rulings[row] = self._ruling(by_margin[row], tuple(places))
        return rulings

    def _applied(self, batch: Batch) -> dict[int, list[int]]:
        """Return by row the places, in the policy's order, of the lists and rules that apply; rows without any are left out."""
        applied: dict[int, list[int]] = {}
        for place, members in enumerate(self._lists):
            for row in members.on_it(batch.transactions, batch.times_ms) if members else ():
                applied.setdefault(row, []).append(place)
        if self._expressions:
            frame = pl.DataFrame([make(batch) for make in self._makers.values()])
            for place, column in enumerate(_evaluated(frame, self._expressions), start=len(self._lists)):
                if column.any():
                    for row in np.flatnonzero(column.to_numpy()).tolist():
                        applied.setdefault(row, []).append(place)
        return applied

    def _ruling(self, by_margin: Outcome, places: tuple[int, ...]) -> Ruling:
        found = self._rulings.get((by_margin, places))
        if found is None:
            if len(self._rulings) >= _REMEMBERED:
                self._rulings.clear()
            found = rule_on(by_margin, [self._names[place] for place in places], self._reasons)
            self._rulings[by_margin, places] = found
        return found


def _groups(columns: Iterable[str], lists: Iterable[PolicyList]) -> frozenset[str]:
    spaces = {name.partition(".")[0] for name in columns}
    subjects = {item.subject for item in lists}
    needed = {
        "features": "feature" in spaces,
        "transaction": bool(spaces & {"transaction", "attribute"} or subjects - {ListSubject.LIST_SUBJECT_CUSTOMER}),
        "identity": ListSubject.LIST_SUBJECT_CUSTOMER in subjects,
    }
    return frozenset(group for group, wanted in needed.items() if wanted)


def _evaluated(frame: pl.DataFrame, expressions: Sequence[pl.Expr]) -> list[pl.Series]:
    """Return a column of truths for each expression, as long as the frame whatever polars makes of a constant."""
    selected = frame.lazy().select(pl.col(frame.columns[0]).alias("rows"), *expressions)
    # Optimising takes as long as evaluating, and finds nothing in conditions on a frame in memory.
    return selected.collect(optimizations=pl.QueryOptFlags.none()).get_columns()[1:]


def _try(expressions: Sequence[pl.Expr], conditions: Iterable[Node]) -> None:
    """Evaluate once on a row of NULLs, so that what polars would refuse is refused here and stops no stream."""
    kinds = {column.name: polars_type(column.kind) for condition in conditions for column in _columns(condition)}
    if not kinds:
        return
    frame = pl.DataFrame({name: [None] for name in kinds}, schema=kinds)
    try:
        found = _evaluated(frame, expressions)
    except pl.exceptions.PolarsError as error:
        raise RuleError(f"polars cannot evaluate the rules: {error}") from error
    if any(column.dtype != pl.Boolean or len(column) != 1 for column in found):
        raise RuleError("a rule is no condition on each transaction by itself")


def _columns(node: Node) -> list[Column]:
    if isinstance(node, Column):
        return [node]
    return [column for operand in node.operands for column in _columns(operand)] if isinstance(node, Operation) else []
