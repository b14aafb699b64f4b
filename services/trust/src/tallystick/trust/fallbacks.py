"""The log of fallbacks: what gateways answered without a decision, and whether what they wrote down has all arrived.

A fallback decides nothing. Its transaction went to the input topic all the same, and the decision on it is in its partition's
log, with the same source topic, partition and offset: so what was answered and what was decided can be compared, and no
fallback can be taken for a decision or fill its place.
"""

from dataclasses import dataclass, field

from tallystick.contracts import EntryKind, Fallback, FallbackReason, Outcome
from tallystick.trust.errors import TrustError
from tallystick.trust.malformed import missing_range, open_malformed
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import kind_name, open_entry

SPOOL_ID_SIZE = 16
MAX_CHANNEL = 256
OUTCOMES = frozenset({Outcome.OUTCOME_APPROVE, Outcome.OUTCOME_REVIEW, Outcome.OUTCOME_DECLINE})


class FallbackError(TrustError):
    """A fallback is not sound, or cannot stand where it does."""


def open_fallback(value: bytes, policy: TrustPolicy) -> Fallback:
    """Return the `Fallback` in `value`, every field checked.

    Raises:
        TrustError: It is none, or says what cannot be.
    """
    fallback = parse_message(Fallback, value, "the record")
    topic = policy.topics.get(fallback.source_topic)
    if topic is None or fallback.source_partition >= topic.partitions:
        raise FallbackError(f"{fallback.source_topic!r}/{fallback.source_partition} is not in the trust policy")
    if len(fallback.spool) != SPOOL_ID_SIZE:
        raise FallbackError(f"its spool's id has {len(fallback.spool)} bytes and not {SPOOL_ID_SIZE}")
    if fallback.outcome not in OUTCOMES:
        raise FallbackError("its outcome is none that can be answered without a decision")
    if fallback.reason not in FallbackReason.values() or not fallback.reason:
        raise FallbackError("its reason is not known")
    if not 1 <= len(fallback.channel) <= MAX_CHANNEL or not fallback.channel.isprintable():
        raise FallbackError(f"its channel is not 1 to {MAX_CHANNEL} printable characters")
    if max(fallback.number, fallback.source_offset) >= 2**63 or fallback.answered_at_ms < 0:
        raise FallbackError("a number in it is out of range")
    return fallback


@dataclass(slots=True)
class FallbackLog:
    """The state after the entries taken so far.

    `counts` holds how many there were by outcome (`WITHDRAWN`: written down and never given), `MISSING` how many a spool
    numbered and the log does not have, `REPEATED` how many came again after a crash.
    """

    policy: TrustPolicy
    topic: str | None = None
    next_offset: int = 0
    next_numbers: dict[bytes, int] = field(default_factory=dict)
    counts: dict[str, int] = field(default_factory=dict)

    def take(self, data: bytes) -> None:
        """Take the log's next entry; after an error the state is of no use any more.

        Raises:
            TrustError: It is not the entry that can come here, and why.
        """
        entry = open_entry(data)
        if self.topic not in (None, entry.topic) or entry.partition:
            raise FallbackError(f"it was logged from {entry.topic}/{entry.partition}, and a log of fallbacks has one partition")
        if entry.offset != self.next_offset:
            raise FallbackError(f"it was logged from offset {entry.offset}, where {self.next_offset} is next")
        self.topic, self.next_offset = entry.topic, entry.offset + 1
        if entry.kind == EntryKind.ENTRY_KIND_MALFORMED:
            self._take_malformed(entry.offset, entry.value)
        elif entry.kind == EntryKind.ENTRY_KIND_FALLBACK:
            self._take_fallback(open_fallback(entry.value, self.policy))
        else:
            raise FallbackError(f"an entry of kind {kind_name(entry.kind)} does not belong into a log of fallbacks")

    def notes(self) -> list[str]:
        """Say what is worth knowing though nothing is broken."""
        missing = self.counts.get("MISSING", 0)
        return [f"{missing:,} fallbacks were written down by a gateway and never came here"] if missing else []

    def _take_malformed(self, offset: int, value: bytes) -> None:
        hole = missing_range(open_malformed(value))
        if hole is not None:
            if hole[0] != offset or hole[1] < hole[0]:
                raise FallbackError(f"it stands at offset {offset}, and says that {hole[0]} to {hole[1]} are missing")
            self.next_offset = hole[1] + 1
        self._count("MALFORMED")

    def _take_fallback(self, fallback: Fallback) -> None:
        following = self.next_numbers.get(fallback.spool, 0)
        if fallback.number < following:
            self._count("REPEATED")
            return
        if fallback.number > following:
            self._count("MISSING", fallback.number - following)
        self.next_numbers[fallback.spool] = fallback.number + 1
        self._count("WITHDRAWN" if fallback.withdrawn else Outcome.Name(fallback.outcome).removeprefix("OUTCOME_"))

    def _count(self, what: str, by: int = 1) -> None:
        self.counts[what] = self.counts.get(what, 0) + by
