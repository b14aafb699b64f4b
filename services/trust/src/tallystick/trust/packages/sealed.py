"""Seals in an audit package: what sealers read of the input, up to each of its decisions.

A seal is held as a proof file of the log of seals (`seals/<index>.tlog-proof`), the entry in its `extra` line. Its trail has
the first bytes of the running hash after every record since the statement before, and the whole of the last one: a decision
that was made on other records than those has another hash.
"""

from collections.abc import Iterable, Mapping, Sequence

from tallystick.contracts import Decision, EntryKind
from tallystick.trust.errors import TrustError
from tallystick.trust.log_proofs import VerifiedGrowth, verify_log_proof
from tallystick.trust.packages.contents import PackageError, seal_name
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.seals import MAX_NUMBER, TRAIL_STEP, SignedSeal, open_seal

FOLDER = "seals/"


def covers(seal: SignedSeal, decision: Decision) -> bool:
    """Tell whether a seal's trail goes over the record that a decision is on."""
    said = seal.statement
    if said.topic != decision.source_topic or decision.source_partition >= said.partition_count:
        return False
    one = said.partitions[decision.source_partition]
    return one.next_sequence - len(one.trail) // TRAIL_STEP <= decision.sequence < one.next_sequence


def agrees(seal: SignedSeal, decision: Decision) -> bool:
    """Tell whether a decision, over whose record the seal goes, has the running hash that the sealer computed there."""
    one = seal.statement.partitions[decision.source_partition]
    at = len(one.trail) + (decision.sequence - one.next_sequence) * TRAIL_STEP
    is_last = decision.sequence == one.next_sequence - 1
    return one.trail[at : at + TRAIL_STEP] == decision.chain[:TRAIL_STEP] and (not is_last or one.chain == decision.chain)


def check_seals(files: Mapping[str, bytes], decisions: Sequence[Decision], policy: TrustPolicy) -> Mapping[str, int]:
    """Check the seals of a package, and its decisions against them.

    Behind a gap in what it could read of a partition a sealer's running hash is another one than scoring's, and says nothing;
    so a seal that tells of a gap may be there, too.

    Returns:
        How many of the decisions each sealer has sealed, for those who sealed any.

    Raises:
        PackageError: A seal is not sound, is about none of the decisions, or goes over one that was made on other records.
    """
    seals = {name: _seal(name, files[name], policy) for name in sorted(files) if name.startswith(FOLDER)}
    gaps = _first_gaps(seals.values())
    sealed: dict[str, set[tuple[str, int, int]]] = {}
    for name, seal in seals.items():
        covered = [decision for decision in decisions if covers(seal, decision)]
        if not covered and not any(has_gap(seal, one.source_topic, one.source_partition) for one in decisions):
            raise PackageError(f"{name} is about none of the decisions")
        for decision in covered:
            stream = decision.source_topic, decision.source_partition
            if seal.statement.number >= gaps.get((seal.sealer, *stream), MAX_NUMBER):
                continue
            if not agrees(seal, decision):
                raise PackageError(
                    f"{name}: {seal.sealer} read other records than the decision at partition {decision.source_partition},"
                    f" sequence {decision.sequence:,} was made on: one was left out, put in, moved or altered, there or before"
                )
            sealed.setdefault(seal.sealer, set()).add((*stream, decision.sequence))
    return {sealer: len(places) for sealer, places in sorted(sealed.items())}


def has_gap(seal: SignedSeal, topic: str, partition: int) -> bool:
    """Tell whether a seal says that something was missing of a partition."""
    said = seal.statement
    return said.topic == topic and partition < said.partition_count and bool(said.partitions[partition].gap)


def _first_gaps(seals: Iterable[SignedSeal]) -> dict[tuple[str, str, int], int]:
    """Return the number of each sealer's first statement here that tells of a gap, by sealer, topic and partition."""
    first: dict[tuple[str, str, int], int] = {}
    for seal in seals:
        said = seal.statement
        for one in said.partitions:
            if one.gap:
                of = seal.sealer, said.topic, one.partition
                first[of] = min(said.number, first.get(of, MAX_NUMBER))
    return first


def _seal(name: str, data: bytes, policy: TrustPolicy) -> SignedSeal:
    try:
        proof = verify_log_proof(data, policy)
        if isinstance(proof, VerifiedGrowth) or proof.origin != policy.seals_origin:
            raise PackageError(f"{name} is not from the log of seals")
        if name != seal_name(proof.index):
            raise PackageError(f"{name} is entry {proof.index:,} of the log of seals")
        if proof.entry.kind != EntryKind.ENTRY_KIND_SEAL:
            raise PackageError(f"{name} is not a seal")
        return open_seal(proof.entry.value, policy)
    except PackageError:
        raise
    except TrustError as error:
        raise PackageError(f"{name}: {error}") from error
