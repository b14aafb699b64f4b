"""Which keys sign for which log: those of the trust policy, and those that the governance log has added and not retired.

A key that was made in Vault signs nothing before two approvers have put it into the governance log, and that entry is under a
published checkpoint: one that the old keys signed. From then on both sign, so that whoever has only the old key in their policy
goes on, and whoever has both too; until an entry retires the old one. A log only grows: of a public log that went back, or that
no quorum stands by, nothing is taken, so that an old copy does not bring a retired key back.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import replace

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.notes import Note
from tallystick.merkle.policy import LogPolicy, QuorumError
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TilePath, decode_bundle
from tallystick.notary.errors import CorruptLogError, ForkError, NotaryError
from tallystick.notary.storage import LogStorage
from tallystick.notary.waiting import answering
from tallystick.runtime.health import Health
from tallystick.trust.governance import replay
from tallystick.trust.log_keys import LogKeys
from tallystick.trust.policy import TrustPolicy

_log = logging.getLogger(__name__)
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
        self._head: Checkpoint | None = None
        self._keys = LogKeys()
        self._lock = asyncio.Lock()  # several logs' pipelines ask

    async def signing(self, origin: str) -> frozenset[bytes]:
        """Return the public keys that sign a log's next checkpoint."""
        await self._refresh()
        return self._keys.signing(self._policy.log_policy, origin)

    async def known(self, origin: str) -> LogPolicy:
        """Return the keys that sign or signed a log's checkpoints, and how far the retired ones are good; no witnesses."""
        await self._refresh()
        whole = self._keys.with_added(self._policy.log_policy)
        keys = tuple((key, url) for key, url in whole.logs if key.name == origin)
        return LogPolicy(keys, {}, {}, (), None, whole.retired)

    async def _refresh(self) -> None:
        async with self._lock:
            if self._monotonic() - self._looked_s < REFRESH_S:
                return
            with answering(self._storage.component, self._health):
                note = await asyncio.to_thread(self._storage.read_checkpoint)
                if note is not None and note != self._note:
                    await asyncio.to_thread(self._read, note)
            self._note, self._looked_s = note, self._monotonic()

    def _read(self, note: bytes) -> None:
        """Take what the log says under a checkpoint; that it is the log's own is shown by the keys that this log names."""
        origin = self._policy.governance_origin
        try:
            checkpoint = Checkpoint.parse(Note.parse(note).text)
        except ValueError as error:
            raise NotaryError(f"{origin}: its public checkpoint is damaged ({error}). Restore it from a backup") from error
        keys = self._keys if checkpoint == self._head else self._replayed(checkpoint)
        # Up to which size its own keys are good is not asked of the log here: the very head that retires the old key may be
        # signed by that key alone, and what replaces it is signed by the new one.
        policy = replace(keys.with_added(self._policy.log_policy), retired=self._policy.log_policy.retired)
        try:
            policy.verify_checkpoint(note, origin)
        except QuorumError as error:
            _log.warning("the logs' keys stay as they were: %s", error)
            return
        except ValueError as error:
            raise ForkError(
                f"{origin}: neither the trust policy nor the log itself names the key of its public checkpoint ({error})"
            ) from error
        if self._head is not None and checkpoint.size < self._head.size:
            held = f"it was at {self._head.size:,} entries, and is at {checkpoint.size:,} now"
            _log.warning("the logs' keys stay as they were: %s went back: %s", origin, held)
            return
        if self._head is not None and checkpoint.size == self._head.size and checkpoint.root != self._head.root:
            raise ForkError(f"{origin}: two different trees of {checkpoint.size:,} entries have been its public log")
        self._head, self._keys = checkpoint, keys

    def _replayed(self, checkpoint: Checkpoint) -> LogKeys:
        entries: list[bytes] = []
        for index in range(-(-checkpoint.size // TILE_WIDTH)):
            path = TilePath(ENTRIES, index, min(TILE_WIDTH, checkpoint.size - index * TILE_WIDTH))
            try:
                entries += decode_bundle(self._storage.read_tile(path), path.width)
            except ValueError as error:
                raise CorruptLogError(f"{checkpoint.origin}: {path} is damaged ({error}). Restore it from a backup") from error
        frontier = Frontier()
        frontier.append(leaf_hashes(entries))
        if frontier.root() != checkpoint.root:
            raise CorruptLogError(f"{checkpoint.origin}: its entries do not lead to its public checkpoint of {checkpoint.size}")
        return replay(entries, self._policy).log_keys
