"""A verified bundle, told: as rows for people and as JSON for programs."""

from datetime import UTC, datetime
from typing import Any

from tallystick.contracts import Decision, Outcome, ReasonCode
from tallystick.trust.bundle import VerifiedBundle, VerifiedGovernance
from tallystick.trust.decisions import margin_of
from tallystick.trust.features import FeatureSchema
from tallystick.verifier import evidence


def utc(time_ms: int) -> str:
    """Return a time in milliseconds since 1970 as ISO 8601 UTC; one that no calendar has, as the number that it is."""
    try:
        return datetime.fromtimestamp(time_ms / 1000, UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
    except (ValueError, OverflowError, OSError):
        return f"{time_ms} ms since 1970"


def outcome_name(decision: Decision) -> str:
    """Return the outcome's short name, such as "DECLINE"."""
    return Outcome.Name(decision.outcome).removeprefix("OUTCOME_")


def reason_names(decision: Decision) -> list[str]:
    """Return the reasons' short names, such as "MARGIN_DECLINE"."""
    return [ReasonCode.Name(reason).removeprefix("REASON_CODE_") for reason in decision.reasons]


def summary(bundle: VerifiedBundle) -> dict[str, Any]:
    """Return the whole finding as JSON values."""
    return {
        **decision_summary(bundle.decision),
        "log": {
            "origin": bundle.checkpoint.checkpoint.origin,
            "index": bundle.index,
            "size": bundle.checkpoint.checkpoint.size,
            "root": bundle.checkpoint.checkpoint.root.hex(),
            "cosigned": {name: utc(time_s * 1000) for name, time_s in bundle.checkpoint.cosigned.items()},
        },
        "governance": _governance_summary(bundle.governance) if bundle.governance else None,
        "anchors": [
            {"by": anchor.by, "kind": anchor.kind, "size": anchor.size, "time": utc(anchor.time_s * 1000)}
            for anchor in bundle.anchors
        ],
        "disclosed": _told(bundle),
        "checks": bundle.checks,
        "unchecked": bundle.unchecked,
    }


def decision_summary(decision: Decision) -> dict[str, Any]:
    """Return what a decision says as JSON values."""
    scored = decision.HasField("margin_bits")
    return {
        "outcome": outcome_name(decision),
        "reasons": reason_names(decision),
        "applied": list(decision.applied),
        "margin": margin_of(decision.margin_bits) if scored else None,
        "margin_bits": f"{decision.margin_bits:08x}" if scored else None,
        "score": decision.score if scored else None,
        "decided_at": utc(decision.decided_at_ms),
        "source": {
            "topic": decision.source_topic,
            "partition": decision.source_partition,
            "offset": decision.source_offset,
            "sequence": decision.sequence,
            "chain": decision.chain.hex(),
        },
    }


def rows(bundle: VerifiedBundle) -> list[tuple[str, str]]:
    """Return what was decided, by what and by whom, as labelled lines."""
    out = decision_rows(bundle.decision)
    if bundle.governance:
        out += _governance_rows(bundle.governance)
    out += [(f"disclosed {group}", evidence.line(group, told)) for group, told in _told(bundle).items()]
    checkpoint = bundle.checkpoint.checkpoint
    out.append(("log", f"{checkpoint.origin}, entry {bundle.index:,} of {checkpoint.size:,}"))
    return out


def decision_rows(decision: Decision) -> list[tuple[str, str]]:
    """Return what a decision says as labelled lines."""
    reasons = ", ".join(reason_names(decision))
    out = [("decision", outcome_name(decision) + (f" ({reasons})" if reasons else ""))]
    if decision.applied:
        out.append(("policy's rules", ", ".join(decision.applied)))
    if decision.HasField("margin_bits"):
        out.append(
            ("margin", f"{margin_of(decision.margin_bits):.9g} (bits {decision.margin_bits:08x}), score {decision.score}")
        )
    out.append(("time", utc(decision.decided_at_ms)))
    place = f"{decision.source_topic}, partition {decision.source_partition}, offset {decision.source_offset}"
    out.append(("record", f"{place}, sequence {decision.sequence}"))
    return out


def _told(bundle: VerifiedBundle) -> dict[str, Any]:
    if bundle.model is None:  # without a model nothing was scored, so nothing was committed to
        return {}
    return evidence.evidence(bundle.disclosures, FeatureSchema.parse(bundle.model.feature_schema))


def _governance_rows(governance: VerifiedGovernance) -> list[tuple[str, str]]:
    model, policy, activation = governance.model, governance.policy, governance.activation
    thresholds = f"decline from {policy.statement.decline_margin:.9g}, review from {policy.statement.review_margin:.9g}"
    approved = f"{' and '.join(activation.approvers)} (number {activation.number}, effective {utc(activation.effective_at_ms)})"
    return [
        ("model", f"{model.statement.name} {model.statement.version}, published by {' and '.join(model.publishers)}"),
        ("model SHA-256", model.statement.digest.hex()),
        ("policy", f"{policy.statement.name} {policy.statement.version}: {thresholds}"),
        ("approved by", approved),
    ]


def _governance_summary(governance: VerifiedGovernance) -> dict[str, Any]:
    model, policy, activation = governance.model, governance.policy, governance.activation
    return {
        "origin": governance.checkpoint.checkpoint.origin,
        "size": governance.checkpoint.checkpoint.size,
        "model": {
            "index": model.index,
            "name": model.statement.name,
            "version": model.statement.version,
            "digest": model.statement.digest.hex(),
            "publishers": list(model.publishers),
        },
        "policy": {
            "index": policy.index,
            "name": policy.statement.name,
            "version": policy.statement.version,
            "digest": policy.digest.hex(),
            "decline_margin": policy.statement.decline_margin,
            "review_margin": policy.statement.review_margin,
            "publishers": list(policy.publishers),
        },
        "activation": {
            "index": activation.index,
            "slot": activation.slot,
            "number": activation.number,
            "effective_at": utc(activation.effective_at_ms),
            "approvers": list(activation.approvers),
        },
        "enrolments": [
            {
                "index": item.index,
                "name": item.statement.signer,
                "public_key": item.statement.public_key.hex(),
                "roles": list(item.statement.roles),
                "approvers": list(item.approvers),
            }
            for item in governance.enrolments
        ],
    }
