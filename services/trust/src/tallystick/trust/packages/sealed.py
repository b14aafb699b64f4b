"""Seals in an audit package: what sealers read of the input, up to each of its decisions.

A seal is held as a proof file of the log of seals (`seals/<index>.tlog-proof`), the entry in its `extra` line. Its trail has
the first bytes of the running hash after every record since the statement before, and the whole of the last one: a decision
that was made on other records than those has another hash.
"""

from collections.abc import Iterable, Mapping, Sequence
from typing import TypeAlias

from tallystick.contracts import Decision, EntryKind
from tallystick.trust.errors import TrustError
from tallystick.trust.log_proofs import VerifiedGrowth, verify_log_proof
from tallystick.trust.packages.contents import PackageError, seal_name
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.seals import MAX_NUMBER, TRAIL_STEP, SignedSeal, open_seal

FOLDER = "seals/"
Stream: TypeAlias = tuple[str, int]
"""An input topic, and a partition of it."""


def stream_of(decision: Decision) -> Stream:
    """Return where the record is that a decision is on."""
    return decision.source_topic, decision.source_partition


def sealed_range(seal: SignedSeal, partition: int) -> range:
    """Return the sequences of a partition that a seal's trail goes over."""
    one = seal.statement.partitions[partition]
    return range(one.next_sequence - len(one.trail) // TRAIL_STEP, one.next_sequence)


def covers(seal: SignedSeal, decision: Decision) -> bool:
    """Tell whether a seal's trail goes over the record that a decision is on."""
    topic, partition = stream_of(decision)
    said = seal.statement
    return said.topic == topic and partition < said.partition_count and decision.sequence in sealed_range(seal, partition)


def covered_in(seal: SignedSeal, decisions: Mapping[tuple[Stream, int], Decision]) -> list[Decision]:
    """Return those of the decisions, by stream and sequence, that a seal goes over; by the shorter of both."""
    said = seal.statement
    if sum(len(one.trail) for one in said.partitions) // TRAIL_STEP > len(decisions):
        return [decision for decision in decisions.values() if covers(seal, decision)]
    keys = (((said.topic, one.partition), at) for one in said.partitions for at in sealed_range(seal, one.partition))
    return [decisions[key] for key in keys if key in decisions]


def agrees(seal: SignedSeal, decision: Decision) -> bool:
    """Tell whether a decision, over whose record the seal goes, has the running hash that the sealer computed there."""
    one = seal.statement.partitions[decision.source_partition]
    at = len(one.trail) + (decision.sequence - one.next_sequence) * TRAIL_STEP
    is_last = decision.sequence == one.next_sequence - 1
    return one.trail[at : at + TRAIL_STEP] == decision.chain[:TRAIL_STEP] and (not is_last or one.chain == decision.chain)


def check_seals(files: Mapping[str, bytes], decisions: Sequence[Decision], policy: TrustPolicy) -> Mapping[str, int]:
    """Check the seals of a package, and its decisions against them.

    Behind a gap in what it could read of a partition a sealer's running hash may be another one than scoring's; so a seal that
    tells of a gap may be there, too, and what comes after it is not held against the decisions.

    Returns:
        How many of the decisions each sealer of the policy has sealed.

    Raises:
        PackageError: A seal is not sound, is about none of the decisions, goes over one that was made on other records, or says
            something else than another one of its number.
    """
    seals = {name: _seal(name, files[name], policy) for name in sorted(files) if name.startswith(FOLDER)}
    _check_one_word(seals)
    gaps = _first_gaps(seals.values())
    streams = {stream_of(decision) for decision in decisions}
    by_place = {(stream_of(decision), decision.sequence): decision for decision in decisions}
    sealed: dict[str, set[tuple[Stream, int]]] = {sealer.name: set() for sealer in policy.sealers}
    for name, seal in seals.items():
        covered = covered_in(seal, by_place)
        if not covered and not any(has_gap(seal, *stream) for stream in streams):
            raise PackageError(f"{name} is about none of the decisions")
        for decision in covered:
            if seal.statement.number >= gaps.get((seal.sealer, stream_of(decision)), MAX_NUMBER):
                continue
            if not agrees(seal, decision):
                raise PackageError(
                    f"{name}: {seal.sealer} read other records than the decision at partition {decision.source_partition},"
                    f" sequence {decision.sequence:,} was made on: one was left out, put in, moved or altered, there or before"
                )
            sealed[seal.sealer].add((stream_of(decision), decision.sequence))
    return {sealer: len(places) for sealer, places in sealed.items()}


def _check_one_word(seals: Mapping[str, SignedSeal]) -> None:
    said: dict[tuple[str, int], bytes] = {}
    for name, seal in seals.items():
        number = seal.statement.number
        if said.setdefault((seal.sealer, number), seal.digest) != seal.digest:
            raise PackageError(f"{name}: {seal.sealer} signed two different statements of number {number}")


def has_gap(seal: SignedSeal, topic: str, partition: int) -> bool:
    """Tell whether a seal says that something was missing of a partition."""
    said = seal.statement
    return said.topic == topic and partition < said.partition_count and bool(said.partitions[partition].gap)


def _first_gaps(seals: Iterable[SignedSeal]) -> dict[tuple[str, Stream], int]:
    """Return the number of each sealer's first statement here that tells of a gap, by sealer and stream."""
    first: dict[tuple[str, Stream], int] = {}
    for seal in seals:
        said = seal.statement
        for one in said.partitions:
            if one.gap:
                of = seal.sealer, (said.topic, one.partition)
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
