"""Ruling again: another policy on the logged margins, or each challenger's margin under its own policy. Pure."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

import numpy as np

from tallystick.cli.backtest.tally import Case, Tally
from tallystick.contracts import Decision, Explanation, Outcome, PolicyStatement, Transaction
from tallystick.rules.evidence import Disclosed, batch_of, transaction_of
from tallystick.rules.language import RuleError
from tallystick.rules.lists import MemberList
from tallystick.rules.policies import Policy
from tallystick.trust.decisions import outcome_of
from tallystick.trust.features import FeatureSchema
from tallystick.trust.governance import VerifiedActivation
from tallystick.trust.rulings import Ruling
from tallystick.trust.transactions import Payment

Labels = Mapping[str, bool]
"""Whether each labelled transaction is fraud, by its id."""

NO_EVIDENCE = "evidence that may not be seen, or was erased"
OTHER_FEATURES = "scored on features that the policy does not fit"
NO_ACTIVATION = "made under an activation that the governance log does not have"


class Trial(Protocol):
    """What is tried on decisions, none of them rejected; `disclosed` holds `groups`, or None where there is nothing."""

    groups: frozenset[str]

    def add(self, decisions: Sequence[Decision], disclosed: Sequence[Disclosed | None]) -> None:
        """Rule on some decisions again and count."""


@dataclass(slots=True)
class PolicyTrial:
    """Another policy, on the margins that were logged.

    Args:
        statement: the policy.
        lists: its lists, in its order.
        activations: the governance log's, by index.
        labels: what is known of transactions.
        groups: the disclosure groups that may be asked for, beside those that the policy is about.
    """

    statement: PolicyStatement
    lists: Sequence[MemberList | None]
    activations: Mapping[int, VerifiedActivation]
    labels: Labels
    groups: frozenset[str]
    tally: Tally = field(default_factory=Tally)
    _ready: dict[bytes, tuple[Policy, int] | None] = field(default_factory=dict)

    def add(self, decisions: Sequence[Decision], disclosed: Sequence[Disclosed | None]) -> None:
        """Rule on some decisions again and count."""
        by_schema: dict[bytes, list[tuple[Decision, Disclosed]]] = {}
        for decision, groups in zip(decisions, disclosed, strict=True):
            activation = self.activations.get(decision.activation_index)
            if activation is None:
                self.tally.left_out[NO_ACTIVATION] += 1
            else:
                by_schema.setdefault(activation.model.feature_schema, []).append((decision, groups or {}))
        for schema, some in by_schema.items():
            ready = self._under(schema)
            if ready is None:
                self.tally.left_out[OTHER_FEATURES] += len(some)
                continue
            policy, features = ready
            seen = [(decision, groups) for decision, groups in some if policy.groups <= groups.keys()]
            self.tally.left_out[NO_EVIDENCE] += len(some) - len(seen)
            if seen:
                batch = batch_of([decision for decision, _ in seen], [groups for _, groups in seen], features)
                self.tally.add(map(self._case, [one for one, _ in seen], policy.rule(batch), batch.transactions))

    def _under(self, schema: bytes) -> tuple[Policy, int] | None:
        if schema not in self._ready:
            names = FeatureSchema.parse(schema).names
            try:
                self._ready[schema] = Policy(self.statement, names, self.lists), len(names)
            except RuleError:
                self._ready[schema] = None
        return self._ready[schema]

    def _case(self, decision: Decision, ruling: Ruling, paid: Transaction | Payment) -> Case:
        return case_of(decision, ruling.outcome, ruling.applied, paid, self.labels)


@dataclass(slots=True)
class ChallengerTrial:
    """The challengers, on what was recorded of them: each margin under the policy of its own activation, thresholds alone.

    `tallies` are by activation; `distance` holds the sum of how far its margins were from the champion's.
    """

    activations: Mapping[int, VerifiedActivation]
    labels: Labels
    groups: frozenset[str]
    tallies: dict[int, Tally] = field(default_factory=dict)
    distance: dict[int, float] = field(default_factory=dict)
    unseen: int = 0

    def add(self, decisions: Sequence[Decision], disclosed: Sequence[Disclosed | None]) -> None:
        """Compare what challengers made of some decisions, and count."""
        for decision, groups in zip(decisions, disclosed, strict=True):
            if groups is None or "explanation" not in groups:
                self.unseen += 1
                continue
            paid = transaction_of(groups)
            for said in Explanation.FromString(groups["explanation"]).challengers:
                activation = self.activations.get(said.activation_index)
                if activation is None:
                    continue
                champion, margin = np.array([decision.margin_bits, said.margin_bits], np.uint32).view(np.float32).tolist()
                tally = self.tallies.setdefault(said.activation_index, Tally())
                outcome = outcome_of(margin, activation.policy)
                tally.add([case_of(decision, outcome, (), paid, self.labels)])
                far = abs(margin - champion)
                self.distance[said.activation_index] = self.distance.get(said.activation_index, 0.0) + far


def case_of(
    decision: Decision, would_be: Outcome, applied: tuple[str, ...], paid: Transaction | Payment, labels: Labels
) -> Case:
    """Return a case, with what is known of the transaction."""
    seen = bool(paid.currency)
    return Case(
        was=decision.outcome,
        would_be=would_be,
        applied=applied,
        amount_minor=paid.amount_minor if seen else None,
        currency=paid.currency,
        fraud=labels.get(paid.transaction_id),
    )
