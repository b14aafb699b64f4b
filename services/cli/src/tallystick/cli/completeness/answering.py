"""The log of fallbacks: what gateways answered in a time, and the decisions that followed. It takes no sealer's word."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from tallystick.cli.completeness.reading import Advance, Stretch, entry_at
from tallystick.cli.fsck.check import in_log
from tallystick.cli.fsck.walk import BrokenError
from tallystick.contracts import Decision, EntryKind, Fallback, LogEntry
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.answers import Answers
from tallystick.trust.errors import TrustError
from tallystick.trust.fallbacks import FallbackLog, open_fallback
from tallystick.trust.policy import TrustPolicy

EARLIER_MS = 60_000
"""How long before its answer a transaction may have been sent, about; decisions that lie further back are looked for."""
FIRST_STEP = 1 << 12


@dataclass(slots=True)
class Given:
    """What gateways answered without a decision.

    Attributes:
        counts: everything in the log, as `trust.fallbacks` counts it.
        notes: what is worth knowing of it.
        answers: what was answered in the time, withdrawn ones left out, beside the decisions.
    """

    counts: dict[str, int] = field(default_factory=dict)
    notes: list[str] = field(default_factory=list)
    answers: Answers = field(default_factory=Answers)


class Answering:
    """Holds fallbacks against decisions.

    Args:
        policy: the trust policy; it names a log of fallbacks.
        topic: the input topic.
        readers: of the logs, by origin.
        checkpoints: theirs.
        advance: told of progress.
    """

    def __init__(
        self,
        policy: TrustPolicy,
        topic: str,
        readers: Mapping[str, LogReader],
        checkpoints: Mapping[str, Checkpoint],
        advance: Advance,
    ) -> None:
        self._policy, self._topic, self._advance = policy, topic, advance
        self._readers, self._checkpoints = readers, checkpoints

    async def run(self, from_ms: int | None, to_ms: int | None) -> Given:
        """Return what was answered in a time, and decided since.

        Raises:
            BrokenError: A log is not what its checkpoint says.
            LogUnavailableError: One does not answer.
        """
        log, given = FallbackLog(self._policy), list[Fallback]()
        origin = self._policy.fallbacks_origin or ""
        with in_log(origin):
            stretch = Stretch(self._readers[origin], self._checkpoints[origin], 0)
            while not stretch.exhausted:
                first = stretch.reached
                for place, data in enumerate(await stretch.pull(), start=first):
                    one = _taken(log, data, place)
                    in_time = one is not None and (from_ms or 0) <= one.answered_at_ms < (to_ms or 2**63)
                    if one is not None and in_time and one.source_topic == self._topic and not one.withdrawn:
                        given.append(one)
                self._advance(origin, stretch.reached, self._checkpoints[origin].size)
            await stretch.verify()
        step = 0
        while True:
            answers = Answers.to(given)
            begun_ms = min((one.answered_at_ms for one in given), default=0) - EARLIER_MS
            late = False
            for decisions in dict.fromkeys(self._policy.topics[self._topic].origins):
                late |= await self._decide(decisions, answers, begun_ms, step)
            if not (late and answers.begins_late):
                return Given(log.counts, log.notes(), answers)
            step = max(FIRST_STEP, 4 * step)

    async def _decide(self, origin: str, answers: Answers, begun_ms: int, back: int) -> bool:
        """Take decisions until there is no more to learn of them; return whether there are earlier ones."""
        mine = self._policy.topics[self._topic].of_log(origin)
        if not answers.waits_in(mine):
            return False
        reader, checkpoint = self._readers[origin], self._checkpoints[origin]
        with in_log(origin):
            start = max(0, await entry_at(reader, checkpoint.size, begun_ms) - back)
            stretch = Stretch(reader, checkpoint, start)
            while answers.waits_in(mine) and not stretch.exhausted:
                for data in await stretch.pull():
                    entry = LogEntry.FromString(data)
                    if entry.kind == EntryKind.ENTRY_KIND_DECISION:
                        decision = Decision.FromString(entry.value)
                        if decision.source_topic == self._topic:
                            answers.take(decision)
                self._advance(origin, stretch.reached, checkpoint.size)
            await stretch.verify()
        return start > 0


def _taken(log: FallbackLog, data: bytes, place: int) -> Fallback | None:
    """Take the log's next entry; return the fallback in it, if it is one and no repeated one. Raises BrokenError."""
    repeated = log.counts.get("REPEATED", 0)
    try:
        log.take(data)
    except TrustError as error:
        raise BrokenError(f"entry {place:,}: {error}") from error
    entry = LogEntry.FromString(data)
    if entry.kind != EntryKind.ENTRY_KIND_FALLBACK or log.counts.get("REPEATED", 0) > repeated:
        return None
    return open_fallback(entry.value, log.policy)
