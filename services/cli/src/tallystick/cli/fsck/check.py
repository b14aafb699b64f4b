"""One log after the other: its checkpoint, its files, its meaning."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from tallystick.cli.fsck.anchor_source import AnchorsUnlistedError, open_anchors
from tallystick.cli.fsck.anchored import check_anchors
from tallystick.cli.fsck.saved import Place, SavedPlaces
from tallystick.cli.fsck.walk import BrokenError, resumed, walk
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import Note
from tallystick.merkle.policy import LogPolicy, VerifiedCheckpoint
from tallystick.merkle.tiles import TileBuilder
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.decision_log import DecisionLog
from tallystick.trust.errors import TrustError
from tallystick.trust.fallbacks import FallbackLog
from tallystick.trust.governance import Governance, replay
from tallystick.trust.governance_log import check_governance_log
from tallystick.trust.incidents import SignedIncident
from tallystick.trust.log_keys import LogKeys
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.seals import SealLog
from tallystick.verifier.inputs import UnreadableError

SAVE_EVERY = 64
"""Stretches of the walk between two saved places."""

Advance = Callable[[str, int, int], None]
"""Called with a log's origin, how many of its entries are checked, and how many there are."""


@dataclass(frozen=True, slots=True)
class Finding:
    """A log that is sound: its checkpoint, what is in it, and what is worth knowing though nothing is broken.

    `anchors`: how many by whom; None: none were looked at.
    `unread`: of how many entries, from the first on, only that the log still begins with them was checked.
    `switches`: where each partition came under another activation (see `DecisionLog`).
    """

    checkpoint: VerifiedCheckpoint
    counts: Mapping[str, int]
    notes: Sequence[str]
    anchors: Mapping[str, int] | None = None
    switches: Sequence[tuple[str, int, int, int]] = ()
    unread: int = 0


class Fsck:
    """Checks the logs of a trust policy.

    Args:
        location: where the logs are: `file:///directory` or `http(s)://prefix`, each log under the last part of its origin.
        policy: the trust policy.
        saved: how far logs were checked before.
        advance: told of progress.
        token: a bearer token for the entries, which are not served to everybody.
    """

    def __init__(self, location: str, policy: TrustPolicy, saved: SavedPlaces, advance: Advance, token: str | None) -> None:
        self._location = location
        self._policy = policy
        self._saved = saved
        self._advance = advance
        self._token = token
        self._keys = LogKeys()

    async def run(self) -> list[Finding]:
        """Check the governance log, then the decisions' logs against it, then those of fallbacks and seals.

        Raises:
            BrokenError: The first place that is not sound.
            LogUnavailableError: A log does not answer.
            SavedError: The place cannot be saved, or what is saved is none.
        """
        governance, finding = await self._check_governance(self._policy.governance_origin)
        findings = [finding, *[await self._check_decisions(origin, governance) for origin in self._policy.decisions_origins]]
        if self._policy.fallbacks_origin is not None:
            findings.append(await self._check_topic(self._policy.fallbacks_origin, FallbackLog(self._policy)))
        if self._policy.seals_origin is not None:
            findings.append(await self._check_topic(self._policy.seals_origin, SealLog(self._policy)))
        return findings

    async def _check_governance(self, origin: str) -> tuple[Governance, Finding]:
        """Check all of it anew each time: it is small, and its meaning hangs on its beginning.

        It is held to what it was at an earlier time all the same.
        """
        async with self._reader(origin) as reader:
            verified = await self._checkpoint(reader, origin)
            entries: list[bytes] = []
            with in_log(origin):
                if place := self._saved.get(origin):
                    await resumed(reader, verified.checkpoint, place.size, bytes.fromhex(place.root))
                async for stretch in walk(reader, verified.checkpoint, TileBuilder()):
                    entries += stretch
                    self._advance(origin, len(entries), verified.checkpoint.size)
            with in_log(origin):
                try:
                    check_governance_log(entries)
                except TrustError as error:
                    raise BrokenError(str(error)) from error
            governance = replay(entries, self._policy)
            # What a retired key made beyond its time is nobody's log, though every hash of it be right.
            self._keys = governance.log_keys
            self._policy = replace(self._policy, log_policy=governance.log_keys.with_retired(self._policy.log_policy))
            with in_log(origin):
                _believed(self._policy.log_policy, verified.note.encode(), origin)
            anchors, notes = await self._check_anchors(reader, verified.checkpoint)
        self._saved.put(origin, Place(verified.checkpoint.size, verified.checkpoint.root.hex(), {}))
        counts = {
            "models": len(governance.models),
            "policies": len(governance.policies),
            "activations": len(governance.activations),
            "enrolments": len(governance.enrolments),
            "erasures": len(governance.erasures),
        }
        notes = [*(f"entry {index:,} has no effect: {reason}" for index, reason in governance.rejected), *notes]
        return governance, Finding(verified, counts, notes, anchors)

    async def _check_decisions(self, origin: str, governance: Governance) -> Finding:
        async with self._reader(origin) as reader:
            verified = await self._checkpoint(reader, origin)
            with in_log(origin):
                builder, log = await self._begin(reader, verified.checkpoint, governance)
                unread, stretches = builder.size, 0
                async for stretch in walk(reader, verified.checkpoint, builder):
                    _take(log, builder.size - len(stretch), stretch)
                    self._advance(origin, builder.size, verified.checkpoint.size)
                    stretches += 1
                    if stretches % SAVE_EVERY == 0:
                        self._save(origin, builder, log)
                self._save(origin, builder, log)
            anchors, notes = await self._check_anchors(reader, verified.checkpoint)
        notes = [*map(told, log.passed()), *notes]
        return Finding(verified, dict(sorted(log.counts.items())), notes, anchors, sorted(log.switches), unread)

    async def _check_topic(self, origin: str, log: FallbackLog | SealLog) -> Finding:
        """Check all of it anew each time, and hold it to what it was at an earlier time."""
        async with self._reader(origin) as reader:
            verified = await self._checkpoint(reader, origin)
            builder = TileBuilder()
            with in_log(origin):
                if place := self._saved.get(origin):
                    await resumed(reader, verified.checkpoint, place.size, bytes.fromhex(place.root))
                async for stretch in walk(reader, verified.checkpoint, builder):
                    _take(log, builder.size - len(stretch), stretch)
                    self._advance(origin, builder.size, verified.checkpoint.size)
            anchors, notes = await self._check_anchors(reader, verified.checkpoint)
        self._saved.put(origin, Place(verified.checkpoint.size, verified.checkpoint.root.hex(), {}))
        return Finding(verified, dict(sorted(log.counts.items())), [*log.notes(), *notes], anchors)

    async def _check_anchors(self, reader: LogReader, checkpoint: Checkpoint) -> tuple[Mapping[str, int] | None, list[str]]:
        def advance(size: int) -> None:
            self._advance(f"{checkpoint.origin}: anchors", min(size, checkpoint.size), checkpoint.size)

        try:
            async with open_anchors(self._location, log_name(checkpoint.origin)) as source:
                with in_log(checkpoint.origin):
                    found = await check_anchors(source, reader, checkpoint, self._policy, advance, self._keys)
        except AnchorsUnlistedError:
            return None, []
        notes = []
        if found.unpinned:
            notes.append(f"{found.unpinned:,} anchors are by nobody whom the trust policy names, and were not looked at")
        if found.replaced:
            notes.append(f"{found.replaced:,} anchors are not of what the trust policy now pins under their name")
        return found.by, notes

    async def _begin(
        self, reader: LogReader, checkpoint: Checkpoint, governance: Governance
    ) -> tuple[TileBuilder, DecisionLog]:
        origin, place = checkpoint.origin, self._saved.get(checkpoint.origin)
        activations = {activation.index: activation for activation in governance.activations}
        if place is None:
            return TileBuilder(), DecisionLog(origin, self._policy, activations, governance.incidents)
        builder = await resumed(reader, checkpoint, place.size, bytes.fromhex(place.root))
        try:
            return builder, DecisionLog.from_json(place.state, origin, self._policy, activations, governance.incidents)
        except (KeyError, TypeError, ValueError) as error:
            reason = (
                f"what the entries of {origin} meant is not kept in it, as under a bare tlog-policy"
                if not place.state
                else error
            )
            raise self._saved.refused(reason) from None

    def _save(self, origin: str, builder: TileBuilder, log: DecisionLog) -> None:
        self._saved.put(origin, Place(builder.size, builder.root().hex(), log.to_json()))

    async def _checkpoint(self, reader: LogReader, origin: str) -> VerifiedCheckpoint:
        data = await reader.checkpoint()
        with in_log(origin):
            return _believed(self._policy.log_policy, data, origin)

    def _reader(self, origin: str) -> LogReader:
        return LogReader(f"{self._location}/{log_name(origin)}", token=self._token)


async def check_any_log(location: str, policy: LogPolicy, saved: SavedPlaces, advance: Advance, token: str | None) -> Finding:
    """Check one C2SP tiled log, of whomever: all of `Fsck` but what its entries mean.

    Args:
        location: the log's prefix: `file:///directory` or `http(s)://prefix`, where its `checkpoint` is.
        policy: names the log; which of its logs this is, the checkpoint says.
        saved: how far the log was checked before.
        advance: told of progress.
        token: a bearer token.

    Raises:
        BrokenError, LogUnavailableError, SavedError: as `Fsck.run`.
    """
    async with LogReader(location, token=token) as reader:
        data = await reader.checkpoint()
        try:
            origin = Checkpoint.parse(Note.parse(data).text).origin
            verified = policy.verify_checkpoint(data, origin)
        except ValueError as error:
            raise BrokenError(f"the checkpoint is refused: {error}") from error
        checkpoint, place, stretches = verified.checkpoint, saved.get(origin), 0
        with in_log(origin):
            builder = await resumed(reader, checkpoint, place.size, bytes.fromhex(place.root)) if place else TileBuilder()
            unread = builder.size
            async for _ in walk(reader, checkpoint, builder):
                advance(origin, builder.size, checkpoint.size)
                stretches += 1
                if stretches % SAVE_EVERY == 0:
                    saved.put(origin, Place(builder.size, builder.root().hex(), {}))
        saved.put(origin, Place(builder.size, builder.root().hex(), {}))
    return Finding(verified, {}, [], unread=unread)


@contextmanager
def in_log(origin: str) -> Iterator[None]:
    """Say in which log it is broken."""
    try:
        yield
    except BrokenError as error:
        raise BrokenError(f"{origin}: {error}") from error


def told(incident: SignedIncident) -> str:
    """Say in words by which incident a log went on."""
    said = incident.statement
    lost = said.to_sequence - said.from_sequence
    return (
        f"partition {said.partition} of {said.topic} goes on with sequence {said.to_sequence:,} by the incident at"
        f" {incident.index:,}, {lost:,} decisions missing; signed by {' and '.join(incident.approvers)}: {said.explanation}"
    )


def _believed(policy: LogPolicy, data: bytes, origin: str) -> VerifiedCheckpoint:
    try:
        return policy.verify_checkpoint(data, origin)
    except ValueError as error:
        raise BrokenError(f"the checkpoint is refused: {error}") from error


def location_of(text: str) -> str:
    """Return an address or a directory's path as a `LogReader` takes it. Raises UnreadableError."""
    return text.rstrip("/") if "://" in text else directory_of(text).as_uri()


def directory_of(path: str | Path) -> Path:
    """Return a directory's whole path, without links. Raises UnreadableError: it has none."""
    try:
        return Path(path).resolve()
    except (OSError, RuntimeError, ValueError) as error:  # a loop of links is a RuntimeError, up to Python 3.12
        raise UnreadableError(f"cannot read {path}: {error}") from None


def _take(log: DecisionLog | FallbackLog | SealLog, first: int, entries: Iterable[bytes]) -> None:
    for index, entry in enumerate(entries, start=first):
        try:
            log.take(entry)
        except TrustError as error:
            raise BrokenError(f"entry {index:,}: {error}") from error


def as_json(finding: Finding) -> dict[str, Any]:
    """Return a finding as JSON values."""
    checkpoint = finding.checkpoint.checkpoint
    return {
        "origin": checkpoint.origin,
        "size": checkpoint.size,
        "root": checkpoint.root.hex(),
        "cosigned": dict(finding.checkpoint.cosigned),
        "counts": dict(finding.counts),
        "anchors": None if finding.anchors is None else dict(finding.anchors),
        "notes": list(finding.notes),
        "switches": [
            {"topic": topic, "partition": partition, "activation_index": index, "sequence": sequence}
            for topic, partition, index, sequence in finding.switches
        ],
    }
