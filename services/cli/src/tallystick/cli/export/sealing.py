"""The seals that go over a case's decisions, found in the log of seals and proven to be in it.

A sealer's seals rise with the log, so one is found by halving. Anybody can have something logged there, though, an old seal for
one: what halving does not find is looked for from front to back, once for all.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

from tallystick.cli.replay.reading import BrokenLogError
from tallystick.contracts import Decision, EntryKind
from tallystick.merkle.proof_files import ProofFile
from tallystick.merkle.tiles import TILE_WIDTH, inclusion_proof
from tallystick.runtime.log_reader import LogNotFoundError, LogReader
from tallystick.trust.errors import TrustError
from tallystick.trust.packages.sealed import Stream, agrees, covered_in, has_gap, stream_of
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.records import open_entry
from tallystick.trust.seals import SignedSeal, open_seal

_STEPS = 4 * TILE_WIDTH
"""So far halving looks for the next seal of a sealer."""
_KEPT_TILES = 64


async def seals_over(
    location: str, policy: TrustPolicy, decisions: Sequence[Decision], token: str | None, left_out: list[str]
) -> dict[int, bytes]:
    """Return the proof files of the seals that go over the decisions, by their index in the log of seals.

    Where a seal does not bear a decision out, the one in which its sealer first told of a gap there goes with it.

    Args:
        location: where the logs are.
        policy: the trust policy.
        decisions: those to find seals for.
        token: a bearer token for entries.
        left_out: a sentence is added for each sealer of which there is no seal over some of them.

    Raises:
        BrokenLogError: the log's checkpoint is not signed, or cosigned, as the policy wants.
        LogUnavailableError: it does not answer.
    """
    if policy.seals_origin is None or not decisions:
        return {}
    async with LogReader(f"{location}/{log_name(policy.seals_origin)}", token=token) as reader:
        try:
            signed = await reader.checkpoint()
            size = policy.log_policy.verify_checkpoint(signed, policy.seals_origin).checkpoint.size
        except LogNotFoundError:
            left_out.append("seals: there is no log of them here")
            return {}
        except ValueError as error:
            raise BrokenLogError(f"{policy.seals_origin}: the checkpoint is refused: {error}") from error
        seals = _Seals(reader, policy, size)
        wanted = [_Wanted(sealer.name, decisions) for sealer in policy.sealers]
        for one in wanted:
            await seals.halve(one)
        await seals.scan([one.take for one in wanted if one.missing])
        await seals.scan([one.take_gaps for one in wanted if one.gaps_wanted])
        left_out += [
            f"{one.sealer}'s seals on {len(one.missing):,} of the decisions: none was found" for one in wanted if one.missing
        ]
        indexes = {index for one in wanted for index in (*one.seals, *one.gaps.values())}
        return {index: await seals.proof_file(index, signed) for index in sorted(indexes)}


class _Wanted:
    """What is wanted of one sealer: seals over decisions, and gaps in streams where a seal bears a decision out not."""

    def __init__(self, sealer: str, decisions: Iterable[Decision]) -> None:
        self.sealer = sealer
        self.missing = {(stream_of(one), one.sequence): one for one in decisions}
        self.seals: set[int] = set()
        self.gaps: dict[Stream, int] = {}
        self.gaps_wanted: set[Stream] = set()

    def take(self, index: int, seal: SignedSeal) -> None:
        """Take the seal at an index for the decisions that it goes over and that have none yet."""
        if seal.sealer != self.sealer:
            return
        for decision in covered_in(seal, self.missing):
            del self.missing[stream_of(decision), decision.sequence]
            self.seals.add(index)
            if not agrees(seal, decision):
                self.gaps_wanted.add(stream_of(decision))

    def take_gaps(self, index: int, seal: SignedSeal) -> None:
        """Take the seal at an index if it is the first that tells of a gap that is wanted."""
        if seal.sealer == self.sealer:
            for stream in [one for one in self.gaps_wanted if one not in self.gaps and has_gap(seal, *one)]:
                self.gaps[stream] = index


@dataclass(frozen=True, slots=True)
class _Next:
    """What halving came upon: a seal and its index, or how far there is none."""

    index: int
    seal: SignedSeal | None


class _Seals:
    """The log of seals as of a checkpoint of `size` entries."""

    def __init__(self, reader: LogReader, policy: TrustPolicy, size: int) -> None:
        self._reader, self._policy, self._size = reader, policy, size
        self._tiles: dict[int, list[SignedSeal | None]] = {}

    async def halve(self, wanted: _Wanted) -> None:
        """Find seals over decisions by halving; what is not found so stays missing."""
        for key, decision in sorted(wanted.missing.items()):
            low, high = 0, self._size
            while low < high and key in wanted.missing:
                middle = (low + high) // 2
                found = await self._next(wanted.sealer, decision.source_topic, middle, high)
                if found.seal is None:
                    if found.index < high:  # nothing of that sealer for long: halving would only go astray
                        return
                    high = middle
                    continue
                wanted.take(found.index, found.seal)
                if found.seal.statement.partitions[decision.source_partition].next_sequence <= decision.sequence:
                    low = found.index + 1
                else:
                    high = middle

    async def scan(self, takers: Sequence[Callable[[int, SignedSeal], None]]) -> None:
        """Give all seals, from front to back, to those who look for some; nothing of the log is kept."""
        for first in range(0, self._size if takers else 0, TILE_WIDTH):
            for index, seal in enumerate(await self._opened(first // TILE_WIDTH), start=first):
                if seal is not None:
                    for take in takers:
                        take(index, seal)

    async def proof_file(self, index: int, signed: bytes) -> bytes:
        """Return the proof file of an entry under the signed checkpoint."""
        path = await self._reader.compute(lambda read: inclusion_proof(index, self._size, read))
        (entry,) = await self._reader.entries(index, index + 1, self._size)
        return ProofFile(index, tuple(path), signed, entry).encode()

    async def _next(self, sealer: str, topic: str, first: int, stop: int) -> _Next:
        last = min(stop, first + _STEPS)
        for index in range(first, last):
            seal = await self._at(index)
            if seal is not None and seal.sealer == sealer and seal.statement.topic == topic:
                return _Next(index, seal)
        return _Next(last, None)

    async def _at(self, index: int) -> SignedSeal | None:
        tile, place = divmod(index, TILE_WIDTH)
        if tile not in self._tiles:
            while len(self._tiles) >= _KEPT_TILES:
                del self._tiles[next(iter(self._tiles))]
            self._tiles[tile] = await self._opened(tile)
        return self._tiles[tile][place]

    async def _opened(self, tile: int) -> list[SignedSeal | None]:
        first = tile * TILE_WIDTH
        entries = await self._reader.entries(first, min(first + TILE_WIDTH, self._size), self._size)
        return [_opened(entry, self._policy) for entry in entries]


def _opened(data: bytes, policy: TrustPolicy) -> SignedSeal | None:
    """Return the seal in an entry; None if it is nobody's, or not on all partitions: anything can be logged there."""
    try:
        entry = open_entry(data)
        seal = open_seal(entry.value, policy) if entry.kind == EntryKind.ENTRY_KIND_SEAL else None
    except TrustError:
        return None
    if seal is None or seal.statement.partition_count != policy.topics[seal.statement.topic].partitions:
        return None
    return seal
