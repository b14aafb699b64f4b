"""Which records become entries. Pure: records and the progress so far in; entries and the progress after them out."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.message import DecodeError, Message

from tallystick.contracts import (
    AccessDigest,
    Activation,
    Decision,
    Enrolment,
    EntryKind,
    Erasure,
    Fallback,
    Incident,
    LegalHold,
    LogKey,
    ModelVersion,
    Outcome,
    PolicyVersion,
    Report,
    Seal,
    Topology,
)
from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.tiles import MAX_ENTRY_SIZE
from tallystick.notary.entries import Record, entry, fits, malformed_entry, missing_entry
from tallystick.notary.state import IndexRow, Position, Progress
from tallystick.trust.incidents import NO_INCIDENTS, Incidents, not_due

Batch = Mapping[int, Sequence[Record]]
"""Records as fetched, by partition, in the order of their offsets."""

_DECISION = EntryKind.ENTRY_KIND_DECISION  # a protobuf enum looks its names up anew each time
_OUTCOMES = frozenset(Outcome.values()) - {Outcome.OUTCOME_UNSPECIFIED}
TOO_LARGE = f"an entry holds at most {MAX_ENTRY_SIZE} bytes"
MAX_NUMBER = 2**63 - 1
"""What Kafka's offsets and the database's integers reach; protobuf's go further."""


@dataclass(slots=True)
class Admission:
    """What a batch of records comes to.

    `offsets` and `positions` hold what moved (see `Progress`); `stops` says why a partition is not read any further.
    """

    entries: list[bytes] = field(default_factory=list)
    rows: list[IndexRow] = field(default_factory=list)
    offsets: dict[int, int] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    repeats: int = 0
    stops: dict[int, str] = field(default_factory=dict)


class Intake(Protocol):
    """A log's rule for what becomes an entry."""

    def admit(self, batch: Batch, progress: Progress, first_index: int, incidents: Incidents = NO_INCIDENTS) -> Admission:
        """Return what `batch` adds to a log of size `first_index` that stands at `progress`, `incidents` being known."""
        ...


@dataclass(frozen=True, slots=True)
class DecisionIntake:
    """Topic `decisions`: each partition's sequence numbers from 0 upwards, each once, whatever is sent twice or lost.

    A sequence number that was logged already is a repeat, skipped and counted. At a decision that is not due (`trust.incidents`
    has the rule) the partition stops, and the others go on. Then only an incident helps: its entry is logged before the
    decision with which the partition goes on, and what it passes over as `Malformed`. So is whatever is no decision of this
    topic's partition; it takes no number.
    """

    source_topic: str

    def admit(self, batch: Batch, progress: Progress, first_index: int, incidents: Incidents = NO_INCIDENTS) -> Admission:
        """See `Intake`."""
        out = Admission()
        for partition, records in batch.items():
            self._admit_partition(partition, records, progress.positions.get(partition), first_index, incidents, out)
        return out

    def _admit_partition(
        self,
        partition: int,
        records: Sequence[Record],
        position: Position | None,
        first_index: int,
        incidents: Incidents,
        out: Admission,
    ) -> None:
        expected = position.next_sequence if position else 0
        source_offset = position.source_offset if position else -1
        in_force = _in_force(position.activation_index if position else None)
        last: tuple[Decision, Record, int] | None = None
        for record in records:
            decision = self._parse(record)
            if isinstance(decision, str):
                out.entries.append(malformed_entry(record, decision))
            elif decision.sequence < expected:
                out.repeats += 1
            else:
                activation = _in_force(_activation(decision))
                if incident := incidents.resuming(partition, expected, decision.sequence, record.offset):
                    out.entries.append(incident.entry)
                elif reason := not_due(
                    decision.sequence,
                    decision.source_offset,
                    activation,
                    expected=expected,
                    last_source_offset=source_offset,
                    in_force=in_force,
                ):
                    if passing := incidents.passing_over(partition, expected, record.offset):
                        out.entries.append(malformed_entry(record, f"passed over by the incident at {passing.index}: {reason}"))
                        out.offsets[partition] = record.offset + 1
                        continue
                    out.stops[partition] = f"{reason} (record at offset {record.offset})"
                    break
                index = first_index + len(out.entries)
                out.entries.append(entry(_DECISION, record))
                out.rows.append(IndexRow(partition, decision.sequence, index, record.offset))
                expected, source_offset, in_force = decision.sequence + 1, decision.source_offset, activation
                last = decision, record, index
            out.offsets[partition] = record.offset + 1
        if last:
            out.positions[partition] = _position(*last)

    def _parse(self, record: Record) -> Decision | str:
        """Return the decision, or what is wrong with it."""
        if record.value is None:
            return "the record has no value"
        try:
            decision = Decision.FromString(record.value)
        except DecodeError:
            return "not a protobuf Decision"
        if decision.source_topic != self.source_topic:
            return "the decision is not on this log's input topic"
        if decision.source_partition != record.partition:
            return "the decision is on another partition than its transaction"
        if len(decision.chain) != HASH_SIZE:
            return f"the decision's chain is not {HASH_SIZE} bytes"
        if max(decision.sequence, decision.source_offset, decision.activation_index) > MAX_NUMBER:
            return "a number in the decision is 2^63 or more"
        if decision.outcome not in _OUTCOMES:
            return "the decision's outcome is not known"
        if _holds_unknown(decision):
            return "the decision holds a field that this version does not know"
        if not fits(_DECISION, record):
            return TOO_LARGE
        return decision


GOVERNANCE_KINDS: Mapping[bytes, tuple[EntryKind, type[Message]]] = {
    b"model_version": (EntryKind.ENTRY_KIND_MODEL_VERSION, ModelVersion),
    b"policy_version": (EntryKind.ENTRY_KIND_POLICY_VERSION, PolicyVersion),
    b"activation": (EntryKind.ENTRY_KIND_ACTIVATION, Activation),
    b"enrolment": (EntryKind.ENTRY_KIND_ENROLMENT, Enrolment),
    b"log_key": (EntryKind.ENTRY_KIND_LOG_KEY, LogKey),
    b"report": (EntryKind.ENTRY_KIND_REPORT, Report),
    b"erasure": (EntryKind.ENTRY_KIND_ERASURE, Erasure),
    b"legal_hold": (EntryKind.ENTRY_KIND_LEGAL_HOLD, LegalHold),
    b"incident": (EntryKind.ENTRY_KIND_INCIDENT, Incident),
    b"access_digest": (EntryKind.ENTRY_KIND_ACCESS_DIGEST, AccessDigest),
    b"topology": (EntryKind.ENTRY_KIND_TOPOLOGY, Topology),
}
"""What the part of a governance record's key before the first "/" says that its value is."""


FALLBACK_KINDS: Mapping[bytes, tuple[EntryKind, type[Message]]] = {b"fallback": (EntryKind.ENTRY_KIND_FALLBACK, Fallback)}
"""The same for the log of fallbacks."""

SEAL_KINDS: Mapping[bytes, tuple[EntryKind, type[Message]]] = {b"seal": (EntryKind.ENTRY_KIND_SEAL, Seal)}
"""The same for the log of seals."""


@dataclass(frozen=True, slots=True)
class WholeTopicIntake:
    """Topics `governance`, `fallbacks`, `seals`: every record, in order. Whether what it says is allowed, readers judge.

    Nothing stops it. Offsets at which the topic has no record any more leave an entry that says so. `kinds` says by the part of
    a record's key before the first "/" what its value is.
    """

    kinds: Mapping[bytes, tuple[EntryKind, type[Message]]]

    def admit(self, batch: Batch, progress: Progress, first_index: int, incidents: Incidents = NO_INCIDENTS) -> Admission:
        """See `Intake`."""
        out = Admission()
        for partition, records in batch.items():
            expected = progress.offsets.get(partition, 0)
            for record in records:
                if record.offset > expected:
                    out.entries.append(missing_entry(record, expected))
                out.entries.append(_keyed_entry(record, self.kinds))
                expected = out.offsets[partition] = record.offset + 1
        return out


def _keyed_entry(record: Record, kinds: Mapping[bytes, tuple[EntryKind, type[Message]]]) -> bytes:
    kind, separator, _ = (record.key or b"").partition(b"/")
    if not separator or kind not in kinds:
        return malformed_entry(record, 'the key is not "<kind>/<id>" with a kind of this log')
    if record.value is None:
        return malformed_entry(record, "the record has no value")
    number, message = kinds[kind]
    try:
        message.FromString(record.value)
    except DecodeError:
        return malformed_entry(record, f"not a protobuf {message.DESCRIPTOR.name}")
    return entry(number, record) if fits(number, record) else malformed_entry(record, TOO_LARGE)


def _position(decision: Decision, record: Record, index: int) -> Position:
    return Position(
        next_sequence=decision.sequence + 1,
        source_offset=decision.source_offset,
        chain=decision.chain,
        activation_index=_activation(decision),
        record_offset=record.offset,
        log_index=index,
    )


def _holds_unknown(decision: Decision) -> bool:
    """Whether it holds unknown fields, at any depth; they are dropped. Ten times as fast as a walk over the message."""
    size = decision.ByteSize()
    decision.DiscardUnknownFields()
    return decision.ByteSize() != size


def _activation(decision: Decision) -> int | None:
    return decision.activation_index if decision.HasField("activation_index") else None


def _in_force(activation_index: int | None) -> int:
    """Return what only grows in a partition: no activation comes before all others."""
    return -1 if activation_index is None else activation_index
