"""What an entry of the decisions' log says, checked as far as serving it needs, and in plain words. Pure."""

import math
from dataclasses import dataclass
from datetime import UTC, datetime

from google.protobuf.message import DecodeError

from tallystick.audit.wording import tell_outcome, tell_reason
from tallystick.contracts import Decision, DisclosureGroup, EntryKind, LogEntry, Outcome, ReasonCode
from tallystick.merkle.hashing import leaf_hash
from tallystick.trust.decisions import margin_of


class EntryError(ValueError):
    """A log entry that is not what it was taken for."""


@dataclass(frozen=True, slots=True)
class Place:
    """Where a decision stands in its input: the partition, and its sequence there."""

    partition: int
    sequence: int


@dataclass(frozen=True, slots=True)
class LoggedDecision:
    """A decision as the log holds it: `entry` is the `LogEntry`'s exact bytes at `index`."""

    index: int
    entry: bytes
    envelope: LogEntry
    decision: Decision

    @property
    def place(self) -> Place:
        """Return the place that the decision itself names."""
        return Place(self.decision.source_partition, self.decision.sequence)


def parse_decision(index: int, entry: bytes) -> LoggedDecision:
    """Read a log entry as a decision.

    Raises:
        EntryError: it is not a `LogEntry` of kind decision that holds a `Decision`.
    """
    try:
        envelope = LogEntry.FromString(entry)
        if envelope.kind != EntryKind.ENTRY_KIND_DECISION:
            raise EntryError(f"log entry {index} is not a decision")
        decision = Decision.FromString(envelope.value)
    except DecodeError:
        raise EntryError(f"log entry {index} is not a decision") from None
    return LoggedDecision(index, entry, envelope, decision)


def parse_governance(index: int, entry: bytes, kind: EntryKind) -> bytes:
    """Return the record's value in a governance log entry that must be of `kind`.

    Raises:
        EntryError: the entry is of another kind, or no `LogEntry`.
    """
    try:
        envelope = LogEntry.FromString(entry)
    except DecodeError:
        raise EntryError(f"governance log entry {index} is not readable") from None
    if envelope.kind != kind:
        raise EntryError(f"governance log entry {index} is not of the kind that was expected")
    return envelope.value


def describe(logged: LoggedDecision) -> dict[str, object]:
    """Return the decision in plain JSON types: names for codes, hex for digests, null for what it does not state."""
    decision = logged.decision
    return {
        "log_index": logged.index,
        "leaf_hash": leaf_hash(logged.entry).hex(),
        "source": {
            "topic": decision.source_topic,
            "partition": decision.source_partition,
            "offset": decision.source_offset,
        },
        "sequence": decision.sequence,
        "record": {
            "topic": logged.envelope.topic,
            "partition": logged.envelope.partition,
            "offset": logged.envelope.offset,
            "timestamp_ms": logged.envelope.timestamp_ms,
        },
        "decided_at": iso(decision.decided_at_ms),
        "decided_at_ms": decision.decided_at_ms,
        "outcome": outcome_name(decision.outcome),
        "reasons": [_name(ReasonCode, "REASON_CODE_", code) for code in decision.reasons],
        "applied": list(decision.applied),
        "margin": _margin(decision.margin_bits) if decision.HasField("margin_bits") else None,
        "score": decision.score if decision.HasField("score") else None,
        "chain": decision.chain.hex(),
        "model_digest": _hex(decision.model_digest),
        "policy_digest": _hex(decision.policy_digest),
        "feature_schema_digest": _hex(decision.feature_schema_digest),
        "activation_index": decision.activation_index if decision.HasField("activation_index") else None,
        "evidence_digest": _hex(decision.evidence_digest),
        "commitments": {group_name(item.group): item.digest.hex() for item in decision.commitments},
    }


def describe_plainly(logged: LoggedDecision) -> dict[str, object]:
    """Return of the decision what its customer is told, in words."""
    decision = logged.decision
    return {
        "log_index": logged.index,
        "decided_at": iso(decision.decided_at_ms),
        "decided_at_ms": decision.decided_at_ms,
        "outcome": outcome_name(decision.outcome),
        "outcome_text": tell_outcome(decision.outcome),
        "reasons": [{"code": _name(ReasonCode, "REASON_CODE_", code), "text": tell_reason(code)} for code in decision.reasons],
        "applied": list(decision.applied),
    }


def outcome_name(outcome: int) -> str:
    """Return an outcome as the API writes it: "DECLINE"."""
    return _name(Outcome, "OUTCOME_", outcome)


def group_name(group: int) -> str:
    """Return a disclosure group as the API and bundles write it: "features"."""
    return _name(DisclosureGroup, "DISCLOSURE_GROUP_", group).lower()


def _name(enum: object, prefix: str, number: int) -> str:
    try:
        return str(enum.Name(number)).removeprefix(prefix)  # type: ignore[attr-defined]  # generated wrappers share no base
    except ValueError:
        return f"UNKNOWN_{number}"  # a record from a later version


def _hex(digest: bytes) -> str | None:
    return digest.hex() or None


def _margin(bits: int) -> dict[str, object]:
    value = margin_of(bits)
    return {"bits": f"{bits:08x}", "value": value if math.isfinite(value) else None}


def iso(time_ms: int) -> str | None:
    """Return a time in RFC 3339, UTC, with milliseconds; None outside the years 1 to 9999."""
    try:
        moment = datetime.fromtimestamp(time_ms // 1000, UTC)
    except (ValueError, OverflowError, OSError):
        return None
    return f"{moment:%Y-%m-%dT%H:%M:%S}.{time_ms % 1000:03d}Z"
