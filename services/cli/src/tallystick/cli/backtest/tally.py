"""What would have been otherwise, counted. Pure."""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from typing import Any

from tallystick.contracts import Outcome

OUTCOMES = (Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_DECLINE)


@dataclass(frozen=True, slots=True)
class Case:
    """One decision: what it was, what it would have been, and what is known of it.

    `amount_minor` and `currency` are None and empty where they may not be seen; `fraud` is None where no label is known.
    """

    was: Outcome
    would_be: Outcome
    applied: tuple[str, ...] = ()
    amount_minor: int | None = None
    currency: str = ""
    fraud: bool | None = None


@dataclass(slots=True)
class Tally:
    """Cases, counted: by what they were and would be, their money, their labels, and by what applied."""

    decisions: Counter[tuple[Outcome, Outcome]] = field(default_factory=Counter)
    money: Counter[tuple[Outcome, Outcome, str]] = field(default_factory=Counter)
    labelled: Counter[tuple[Outcome, Outcome, bool]] = field(default_factory=Counter)
    applied: Counter[str] = field(default_factory=Counter)
    applied_alone: Counter[str] = field(default_factory=Counter)
    applied_to_fraud: Counter[str] = field(default_factory=Counter)
    left_out: Counter[str] = field(default_factory=Counter)

    def add(self, cases: Iterable[Case]) -> None:
        """Count cases."""
        for case in cases:
            both = case.was, case.would_be
            self.decisions[both] += 1
            if case.amount_minor is not None:
                self.money[*both, case.currency] += case.amount_minor
            if case.fraud is not None:
                self.labelled[*both, case.fraud] += 1
            self.applied.update(case.applied)
            if len(case.applied) == 1:
                self.applied_alone.update(case.applied)
            if case.fraud:
                self.applied_to_fraud.update(case.applied)

    @property
    def total(self) -> int:
        """How many decisions were ruled on again."""
        return self.decisions.total()

    @property
    def changed(self) -> int:
        """How many would have been otherwise."""
        return sum(count for (was, would_be), count in self.decisions.items() if was != would_be)

    def stopped(self, *, fraud: bool) -> tuple[int, int, int]:
        """Return of labelled ones how many there are, and how many were and would be reviewed or declined."""
        some = [(was, would_be, count) for (was, would_be, is_fraud), count in self.labelled.items() if is_fraud == fraud]
        were = sum(count for was, _, count in some if was != Outcome.OUTCOME_APPROVE)
        would = sum(count for _, would_be, count in some if would_be != Outcome.OUTCOME_APPROVE)
        return sum(count for *_, count in some), were, would

    def to_json(self, names: Iterable[str]) -> dict[str, Any]:
        """Return it as JSON values; `names` are those of the rules and lists, all of which are told."""
        frauds, genuine = self.stopped(fraud=True), self.stopped(fraud=False)
        return {
            "decisions": self.total,
            "changed": self.changed,
            "outcomes": [
                {"was": word(was), "would_be": word(would_be), "decisions": count, "amount_minor": self.amounts(was, would_be)}
                for (was, would_be), count in sorted(self.decisions.items())
            ],
            "applied": {
                name: {
                    "decisions": self.applied[name],
                    "alone": self.applied_alone[name],
                    "labelled_fraud": self.applied_to_fraud[name],
                }
                for name in names
            },
            "labelled": {
                "fraud": dict(zip(("known", "caught", "would_be_caught"), frauds, strict=True)),
                "genuine": dict(zip(("known", "stopped", "would_be_stopped"), genuine, strict=True)),
            },
            "left_out": dict(sorted(self.left_out.items())),
        }

    def amounts(self, was: Outcome, would_be: Outcome) -> Mapping[str, int]:
        """Return the money of one change in minor units, by currency."""
        return {
            currency: amount for (one, other, currency), amount in sorted(self.money.items()) if (one, other) == (was, would_be)
        }


def word(outcome: Outcome) -> str:
    """Return an outcome's short name."""
    return Outcome.Name(outcome).removeprefix("OUTCOME_")
