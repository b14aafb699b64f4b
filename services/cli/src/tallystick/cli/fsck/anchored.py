"""The anchors beside a log: each receipt verified, and each anchored head held to the log's own tiles."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from tallystick.cli.fsck.walk import BrokenError
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.proofs import verify_consistency
from tallystick.merkle.tiles import consistency_proof
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogNotFoundError, LogReader
from tallystick.trust.anchors.errors import NotPinnedError
from tallystick.trust.anchors.receipts import parse_receipt
from tallystick.trust.anchors.verifying import VerifiedAnchor, verify_receipt
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy

PAGE = 256


@dataclass(frozen=True, slots=True)
class AnchorsFound:
    """How many sound anchors there are by who made them, and how many of others.

    `unpinned` are by nobody whom the trust policy names, `replaced` by another contract than it now pins under their name.
    """

    by: Mapping[str, int]
    unpinned: int
    replaced: int


async def check_anchors(files: AnchorFiles, reader: LogReader, checkpoint: Checkpoint, policy: TrustPolicy) -> AnchorsFound:
    """Verify every anchor of a log whose tiles are verified.

    An anchored head that is larger than the checkpoint is sound only if the log has grown since: its checkpoint is read again.

    Raises:
        BrokenError: A receipt is not sound, or anchors another tree than this log's: it was rewritten, or rolled back.
        LogUnavailableError: The log does not answer.
    """
    by: dict[str, int] = {}
    unpinned, replaced = 0, 0
    async for size in _sizes(files):
        for name, data in (await files.receipts(size)).items():
            if name not in policy.anchorers:
                unpinned += 1
                continue
            try:
                receipt = parse_receipt(data)
                if receipt.by != name:
                    raise BrokenError(f"the anchor of {size:,} entries by {name} is refused: its receipt says {receipt.by}")
                anchor = verify_receipt(receipt, checkpoint.origin, size, policy.anchorers)
            except NotPinnedError:
                replaced += 1
                continue
            except BrokenError:
                raise
            except (TrustError, ValueError) as error:
                raise BrokenError(f"the anchor of {size:,} entries by {name} is refused: {error}") from error
            if size > checkpoint.size:
                await _check_grown(reader, anchor, policy, checkpoint)
            elif not await _begins(reader, checkpoint, size, anchor.root):
                raise BrokenError(f"{name} anchored another tree of {size:,} entries than this: the log was rewritten")
            by[name] = by.get(name, 0) + 1
    return AnchorsFound(dict(sorted(by.items())), unpinned, replaced)


async def _sizes(files: AnchorFiles) -> AsyncIterator[int]:
    first = 0
    while sizes := await files.sizes(first, PAGE):
        for size in sizes:
            yield size
        first = sizes[-1] + 1


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
        proof = await reader.compute(lambda read: consistency_proof(size, checkpoint.size, read))
        verify_consistency(size, checkpoint.size, root, checkpoint.root, proof)
    except LogNotFoundError as error:
        raise BrokenError(f"a file is missing: {error}") from error
    except MerkleError:
        return False
    return True
