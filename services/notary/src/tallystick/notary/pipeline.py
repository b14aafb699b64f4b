"""One log, from its topic to its public checkpoint: the order of effects.

A batch:

1. read records; the core (`intake`, `tree`) makes entries and files of them, in memory only;
2. stage: the files in one durable object. Nobody refers to it yet: lost or left over, it is garbage;
3. commit: one database transaction makes the log longer. From here on the batch *is* in the log, and the size has its root
   for good, though nobody outside can know;
4. copy the staged files to their public paths. They are public before any checkpoint needs them;
5. sign: only now, for nothing may ever be signed that the database could still forget;
6. cosign: witnesses see the head and stand by it, a quorum of them, or it is not published;
7. publish: the checkpoint file, the database's note of it, the topic.

Each step from 4 on does the same whenever it is repeated: the same files and (Ed25519 being deterministic) the same signed
text; only who cosigned it, and when, may differ. So recovery is: read the head from the database, and do steps 4 to 7 for it.
It is also what every failure leads to, because an effect that failed may have been done all the same; the pipeline does not
guess but starts over from the database. There is no second path.

The database may be an old backup. Then it knows less than others were shown, and to go on from it would be a fork. So a notary
signs nothing before it has seen that the database's log contains the public checkpoint and whatever witnesses and anchors know.
"""

import asyncio
import logging
from collections.abc import Callable

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.tiles import root_hash
from tallystick.notary.effects import Effects, KnownHead, Source
from tallystick.notary.errors import CorruptLogError, FencedError, ForkError
from tallystick.notary.incidents import IncidentSource
from tallystick.notary.intake import Admission, Batch, Intake
from tallystick.notary.staging import Staged
from tallystick.notary.state import Commit, Head, Progress
from tallystick.notary.tree import Tree
from tallystick.trust.incidents import NO_INCIDENTS

FETCH_TIMEOUT_S = 1.0
LOOK_AGAIN_S = 2.0
_log = logging.getLogger(__name__)


class Pipeline:
    """One log's only writer. `recover()` first, then `round()` again and again; after an UnavailableError, `recover()`.

    Args:
        origin: the log's name in its checkpoints.
        intake: which records become entries.
        effects: what is done to the world.
        source: where records come from.
        incidents: what stopped partitions go on by; none for a log that never stops.
        refresh_s: publish again after this many seconds even if nothing changed (None: never), so that a cosignature with the
            time shows that the log is alive.
        linger_s: the least time between the starts of two batches; lets a slow stream fill a batch.
        clock: seconds, monotonic.

    """

    def __init__(
        self,
        origin: str,
        intake: Intake,
        effects: Effects,
        source: Source,
        *,
        clock: Callable[[], float],
        incidents: IncidentSource | None = None,
        refresh_s: float | None = None,
        linger_s: float = 0.0,
    ) -> None:
        self.origin = origin
        self._intake, self._effects, self._source = intake, effects, source
        self._clock, self._refresh_s, self._linger_s = clock, refresh_s, linger_s
        self._epoch: int | None = None
        self._head = Head(0, b"")
        self._progress = Progress({}, {})
        self._incident_source, self._incidents = incidents, NO_INCIDENTS
        self._looked_s = float("-inf")
        self._tree = Tree()
        self._compared = False
        self._batch_started_s = self._published_s = float("-inf")
        self.published_size: int | None = None
        self.repeats = 0

    @property
    def size(self) -> int:
        """The committed size."""
        return self._head.size

    @property
    def lag(self) -> int:
        """Records that the topic holds and the log does not."""
        return self._source.lag(self._progress)

    @property
    def stopped_partitions(self) -> dict[int, str]:
        """The partitions that are not read any further, and why."""
        return dict(self._source.stops)

    async def recover(self) -> None:
        """Take the state from the database, finish what a predecessor began, and stand ready for the next batch.

        Raises:
            FencedError: another notary has taken over.
            ForkError: the public checkpoint, or a head that others know, is no earlier state of the database's log.
            CorruptLogError: the public files are not the database's log.
            UnavailableError: something does not answer; call again.

        """
        # The first time this takes the writer epoch: from here on no other notary can commit. Later it only checks that the
        # epoch is still ours; taking it again would fence a rightful successor.
        opened = await self._effects.open(self._epoch)
        self._epoch, self._head, self._progress = opened.epoch, opened.head, opened.progress

        # Before anything is written: an older database than what others have seen must not be continued.
        known = await self._known_heads()
        for each in known:
            _refuse_if_ahead(each, self._head)

        if self._head.staged is not None and (staged := await self._effects.read_staged(self._head.staged)):
            _refuse_unless_committed(staged, self._head)
            await self._copy(staged, self._head.staged)

        # The tiles are complete now. Before anything is signed: they are what was committed, and what others know is a prefix.
        read = self._effects.read_tile()
        self._tree = await asyncio.to_thread(Tree.load, self._head.size, self._head.root, read)
        for each in known:
            if await asyncio.to_thread(root_hash, each.checkpoint.size, read) != each.checkpoint.root:
                raise ForkError(
                    f"{self.origin}: {each.who}, of size {each.checkpoint.size}, is not part of this log. "
                    "Two logs have been written under one name; do not start this notary again before that is understood"
                )
        self._compared = True

        await self._publish()
        await self._source.seek(self._progress)

    async def round(self) -> None:
        """Wait for records and append them; publish anew when that is due. Raises as `recover` does."""
        await asyncio.sleep(self._batch_started_s + self._linger_s - self._clock())
        if self._source.stops and self._clock() - self._looked_s >= LOOK_AGAIN_S:
            await self._look_again()
        batch = await self._source.fetch(FETCH_TIMEOUT_S)
        self._batch_started_s = self._clock()
        if batch:
            await self._append(batch)
        if self._refresh_s is not None and self._clock() - self._published_s >= self._refresh_s:
            await self._publish()

    async def _known_heads(self) -> list[KnownHead]:
        public = await self._effects.public_checkpoint()
        heads = [] if public is None else [KnownHead("the public checkpoint", public)]
        if not self._compared:  # later heads are all of our own making, or the epoch is no longer ours
            heads += await self._effects.known_heads()
        return heads

    async def _look_again(self) -> None:
        """Let stopped partitions be read again: what made them stop may have passed, or an incident let them go on."""
        if self._incident_source is not None:
            self._incidents = await self._incident_source.read()
        for partition in self._source.stops:
            position = self._progress.positions.get(partition)
            following = self._progress.offsets.get(partition, 0)
            resumed = self._incidents.first_offset(partition, position.next_sequence if position else 0)
            # An incident may go on before what was read: in a topic that was made anew.
            self._source.resume(partition, following if resumed is None else min(following, resumed))
        self._looked_s = self._clock()

    async def _append(self, batch: Batch) -> None:
        # In a thread, so that health answers and Kafka's fetches go on while this computes. Should anything below fail, tree
        # and progress are read from the database again, so that it does no harm that the tree has grown already.
        admission, staged = await asyncio.to_thread(self._prepare, batch)
        if not admission.entries:
            # Nothing but repeats, or a stop: how far the topic was read goes with the next commit. Till then, reading these
            # records again does no harm.
            self._advance(admission)
            return

        name = staged.name(self._require_epoch())
        await self._effects.stage(staged, name)

        head = Head(staged.size, staged.root, name)
        progress = self._progress.advanced(admission.offsets, admission.positions)
        commit = Commit(self._head, head, admission.rows, progress.offsets, admission.positions)
        await self._effects.commit(commit, self._require_epoch())
        self._head = head
        self._advance(admission)

        await self._copy(staged, name)
        await self._publish()

    def _prepare(self, batch: Batch) -> tuple[Admission, Staged]:
        admission = self._intake.admit(batch, self._progress, self._head.size, self._incidents)
        files = self._tree.append(admission.entries) if admission.entries else {}
        return admission, Staged(self._tree.size, self._tree.root(), files)

    def _advance(self, admission: Admission) -> None:
        self._progress = self._progress.advanced(admission.offsets, admission.positions)
        self.repeats += admission.repeats
        for partition in admission.offsets:
            self._source.going(partition)
        for partition, reason in admission.stops.items():
            if self._source.stops.get(partition) != reason:
                _log.error("stopped reading partition %d: %s", partition, reason, extra={"origin": self.origin})
            self._source.stop(partition, reason)

    async def _copy(self, staged: Staged, name: str) -> None:
        await self._effects.publish_files(staged)
        # Only when the public files are durable: until then this object is the one copy that a power cut cannot take.
        await self._effects.drop_staged(name)

    async def _publish(self) -> None:
        """Sign the committed head, have it cosigned and make it known; the same text and signature however often."""
        checkpoint = Checkpoint(self.origin, self._head.size, self._head.root)
        note = await self._effects.cosign(checkpoint, await self._effects.sign(checkpoint))
        await self._effects.publish_checkpoint(checkpoint, note)
        self._published_s, self.published_size = self._clock(), checkpoint.size
        # After the file, so that whoever learns of a checkpoint from the database or the topic finds it published.
        await self._effects.record_checkpoint(checkpoint, note, self._require_epoch())
        await self._effects.announce(checkpoint, note)

    def _require_epoch(self) -> int:
        if self._epoch is None:
            raise FencedError(f"{self.origin}: no writer epoch was taken; recover() comes first")
        return self._epoch


def _refuse_if_ahead(known: KnownHead, head: Head) -> None:
    size, root = known.checkpoint.size, known.checkpoint.root
    if size > head.size:
        raise ForkError(
            f"{known.checkpoint.origin}: {known.who} has {size} entries, the database only {head.size}. The database is an old "
            "backup, or another installation's; restore one that is as new as the log. If there is none, this log has ended: "
            "keep its files, and begin a new log under another name"
        )
    if size == head.size and root != head.root:
        raise ForkError(
            f"{known.checkpoint.origin}: {known.who} and the database have {size} entries each, and different roots: "
            f"{root.hex()} and {head.root.hex()}. Do not start this notary again before that is understood"
        )


def _refuse_unless_committed(staged: Staged, head: Head) -> None:
    if (staged.size, staged.root) != (head.size, head.root):
        raise CorruptLogError(f"the staging object {head.staged} is not what the database committed at size {head.size}")
