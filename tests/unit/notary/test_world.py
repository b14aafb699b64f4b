"""What is said in health, and of which component."""

from collections.abc import Sequence
from pathlib import Path

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.tiles import TilePath
from tallystick.notary.directory import LogDirectory
from tallystick.notary.effects import KnownHead
from tallystick.notary.errors import UnavailableError
from tallystick.notary.signer import NoteSigner
from tallystick.notary.witnesses import Prove
from tallystick.notary.world import World
from tallystick.runtime.health import Health

from .stand import ALLOWED, ORIGIN, Announcements, LocalKeys, MemoryLedger


class Elsewhere(LogDirectory):
    """A place that is no disk, and whose tiles cannot be read."""

    component = "bucket"

    def read_tile(self, path: TilePath) -> bytes:
        """Fail."""
        raise OSError(f"{path}: gone")


class Asking:
    """Cosigners that want a proof."""

    async def heads(self, known: LogPolicy) -> Sequence[KnownHead]:
        """See `Cosigners`."""
        return ()

    async def cosign(self, checkpoint: Checkpoint, note: bytes, prove: Prove) -> bytes:
        """See `Cosigners`."""
        await prove(1, checkpoint.size)
        return note


async def test_what_fails_a_proof_is_the_place_of_the_files(tmp_path: Path) -> None:
    """With the log in a bucket, no disk fails."""
    health = Health("test", ("bucket",), ("main",))
    place = Elsewhere(tmp_path / "public", tmp_path / "staging")
    signer = NoteSigner(LocalKeys(), "notary-decisions", ORIGIN, ALLOWED)
    world = World(place, MemoryLedger(), signer, Announcements(), health, "main", Asking())
    with pytest.raises(UnavailableError, match="bucket"):
        await world.cosign(Checkpoint(ORIGIN, 2, EMPTY_ROOT), b"")
    assert set(health.states()) == {"bucket"}
