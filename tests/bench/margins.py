"""Whether a peer computes what scoring does: the margins of the same transactions, compared by their bits."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

from tallystick.contracts import Decision, PolicyStatement, Transaction


class MarginsDifferError(RuntimeError):
    """A peer's margins are not scoring's: the two are not to be compared."""


Records = Sequence[Sequence[tuple[int, bytes]]]
"""Offset and value of a topic's records, by partition."""


def of_scoring(transactions: Records, decisions: Records) -> dict[str, int]:
    """Return the bits of each margin by transaction id, from what scoring read and what it wrote."""
    margins = {}
    for read, written in zip(transactions, decisions, strict=True):
        identifiers = {offset: Transaction.FromString(value).transaction_id for offset, value in read}
        for _, value in written:
            decision = Decision.FromString(value)
            margins[identifiers[decision.source_offset]] = decision.margin_bits
    return margins


def of_peer(scores: Records) -> dict[str, int]:
    """Return the same from a peer's JSON."""
    found = [json.loads(value) for partition in scores for _, value in partition]
    bits = np.array([score["margin"] for score in found], np.float32).view(np.uint32).tolist()
    return dict(zip([score["transaction_id"] for score in found], bits, strict=True))


def compare(name: str, expected: Mapping[str, int], found: Mapping[str, int]) -> None:
    """Raise MarginsDifferError if any margin differs, or if there is none."""
    differing = [identifier for identifier, bits in found.items() if expected.get(identifier) != bits]
    if differing or not found:
        raise MarginsDifferError(
            f"{name}: {len(differing):,} of {len(found):,} margins are not scoring's, e.g. of {differing[:3]}"
        )


def thresholds(release: Path) -> tuple[float, float]:
    """Return the margins from which on a release's policy reviews and declines."""
    policy = PolicyStatement.FromString((release / "policy_statement.bin").read_bytes())
    return policy.review_margin, policy.decline_margin
