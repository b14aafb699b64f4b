"""What a page says of a decision, in plain words and numbers. Pure: from what was found and opened to what is shown."""

import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from google.protobuf.message import DecodeError
from markupsafe import Markup

from tallystick.audit.console.charts import Bar, contributions, gauge
from tallystick.audit.entries import LoggedDecision
from tallystick.audit.wording import tell_outcome, tell_reason
from tallystick.contracts import Decision, Explanation, FeatureVector, Identity, Outcome, TransactionDetails
from tallystick.trust.bundle_format import Opening
from tallystick.trust.decisions import margin_of, score_of
from tallystick.trust.features import FeatureSchema, FeatureSchemaError
from tallystick.trust.governance import Governance, VerifiedActivation

TITLES = {
    Outcome.OUTCOME_APPROVE: "Approved",
    Outcome.OUTCOME_REVIEW: "Held for review",
    Outcome.OUTCOME_DECLINE: "Declined",
    Outcome.OUTCOME_REJECTED: "Not scored",
}
_MINOR = 100
"""Minor units in a major one, as the feature `amount` counts them."""


@dataclass(frozen=True, slots=True)
class Told:
    """A decision for people; what is None or empty is not known, or not for this reader."""

    title: str
    style: str
    sentence: str
    reasons: Sequence[str]
    applied: Sequence[tuple[str, str]]
    decision: Decision
    index: int
    activation: VerifiedActivation | None
    margin: float | None
    scale: Markup | None
    explained: Markup | None
    bars: Sequence[Bar]
    facts: Sequence[tuple[str, str]]


def tell(logged: LoggedDecision, governance: Governance, openings: Sequence[Opening]) -> Told:
    """Return what the decision's page says, as far as `openings` disclose it."""
    decision = logged.decision
    opened = {opening.group: opening.content for opening in openings}
    activation = _activation(decision, governance)
    margin = margin_of(decision.margin_bits) if decision.HasField("margin_bits") else None
    bars = _bars(opened, activation)
    scale = None
    if activation is not None and decision.HasField("score"):
        policy = activation.policy
        scale = gauge(decision.score, score_of(policy.review_margin), score_of(policy.decline_margin))
    return Told(
        title=TITLES.get(decision.outcome, "Unknown outcome"),
        style=Outcome.Name(decision.outcome).removeprefix("OUTCOME_").lower() if decision.outcome in TITLES else "rejected",
        sentence=tell_outcome(decision.outcome),
        reasons=[tell_reason(code) for code in decision.reasons],
        applied=_applied(decision, activation),
        decision=decision,
        index=logged.index,
        activation=activation,
        margin=margin,
        scale=scale,
        explained=contributions(bars, margin) if bars and margin is not None else None,
        bars=bars,
        facts=_facts(opened),
    )


def _activation(decision: Decision, governance: Governance) -> VerifiedActivation | None:
    if not decision.HasField("activation_index"):
        return None
    return next((one for one in governance.activations if one.index == decision.activation_index), None)


def _applied(decision: Decision, activation: VerifiedActivation | None) -> list[tuple[str, str]]:
    """Return the names of what applied, each with what the policy says of it."""
    policy = activation.policy if activation else None
    about: dict[str, str] = {}
    if policy is not None:
        about = {item.name: item.about for item in policy.lists} | {rule.name: rule.about for rule in policy.rules}
    return [(name, about.get(name, "")) for name in decision.applied]


def _bars(opened: Mapping[str, bytes], activation: VerifiedActivation | None) -> list[Bar]:
    try:
        explanation = Explanation.FromString(opened.get("explanation", b""))
        values = _values(opened, activation)
    except (DecodeError, FeatureSchemaError, struct.error):
        return []
    return [Bar(item.feature, values.get(item.feature), item.margin) for item in explanation.contributions]


def _values(opened: Mapping[str, bytes], activation: VerifiedActivation | None) -> dict[str, float]:
    if "features" not in opened or activation is None:
        return {}
    names = FeatureSchema.parse(activation.model.feature_schema).names
    vector = FeatureVector.FromString(opened["features"])
    return dict(zip(names, struct.unpack(f"<{len(names)}f", vector.values), strict=True))


def _facts(opened: Mapping[str, bytes]) -> list[tuple[str, str]]:
    """Return what the transaction's own groups say."""
    try:
        identity = Identity.FromString(opened.get("identity", b""))
        details = TransactionDetails.FromString(opened.get("transaction", b""))
    except DecodeError:
        return []
    facts = [("Transaction", identity.transaction_id), ("Customer", identity.customer_id)]
    if "transaction" in opened:
        facts += [
            ("Amount", f"{details.amount_minor / _MINOR:,.2f} {details.currency}"),
            ("Terminal", details.terminal_id),
            ("Merchant", details.merchant_id),
        ]
    return [(name, value) for name, value in facts if value]
