"""The anchors beside a log: each receipt verified, and each anchored head held to the log's own tiles."""

import asyncio
from collections.abc import AsyncGenerator, Callable, Mapping, Sequence
from contextlib import aclosing
from dataclasses import dataclass, replace
from types import MappingProxyType

from tallystick.cli.fsck.anchor_source import AnchoredHead, AnchorSource
from tallystick.cli.fsck.walk import BrokenError, reading
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.proofs import verify_consistency
from tallystick.merkle.tiles import consistency_proof
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.anchors.errors import NotPinnedError
from tallystick.trust.anchors.receipts import parse_receipt
from tallystick.trust.anchors.verifying import verify_receipt
from tallystick.trust.errors import TrustError
from tallystick.trust.log_keys import LogKeys
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
    keys: LogKeys | None = None,
) -> AnchorsFound:
    """Verify every anchor of a log whose tiles are verified, and the signed checkpoint that lies beside each anchored head's.

    `advance` is told each anchored size that was looked at. Keys that the governance log has named (`keys`) may have signed
    the checkpoint too, as far as they speak for its size: the trust policy need not name a key for ever.

    An anchored head that is larger than the checkpoint is sound only if the log has grown since: its checkpoint is read again.

    Raises:
        BrokenError: A receipt is not sound, or anchors another tree than this log's: it was rewritten, or rolled back; or what
            lists the anchors does not give them.
        AnchorsUnlistedError: Nobody lists them.
        LogUnavailableError: The log does not answer.
    """
    by: dict[str, int] = {}
    unpinned, replaced = 0, 0
    signers = _signers(policy.log_policy, keys or LogKeys())
    async with aclosing(_heads(source, checkpoint.size)) as heads:
        async for size, kept in heads:
            signed = _signed(kept, size, signers, checkpoint.origin) if kept else None
            held = False
            for name, data in kept.receipts.items() if kept else ():
                if name not in policy.anchorers:
                    unpinned += 1
                elif anchor := _verified(name, data, checkpoint.origin, size, policy):
                    await _hold(reader, anchor, policy, checkpoint)
                    held, by[name] = True, by.get(name, 0) + 1
                    if signed and signed.root != anchor.root:
                        raise BrokenError(
                            f"the signed checkpoint of {size:,} entries beside the anchor by {name} has another root"
                        )
                else:
                    replaced += 1
            if signed and not held:
                await _hold(reader, signed, policy, checkpoint)
            advance(size)
    return AnchorsFound(dict(sorted(by.items())), unpinned, replaced)


@dataclass(frozen=True, slots=True)
class _Head:
    """A head that must be the log's, and who says so: "<name> anchored", or that the log itself has signed it."""

    said: str
    size: int
    root: bytes


def _signers(policy: LogPolicy, keys: LogKeys) -> LogPolicy:
    """Return the policy for anchored checkpoints: any key that ever was the log's, for its sizes, and no quorum.

    Witnesses come and go, and whether they had cosigned by then shows in no anchor.
    """
    known = {key for key, _ in policy.logs}
    taken = {key.public_key for key in known}
    ever = [(key, None) for key in (*keys.added, *keys.retired) if key.public_key not in taken]
    alone = replace(policy, logs=(*policy.logs, *dict.fromkeys(ever)), witnesses=MappingProxyType({}), groups=(), quorum=None)
    return keys.with_retired(alone)


def _signed(kept: AnchoredHead, size: int, signers: LogPolicy, origin: str) -> _Head:
    """Return what the signed checkpoint beside the receipts says."""
    try:
        signed = signers.verify_checkpoint(kept.note, origin).checkpoint
    except ValueError as error:
        raise BrokenError(f"the signed checkpoint beside the anchors of {size:,} entries is refused: {error}") from error
    if signed.size != size:
        raise BrokenError(f"the signed checkpoint beside the anchors of {size:,} entries is of {signed.size:,}")
    return _Head("the log signed", size, signed.root)


def _verified(name: str, data: bytes, origin: str, size: int, policy: TrustPolicy) -> _Head | None:
    """Return what a receipt shows, None if it is of another contract than the one that is pinned under its name."""
    try:
        receipt = parse_receipt(data)
        if receipt.by != name:
            raise TrustError(f"its receipt says {receipt.by}")
        anchor = verify_receipt(receipt, origin, size, policy.anchorers)
        return _Head(f"{name} anchored", anchor.size, anchor.root)
    except NotPinnedError:
        return None
    except (TrustError, ValueError) as error:
        raise BrokenError(f"the anchor of {size:,} entries by {name} is refused: {error}") from error


async def _hold(reader: LogReader, anchor: _Head, policy: TrustPolicy, checkpoint: Checkpoint) -> None:
    """Hold the log to an anchored head."""
    if anchor.size > checkpoint.size:
        await _check_grown(reader, anchor, policy, checkpoint)
    elif not await _begins(reader, checkpoint, anchor.size, anchor.root):
        raise BrokenError(f"{anchor.said} another tree of {anchor.size:,} entries than this: the log was rewritten")


async def _heads(source: AnchorSource, checked: int) -> AsyncGenerator[tuple[int, AnchoredHead | None], None]:
    """Give every anchored size with what is kept of it, in the order of sizes; None if it is listed no longer.

    Ends whatever the source lists: of what is beyond the `checked` entries, and of what it takes back, there may be so much.
    """
    first, beyond, dropped = 0, 0, 0
    while sizes := await _sizes(source, first, PAGE):
        beyond += sum(size > checked for size in sizes)
        if beyond > MAX_BEYOND:
            raise BrokenError(f"more than {MAX_BEYOND:,} heads are anchored beyond its {checked:,} entries")
        for start in range(0, len(sizes), AHEAD):
            some = sizes[start : start + AHEAD]
            asked = [asyncio.create_task(source.head(size)) for size in some]
            try:
                for size, answer in zip(some, asked, strict=True):
                    kept = await _given(source, size, answer)
                    dropped += kept is None
                    if dropped > MAX_DROPPED:
                        raise BrokenError(f"more than {MAX_DROPPED:,} of its anchored heads were listed and are not there")
                    yield size, kept
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


async def _given(source: AnchorSource, size: int, answer: asyncio.Task[AnchoredHead | None]) -> AnchoredHead | None:
    """Return what is kept of a head that was listed, None if it is listed no longer: a chain may have dropped its block."""
    try:
        kept = await answer
    except ValueError as error:
        raise BrokenError(f"the anchors of {size:,} entries are refused: {error}") from error
    if kept is None and size in await _sizes(source, size, 1):
        raise BrokenError(f"the anchors of {size:,} entries are listed, and they or their signed checkpoint are missing")
    return kept


async def _check_grown(reader: LogReader, anchor: _Head, policy: TrustPolicy, checked: Checkpoint) -> None:
    """Check that the log has grown since, to a tree that begins with what was checked and with what was anchored."""
    try:
        now = policy.log_policy.verify_checkpoint(await reader.checkpoint(), checked.origin).checkpoint
    except ValueError as error:
        raise BrokenError(f"its newest checkpoint is refused: {error}") from error
    size = anchor.size
    if now.size < size:
        raise BrokenError(f"{anchor.said} {size:,} entries, and the log has {now.size:,}: it was rolled back")
    for known, root, who in ((checked.size, checked.root, "were checked"), (size, anchor.root, anchor.said)):
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
