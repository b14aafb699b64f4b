"""Stretches of logs, verified without reading the rest; and seals, from their log or from the sealers themselves."""

from collections.abc import AsyncIterator, Callable, Iterable

import httpx

from tallystick.cli.fsck.walk import BUNDLES, BrokenError, walk
from tallystick.contracts import LogEntry
from tallystick.merkle.bundles import MAX_ENTRY_SIZE
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import leaf_hashes
from tallystick.merkle.proofs import verify_consistency
from tallystick.merkle.tiles import TILE_WIDTH, TileBuilder, consistency_proof, read_within
from tallystick.runtime.content_coding import ACCEPT_ENCODING
from tallystick.runtime.log_reader import MAX_BUNDLE_BYTES, LogNotFoundError, LogReader, fetch
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.seals import SealError, SealHistory, SealLog, SignedSeal, open_seal

TIMEOUT_S = 30.0
Advance = Callable[[str, int, int], None]
"""Called with what is read, how much of it is, and how much there is."""


class Stretch:
    """A log from some entry on, as far as it is pulled; what was pulled counts once `verify` has returned.

    Args:
        reader: the log.
        checkpoint: its verified checkpoint.
        start: the first entry.
    """

    def __init__(self, reader: LogReader, checkpoint: Checkpoint, start: int) -> None:
        self._reader, self._checkpoint, self._start = reader, checkpoint, start
        self._builder: TileBuilder | None = None

    @property
    def reached(self) -> int:
        """The first entry that was not pulled."""
        return self._start if self._builder is None else self._builder.size

    @property
    def exhausted(self) -> bool:
        """True if the checkpoint covers no more."""
        return self.reached == self._checkpoint.size

    async def pull(self) -> list[bytes]:
        """Return the next entries, none at the end. Raises BrokenError, LogUnavailableError."""
        start = self.reached
        stop = min(self._checkpoint.size, (start // TILE_WIDTH + BUNDLES) * TILE_WIDTH)
        try:
            if self._builder is None:
                self._builder = await self._reader.compute(
                    lambda read: TileBuilder.load(self._start, read_within(self._checkpoint.size, read))
                )
            entries = await self._reader.entries(start, stop, self._checkpoint.size)
        except LogNotFoundError as error:
            raise BrokenError(f"a file is missing: {error}") from error
        except ValueError as error:
            raise BrokenError(str(error)) from error
        self._builder.append(leaf_hashes(entries))
        return entries

    async def verify(self) -> None:
        """Check that all that was pulled, and what it was built upon, is in the checkpoint's tree. Raises BrokenError."""
        builder, whole = self._builder, self._checkpoint
        if builder is None or builder.size == 0:
            return
        if builder.size == whole.size:
            if builder.root() != whole.root:
                raise BrokenError("its entries do not hash to the root that its checkpoint says")
            return
        try:
            proof = await self._reader.compute(lambda read: consistency_proof(builder.size, whole.size, read))
            verify_consistency(builder.size, whole.size, builder.root(), whole.root, proof)
        except (MerkleError, LogNotFoundError) as error:
            raise BrokenError(f"the entries up to {builder.size:,} are not in its checkpoint's tree: {error}") from error


async def entry_at(reader: LogReader, size: int, time_ms: int) -> int:
    """Return the first entry, about, whose record has a Kafka time stamp of `time_ms` or later: where to begin to look."""
    low, high = 0, size
    while low < high:
        middle = (low + high) // 2
        (data,) = await reader.entries(middle, middle + 1, size)
        if LogEntry.FromString(data).timestamp_ms < time_ms:
            low = middle + 1
        else:
            high = middle
    return low // TILE_WIDTH * TILE_WIDTH


async def believed(reader: LogReader, policy: TrustPolicy, origin: str) -> Checkpoint:
    """Return a log's checkpoint. Raises BrokenError: it is not signed, or cosigned, as the policy wants."""
    try:
        return policy.log_policy.verify_checkpoint(await reader.checkpoint(), origin).checkpoint
    except ValueError as error:
        raise BrokenError(f"the checkpoint is refused: {error}") from error


async def logged_seals(
    reader: LogReader, checkpoint: Checkpoint, policy: TrustPolicy, log: SealLog, advance: Advance
) -> AsyncIterator[SignedSeal]:
    """Give the sound seals of all sealers from the log's first entry on; `log`, fresh, says afterwards what was not sound.

    Raises:
        BrokenError, LogUnavailableError: as `walk`.
    """
    builder = TileBuilder()
    async for entries in walk(reader, checkpoint, builder):
        advance(checkpoint.origin, builder.size, checkpoint.size)
        for entry in entries:
            try:
                seal = log.take(entry)
            except TrustError as error:
                raise BrokenError(f"its entries do not follow each other: {error}") from error
            if seal is not None:
                yield seal


async def served_seals(url: str, name: str, policy: TrustPolicy, topic_partitions: int) -> AsyncIterator[SignedSeal]:
    """Give a sealer's seals from its first on, as it serves them itself.

    Raises:
        SealError: One is not sound, or does not follow.
        LogUnavailableError: The sealer does not answer.
    """
    history, number = SealHistory(), 0
    async with httpx.AsyncClient(timeout=TIMEOUT_S, headers={"accept-encoding": ACCEPT_ENCODING}) as http:
        while bundle := await _get(http, f"{url.rstrip('/')}/seals?first={number}"):
            for value in _split(bundle, url):
                seal = open_seal(value, policy)
                if seal.sealer != name:
                    raise SealError(f"what {url} serves is signed by {seal.sealer!r}, not by {name!r}")
                history.follow(seal, topic_partitions)
                number = seal.statement.number + 1
                yield seal


async def _get(http: httpx.AsyncClient, url: str) -> bytes | None:
    try:
        return await fetch(http, url, MAX_BUNDLE_BYTES)
    except LogNotFoundError:
        return None


def _split(bundle: bytes, url: str) -> Iterable[bytes]:
    at = 0
    while at < len(bundle):
        size = int.from_bytes(bundle[at : at + 2], "big")
        value = bundle[at + 2 : at + 2 + size]
        if len(value) != size or size > MAX_ENTRY_SIZE:
            raise SealError(f"what {url} serves is cut short")
        at += 2 + size
        yield value
