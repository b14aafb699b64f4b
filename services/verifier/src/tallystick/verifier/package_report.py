"""A verified audit package, told: as rows for people and as JSON for programs."""

from collections import Counter
from typing import Any

from tallystick.trust.packages.verifying import VerifiedPackage
from tallystick.verifier.report import decision_summary, outcome_name, utc

TOLD = 20
SAME = "says what yours says"
OTHER = "says something else than yours, or cannot be read: find out why; it was not used"


def summary(package: VerifiedPackage) -> dict[str, Any]:
    """Return the whole finding as JSON values."""
    return {
        "format": "audit package",
        "case": package.case.name,
        "asked": list(package.case.asked),
        "left_out": list(package.case.left_out),
        "disclosed": list(package.case.groups),
        "decisions": [
            {
                "log": {"origin": bundle.checkpoint.checkpoint.origin, "index": bundle.index},
                **decision_summary(bundle.decision),
            }
            for bundle in package.bundles
        ],
        "governance": {
            "origin": package.governance_head.checkpoint.origin,
            "size": package.governance_head.checkpoint.size,
            "without_effect": [{"index": index, "reason": reason} for index, reason in package.governance.rejected],
        },
        "models": package.models,
        "absent": list(package.absent),
        "sealed": dict(package.sealed),
        "operators_trust_policy_is_the_same": package.same_policy,
        "checks": package.checks,
        "unchecked": package.unchecked,
    }


def rows(package: VerifiedPackage) -> list[tuple[str, str]]:
    """Return what is proven as labelled lines."""
    head = package.governance_head
    told = [("case", package.case.name), *(("asked for", asked) for asked in package.case.asked)]
    counts = Counter(outcome_name(bundle.decision) for bundle in package.bundles)
    told.append(("decisions", ", ".join(f"{count:,} {outcome}" for outcome, count in sorted(counts.items())) or "none"))
    for bundle in package.bundles[:TOLD]:
        decision = bundle.decision
        place = f"partition {decision.source_partition}, sequence {decision.sequence:,}"
        told.append(("", f"{place}: {outcome_name(decision)} at {utc(decision.decided_at_ms)}"))
    if len(package.bundles) > TOLD:
        told.append(("", f"and {len(package.bundles) - TOLD:,} more"))
    told += [("left out", left) for left in package.case.left_out]
    told += [("absent", f"{name}, which the package's own records name") for name in package.absent[:TOLD]]
    if len(package.absent) > TOLD:
        told.append(("", f"and {len(package.absent) - TOLD:,} more"))
    cosigned = f", cosigned by {', '.join(sorted(head.cosigned))}" if head.cosigned else ""
    told.append(("governance log", f"{head.checkpoint.origin}, {head.checkpoint.size:,} entries{cosigned}"))
    told += [("without effect", f"entry {index:,}: {reason}") for index, reason in package.governance.rejected]
    told += [("sealed", f"{count:,} of the decisions, by {sealer}") for sealer, count in package.sealed.items()]
    told.append(("operator's trust policy", SAME if package.same_policy else OTHER))
    return told
