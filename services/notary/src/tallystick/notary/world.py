"""The effects on the real world: storage, PostgreSQL, Vault and Kafka, each said in health."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol

from aiokafka import AIOKafkaProducer

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.tiles import ReadTile, consistency_proof
from tallystick.notary.effects import KnownHead, Opened
from tallystick.notary.signer import NoteSigner
from tallystick.notary.staging import Staged
from tallystick.notary.state import Commit
from tallystick.notary.storage import LogStorage
from tallystick.notary.waiting import answering
from tallystick.notary.witnesses import Prove
from tallystick.runtime import kafka
from tallystick.runtime.health import Health
from tallystick.runtime.settings import KafkaSettings

ANNOUNCE_TIMEOUT_S = 10.0


class LogLedger(Protocol):
    """Where a log's head and progress are kept, all or nothing; `tallystick.notary.database.Ledger` is one.

    The methods are those of `Effects`. Durable when they return; a commit and an `open` of another writer exclude each other.
    """

    async def open(self, epoch: int | None) -> Opened:
        """See `Effects`."""
        ...

    async def commit(self, change: Commit, epoch: int) -> None:
        """See `Effects`."""
        ...

    async def record_checkpoint(self, checkpoint: Checkpoint, note: bytes, receipt: bytes | None, epoch: int) -> None:
        """See `Effects`; `receipt` is the root as signed for receipts, if it could be."""
        ...


class Announcer(Protocol):
    """Who tells the world of a checkpoint beside its file."""

    async def announce(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `Effects`."""
        ...


class Cosigners(Protocol):
    """Those who must stand by a checkpoint before it is published; `tallystick.notary.witnesses.Witnesses` are."""

    async def heads(self, known: LogPolicy) -> Sequence[KnownHead]:
        """See `Effects.known_heads`; a head counts if one of the log's keys, as `known`, signed it."""
        ...

    async def cosign(self, checkpoint: Checkpoint, note: bytes, prove: Prove) -> bytes:
        """See `Effects.cosign`."""
        ...


class Receipts(Protocol):
    """Who signs heads for receipts; `tallystick.notary.receipts.ReceiptSigner` does."""

    async def sign(self, checkpoint: Checkpoint) -> bytes | None:
        """Return the signed root, None if it cannot be had now. Does not raise, nor take long."""
        ...


class World:
    """One log's `Effects`.

    Args:
        storage: its files.
        ledger: its rows.
        signer: its key.
        announcer: who is told of its checkpoints.
        health: where it is said what does not answer.
        loop: the log's loop in health.
        cosigners: its witnesses; None where the policy asks for no quorum.
        elsewhere: others that keep heads of the log, each a function that returns them; a fork or an old backup shows by them.
        receipts: who signs published heads for receipts; None if nobody does.

    """

    def __init__(
        self,
        storage: LogStorage,
        ledger: LogLedger,
        signer: NoteSigner,
        announcer: Announcer,
        health: Health,
        loop: str,
        cosigners: Cosigners | None = None,
        elsewhere: Sequence[Callable[[], Awaitable[Sequence[KnownHead]]]] = (),
        receipts: Receipts | None = None,
    ) -> None:
        self._storage, self._ledger, self._signer, self._announcer = storage, ledger, signer, announcer
        self._health, self._loop = health, loop
        self._cosigners, self._elsewhere, self._receipts = cosigners, elsewhere, receipts

    async def open(self, epoch: int | None) -> Opened:
        """See `Effects`."""
        self._health.progress(self._loop)
        with answering("database", self._health):
            opened = await self._ledger.open(epoch)
        with answering(self._storage.component, self._health):
            await asyncio.to_thread(self._storage.begin, opened.epoch, opened.head.staged)
        return opened

    async def public_checkpoint(self) -> Checkpoint | None:
        """See `Effects`."""
        with answering(self._storage.component, self._health):
            note = await asyncio.to_thread(self._storage.read_checkpoint)
        if note is None:
            return None
        with answering("vault", self._health):
            return await self._signer.open(note)

    async def known_heads(self) -> Sequence[KnownHead]:
        """See `Effects`."""
        self._health.progress(self._loop)
        heads = [head for source in self._elsewhere for head in await source()]
        if self._cosigners is not None:
            with answering("vault", self._health):
                known = await self._signer.known()
            heads += await self._cosigners.heads(known)
        return heads

    async def read_staged(self, name: str) -> Staged | None:
        """See `Effects`."""
        with answering(self._storage.component, self._health):
            data = await asyncio.to_thread(self._storage.read_staged, name)
        return None if data is None else Staged.decode(data)

    def read_tile(self) -> ReadTile:
        """See `Effects`."""
        return self._storage.read_tile

    async def stage(self, staged: Staged, name: str) -> None:
        """See `Effects`."""
        with answering(self._storage.component, self._health):
            await asyncio.to_thread(lambda: self._storage.stage(name, staged.encode()))

    async def commit(self, change: Commit, epoch: int) -> None:
        """See `Effects`."""
        with answering("database", self._health):
            await self._ledger.commit(change, epoch)

    async def publish_files(self, staged: Staged) -> None:
        """See `Effects`."""
        with answering(self._storage.component, self._health):
            await asyncio.to_thread(self._storage.publish, staged.files)

    async def drop_staged(self, name: str) -> None:
        """See `Effects`."""
        with answering(self._storage.component, self._health):
            await asyncio.to_thread(self._storage.drop_staged, name)

    async def sign(self, checkpoint: Checkpoint) -> bytes:
        """See `Effects`."""
        self._health.progress(self._loop)
        with answering("vault", self._health):
            return await self._signer.sign(checkpoint)

    async def cosign(self, checkpoint: Checkpoint, note: bytes) -> bytes:
        """See `Effects`."""
        self._health.progress(self._loop)
        return note if self._cosigners is None else await self._cosigners.cosign(checkpoint, note, self._prove)

    async def publish_checkpoint(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `Effects`."""
        with answering(self._storage.component, self._health):
            await asyncio.to_thread(self._storage.replace_checkpoint, checkpoint, note)

    async def record_checkpoint(self, checkpoint: Checkpoint, note: bytes, epoch: int) -> None:
        """See `Effects`."""
        receipt = None if self._receipts is None else await self._receipts.sign(checkpoint)
        with answering("database", self._health):
            await self._ledger.record_checkpoint(checkpoint, note, receipt, epoch)

    async def announce(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `Effects`."""
        with answering("kafka", self._health):
            await self._announcer.announce(checkpoint, note)
        self._health.progress(self._loop)

    async def _prove(self, old: int, new: int) -> Sequence[bytes]:
        if old == 0:  # everything continues nothing
            return ()
        with answering(self._storage.component, self._health):
            return await asyncio.to_thread(consistency_proof, old, new, self._storage.read_tile)


class CheckpointTopic:
    """Sends checkpoints to a topic, keyed by origin; shared by the logs, opened when first needed."""

    def __init__(self, settings: KafkaSettings, topic: str) -> None:
        self._settings, self._topic = settings, topic
        self._producer: AIOKafkaProducer | None = None
        self._lock = asyncio.Lock()

    async def announce(self, checkpoint: Checkpoint, note: bytes) -> None:
        """Send a note, and wait until the brokers have it. Raises aiokafka's errors and TimeoutError."""
        async with asyncio.timeout(ANNOUNCE_TIMEOUT_S):
            producer = await self._open()
            await producer.send_and_wait(self._topic, note, key=checkpoint.origin.encode())

    async def close(self) -> None:
        """Close the connection; what was announced was acknowledged already."""
        if self._producer is not None:
            await self._producer.stop()

    async def _open(self) -> AIOKafkaProducer:
        async with self._lock:
            if self._producer is None:
                producer = kafka.producer(self._settings, request_timeout_ms=int(ANNOUNCE_TIMEOUT_S * 1000))
                try:
                    await producer.start()
                except BaseException:
                    await producer.stop()
                    raise
                self._producer = producer
            return self._producer
