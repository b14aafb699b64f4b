"""Entries of a decisions' log as batches: decisions that share all but numbers and digests, checked once for all of them.

What a batch shares is checked on its first decision, by the code of `trust` that checks a single one; what differs from row to
row is checked by column. So a row of a batch is exactly as sound as if it had been opened by itself.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from google.protobuf.message import Message
from numpy.typing import NDArray

from tallystick.cli.replay.shapes import Bytes, Integers, Shaped, shaped
from tallystick.contracts import Decision, EntryKind, LogEntry, Outcome
from tallystick.rules.outcomes import outcomes, scores
from tallystick.trust.decision_log import check_made_under
from tallystick.trust.decisions import GROUPS, check_decision, check_log
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import VerifiedActivation
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import open_entry

_INSIDE: Mapping[str, type[Message]] = {"value": Decision}
_SAME = frozenset(
    {"kind", "topic"}
    | {
        f"value.{name}"
        for name in (
            *("source_topic", "outcome", "reasons.*", "applied.*", "model_digest", "policy_digest", "feature_schema_digest"),
            *("activation_index", "commitments.*.group"),
        )
    }
)


class UnsoundError(Exception):
    """A decision in the log is not one that can have been made; the message says which and why."""


@dataclass(frozen=True, slots=True)
class Decisions:
    """Sound decisions that differ in nothing but what is here by column.

    Attributes:
        like: one of them; what is not by column here is in it.
        indexes: their places in the log, rising; shape (rows,), as are partitions, sequences, offsets (of the input) and times
            (Kafka's, in milliseconds).
        margin_bits: uint32; meaningless if they were rejected, as are scores, evidence_digests (shape (rows, 32)) and
        commitments: by group's short name, shape (rows, 32).
    """

    like: Decision
    indexes: Integers
    partitions: Integers
    sequences: Integers
    offsets: Integers
    times_ms: Integers
    margin_bits: NDArray[np.uint32]
    scores: Integers
    evidence_digests: Bytes
    commitments: Mapping[str, Bytes]

    def __len__(self) -> int:
        return len(self.indexes)

    @property
    def rejected(self) -> bool:
        """Whether they were rejected, so that no model was asked."""
        return self.like.outcome == Outcome.OUTCOME_REJECTED

    def place(self, row: int) -> str:
        """Return what a row is called."""
        return f"partition {self.partitions[row]}, sequence {self.sequences[row]:,} (entry {self.indexes[row]:,})"

    def taken(self, rows: Integers | NDArray[np.bool_]) -> "Decisions":
        """Return some of the rows."""
        return Decisions(
            self.like,
            self.indexes[rows],
            self.partitions[rows],
            self.sequences[rows],
            self.offsets[rows],
            self.times_ms[rows],
            self.margin_bits[rows],
            self.scores[rows],
            self.evidence_digests[rows],
            {group: column[rows] for group, column in self.commitments.items()},
        )


def decisions_of(
    entries: Sequence[bytes],
    first: int,
    origin: str,
    policy: TrustPolicy,
    activations: Mapping[int, VerifiedActivation],
    period: range,
) -> list[Decisions]:
    """Return the decisions of a period among a log's entries.

    Args:
        entries: one behind the other, as logged.
        first: the index of the first.
        origin: the log's.
        policy: the trust policy.
        activations: the governance log's, by index.
        period: the Kafka time stamps that count, in milliseconds.

    Raises:
        UnsoundError: An entry is none, or a decision contradicts itself or what it was made under.
    """
    found = []
    for batch in shaped(LogEntry, entries, _INSIDE, _SAME):
        one = _one(batch, first) if batch.fields is None else _columns(batch, first)
        if one is None:
            continue
        decisions = one.taken((one.times_ms >= period.start) & (one.times_ms < period.stop))
        if len(decisions):
            _check(decisions, entries, first, origin, policy, activations)
            found.append(decisions)
    return found


def _columns(batch: Shaped, first: int) -> Decisions | None:
    """Return a batch's columns, None if it is of another kind."""
    entry = LogEntry.FromString(batch.data[0].tobytes())
    if entry.kind != EntryKind.ENTRY_KIND_DECISION:
        return None
    like = Decision.FromString(entry.value)
    partitions = batch.integers("value.source_partition")
    if (wrong := np.flatnonzero(partitions != batch.integers("partition"))).size:
        raise UnsoundError(f"entry {first + int(batch.rows[wrong[0]]):,}: it was logged from another partition than its own")
    groups = {group: name for name, group in GROUPS.items()}
    return Decisions(
        like=like,
        indexes=batch.rows + first,
        partitions=partitions,
        sequences=batch.integers("value.sequence"),
        offsets=batch.integers("value.source_offset"),
        times_ms=batch.integers("value.decided_at_ms"),
        margin_bits=batch.integers("value.margin_bits").astype(np.uint32),
        scores=batch.integers("value.score"),
        evidence_digests=batch.content("value.evidence_digest"),
        commitments={
            groups[item.group]: batch.content(f"value.commitments.{place}.digest")
            for place, item in enumerate(like.commitments)
            if item.group in groups
        },
    )


def _one(batch: Shaped, first: int) -> Decisions | None:
    """Return one decision that has nobody's shape."""
    index = first + int(batch.rows[0])
    try:
        entry = open_entry(batch.data[0].tobytes())
        if entry.kind != EntryKind.ENTRY_KIND_DECISION:
            return None
        like = parse_message(Decision, entry.value, "the record")
    except TrustError as error:
        raise UnsoundError(f"entry {index:,}: {error}") from error
    if entry.partition != like.source_partition:
        raise UnsoundError(f"entry {index:,}: it was logged from another partition than its own")
    groups = {group: name for name, group in GROUPS.items()}
    return Decisions(
        like,
        _number(index),
        _number(like.source_partition),
        _number(like.sequence),
        _number(like.source_offset),
        _number(like.decided_at_ms),
        np.array([like.margin_bits], np.uint32),
        _number(like.score),
        _bytes(like.evidence_digest),
        {groups[item.group]: _bytes(item.digest) for item in like.commitments if item.group in groups},
    )


def _number(value: int) -> Integers:
    return np.array([value], np.int64)


def _bytes(content: bytes) -> Bytes:
    return np.frombuffer(content, np.uint8).reshape(1, -1)


def _check(
    found: Decisions,
    entries: Sequence[bytes],
    first: int,
    origin: str,
    policy: TrustPolicy,
    activations: Mapping[int, VerifiedActivation],
) -> None:
    """Check what all share on the first, what differs by column, and one by one what columns find strange."""
    like = found.like
    topic = policy.topics.get(like.source_topic)
    strange = found.sequences > found.offsets
    strange |= ~np.isin(found.partitions, sorted(topic.of_log(origin)) if topic else [])
    activation = activations.get(like.activation_index) if like.HasField("activation_index") else None
    if not found.rejected:
        margins = found.margin_bits.view(np.float32)
        strange |= (found.times_ms < 0) | ~np.isfinite(margins)
        strange[np.array(scores(margins)) != found.scores] = True
        if activation is not None:  # what applied is the same for all, so what the thresholds make of the margin has to be
            by_margin = np.array(outcomes(margins, activation.policy))
            strange |= by_margin != by_margin[0]
    for row in sorted({0, *np.flatnonzero(strange).tolist()}):
        decision = parse_message(Decision, open_entry(entries[int(found.indexes[row]) - first]).value, "the record")
        _check_one(decision, origin, policy, activation, found.place(row))


def _check_one(decision: Decision, origin: str, policy: TrustPolicy, activation: VerifiedActivation | None, where: str) -> None:
    try:
        check_decision(decision, policy)
        check_log(decision, origin, policy)
        if not decision.HasField("activation_index"):
            return
        if activation is None:
            raise UnsoundError(f"{where}: its activation {decision.activation_index} is not in the governance log")
        check_made_under(decision, activation)
    except TrustError as error:
        raise UnsoundError(f"{where}: {error}") from error
