"""What makes a decision sound."""

from collections.abc import Callable
from math import exp, floor, inf, nan
from struct import pack

import pytest

from tallystick.contracts import Decision, Outcome, ReasonCode
from tallystick.trust.decisions import DecisionError, check_decision, check_outcome, margin_of, outcome_of, score_of

from .helpers import World, policy_statement, trust_policy

TRUST = trust_policy()


def bits(margin: float) -> int:
    """Return a margin's float32 bits."""
    return int.from_bytes(pack("<f", margin), "little")


@pytest.mark.parametrize("margin", [-3.0, 0.0, 1.0, 2.0, 7.25])
def test_a_scored_decision_is_sound(margin: float) -> None:
    """Approved, reviewed and declined ones pass, and follow from their policy."""
    world = World(margin=margin)
    check_decision(world.decision, TRUST)
    check_outcome(world.decision, world.policy)


@pytest.mark.parametrize("margin", [-3.0, 1.0, 7.25])
def test_a_stale_profile_is_a_last_reason_of_any_outcome(margin: float) -> None:
    """The mark asks for nothing: behind the outcome's reasons it is sound, before them or twice it is not."""
    world = World(margin=margin)
    stale = ReasonCode.REASON_CODE_PROFILE_STALE
    world.decision.reasons.append(stale)
    check_decision(world.decision, TRUST)
    check_outcome(world.decision, world.policy)
    world.decision.reasons.insert(0, stale)
    with pytest.raises(DecisionError):
        check_decision(world.decision, TRUST)


@pytest.mark.parametrize("in_force", [True, False])
def test_a_rejected_decision_is_sound(in_force: bool) -> None:
    """With an activation in force or without, a rejection carries its reasons and nothing else."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_AMOUNT_NEGATIVE, in_force=in_force)
    check_decision(world.decision, TRUST)


def test_before_any_activation_records_are_rejected_for_it() -> None:
    """NO_ACTIVE_MODEL goes without an activation."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_NO_ACTIVE_MODEL, in_force=False)
    check_decision(world.decision, TRUST)


def test_a_record_without_a_time_stamp_can_be_rejected() -> None:
    """Kafka says -1 for none; such a record still gets its decision."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_EVENT_TIME_SKEWED)
    world.decision.decided_at_ms = -1
    check_decision(world.decision, TRUST)


def _set(**values: object) -> Callable[[Decision], None]:
    def change(decision: Decision) -> None:
        for name, value in values.items():
            if value is None:
                decision.ClearField(name)
            elif isinstance(value, list):
                decision.ClearField(name)
                getattr(decision, name).extend(value)
            else:
                setattr(decision, name, value)

    return change


def _drop_commitment(decision: Decision) -> None:
    del decision.commitments[0]


def _repeat_commitment(decision: Decision) -> None:
    decision.commitments[0].group = decision.commitments[1].group


def _shorten_commitment(decision: Decision) -> None:
    decision.commitments[0].digest = bytes(31)


REVIEW, DECLINE = ReasonCode.REASON_CODE_MARGIN_REVIEW, ReasonCode.REASON_CODE_MARGIN_DECLINE
SCORED: dict[str, tuple[Callable[[Decision], None], str]] = {
    "another topic": (_set(source_topic="refunds"), "topic 'refunds' is not in the trust policy"),
    "no topic": (_set(source_topic=""), "topic '' is not in the trust policy"),
    "no such partition": (_set(source_partition=4), "partition 4 is not one of the topic's 4"),
    "sequence beyond offset": (_set(sequence=42), "sequence is beyond its offset"),
    "short chain": (_set(chain=bytes(31)), "its chain is not 32 bytes"),
    "before 1970": (_set(decided_at_ms=-1), "before 1970"),
    "no outcome": (_set(outcome=0), "outcome is not known"),
    "unknown outcome": (_set(outcome=77), "outcome is not known"),
    "unknown reason": (_set(reasons=[DECLINE, 77]), "a reason code is not known"),
    "unstated reason": (_set(reasons=[DECLINE, 0]), "a reason code is not known"),
    "no activation": (_set(activation_index=None), "its policy and its activation do not go together"),
    "no activation, no policy": (_set(activation_index=None, policy_digest=b""), "scored without an activation"),
    "no policy": (_set(policy_digest=b""), "its policy and its activation do not go together"),
    "short policy digest": (_set(policy_digest=bytes(31)), "its policy and its activation do not go together"),
    "no model": (_set(model_digest=b""), "its model_digest is not 32 bytes"),
    "long schema digest": (_set(feature_schema_digest=bytes(33)), "its feature_schema_digest is not 32 bytes"),
    "no evidence": (_set(evidence_digest=b""), "its evidence_digest is not 32 bytes"),
    "no margin": (_set(margin_bits=None), "margin or score is missing"),
    "no score": (_set(score=None), "margin or score is missing"),
    "NaN margin": (_set(margin_bits=bits(nan)), "not a finite number"),
    "infinite margin": (_set(margin_bits=bits(inf)), "not a finite number"),
    "another score": (_set(score=923), "its score is 923, and its margin makes 924"),
    "another margin": (_set(margin_bits=bits(2.25)), "its score is 924, and its margin makes 905"),
    "a reason too few": (_set(reasons=[]), "not those of its outcome"),
    "another reason": (_set(reasons=[REVIEW]), "not those of its outcome"),
    "a reason to reject": (_set(reasons=[DECLINE, ReasonCode.REASON_CODE_VALUE_NULL]), "has a reason to be rejected"),
    "approved with a reason": (_set(outcome=Outcome.OUTCOME_APPROVE), "not those of its outcome"),
    "rejected with a score": (_set(outcome=Outcome.OUTCOME_REJECTED), "carries what only a scored record has"),
    "a commitment too few": (_drop_commitment, "one commitment for each disclosure group"),
    "a commitment twice": (_repeat_commitment, "one commitment for each disclosure group"),
    "a short commitment": (_shorten_commitment, "a commitment is not 32 bytes"),
}


@pytest.mark.parametrize(("change", "reason"), SCORED.values(), ids=SCORED)
def test_a_scored_decision_that_contradicts_itself_is_refused(change: Callable[[Decision], None], reason: str) -> None:
    """One mutation, and the sentence that it gets."""
    decision = World().decision
    change(decision)
    with pytest.raises(DecisionError, match=reason):
        check_decision(decision, TRUST)


REJECTED: dict[str, tuple[Callable[[Decision], None], str]] = {
    "with a margin": (_set(margin_bits=0), "carries what only a scored record has"),
    "with a score": (_set(score=0), "carries what only a scored record has"),
    "with a model": (_set(model_digest=bytes(32)), "carries what only a scored record has"),
    "with a schema": (_set(feature_schema_digest=bytes(32)), "carries what only a scored record has"),
    "with evidence": (_set(evidence_digest=bytes(32)), "carries what only a scored record has"),
    "for no reason": (_set(reasons=[]), "rejected for a reason that is none"),
    "for its margin": (_set(reasons=[DECLINE]), "rejected for a reason that is none"),
    "no model though there is one": (_set(reasons=[ReasonCode.REASON_CODE_NO_ACTIVE_MODEL]), "and names an activation"),
    "policy without activation": (_set(activation_index=None), "do not go together"),
}


@pytest.mark.parametrize(("change", "reason"), REJECTED.values(), ids=REJECTED)
def test_a_rejection_that_contradicts_itself_is_refused(change: Callable[[Decision], None], reason: str) -> None:
    """One mutation of a rejection under an activation, and the sentence that it gets."""
    world = World()
    world.reject(ReasonCode.REASON_CODE_VALUE_NULL)
    change(world.decision)
    with pytest.raises(DecisionError, match=reason):
        check_decision(world.decision, TRUST)


@pytest.mark.parametrize(
    ("margin", "outcome"),
    [
        (-0.5, Outcome.OUTCOME_APPROVE),
        (0.0, Outcome.OUTCOME_REVIEW),
        (-0.0, Outcome.OUTCOME_REVIEW),
        (1.9999998807907104, Outcome.OUTCOME_REVIEW),
        (2.0, Outcome.OUTCOME_DECLINE),
    ],
)
def test_a_threshold_belongs_to_the_side_above_it(margin: float, outcome: Outcome) -> None:
    """At or over the decline margin is declined; at or over the review margin, reviewed."""
    assert outcome_of(margin, policy_statement()) == outcome


def test_thresholds_are_float32() -> None:
    """A threshold of 0.1 is the float32 nearest to it, so the float32 margin 0.1 reaches it."""
    assert outcome_of(margin_of(bits(0.1)), policy_statement(decline_margin=0.1)) == Outcome.OUTCOME_DECLINE


@pytest.mark.parametrize(
    ("margin", "score"), [(0.0, 500), (2.5, 924), (-2.5, 76), (800.0, 1000), (-800.0, 0), (-3.4e38, 0), (3.4e38, 1000)]
)
def test_the_score_is_the_written_formula(margin: float, score: int) -> None:
    """floor(1000 / (1 + exp(-margin)) + 0.5), also where exp overflows."""
    assert score_of(margin) == score
    if abs(margin) < 700:
        assert score == floor(1000 / (1 + exp(-margin)) + 0.5)
