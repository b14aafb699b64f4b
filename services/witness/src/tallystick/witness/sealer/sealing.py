"""What is signed: a statement on all partitions, and its place behind the one before."""

from collections.abc import Sequence
from hashlib import sha256

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.contracts import Seal, SealedSource, SealStatement
from tallystick.merkle.tiles import MAX_ENTRY_SIZE
from tallystick.trust.seals import STATEMENT, TRAIL_STEP
from tallystick.trust.statements import signing_input
from tallystick.witness.sealer.partition import PartitionChain

MAX_PARTITIONS = 256
_ROOM = MAX_ENTRY_SIZE - 1_000
_PARTITION_BYTES, _SOURCES_BYTES = 140, 16_000  # a short gap in each, and the longest names
_SHORT_GAP = 60


class SealSizeError(ValueError):
    """A seal would be larger than a log entry may be."""


def make_seal(
    name: str,
    key: Ed25519PrivateKey,
    *,
    topic: str,
    cluster_id: str,
    partitions: Sequence[PartitionChain],
    sources: Sequence[SealedSource],
    now_ms: int,
    last: Seal | None,
) -> Seal:
    """Return the seal on `partitions` (in their order, from 0) that follows `last`; a clock that went back is not followed.

    Raises:
        SealSizeError: It would be too large.
    """
    statement = SealStatement(
        topic=topic,
        cluster_id=cluster_id,
        partition_count=len(partitions),
        partitions=[partition.sealed() for partition in partitions],
        sealed_at_ms=now_ms,
        sources=sources,
    )
    if last is not None:
        before = SealStatement.FromString(last.statement)
        statement.number = before.number + 1
        statement.sealed_at_ms = max(now_ms, before.sealed_at_ms)
        statement.previous_digest = sha256(last.statement).digest()
    data = statement.SerializeToString()
    if len(data) > _ROOM:  # something happened to all partitions at once, and a few words each must do
        for one in statement.partitions:
            one.gap = one.gap[:_SHORT_GAP]
        data = statement.SerializeToString()
    if len(data) > _ROOM:
        raise SealSizeError(f"a seal of {len(data):,} bytes does not fit a log entry: too many partitions or sources")
    return Seal(statement=data, sealer=name, signature=key.sign(signing_input(STATEMENT, data)))


def room(partitions: Sequence[PartitionChain]) -> int:
    """Return how many more records the next seal may cover and still be a log entry."""
    used = sum(_PARTITION_BYTES + len(partition.trail) for partition in partitions)
    return (_ROOM - _SOURCES_BYTES - used) // TRAIL_STEP
