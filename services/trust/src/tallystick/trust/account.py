"""What the verification of one bundle looked at and what it could not, in plain words."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime

from tallystick.contracts import Decision, Outcome
from tallystick.merkle.policy import LogPolicy, VerifiedCheckpoint
from tallystick.trust.anchors.verifying import VerifiedAnchor
from tallystick.trust.decisions import GROUPS
from tallystick.trust.enrolments import SignedEnrolment
from tallystick.trust.verified import VerifiedGovernance

NO_COMPLETENESS = "whether the input's running hash is right and no record was left out: sealers show that"
REVOKED = "whether any of its signers had been revoked before: `tallystick fsck` of the governance log shows that"
"""What one bundle cannot show of those who signed."""

UNRULED = "whether just these rules and lists applied: `tallystick replay` evaluates them again on the evidence"
"""What is not checked of a policy that has any."""


def checks(
    index: int,
    decision: Decision,
    checkpoint: VerifiedCheckpoint,
    governance: VerifiedGovernance | None,
    disclosures: Mapping[str, bytes],
    anchors: Sequence[VerifiedAnchor],
) -> list[str]:
    """Return what was checked, one clause each."""
    head, cosigned = checkpoint.checkpoint, _cosigned(checkpoint)
    out = [
        f"the log {head.origin} signed a checkpoint of {head.size:,} entries{cosigned}",
        f"the decision is entry {index:,} of it",
        "the decision's fields agree with each other and with the trust policy",
    ]
    if governance is not None:
        out += _governance_checks(decision, governance)
    out += [anchor.shown for anchor in anchors]
    out += [f"the group {group} opens the decision's commitment to it" for group in disclosures]
    return out


def unchecked(
    logs: LogPolicy,
    decision: Decision,
    governance: VerifiedGovernance | None,
    disclosures: Mapping[str, bytes],
    anchors: Sequence[VerifiedAnchor],
    unpinned: Sequence[str],
) -> list[str]:
    """Return what was not checked, one clause each."""
    out = []
    if logs.quorum is None:
        out.append("whether everybody is shown this same log: the quorum is none, so no witness had to look")
    else:
        out.append("whether the witnesses are nobody's but their own: the trust policy chose them")
    if logs.quorum is None and not any(anchor.kind == "rfc3161" for anchor in anchors):  # a block is nobody's signed word
        why = "only a block that has to be looked up dates it" if anchors else "nothing anchors it outside"
        out.append(f"when the checkpoint was made: {why}, it is the log's own word")
    out += [anchor.unchecked for anchor in anchors]
    out += [f"the anchor by {name}: the trust policy pins nobody of that name" for name in unpinned]
    if governance is not None:
        out.append("whether a newer activation was already due: the whole governance log shows that")
        out.append(REVOKED)
    out.append(NO_COMPLETENESS)
    if decision.outcome == Outcome.OUTCOME_REJECTED:
        return out
    hidden = [group for group in GROUPS if group not in disclosures]
    if hidden:
        out.append(f"evidence that is not disclosed here: {', '.join(hidden)}")
    out.append("whether the model gives this margin: `tallystick replay` executes it again")
    if governance is not None and (governance.policy.statement.rules or governance.policy.statement.lists):
        out.append(UNRULED)
    return out


def _cosigned(checkpoint: VerifiedCheckpoint) -> str:
    if not checkpoint.cosigned:
        return ""
    names = f", cosigned by {', '.join(sorted(checkpoint.cosigned))}"
    return names if checkpoint.quorum_time_s is None else f"{names}: a quorum, as of {_utc(checkpoint.quorum_time_s)}"


def _utc(time_s: int) -> str:
    try:
        return datetime.fromtimestamp(time_s, UTC).isoformat().replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):  # a time that no calendar has
        return f"{time_s} s after 1970"


def _governance_checks(decision: Decision, governance: VerifiedGovernance) -> list[str]:
    model, policy, activation = governance.model, governance.policy, governance.activation
    out = [
        f"the governance log {governance.checkpoint.checkpoint.origin} holds model, policy and activation",
        f"the model was published by {_join(model.publishers)} (entry {model.index:,})",
        f"the policy was published by {_join(policy.publishers)} (entry {policy.index:,})",
        f"the activation of both was approved by {_join(activation.approvers)} (entry {activation.index:,})",
    ]
    out += [
        f"{item.statement.signer} was {_made(item)} by {_join(item.approvers)} (entry {item.index:,})"
        for item in governance.enrolments
    ]
    if decision.outcome != Outcome.OUTCOME_REJECTED:
        out.append("the outcome is what that policy makes of the margin, and the score follows from it")
    return out


def _made(enrolment: SignedEnrolment) -> str:
    roles = enrolment.statement.roles
    return f"enrolled as {' and '.join(roles)}" if roles else "revoked"


def _join(names: tuple[str, ...]) -> str:
    return " and ".join(names)
