"""Seals: what others than the operator read of the input, signed; and whether a sealer's statements follow each other.

A sealer reads the input topic itself and computes the input chain (`chain`). Each of its statements says how far it has read
each partition, by offset, sequence and running hash, with the first bytes of the running hash after every record since the
statement before, and the SHA-256 of that statement: so a sealer that says something else later has two statements of one
number, and nobody can take one of its statements away from between two others.

Whether decisions were made on the same input `completeness` says.
"""

from collections.abc import Iterable
from dataclasses import dataclass, field
from hashlib import sha256

from tallystick.contracts import EntryKind, Seal, SealedPartition, SealStatement
from tallystick.merkle import ed25519
from tallystick.trust.chain import CHAIN_START
from tallystick.trust.errors import TrustError
from tallystick.trust.malformed import missing_range, open_malformed
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import kind_name, open_entry
from tallystick.trust.statements import signing_input

STATEMENT = "SealStatement"
TRAIL_STEP = 4
"""Bytes of the running hash that a trail holds of each record."""
MAX_NUMBER = 2**62
MAX_GAP = 1_000


class SealError(TrustError):
    """A seal is not sound, or does not follow from the sealer's statements before it."""


@dataclass(frozen=True, slots=True)
class SignedSeal:
    """A seal whose signature is good: by whom, SHA-256 of its statement, and what it says."""

    sealer: str
    digest: bytes
    statement: SealStatement


def open_seal(value: bytes, policy: TrustPolicy) -> SignedSeal:
    """Return the seal in `value`, signed by a sealer of the trust policy, every field checked by itself.

    Raises:
        TrustError: It is none, not well signed, or says what cannot be.
    """
    seal = parse_message(Seal, value, "the record")
    sealer = next((known for known in policy.sealers if known.name == seal.sealer), None)
    if sealer is None:
        raise SealError(f"its sealer {seal.sealer!r} is not in the trust policy")
    try:
        ed25519.verify(sealer.public_key, signing_input(STATEMENT, seal.statement), seal.signature)
    except ed25519.SignatureError:
        raise SealError(f"the signature of {sealer.name!r} on it is not good") from None
    statement = parse_message(SealStatement, seal.statement, "the statement")
    if statement.topic not in policy.topics:
        raise SealError(f"it is about the topic {statement.topic!r}, which is not in the trust policy")
    if [one.partition for one in statement.partitions] != list(range(statement.partition_count)):
        raise SealError("it does not name every partition once, in their order")
    for one in statement.partitions:
        if len(one.chain) != len(CHAIN_START) or max(one.next_offset, one.next_sequence) > MAX_NUMBER or len(one.gap) > MAX_GAP:
            raise SealError(f"what it says of partition {one.partition} is out of range")
    return SignedSeal(sealer.name, sha256(seal.statement).digest(), statement)


@dataclass(slots=True)
class SealHistory:
    """One sealer's statements, taken in their order from its first; `last` is the newest, None before the first."""

    last: SignedSeal | None = None

    def follow(self, seal: SignedSeal, partitions: int) -> bool:
        """Take the next one, about a topic of so many partitions; False if it repeats one that was taken.

        Raises:
            SealError: It does not follow; the message says how.
        """
        last, said = self.last, seal.statement
        if said.partition_count != partitions:
            raise SealError(
                f"its statement {said.number} is about {said.partition_count} partitions of {said.topic!r}, and by the trust"
                f" policy there are {partitions}"
            )
        if last is None:
            if said.number or said.previous_digest:
                raise SealError(f"its first statement here has number {said.number}: those before it are missing")
        elif said.number <= last.statement.number:
            if said.number == last.statement.number and seal.digest != last.digest:
                raise SealError(f"it signed two different statements of number {said.number}")
            return False
        else:
            _check_next(last, said)
        before = last.statement.partitions if last else [SealedPartition(chain=CHAIN_START)] * partitions
        for was, now in zip(before, said.partitions, strict=True):
            _check_partition(was, now)
        self.last = seal
        return True


def _check_next(last: SignedSeal, said: SealStatement) -> None:
    known = last.statement
    if said.number != known.number + 1:
        raise SealError(f"its statement {said.number} comes after {known.number}: those between are missing")
    if said.previous_digest != last.digest:
        raise SealError(f"its statement {said.number} follows another one than its statement {known.number} that is here")
    if said.topic != known.topic:
        raise SealError(f"its statement {said.number} is about the topic {said.topic!r}, those before about {known.topic!r}")
    if said.cluster_id != known.cluster_id:
        raise SealError(
            f"its statement {said.number} is about the Kafka cluster {said.cluster_id!r}, after {known.cluster_id!r}"
        )
    if said.sealed_at_ms < known.sealed_at_ms:
        raise SealError(f"its statement {said.number} was made before the one before it: the sealer's clock went back")


def _check_partition(before: SealedPartition, now: SealedPartition) -> None:
    where = f"partition {now.partition}"
    records = now.next_sequence - before.next_sequence
    if records < 0:
        raise SealError(f"{where} goes back from sequence {before.next_sequence} to {now.next_sequence}")
    if len(now.trail) != records * TRAIL_STEP or (records and not now.chain.startswith(now.trail[-TRAIL_STEP:])):
        raise SealError(f"the trail of {where} is not that of the {records} records that it counts")
    if not records and now.chain != before.chain:
        raise SealError(f"the running hash of {where} changed without a record")
    if not now.gap and now.next_offset < before.next_offset + records:
        raise SealError(f"{where} counts more records than there are offsets from {before.next_offset} to {now.next_offset}")


@dataclass(slots=True)
class SealLog:
    """The log of seals, taken entry by entry: a whole copy of its topic.

    Anybody who may write to that topic can have something logged. What is no sealer's is counted as `REFUSED` and means
    nothing; what is a sealer's and does not follow from what it said before is in `broken`, by sealer, once.
    """

    policy: TrustPolicy
    topic: str | None = None
    next_offset: int = 0
    histories: dict[str, SealHistory] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)
    gaps: list[str] = field(default_factory=list)
    broken: dict[str, str] = field(default_factory=dict)

    def take(self, data: bytes) -> SignedSeal | None:
        """Take the next entry; return the seal if it is a sound one that follows from its sealer's before.

        Raises:
            TrustError: It is not the entry that can come here; the state is of no use any more.
        """
        entry = open_entry(data)
        if self.topic not in (None, entry.topic) or entry.partition:
            raise SealError(f"it was logged from {entry.topic}/{entry.partition}, and a log of seals has one partition")
        if entry.offset != self.next_offset:
            raise SealError(f"it was logged from offset {entry.offset}, where {self.next_offset} is next")
        self.topic, self.next_offset = entry.topic, entry.offset + 1
        if entry.kind == EntryKind.ENTRY_KIND_MALFORMED:
            hole = missing_range(open_malformed(entry.value))
            if hole is not None:
                if hole[0] != entry.offset or hole[1] < hole[0]:
                    raise SealError(f"it stands at offset {entry.offset}, and says that {hole[0]} to {hole[1]} are missing")
                self.next_offset = hole[1] + 1
            self._count("MALFORMED")
            return None
        if entry.kind != EntryKind.ENTRY_KIND_SEAL:
            raise SealError(f"an entry of kind {kind_name(entry.kind)} does not belong into a log of seals")
        try:
            seal = open_seal(entry.value, self.policy)
        except TrustError:
            self._count("REFUSED")
            return None
        return self._follow(seal)

    def notes(self) -> list[str]:
        """Say what is worth knowing though the log itself is sound."""
        broken = [f"the statements of the sealer {name} do not follow each other: {why}" for name, why in self.broken.items()]
        return [*broken, *self.gaps]

    def _follow(self, seal: SignedSeal) -> SignedSeal | None:
        if seal.sealer in self.broken:
            self._count("BROKEN")
            return None
        try:
            partitions = self.policy.topics[seal.statement.topic].partitions
            new = self.histories.setdefault(seal.sealer, SealHistory()).follow(seal, partitions)
        except SealError as error:
            self.broken[seal.sealer] = str(error)
            self._count("BROKEN")
            return None
        self._count(seal.sealer if new else "REPEATED")
        self.gaps += gaps_of(seal) if new else ()
        return seal if new else None

    def _count(self, what: str) -> None:
        self.counts[what] = self.counts.get(what, 0) + 1


def gaps_of(seal: SignedSeal) -> Iterable[str]:
    """Return the gaps that a seal tells of, a sentence each."""
    said = seal.statement
    return [
        f"{seal.sealer} found a gap in partition {one.partition} of {said.topic}: {one.gap}"
        for one in said.partitions
        if one.gap
    ]
