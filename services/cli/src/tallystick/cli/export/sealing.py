"""The seals that go over a case's decisions, each found in the log of seals by halving, and proven to be in it."""

from collections.abc import AsyncIterator, Sequence

from tallystick.cli.replay.reading import BrokenLogError
from tallystick.contracts import Decision, EntryKind, LogEntry
from tallystick.merkle.proof_files import ProofFile
from tallystick.merkle.tiles import TILE_WIDTH, inclusion_proof
from tallystick.runtime.log_reader import LogNotFoundError, LogReader
from tallystick.trust.errors import TrustError
from tallystick.trust.packages.sealed import agrees, covers, has_gap
from tallystick.trust.policy import TrustPolicy, log_name
from tallystick.trust.seals import SignedSeal, open_seal


async def seals_over(
    location: str, policy: TrustPolicy, decisions: Sequence[Decision], token: str | None, left_out: list[str]
) -> dict[int, bytes]:
    """Return the proof files of the seals that go over the decisions, by their index in the log of seals.

    Args:
        location: where the logs are.
        policy: the trust policy.
        decisions: those to find seals for.
        token: a bearer token for entries.
        left_out: a sentence is added for each sealer that has not sealed all of them.

    Raises:
        BrokenLogError: the log's checkpoint is not signed, or cosigned, as the policy wants.
        LogUnavailableError: it does not answer.
    """
    if policy.seals_origin is None or not decisions:
        return {}
    files: dict[int, bytes] = {}
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
        for sealer in policy.sealers:
            unsealed = 0
            for decision in decisions:
                index = await seals.find(sealer.name, decision)
                if index is None:
                    unsealed += 1
                else:
                    found = [index] if await seals.agree(index, decision) else [index, *await seals.gap(index, decision)]
                    files |= {place: await seals.proof_file(place, signed) for place in found if place not in files}
            if unsealed:
                left_out.append(f"{sealer.name}'s seals on {unsealed:,} of the decisions: the log of seals has none")
    return files


class _Seals:
    """The log of seals as of a checkpoint of `size` entries."""

    def __init__(self, reader: LogReader, policy: TrustPolicy, size: int) -> None:
        self._reader, self._policy, self._size = reader, policy, size
        self._tiles: dict[int, list[bytes]] = {}
        self._opened: dict[int, SignedSeal | None] = {}

    async def find(self, sealer: str, decision: Decision) -> int | None:
        """Return where the sealer's seal over the decision's record is, None if there is none."""
        partition, low, high = decision.source_partition, 0, self._size
        while low < high:
            middle = (low + high) // 2
            async for index, seal in self._from(middle, high):
                if seal.sealer != sealer or seal.statement.topic != decision.source_topic:
                    continue
                if covers(seal, decision):
                    return index
                if seal.statement.partitions[partition].next_sequence <= decision.sequence:
                    low = index + 1
                else:
                    high = middle
                break
            else:
                high = middle
        return None

    async def agree(self, index: int, decision: Decision) -> bool:
        """Tell whether the seal at an index bears the decision out."""
        seal = await self._at(index)
        return seal is not None and agrees(seal, decision)

    async def gap(self, index: int, decision: Decision) -> list[int]:
        """Return where the sealer of the seal at `index` first told of a gap in the decision's partition; usually nowhere."""
        later = await self._at(index)
        async for before, seal in self._from(0, index + 1):
            if later and seal.sealer == later.sealer and has_gap(seal, decision.source_topic, decision.source_partition):
                return [before] if before != index else []
        return []

    async def proof_file(self, index: int, signed: bytes) -> bytes:
        """Return the proof file of an entry under the signed checkpoint."""
        path = await self._reader.compute(lambda read: inclusion_proof(index, self._size, read))
        return ProofFile(index, tuple(path), signed, await self._entry(index)).encode()

    async def _from(self, first: int, stop: int) -> AsyncIterator[tuple[int, SignedSeal]]:
        for index in range(first, stop):
            if (seal := await self._at(index)) is not None:
                yield index, seal

    async def _at(self, index: int) -> SignedSeal | None:
        if index not in self._opened:
            self._opened[index] = _opened(await self._entry(index), self._policy)
        return self._opened[index]

    async def _entry(self, index: int) -> bytes:
        tile, place = divmod(index, TILE_WIDTH)
        if tile not in self._tiles:
            first = tile * TILE_WIDTH
            self._tiles[tile] = await self._reader.entries(first, min(first + TILE_WIDTH, self._size), self._size)
        return self._tiles[tile][place]


def _opened(data: bytes, policy: TrustPolicy) -> SignedSeal | None:
    """Return the seal in an entry; None if it is nobody's: anything can be logged there."""
    entry = LogEntry.FromString(data)
    if entry.kind != EntryKind.ENTRY_KIND_SEAL:
        return None
    try:
        return open_seal(entry.value, policy)
    except TrustError:
        return None
