"""Decisions beside what was cleared. Pure; what it holds of a period is the file and what is not in it."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field

from tallystick.cli.reconcile.clearing import Cleared
from tallystick.contracts import Decision, Identity, Outcome, TransactionDetails

SHOWN = 20
"""How many transactions of a kind are named."""
PAYABLE = frozenset({Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW})
"""Outcomes after which a transaction may have been paid: what was to be reviewed a person may have let through."""

UNDECIDED, REFUSED, AMOUNT, TWICE = "cleared and not decided", "cleared though refused", "other amount", "decided twice"
UNCLEARED = "approved and not cleared"


@dataclass(slots=True)
class Finding:
    """Transactions of one kind: how many, and the first of them."""

    count: int = 0
    ids: list[str] = field(default_factory=list)

    def add(self, name: str) -> None:
        """Count one."""
        self.count += 1
        if len(self.ids) < SHOWN:
            self.ids.append(name)


class Tally:
    """Takes decisions with what is opened of them, and says what does not agree with the clearing file.

    `decided` and `cleared` hold, by currency and outcome, how many transactions and how much money; `closed` counts decisions
    whose evidence was not opened (rejected records have none; evidence may be erased).
    """

    def __init__(self, cleared: Mapping[str, Cleared]) -> None:
        self._cleared = cleared
        self._seen: set[str] = set()
        self.decided: Counter[tuple[str, str]] = Counter()
        self.decided_minor: Counter[tuple[str, str]] = Counter()
        self.cleared: Counter[tuple[str, str]] = Counter()
        self.cleared_minor: Counter[tuple[str, str]] = Counter()
        self.closed = 0
        self.rejected = 0
        self.findings: dict[str, Finding] = {kind: Finding() for kind in (UNDECIDED, REFUSED, AMOUNT, TWICE, UNCLEARED)}

    def add(self, decisions: Sequence[Decision], opened: Sequence[Mapping[str, bytes] | None]) -> None:
        """Take decisions, with the groups `identity` and `transaction` of each, or None."""
        for decision, groups in zip(decisions, opened, strict=True):
            if decision.outcome == Outcome.OUTCOME_REJECTED:
                self.rejected += 1
            elif groups is None or not groups.keys() >= {"identity", "transaction"}:
                self.closed += 1
            else:
                self._add(decision, groups)

    def end(self) -> None:
        """Say what of the file was not decided; to be called once, after the last decision."""
        for name in sorted(self._cleared.keys() - self._seen):
            self._count_cleared(name, "NONE")
            self.findings[UNDECIDED].add(name)

    @property
    def agrees(self) -> bool:
        """True if nothing was found."""
        return not any(finding.count for finding in self.findings.values())

    def _add(self, decision: Decision, groups: Mapping[str, bytes]) -> None:
        name = Identity.FromString(groups["identity"]).transaction_id
        details = TransactionDetails.FromString(groups["transaction"])
        outcome = Outcome.Name(decision.outcome).removeprefix("OUTCOME_")
        if name in self._seen:
            self.findings[TWICE].add(name)
            return
        self._seen.add(name)
        self.decided[details.currency, outcome] += 1
        self.decided_minor[details.currency, outcome] += details.amount_minor
        paid = self._cleared.get(name)
        if paid is None:
            if decision.outcome == Outcome.OUTCOME_APPROVE:
                self.findings[UNCLEARED].add(name)
            return
        self._count_cleared(name, outcome)
        if decision.outcome not in PAYABLE:
            self.findings[REFUSED].add(name)
        if paid != (details.amount_minor, details.currency):
            self.findings[AMOUNT].add(name)

    def _count_cleared(self, name: str, outcome: str) -> None:
        amount_minor, currency = self._cleared[name]
        self.cleared[currency, outcome] += 1
        self.cleared_minor[currency, outcome] += amount_minor
