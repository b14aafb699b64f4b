"""A verified proof file or receipt, told: as rows for people and as JSON for programs."""

from typing import Any

from tallystick.trust.log_proofs import VerifiedGrowth, VerifiedLogProof
from tallystick.trust.records import kind_name
from tallystick.verifier.report import decision_rows, decision_summary, utc


def summary(proof: VerifiedLogProof) -> dict[str, Any]:
    """Return the whole finding as JSON values; what a decision says only if the entry is one."""
    return {
        "format": proof.format,
        "kind": kind_name(proof.entry.kind),
        **({} if proof.decision is None else decision_summary(proof.decision)),
        "log": {
            "origin": proof.origin,
            "index": proof.index,
            "size": proof.size,
            "root": proof.root.hex(),
            "cosigned": {name: utc(time_s * 1000) for name, time_s in proof.cosigned.items()},
        },
        "checks": proof.checks,
        "unchecked": proof.unchecked,
    }


def rows(proof: VerifiedLogProof) -> list[tuple[str, str]]:
    """Return what is proven as labelled lines."""
    entry = proof.entry
    told = [("entry", f"{kind_name(entry.kind)}, from {entry.topic}, partition {entry.partition}, offset {entry.offset}")]
    if proof.decision is not None:
        told = decision_rows(proof.decision)
    return [*told, ("log", f"{proof.origin}, entry {proof.index:,} of {proof.size:,}"), ("format", proof.format)]


def growth_summary(growth: VerifiedGrowth) -> dict[str, Any]:
    """Return the whole finding on two trees as JSON values."""
    return {
        "format": growth.format,
        "log": {"origin": growth.origin, "older_size": growth.old_size, "size": growth.size, "root": growth.root.hex()},
        "checks": growth.checks,
        "unchecked": growth.unchecked,
    }


def growth_rows(growth: VerifiedGrowth) -> list[tuple[str, str]]:
    """Return what is proven of two trees as labelled lines."""
    return [("log", f"{growth.origin}, from {growth.old_size:,} to {growth.size:,} entries"), ("format", growth.format)]
