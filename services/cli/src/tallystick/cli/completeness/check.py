"""One sealer after the other: its seals and the decisions, taken side by side: no more is held than one is ahead."""

from collections.abc import AsyncGenerator, Mapping, Sequence
from contextlib import AsyncExitStack, aclosing
from dataclasses import dataclass, field, replace

from tallystick.cli.approval import read_governance
from tallystick.cli.completeness.answering import FIRST_STEP, Answering, Given
from tallystick.cli.completeness.reading import Advance, Stretch, believed, entry_at, logged_seals, served_seals
from tallystick.cli.fsck.check import in_log
from tallystick.cli.fsck.walk import BrokenError
from tallystick.contracts import Decision, EntryKind, LogEntry, SealedSource
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.completeness import Comparison, Difference
from tallystick.trust.completeness import Stretch as Sequences
from tallystick.trust.incidents import SignedIncident
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.seals import SealError, SealLog, SignedSeal

_DECISION, _INCIDENT = EntryKind.ENTRY_KIND_DECISION, EntryKind.ENTRY_KIND_INCIDENT


@dataclass(frozen=True, slots=True)
class Wanted:
    """What to compare: seals of a time (milliseconds since 1970, the end not included), and where sealers answer, by name.

    What was sealed up to `patience_ms` before that time is compared, too: it may have had to be decided in it.
    """

    from_ms: int | None = None
    to_ms: int | None = None
    patience_ms: int = 60_000
    served: Mapping[str, str] = field(default_factory=dict)


@dataclass(slots=True)
class Finding:
    """What one sealer's seals came to.

    Attributes:
        known_ms: when it sealed first and last, in any time; None if never.
        seals: how many are of the time that was asked for; `first_ms`, `last_ms`: their first and last.
        broken: why its statements are not sound, None if they are.
    """

    sealer: str
    known_ms: tuple[int, int] | None = None
    seals: int = 0
    first_ms: int = 0
    last_ms: int = 0
    compared: int = 0
    broken: str | None = None
    unlogged: int = 0
    differences: list[Difference] = field(default_factory=list)
    undecided: list[Sequences] = field(default_factory=list)
    unsealed: list[Sequences] = field(default_factory=list)
    sources: list[SealedSource] = field(default_factory=list)
    incidents: list[SignedIncident] = field(default_factory=list)

    @property
    def complete(self) -> bool:
        """True if every record that was sealed has its decision, in order."""
        return self.seals > 0 and self.broken is None and not self.differences

    def take(self, seal: SignedSeal) -> None:
        """Count a seal that is compared."""
        self.seals += 1
        self.last_ms = seal.statement.sealed_at_ms
        self.first_ms = self.first_ms or self.last_ms
        self.sources = list(seal.statement.sources)


class Check:
    """Compares every sealer's seals on one input topic with the decisions on it.

    Args:
        location: where the logs are: `file:///directory` or `http(s)://prefix`, each log under the last part of its origin.
        policy: the trust policy; it names sealers.
        topic: the input topic.
        wanted: what to compare.
        advance: told of progress.
        token: a bearer token for the entries, which are not served to everybody.

    Attributes:
        given: what gateways answered without a decision, None if the trust policy names no log of it.
    """

    def __init__(
        self, location: str, policy: TrustPolicy, topic: str, wanted: Wanted, advance: Advance, token: str | None
    ) -> None:
        self._location, self._policy, self._topic = location, policy, topic
        self._wanted, self._advance, self._token = wanted, advance, token
        self._readers: dict[str, LogReader] = {}
        self._checkpoints: dict[str, Checkpoint] = {}
        self._incidents: Sequence[SignedIncident] = ()
        self.given: Given | None = None

    async def run(self) -> list[Finding]:
        """Return what there is to say by each sealer of the policy.

        Raises:
            BrokenError: A log is not what its checkpoint says.
            LogUnavailableError, GovernanceLogError: A log or a sealer does not answer.
        """
        origin = self._policy.governance_origin
        governance = await read_governance(f"{self._location}/{log_name(origin)}", self._policy)
        # From here on a key that was retired makes no log longer.
        self._policy = policy = replace(self._policy, log_policy=governance.log_keys.with_retired(self._policy.log_policy))
        self._incidents = [one for one in governance.incidents if one.statement.topic == self._topic]
        async with AsyncExitStack() as stack:
            for name, origin in policy.origins.items():
                if origin != policy.governance_origin:
                    reader = LogReader(f"{self._location}/{name}", token=self._token)
                    self._readers[origin] = await stack.enter_async_context(reader)
                    with in_log(origin):
                        self._checkpoints[origin] = await believed(reader, policy, origin)
            if policy.fallbacks_origin is not None:
                answering = Answering(policy, self._topic, self._readers, self._checkpoints, self._advance)
                self.given = await answering.run(self._wanted.from_ms, self._wanted.to_ms)
            return [await self._check(sealer.name) for sealer in policy.sealers]

    async def _check(self, sealer: str) -> Finding:
        step = 0
        while True:
            finding = Finding(sealer)
            if await self._compare(finding, step):
                return finding
            step = max(FIRST_STEP, 4 * step)  # what is compared began before the place that the clocks told

    async def _compare(self, finding: Finding, back: int) -> bool:
        """Compare, reading decisions from so many entries before the wanted time on; False if that is not early enough."""
        partitions = self._policy.topics[self._topic].partitions
        comparison, streams, before = Comparison(partitions), None, None
        from_ms, to_ms = self._wanted.from_ms or 0, self._wanted.to_ms
        try:
            async with aclosing(self._seals(finding)) as seals:
                async for seal in seals:
                    at_ms = seal.statement.sealed_at_ms
                    finding.known_ms = (finding.known_ms or (at_ms,))[0], at_ms
                    if to_ms is not None and at_ms >= to_ms:
                        comparison.later(seal)
                        continue
                    if at_ms < from_ms - self._wanted.patience_ms:
                        before = seal
                        continue
                    if streams is None:
                        comparison = Comparison(partitions, before, from_ms)
                        streams = await self._streams(before, back)
                    if at_ms >= from_ms:
                        finding.take(seal)
                    comparison.seal(seal)
                    await streams.feed(comparison)
                    if comparison.starts_after() and streams.begins_late:
                        return False
        except SealError as error:
            finding.broken = str(error)
        if streams is None or not finding.seals:
            return True
        if self._wanted.to_ms is None:
            await streams.drain(comparison)
        await streams.verify()
        finding.compared = comparison.compared
        finding.incidents = streams.passed
        finding.differences = comparison.differences(self._wanted.patience_ms)
        finding.undecided = comparison.undecided()
        finding.unsealed = [] if self._wanted.to_ms is not None else comparison.unsealed()
        return True

    async def _streams(self, before: SignedSeal | None, back: int) -> "_Decisions":
        topic = self._policy.topics[self._topic]
        origins = dict(enumerate(topic.origins))
        stretches = {}
        for origin in dict.fromkeys(topic.origins):
            reader, checkpoint = self._readers[origin], self._checkpoints[origin]
            start = 0
            if before is not None:
                with in_log(origin):
                    start = max(0, await entry_at(reader, checkpoint.size, before.statement.sealed_at_ms) - back)
            stretches[origin] = Stretch(reader, checkpoint, start)
        return _Decisions(self._topic, origins, stretches, self._incidents, self._checkpoints, self._advance)

    async def _seals(self, finding: Finding) -> AsyncGenerator[SignedSeal, None]:
        """Give the sealer's seals. Raises SealError: they do not follow each other, or the log and the sealer differ."""
        policy, sealer, partitions = self._policy, finding.sealer, self._policy.topics[self._topic].partitions
        origin = policy.seals_origin or ""
        log, digests = SealLog(policy), []
        served = self._wanted.served.get(sealer)
        with in_log(origin):
            async for seal in logged_seals(self._readers[origin], self._checkpoints[origin], policy, log, self._advance):
                if seal.sealer != sealer or seal.statement.topic != self._topic:
                    continue
                if served is None:
                    yield seal
                else:
                    digests.append(seal.digest)
        if served is not None:
            number = 0
            async for seal in served_seals(served, sealer, policy, partitions):
                if number < len(digests) and seal.digest != digests[number]:
                    raise SealError(f"its statement {number} in the log is another one than it serves itself")
                number += 1
                yield seal
            finding.unlogged = number - len(digests)
            if finding.unlogged < 0:
                raise SealError(f"{-finding.unlogged:,} of its statements are in the log that it does not serve")
        if sealer in log.broken:
            raise SealError(log.broken[sealer])


class _Decisions:
    """The decisions' logs, pulled as they are needed."""

    def __init__(
        self,
        topic: str,
        origins: Mapping[int, str],
        stretches: Mapping[str, Stretch],
        incidents: Sequence[SignedIncident],
        checkpoints: Mapping[str, Checkpoint],
        advance: Advance,
    ) -> None:
        self._topic, self._origins, self._stretches = topic, origins, stretches
        self._incidents, self._checkpoints, self._advance = incidents, checkpoints, advance
        self.begins_late = any(stretch.reached > 0 for stretch in stretches.values())
        self.passed: list[SignedIncident] = []
        # Where no decision is missing, as where input was lost unscored, the decisions' log has nothing of an incident.
        self._unlogged = {
            (one.statement.partition, one.statement.to_sequence): one
            for one in incidents
            if one.statement.from_sequence == one.statement.to_sequence
        }

    async def feed(self, comparison: Comparison) -> None:
        """Pull until the seals taken so far are compared, or there is no more."""
        while wanted := {self._origins[partition] for partition in comparison.wanting()}:
            left = [origin for origin in wanted if not self._stretches[origin].exhausted]
            if not left:
                return
            for origin in left:
                await self._pull(origin, comparison)

    async def drain(self, comparison: Comparison) -> None:
        """Pull all that is left."""
        for origin, stretch in self._stretches.items():
            while not stretch.exhausted:
                await self._pull(origin, comparison)

    async def verify(self) -> None:
        """Check that all that was pulled is in the logs. Raises BrokenError."""
        for origin, stretch in self._stretches.items():
            with in_log(origin):
                await stretch.verify()

    async def _pull(self, origin: str, comparison: Comparison) -> None:
        stretch = self._stretches[origin]
        with in_log(origin):
            for data in await stretch.pull():
                entry = LogEntry.FromString(data)
                if entry.kind == _DECISION:
                    decision = Decision.FromString(entry.value)
                    if decision.source_topic != self._topic:
                        continue
                    if self._origins.get(decision.source_partition) != origin:
                        raise BrokenError(f"it holds a decision on partition {decision.source_partition}, which is not its own")
                    comparison.decide(decision)
                    if incident := self._unlogged.get((decision.source_partition, decision.sequence)):
                        self._note(incident)
                elif entry.kind == _INCIDENT:
                    self._pass(data, comparison)
        self._advance(origin, stretch.reached, self._checkpoints[origin].size)

    def _pass(self, data: bytes, comparison: Comparison) -> None:
        incident = next((one for one in self._incidents if one.entry == data), None)
        if incident is None:
            raise BrokenError("it holds an incident that the governance log does not have")
        comparison.pass_over(incident.statement.partition, incident.statement.to_sequence)
        self._note(incident)

    def _note(self, incident: SignedIncident) -> None:
        if incident not in self.passed:
            self.passed.append(incident)
