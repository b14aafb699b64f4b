"""A policy's ruling again, from what the evidence discloses."""

from collections.abc import Mapping, Sequence

import numpy as np
from numpy.typing import NDArray

from tallystick.contracts import Decision, FeatureVector, Identity, Transaction, TransactionDetails
from tallystick.rules.columns import Batch
from tallystick.rules.outcomes import outcomes
from tallystick.rules.policies import Policy
from tallystick.trust.rulings import Ruling, reason_by_name, rule_on

Disclosed = Mapping[str, bytes]
"""The contents of disclosed groups, by short name, as the decision commits to them."""


def transaction_of(disclosed: Disclosed) -> Transaction:
    """Return the transaction as far as it is disclosed."""
    identity = Identity.FromString(disclosed.get("identity", b""))
    details = TransactionDetails.FromString(disclosed.get("transaction", b""))
    return Transaction(
        transaction_id=identity.transaction_id,
        customer_id=identity.customer_id,
        amount_minor=details.amount_minor,
        currency=details.currency,
        event_time_ms=details.event_time_ms,
        terminal_id=details.terminal_id,
        merchant_id=details.merchant_id,
        source=details.source,
        source_sequence=details.source_sequence,
        attributes=details.attributes,
    )


def batch_of(decisions: Sequence[Decision], disclosed: Sequence[Disclosed], features: int) -> Batch:
    """Return scored decisions as the batch that a policy ruled on.

    Args:
        decisions: none of them rejected.
        disclosed: what is disclosed of each: at least the policy's `groups`.
        features: how many the feature schema has; where they are not disclosed, they are missing.
    """
    matrix = np.full((len(decisions), features), np.nan, np.float32)
    for row, groups in enumerate(disclosed):
        if "features" in groups:
            matrix[row] = np.frombuffer(FeatureVector.FromString(groups["features"]).values, "<f4")
    bits: NDArray[np.uint32] = np.array([decision.margin_bits for decision in decisions], np.uint32)
    return Batch(
        bits.view(np.float32),
        matrix,
        [transaction_of(groups) for groups in disclosed],
        [decision.decided_at_ms for decision in decisions],
    )


def rule_again(policy: Policy, decision: Decision, disclosed: Disclosed, features: int, unasked: frozenset[str]) -> Ruling:
    """Return the ruling on one decision; of lists that cannot be asked here (`unasked`, by name) the decision is believed."""
    batch = batch_of([decision], [disclosed], features)
    (found,) = policy.rule(batch)
    reasons = reason_by_name(policy.statement)
    applied = {*found.applied, *(name for name in decision.applied if name in unasked)}
    return rule_on(outcomes(batch.margins, policy.statement)[0], [name for name in reasons if name in applied], reasons)
