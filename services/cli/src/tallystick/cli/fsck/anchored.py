"""The anchors beside a log: each receipt verified, and each anchored head held to the log's own tiles."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass

from tallystick.cli.fsck.anchor_source import AnchorSource
from tallystick.cli.fsck.walk import BrokenError, reading
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.proofs import verify_consistency
from tallystick.merkle.tiles import consistency_proof
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.anchors.errors import NotPinnedError
from tallystick.trust.anchors.receipts import parse_receipt
from tallystick.trust.anchors.verifying import VerifiedAnchor, verify_receipt
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy

PAGE = 256
AHEAD = 8
"""Heads whose receipts are asked for at a time."""
MAX_BEYOND = 10_000
"""Anchored heads beyond what was checked: a week's, at one a minute. More are no log's that grew meanwhile."""
MAX_DROPPED = 1_000
"""Heads that were listed, and listed no longer when they were asked for: no chain loses so many blocks during a check."""


@dataclass(frozen=True, slots=True)
class AnchorsFound:
    """How many sound anchors there are by who made them, and how many of others.

    `unpinned` are by nobody whom the trust policy names, `replaced` by another contract than it now pins under their name.
    """

    by: Mapping[str, int]
    unpinned: int
    replaced: int


async def check_anchors(
    source: AnchorSource,
    reader: LogReader,
    checkpoint: Checkpoint,
    policy: TrustPolicy,
    advance: Callable[[int], None] = lambda size: None,
) -> AnchorsFound:
    """Verify every anchor of a log whose tiles are verified; `advance` is told each anchored size that was looked at.

    An anchored head that is larger than the checkpoint is sound only if the log has grown since: its checkpoint is read again.

    Raises:
        BrokenError: A receipt is not sound, or anchors another tree than this log's: it was rewritten, or rolled back; or what
            lists the anchors does not give them.
        AnchorsUnlistedError: Nobody lists them.
        LogUnavailableError: The log does not answer.
    """
    by: dict[str, int] = {}
    unpinned, replaced = 0, 0
    async with aclosing(_heads(source, checkpoint.size)) as heads:
        async for size, receipts in heads:
            for name, data in receipts.items():
                if name not in policy.anchorers:
                    unpinned += 1
                elif anchor := _verified(name, data, checkpoint.origin, size, policy):
                    await _hold(reader, anchor, policy, checkpoint)
                    by[name] = by.get(name, 0) + 1
                else:
                    replaced += 1
            advance(size)
    return AnchorsFound(dict(sorted(by.items())), unpinned, replaced)


def _verified(name: str, data: bytes, origin: str, size: int, policy: TrustPolicy) -> VerifiedAnchor | None:
    """Return what a receipt shows, None if it is of another contract than the one that is pinned under its name."""
    try:
        receipt = parse_receipt(data)
        if receipt.by != name:
            raise TrustError(f"its receipt says {receipt.by}")
        return verify_receipt(receipt, origin, size, policy.anchorers)
    except NotPinnedError:
        return None
    except (TrustError, ValueError) as error:
        raise BrokenError(f"the anchor of {size:,} entries by {name} is refused: {error}") from error


async def _hold(reader: LogReader, anchor: VerifiedAnchor, policy: TrustPolicy, checkpoint: Checkpoint) -> None:
    """Hold the log to an anchored head."""
    if anchor.size > checkpoint.size:
        await _check_grown(reader, anchor, policy, checkpoint)
    elif not await _begins(reader, checkpoint, anchor.size, anchor.root):
        raise BrokenError(f"{anchor.by} anchored another tree of {anchor.size:,} entries than this: the log was rewritten")


async def _heads(source: AnchorSource, checked: int) -> AsyncGenerator[tuple[int, Mapping[str, bytes]], None]:
    """Give every anchored size with its receipts, in the order of sizes; none if it is listed no longer.

    Ends whatever the source lists: of what is beyond the `checked` entries, and of what it takes back, there may be so much.
    """
    first, beyond, dropped = 0, 0, 0
    while sizes := await _sizes(source, first, PAGE):
        beyond += sum(size > checked for size in sizes)
        if beyond > MAX_BEYOND:
            raise BrokenError(f"more than {MAX_BEYOND:,} heads are anchored beyond its {checked:,} entries")
        for start in range(0, len(sizes), AHEAD):
            some = sizes[start : start + AHEAD]
            asked = [asyncio.create_task(source.receipts(size)) for size in some]
            try:
                for size, answer in zip(some, asked, strict=True):
                    receipts = await _given(source, size, answer)
                    dropped += not receipts
                    if dropped > MAX_DROPPED:
                        raise BrokenError(f"more than {MAX_DROPPED:,} of its anchored heads were listed and are not there")
                    yield size, receipts
            finally:
                for answer in asked:
                    answer.cancel()
                await asyncio.gather(*asked, return_exceptions=True)
        first = sizes[-1] + 1


async def _sizes(source: AnchorSource, first: int, limit: int) -> Sequence[int]:
    try:
        return await source.sizes(first, limit)
    except ValueError as error:
        raise BrokenError(f"the list of its anchors is refused: {error}") from error


async def _given(source: AnchorSource, size: int, answer: asyncio.Task[Mapping[str, bytes]]) -> Mapping[str, bytes]:
    """Return the receipts for a head that was listed, none if it is listed no longer: a chain may have dropped its block."""
    try:
        receipts = await answer
    except ValueError as error:
        raise BrokenError(f"the anchors of {size:,} entries are refused: {error}") from error
    if not receipts and size in await _sizes(source, size, 1):
        raise BrokenError(f"the anchors of {size:,} entries are listed, and they or their signed checkpoint are missing")
    return receipts


async def _check_grown(reader: LogReader, anchor: VerifiedAnchor, policy: TrustPolicy, checked: Checkpoint) -> None:
    """Check that the log has grown since, to a tree that begins with what was checked and with what was anchored."""
    try:
        now = policy.log_policy.verify_checkpoint(await reader.checkpoint(), checked.origin).checkpoint
    except ValueError as error:
        raise BrokenError(f"its newest checkpoint is refused: {error}") from error
    size, name = anchor.size, anchor.by
    if now.size < size:
        raise BrokenError(f"{name} anchored {size:,} entries, and the log has {now.size:,}: it was rolled back")
    for known, root, who in ((checked.size, checked.root, "were checked"), (size, anchor.root, f"{name} anchored")):
        if known and not await _begins(reader, now, known, root):  # everything begins with the empty tree
            raise BrokenError(f"it has grown to {now.size:,} entries, and does not begin with the {known:,} that {who}")


async def _begins(reader: LogReader, checkpoint: Checkpoint, size: int, root: bytes) -> bool:
    """Return whether a checkpoint's tree begins with the tree of `size` entries that has this root."""
    try:
        with reading():
            proof = await reader.compute(lambda read: consistency_proof(size, checkpoint.size, read))
        verify_consistency(size, checkpoint.size, root, checkpoint.root, proof)
    except MerkleError:
        return False
    return True
