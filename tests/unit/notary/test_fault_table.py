"""Every effect fails in every way, at every point of a run; the whole log is verified again after each publication.

Lost: the effect did not happen. Done: it happened, and was reported as failed. Partly: some of its files were written. Each
either as an error that the notary waits out, or as the end of the process, after which a new one starts.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import pytest

from tallystick.contracts import Decision, EntryKind
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.tiles import ReadTile
from tallystick.notary.effects import Effects, KnownHead, Opened
from tallystick.notary.errors import UnavailableError
from tallystick.notary.intake import DecisionIntake
from tallystick.notary.pipeline import Pipeline
from tallystick.notary.staging import Staged
from tallystick.notary.state import Commit

from .stand import ORIGIN, Stand, Stored, Topic, decisions, logged_sequences

BATCHES = (
    {0: decisions(0, range(3))},
    {0: [*decisions(0, [1, 2, 3], 3), Stored(0, 6, b"\xff")], 1: decisions(1, range(300))},  # repeats; malformed; a full tile
    {1: decisions(1, range(300, 640), 300), 0: decisions(0, range(4, 130), 7)},  # two tiles and a partial one
)
EXPECTED = {0: list(range(130)), 1: list(range(640))}
EFFECTS = (
    "open",
    "public_checkpoint",
    "known_heads",
    "read_staged",
    "stage",
    "commit",
    "publish_files",
    "drop_staged",
    "sign",
    "cosign",
    "publish_checkpoint",
    "record_checkpoint",
    "announce",
)
ONCE = {"open", "public_checkpoint", "known_heads", "read_staged"}


class Killed(BaseException):
    """The process ends here."""


@dataclass(frozen=True, slots=True)
class Fault:
    """The `call`-th call of an effect, counted from when the fault before has struck, fails with `error`."""

    effect: str
    call: int
    error: BaseException
    done: bool


class Faulty:
    """Effects of which some calls fail, one fault after the other."""

    def __init__(self, world: Effects, faults: Sequence[Fault]) -> None:
        self.world = world
        self.faults = list(faults)
        self._calls = 0

    def _before(self, effect: str) -> Fault | None:
        """Return the fault that strikes this call, if one does; one that loses the call strikes at once."""
        if not self.faults or self.faults[0].effect != effect:
            return None
        self._calls += 1
        if self._calls < self.faults[0].call:
            return None
        self._calls = 0
        fault = self.faults.pop(0)
        if not fault.done:
            raise fault.error
        return fault

    def _after(self, fault: Fault | None) -> None:
        if fault is not None:
            raise fault.error

    async def open(self, epoch: int | None) -> Opened:
        """See `Effects`."""
        fault = self._before("open")
        opened = await self.world.open(epoch)
        self._after(fault)
        return opened

    async def public_checkpoint(self) -> Checkpoint | None:
        """See `Effects`."""
        fault = self._before("public_checkpoint")
        checkpoint = await self.world.public_checkpoint()
        self._after(fault)
        return checkpoint

    async def known_heads(self) -> Sequence[KnownHead]:
        """See `Effects`."""
        fault = self._before("known_heads")
        heads = await self.world.known_heads()
        self._after(fault)
        return heads

    async def read_staged(self, name: str) -> Staged | None:
        """See `Effects`."""
        fault = self._before("read_staged")
        staged = await self.world.read_staged(name)
        self._after(fault)
        return staged

    def read_tile(self) -> ReadTile:
        """See `Effects`."""
        return self.world.read_tile()

    async def stage(self, staged: Staged, name: str) -> None:
        """See `Effects`."""
        fault = self._before("stage")
        await self.world.stage(staged, name)
        self._after(fault)

    async def commit(self, change: Commit, epoch: int) -> None:
        """See `Effects`."""
        fault = self._before("commit")
        await self.world.commit(change, epoch)
        self._after(fault)

    async def publish_files(self, staged: Staged) -> None:
        """See `Effects`."""
        fault = self._before("publish_files")
        if fault is not None:  # half of them
            half = dict(list(staged.files.items())[: len(staged.files) // 2])
            await self.world.publish_files(Staged(staged.size, staged.root, half))
            raise fault.error
        await self.world.publish_files(staged)

    async def drop_staged(self, name: str) -> None:
        """See `Effects`."""
        fault = self._before("drop_staged")
        await self.world.drop_staged(name)
        self._after(fault)

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """See `Effects`."""
        fault = self._before("sign")
        note = await self.world.sign(checkpoint)
        self._after(fault)
        return note

    async def cosign(self, checkpoint: Checkpoint, note: bytes) -> bytes:
        """See `Effects`."""
        fault = self._before("cosign")
        cosigned = await self.world.cosign(checkpoint, note)
        self._after(fault)
        return cosigned

    async def publish_checkpoint(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `Effects`."""
        fault = self._before("publish_checkpoint")
        await self.world.publish_checkpoint(checkpoint, note)
        self._after(fault)

    async def record_checkpoint(self, checkpoint: Checkpoint, note: bytes, epoch: int) -> None:
        """See `Effects`."""
        fault = self._before("record_checkpoint")
        await self.world.record_checkpoint(checkpoint, note, epoch)
        self._after(fault)

    async def announce(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `Effects`."""
        fault = self._before("announce")
        await self.world.announce(checkpoint, note)
        self._after(fault)


class Auditor:
    """Remembers every checkpoint ever public, and lets none contradict another."""

    def __init__(self, stand: Stand) -> None:
        self._stand = stand
        self._roots: dict[int, bytes] = {}
        self._size = 0

    async def look(self) -> None:
        """Verify the whole public log, and that it continues what was seen before."""
        if not (self._stand.public / "checkpoint").exists():
            return
        checkpoint, entries = await self._stand.verify()
        assert checkpoint.size >= self._size, "a smaller checkpoint was published"
        assert self._roots.setdefault(checkpoint.size, checkpoint.root) == checkpoint.root, "two roots for one size"
        assert checkpoint.size <= self._stand.ledger.head.size, "published before it was committed"
        for partition, sequences in logged_sequences(entries).items():
            assert sequences == list(range(len(sequences))), f"partition {partition}: lost, doubled or out of order"
        self._size = checkpoint.size


def notary(faulty: Faulty, topic: Topic) -> Pipeline:
    """Return a notary over effects that fail."""
    return Pipeline(ORIGIN, DecisionIntake("transactions"), faulty, topic, clock=lambda: 0.0)


async def run_to_the_end(stand: Stand, faults: Sequence[Fault]) -> None:
    """Run a notary whose effects fail; verify after every step and every failure; start a new one where it was killed."""
    auditor, topic, faulty = Auditor(stand), Topic(BATCHES), Faulty(stand.world(), faults)
    pipeline = notary(faulty, topic)
    for _ in range(len(faults) + 1):
        try:
            await pipeline.recover()
            await auditor.look()
            while not topic.exhausted:
                await pipeline.round()
                await auditor.look()
        except UnavailableError:
            await auditor.look()
        except Killed:
            await auditor.look()
            faulty.world = stand.world()
            pipeline = notary(faulty, topic)
    assert not faulty.faults, "a fault did not happen"
    assert topic.exhausted


async def assert_complete(stand: Stand) -> None:
    """Assert that the log holds every decision once, the malformed record, and that the index says where they are."""
    _, entries = await stand.verify()
    assert logged_sequences(entries) == EXPECTED
    assert [entry.offset for entry in entries if entry.kind == EntryKind.ENTRY_KIND_MALFORMED] == [6]
    assert len(entries) == stand.ledger.head.size == 771
    assert {row.log_index: row[:2] for row in stand.ledger.rows} == {
        index: (entry.partition, Decision.FromString(entry.value).sequence)
        for index, entry in enumerate(entries)
        if entry.kind == EntryKind.ENTRY_KIND_DECISION
    }
    assert not list((stand.home / "staging").iterdir()), "staging objects are dropped once their files are durable"


WAITS, KILLED = UnavailableError("test", "no answer"), Killed()
done_or_lost = pytest.mark.parametrize("done", [False, True], ids=["lost", "done"])
waits_or_killed = pytest.mark.parametrize("error", [WAITS, KILLED], ids=["waits", "killed"])


@pytest.mark.parametrize("call", [1, 3])
@done_or_lost
@waits_or_killed
@pytest.mark.parametrize("effect", EFFECTS)
async def test_no_fault_loses_or_doubles_an_entry_or_forks_the_log(
    tmp_path: Path, effect: str, call: int, error: BaseException, *, done: bool
) -> None:
    """Whichever effect fails, and whether or not it was done, the log ends with each decision once, and never forked."""
    stand = Stand(tmp_path, BATCHES)
    once = effect in ONCE
    # What happens once a start strikes at the call-th start, each start but the first being due to another fault.
    before = [Fault("commit", 1, KILLED, done=True)] * (call - 1) if once else []

    await run_to_the_end(stand, [*before, Fault(effect, 1 if once else call, error, done)])

    await assert_complete(stand)


@done_or_lost
@waits_or_killed
@pytest.mark.parametrize("effect", [effect for effect in EFFECTS if effect not in {"stage", "commit"}])
async def test_recovery_may_fail_at_every_step_too(tmp_path: Path, effect: str, error: BaseException, *, done: bool) -> None:
    """After a kill right behind the commit, recovery fails in any of its steps, twice; the next one completes all the same."""
    stand = Stand(tmp_path, BATCHES)

    await run_to_the_end(stand, [Fault("commit", 2, KILLED, done=True), *[Fault(effect, 1, error, done)] * 2])

    await assert_complete(stand)
