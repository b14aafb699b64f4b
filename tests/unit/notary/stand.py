"""A notary's surroundings in memory and in a temporary directory, and a reader who believes none of it."""

import hashlib
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.contracts import Decision, EntryKind, LogEntry
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.frontier import Frontier
from tallystick.merkle.hashing import EMPTY_ROOT, HASH_SIZE, leaf_hashes
from tallystick.merkle.keys import ED25519, VerifierKey
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.tiles import ENTRIES, TILE_WIDTH, TilePath, decode_bundle, root_hash
from tallystick.notary.directory import LogDirectory
from tallystick.notary.effects import KnownHead, Opened
from tallystick.notary.errors import FencedError
from tallystick.notary.incidents import IncidentSource
from tallystick.notary.intake import Batch, DecisionIntake, Intake
from tallystick.notary.pipeline import Pipeline
from tallystick.notary.receipts import ReceiptSigner
from tallystick.notary.signer import NoteSigner
from tallystick.notary.state import Commit, Head, IndexRow, Position, Progress
from tallystick.notary.world import World
from tallystick.runtime.health import Health

from .cosigners import MemoryWitnesses, policy_text

ORIGIN = "tallystick.example/test/decisions"
RECEIPT_KEY = "notary-receipts-decisions"


@dataclass(frozen=True, slots=True)
class Stored:
    """A Kafka record."""

    partition: int
    offset: int
    value: bytes | None
    key: bytes | None = None
    topic: str = "decisions"
    timestamp: int = 1_700_000_000_000


def decision(partition: int, sequence: int, **changes: object) -> bytes:
    """Return a decision's bytes; its source offset is ten times its sequence."""
    fields: dict[str, object] = {
        "source_topic": "transactions",
        "source_partition": partition,
        "source_offset": sequence * 10,
        "sequence": sequence,
        "chain": hashlib.sha256(f"{partition}/{sequence}".encode()).digest(),
        "decided_at_ms": 1_700_000_000_000,
        "outcome": 1,
    }
    return Decision(**(fields | changes)).SerializeToString()  # type: ignore[arg-type]  # a test names fields as it likes


def decisions(partition: int, sequences: Iterable[int], first_offset: int = 0) -> list[Stored]:
    """Return records of decisions at consecutive offsets."""
    return [Stored(partition, first_offset + at, decision(partition, sequence)) for at, sequence in enumerate(sequences)]


@dataclass
class LocalKeys:
    """Ed25519 keys in memory, made from their names; `versions` says of which there are more than one."""

    versions: dict[str, int] = field(default_factory=dict)

    async def sign(self, key: str, message: bytes, version: int | None = None) -> bytes:
        """See `Keys`."""
        return self._private(key, version or self.versions.get(key, 1)).sign(message)

    async def public_keys(self, key: str) -> dict[int, bytes]:
        """See `Keys`."""
        return {version: self.public_of(key, version) for version in range(1, self.versions.get(key, 1) + 1)}

    async def public_key(self, key: str) -> bytes:
        """See `Keys`."""
        return self.public_of(key, self.versions.get(key, 1))

    def public_of(self, key: str, version: int = 1) -> bytes:
        """Return a version's public key."""
        return self._private(key, version).public_key().public_bytes_raw()

    def _private(self, key: str, version: int) -> Ed25519PrivateKey:
        name = key if version == 1 else f"{key}, version {version}"
        return Ed25519PrivateKey.from_private_bytes(hashlib.sha256(name.encode()).digest())


@dataclass
class Known:
    """Which keys are a log's, and which of them sign: as a test says."""

    keys: Sequence[bytes]
    retired: Sequence[bytes] = ()
    last_size: int = 1_000_000

    async def signing(self, origin: str) -> frozenset[bytes]:
        """See `Allowed`."""
        return frozenset(self.keys) - frozenset(self.retired)

    async def known(self, origin: str) -> LogPolicy:
        """See `Allowed`."""
        keys = tuple((VerifierKey.make(origin, ED25519, key), None) for key in self.keys)
        retired = {VerifierKey.make(origin, ED25519, key): self.last_size for key in self.retired}
        return LogPolicy(keys, {}, {}, (), None, retired)


ALLOWED = Known([LocalKeys().public_of("notary-decisions"), LocalKeys().public_of("notary-governance")])


@dataclass
class MemoryLedger:
    """A log's rows in memory, all or nothing as PostgreSQL keeps them."""

    head: Head = field(default_factory=lambda: Head(0, EMPTY_ROOT))
    epoch: int = 0
    offsets: dict[int, int] = field(default_factory=dict)
    positions: dict[int, Position] = field(default_factory=dict)
    rows: list[IndexRow] = field(default_factory=list)
    checkpoints: dict[int, tuple[bytes, bytes]] = field(default_factory=dict)
    receipts: dict[int, bytes] = field(default_factory=dict)

    async def open(self, epoch: int | None) -> Opened:
        """See `Effects`."""
        if epoch is None:
            self.epoch += 1
        elif epoch != self.epoch:
            raise FencedError("fenced")
        return Opened(self.epoch, self.head, Progress(dict(self.offsets), dict(self.positions)))

    async def commit(self, change: Commit, epoch: int) -> None:
        """See `Effects`."""
        if epoch != self.epoch or (change.old.size, change.old.root) != (self.head.size, self.head.root):
            raise FencedError("fenced")
        taken = {row[:2] for row in self.rows}
        assert not any(row[:2] in taken for row in change.rows), "a primary key would refuse this"
        self.head = change.new
        self.rows += change.rows
        self.offsets.update(change.offsets)
        self.positions.update(change.positions)

    async def record_checkpoint(self, checkpoint: Checkpoint, note: bytes, receipt: bytes | None, epoch: int) -> None:
        """See `LogLedger`."""
        if epoch != self.epoch:
            raise FencedError("fenced")
        if receipt is not None:
            self.receipts[checkpoint.size] = receipt
        assert self.checkpoints.get(checkpoint.size, (checkpoint.root,))[0] == checkpoint.root
        self.checkpoints[checkpoint.size] = (checkpoint.root, note)


@dataclass
class Topic:
    """A topic that gives the batches it was made with, from whatever position, again and again."""

    batches: Sequence[Batch]
    stops: dict[int, str] = field(default_factory=dict)
    _next: dict[int, int] = field(default_factory=dict)
    _paused: set[int] = field(default_factory=set)
    exhausted: bool = False

    async def seek(self, progress: Progress) -> None:
        """See `Source`."""
        self._next, self.stops, self._paused, self.exhausted = dict(progress.offsets), {}, set(), False

    async def fetch(self, timeout_s: float) -> Batch:
        """See `Source`. Gives the first batch of which anything is new."""
        for batch in self.batches:
            if new := self._unread(batch):
                self._next |= {partition: records[-1].offset + 1 for partition, records in new.items()}
                return new
        self.exhausted = True
        return {}

    def stop(self, partition: int, reason: str) -> None:
        """See `Source`."""
        self.stops[partition] = reason
        self._paused.add(partition)

    def resume(self, partition: int, offset: int) -> None:
        """See `Source`."""
        self._paused.discard(partition)
        self._next[partition] = offset

    def going(self, partition: int) -> None:
        """See `Source`."""
        self.stops.pop(partition, None)

    def lag(self, progress: Progress) -> int:
        """See `Source`."""
        return sum(
            record.offset >= progress.offsets.get(partition, 0)
            for batch in self.batches
            for partition, records in batch.items()
            for record in records
        )

    def _unread(self, batch: Batch) -> Batch:
        new = {
            partition: [record for record in records if record.offset >= self._next.get(partition, 0)]
            for partition, records in batch.items()
            if partition not in self._paused
        }
        return {partition: records for partition, records in new.items() if records}


@dataclass
class Announcements:
    """The topic of checkpoints."""

    notes: list[bytes] = field(default_factory=list)

    async def announce(self, checkpoint: Checkpoint, note: bytes) -> None:
        """See `Effects`."""
        self.notes.append(note)


@dataclass
class Stand:
    """What outlives a notary: files, rows and topics. `notary()` starts a new one over them."""

    home: Path
    batches: Sequence[Batch] = ()
    ledger: MemoryLedger = field(default_factory=MemoryLedger)
    announcements: Announcements = field(default_factory=Announcements)
    keys: LocalKeys = field(default_factory=LocalKeys)
    intake: Intake = field(default_factory=lambda: DecisionIntake("transactions"))
    incidents: IncidentSource | None = None
    now_s: float = 0.0
    witnesses: MemoryWitnesses = field(default_factory=MemoryWitnesses)
    elsewhere: Sequence[Callable[[], Awaitable[Sequence[KnownHead]]]] = ()

    @property
    def public(self) -> Path:
        """The log's public directory."""
        return self.home / "public"

    def world(self) -> World:
        """Return effects on this stand."""
        directory = LogDirectory(self.public, self.home / "staging")
        signer = NoteSigner(self.keys, "notary-decisions", ORIGIN, ALLOWED)
        health, receipts = Health("test"), ReceiptSigner(self.keys, RECEIPT_KEY, ORIGIN)
        return World(
            directory, self.ledger, signer, self.announcements, health, "main", self.witnesses, self.elsewhere, receipts
        )

    def notary(self, refresh_s: float | None = None) -> tuple[Pipeline, Topic]:
        """Return a notary that has done nothing yet, and its source."""
        topic = Topic(self.batches)
        clock, incidents = (lambda: self.now_s), self.incidents
        pipeline = Pipeline(ORIGIN, self.intake, self.world(), topic, clock=clock, incidents=incidents, refresh_s=refresh_s)
        return pipeline, topic

    async def run(self) -> Pipeline:
        """Run a notary until it has read everything."""
        pipeline, topic = self.notary()
        await pipeline.recover()
        while not topic.exhausted:
            await pipeline.round()
        return pipeline

    async def verify(self) -> tuple[Checkpoint, list[LogEntry]]:
        """Read the whole public log as a stranger would, check all of it, and return checkpoint and entries."""
        key = VerifierKey.make(ORIGIN, 1, self.keys.public_of("notary-decisions"))
        policy = LogPolicy.parse(policy_text(key))
        checkpoint = policy.verify_checkpoint((self.public / "checkpoint").read_bytes(), ORIGIN).checkpoint
        entries = [entry for bundle in self._bundles(checkpoint.size) for entry in bundle]
        assert len(entries) == checkpoint.size
        frontier = Frontier()
        frontier.append(leaf_hashes(entries))
        assert frontier.root() == checkpoint.root == root_hash(checkpoint.size, self.read)
        for index, row in enumerate(leaf_hashes(entries)):
            tile = self.read(
                TilePath(0, index // TILE_WIDTH, min(TILE_WIDTH, checkpoint.size - index // TILE_WIDTH * TILE_WIDTH))
            )
            assert tile[index % TILE_WIDTH * HASH_SIZE :][:HASH_SIZE] == row
        return checkpoint, [LogEntry.FromString(entry) for entry in entries]

    def read(self, path: TilePath) -> bytes:
        """Read a hash tile as readers do: a partial one, or its beginning of the full one."""
        partial = self.public / path.path()
        return partial.read_bytes() if partial.exists() else (self.public / path.full().path()).read_bytes()[: path.width * 32]

    def _bundles(self, size: int) -> Iterable[list[bytes]]:
        for start in range(0, size, TILE_WIDTH):
            path = TilePath(ENTRIES, start // TILE_WIDTH, min(TILE_WIDTH, size - start))
            partial, full = self.public / path.path(), self.public / path.full().path()
            yield (
                decode_bundle(partial.read_bytes(), path.width)
                if partial.exists()
                else decode_bundle(full.read_bytes(), TILE_WIDTH)[: path.width]
            )


def logged_sequences(entries: Iterable[LogEntry]) -> Mapping[int, list[int]]:
    """Return the sequence numbers in a log's decisions, by partition, in the log's order."""
    found: dict[int, list[int]] = {}
    for entry in entries:
        if entry.kind == EntryKind.ENTRY_KIND_DECISION:
            found.setdefault(entry.partition, []).append(Decision.FromString(entry.value).sequence)
    return found
