"""What makes a single `Decision` sound: its fields, and their agreement with each other and with its policy."""

from math import exp, floor, isfinite
from struct import Struct

from tallystick.contracts import Decision, DisclosureGroup, Outcome, PolicyStatement, ReasonCode
from tallystick.trust.commitments import DIGEST_SIZE
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.rulings import OUTCOME_OF_REASON, outcome_of_reasons, reason_by_name, rule_on, without_mark

GROUPS = {
    "identity": DisclosureGroup.DISCLOSURE_GROUP_IDENTITY,
    "transaction": DisclosureGroup.DISCLOSURE_GROUP_TRANSACTION,
    "features": DisclosureGroup.DISCLOSURE_GROUP_FEATURES,
    "explanation": DisclosureGroup.DISCLOSURE_GROUP_EXPLANATION,
}
"""Every disclosure group by its short name."""

_FIRST_REJECTION = ReasonCode.REASON_CODE_VALUE_NULL
"""Reason codes from this one on say why a record was rejected; those below, why a scored one has its outcome."""

_float32 = Struct("<f")
_bits32 = Struct("<I")


class DecisionError(TrustError):
    """A decision contradicts itself, its policy or the trust policy."""


def margin_of(bits: int) -> float:
    """Return the margin whose IEEE 754 binary32 bits these are."""
    margin: float = _float32.unpack(_bits32.pack(bits))[0]
    return margin


def score_of(margin: float) -> int:
    """Return floor(1000 / (1 + exp(-margin)) + 0.5) in float64: 0 to 1000, for people, never compared with a threshold."""
    try:
        return floor(1000 / (1 + exp(-margin)) + 0.5)
    except OverflowError:  # exp of more than 709: the share is 0 to the last bit
        return 0


def outcome_of(margin: float, policy: PolicyStatement) -> Outcome:
    """Return what the policy's thresholds make of a margin; both are float32, and so is the comparison."""
    if margin >= policy.decline_margin:
        return Outcome.OUTCOME_DECLINE
    if margin >= policy.review_margin:
        return Outcome.OUTCOME_REVIEW
    return Outcome.OUTCOME_APPROVE


def check_decision(decision: Decision, trust: TrustPolicy) -> None:
    """Check a decision by itself: its place exists, and its fields are those of its outcome.

    Raises:
        DecisionError: They are not.
    """
    _check_place(decision, trust)
    _require(len(decision.chain) == DIGEST_SIZE, "its chain is not 32 bytes")
    _require(decision.outcome in Outcome.values() and decision.outcome != 0, "its outcome is not known")
    _require(all(reason in ReasonCode.values() and reason != 0 for reason in decision.reasons), "a reason code is not known")
    in_force = decision.HasField("activation_index")
    _require(
        len(decision.policy_digest) == (DIGEST_SIZE if in_force else 0), "its policy and its activation do not go together"
    )
    if decision.outcome == Outcome.OUTCOME_REJECTED:
        _check_rejected(decision)
    else:
        _check_scored(decision)


def check_outcome(decision: Decision, policy: PolicyStatement) -> None:
    """Check that the policy makes this outcome, for these reasons, of the margin and of what the decision says applied.

    Whether that applied is not checked: it takes the evidence. Requires a sound decision that was not rejected.

    Raises:
        DecisionError: It makes another.
        RulingError: The policy has no such list or rule.
    """
    by_margin = outcome_of(margin_of(decision.margin_bits), policy)
    ruling = rule_on(by_margin, decision.applied, reason_by_name(policy) if decision.applied else {})
    if decision.outcome != ruling.outcome:
        made, logged = Outcome.Name(ruling.outcome), Outcome.Name(decision.outcome)
        raise DecisionError(f"the policy makes {made} of its margin and of what applied, and it says {logged}")
    _require(
        without_mark(decision.reasons) == ruling.reasons, "its reasons are not those that the policy gives for its outcome"
    )


def check_log(decision: Decision, origin: str, trust: TrustPolicy) -> None:
    """Check that the log in which a decision is proven is its partition's: any other could show a second one.

    Raises:
        DecisionError: The partition belongs to another log.
        TrustPolicyError: The trust policy does not know the partition.
    """
    partition = decision.source_partition
    own = trust.decisions_origin(decision.source_topic, partition)
    if origin != own:
        raise DecisionError(f"its partition {partition} belongs to the log {own}, and it is proven in {origin}")


def _check_place(decision: Decision, trust: TrustPolicy) -> None:
    topic = trust.topics.get(decision.source_topic)
    if topic is None:
        raise DecisionError(f"its topic {decision.source_topic!r} is not in the trust policy")
    if decision.source_partition >= topic.partitions:
        raise DecisionError(f"its partition {decision.source_partition} is not one of the topic's {topic.partitions}")
    _require(decision.sequence <= decision.source_offset, "its sequence is beyond its offset")


def _check_rejected(decision: Decision) -> None:
    empty = not (
        decision.HasField("margin_bits")
        or decision.HasField("score")
        or decision.model_digest
        or decision.feature_schema_digest
        or decision.evidence_digest
        or decision.commitments
        or decision.applied
    )
    _require(empty, "it was rejected and yet carries what only a scored record has")
    reasons = decision.reasons
    _require(bool(reasons) and min(reasons) >= _FIRST_REJECTION, "it was rejected for a reason that is none")
    unruled = ReasonCode.REASON_CODE_NO_ACTIVE_MODEL in reasons
    _require(
        not (unruled and decision.HasField("activation_index")), "it says that no model was active, and names an activation"
    )


def _check_scored(decision: Decision) -> None:
    _require(decision.HasField("activation_index"), "it was scored without an activation")
    _require(decision.decided_at_ms >= 0, "its time is before 1970")
    for name in ("model_digest", "feature_schema_digest", "evidence_digest"):
        _require(len(getattr(decision, name)) == DIGEST_SIZE, f"its {name} is not 32 bytes")
    _require(decision.HasField("margin_bits") and decision.HasField("score"), "its margin or score is missing")
    margin = margin_of(decision.margin_bits)
    _require(isfinite(margin), "its margin is not a finite number")
    _require(decision.score == score_of(margin), f"its score is {decision.score}, and its margin makes {score_of(margin)}")
    reasons = without_mark(decision.reasons)
    _require(all(reason in OUTCOME_OF_REASON for reason in reasons), "it was scored, and has a reason to be rejected")
    _require(outcome_of_reasons(reasons) == decision.outcome, "its reasons are not those of its outcome")
    groups = [commitment.group for commitment in decision.commitments]
    _require(sorted(groups) == sorted(GROUPS.values()), "it does not have one commitment for each disclosure group")
    _require(all(len(item.digest) == DIGEST_SIZE for item in decision.commitments), "a commitment is not 32 bytes")


def _require(condition: bool, otherwise: str) -> None:
    if not condition:
        raise DecisionError(otherwise)
