"""The anchors beside a log: each receipt verified, and each anchored head held to the log's own tiles."""

from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass

from tallystick.cli.fsck.walk import BrokenError
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.tiles import root_hash
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.anchors.receipts import parse_receipt
from tallystick.trust.anchors.verifying import verify_receipt
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy

PAGE = 256


@dataclass(frozen=True, slots=True)
class AnchorsFound:
    """How many sound anchors there are by who made them, how many by nobody whom the policy pins, and the newest's size."""

    by: Mapping[str, int]
    unpinned: int
    newest: int | None


async def check_anchors(files: AnchorFiles, reader: LogReader, checkpoint: Checkpoint, policy: TrustPolicy) -> AnchorsFound:
    """Verify every anchor of a log whose tiles are verified.

    An anchored head that is larger than the checkpoint is sound only if the log has grown since: its checkpoint is read again.

    Raises:
        BrokenError: A receipt is not sound, or anchors another tree than this log's: it was rewritten, or rolled back.
        LogUnavailableError: The log does not answer.
    """
    by: dict[str, int] = {}
    unpinned, newest = 0, None
    async for size in _sizes(files):
        newest = size
        root: bytes | None = None
        for name, data in (await files.receipts(size)).items():
            if name not in policy.anchorers:
                unpinned += 1
                continue
            try:
                anchor = verify_receipt(parse_receipt(data), checkpoint.origin, size, policy.anchorers)
            except (TrustError, ValueError) as error:
                raise BrokenError(f"the anchor of {size:,} entries by {name} is refused: {error}") from error
            if size > checkpoint.size:
                await _check_grown(reader, size, name, policy, checkpoint.origin)
            else:
                root = root or await reader.compute(lambda read, size=size: root_hash(size, read))  # type: ignore[misc]  # binds now
                if anchor.root != root:
                    raise BrokenError(f"{name} anchored another tree of {size:,} entries than this: the log was rewritten")
            by[name] = by.get(name, 0) + 1
    return AnchorsFound(dict(sorted(by.items())), unpinned, newest)


async def _sizes(files: AnchorFiles) -> AsyncIterator[int]:
    first = 0
    while sizes := await files.sizes(first, PAGE):
        for size in sizes:
            yield size
        first = sizes[-1] + 1


async def _check_grown(reader: LogReader, size: int, name: str, policy: TrustPolicy, origin: str) -> None:
    now = policy.log_policy.verify_checkpoint(await reader.checkpoint(), origin).checkpoint
    if now.size < size:
        raise BrokenError(f"{name} anchored {size:,} entries, and the log has {now.size:,}: it was rolled back")
