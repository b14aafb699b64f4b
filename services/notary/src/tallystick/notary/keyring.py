"""Which keys sign for which log: those of the trust policy, and those that the governance log has added and not retired.

A key that was made in Vault signs nothing before two approvers have put it into the governance log, and that entry is under a
published checkpoint: one that the old keys signed. From then on both sign, so that whoever has only the old key in their policy
goes on, and whoever has both too; until an entry retires the old one.
"""

import asyncio
from collections.abc import Callable

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.keys import VerifierKey
from tallystick.merkle.notes import Note, verify_note
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TilePath, decode_bundle
from tallystick.notary.errors import CorruptLogError, ForkError
from tallystick.notary.storage import LogStorage
from tallystick.notary.waiting import answering
from tallystick.runtime.health import Health
from tallystick.trust.governance import replay
from tallystick.trust.log_keys import LogKeys
from tallystick.trust.policy import TrustPolicy

REFRESH_S = 1.0
"""How often the governance log is looked at, at most."""


class Keyring:
    """The logs' keys, by the trust policy and the governance log as it is published. All methods raise as `Effects` do.

    Args:
        policy: the founders, and the keys that the logs began with.
        storage: the governance log's; only read.
        health: where it is said if that does not answer.
        monotonic: seconds.

    """

    def __init__(self, policy: TrustPolicy, storage: LogStorage, health: Health, monotonic: Callable[[], float]) -> None:
        self._policy, self._storage, self._health, self._monotonic = policy, storage, health, monotonic
        self._looked_s = float("-inf")
        self._note: bytes | None = None
        self._size = 0
        self._keys = LogKeys()

    async def signing(self, origin: str) -> frozenset[bytes]:
        """Return the public keys that sign a log's next checkpoint."""
        await self._refresh()
        return self._keys.signing(self._policy.log_policy, origin)

    async def known(self, origin: str) -> list[VerifierKey]:
        """Return the keys that sign, or have signed, a log's checkpoints."""
        await self._refresh()
        return _known(self._policy, self._keys, origin)

    async def _refresh(self) -> None:
        if self._monotonic() - self._looked_s < REFRESH_S:
            return
        with answering(self._storage.component, self._health):
            note = await asyncio.to_thread(self._storage.read_checkpoint)
            if note is not None and note != self._note:
                self._size, self._keys = await asyncio.to_thread(self._read, note)
        self._note, self._looked_s = note, self._monotonic()

    def _read(self, note: bytes) -> tuple[int, LogKeys]:
        """Replay the log under a checkpoint; that it is the log's own is shown by the keys which this log itself names."""
        origin, parsed = self._policy.governance_origin, Note.parse(note)
        checkpoint = Checkpoint.parse(parsed.text)
        keys = self._keys if checkpoint.size == self._size else self._replayed(checkpoint)
        try:
            verify_note(parsed, _known(self._policy, keys, origin))
        except ValueError as error:
            raise ForkError(
                f"{origin}: neither the trust policy nor the log itself names the key of its public checkpoint ({error})"
            ) from error
        return checkpoint.size, keys

    def _replayed(self, checkpoint: Checkpoint) -> LogKeys:
        entries: list[bytes] = []
        for index in range(-(-checkpoint.size // TILE_WIDTH)):
            path = TilePath(ENTRIES, index, min(TILE_WIDTH, checkpoint.size - index * TILE_WIDTH))
            entries += decode_bundle(self._storage.read_tile(path), path.width)
        frontier = Frontier()
        frontier.append(leaf_hashes(entries))
        if frontier.root() != checkpoint.root:
            raise CorruptLogError(f"{checkpoint.origin}: its entries do not lead to its public checkpoint of {checkpoint.size}")
        return replay(entries, self._policy).log_keys


def _known(policy: TrustPolicy, keys: LogKeys, origin: str) -> list[VerifierKey]:
    return [key for key, _ in keys.with_added(policy.log_policy).logs if key.name == origin]
