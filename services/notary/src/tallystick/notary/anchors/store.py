"""Where receipts go: beside the logs, by size, durable before anything counts as anchored."""

import logging
from collections.abc import Mapping

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.heads import SignedHead
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.pins import Anchorer
from tallystick.trust.anchors.receipts import Receipt, encode_receipt, parse_receipt
from tallystick.trust.anchors.verifying import verify_receipt

_log = logging.getLogger(__name__)


class ReceiptStore:
    """The receipts beside each log, by the logs' names; one writer for each `by`. All methods raise AnchoringError."""

    def __init__(self, files: Mapping[str, AnchorFiles]) -> None:
        self._files = files

    async def keep(self, head: SignedHead, receipt: Receipt) -> None:
        """Keep a receipt for a head, and the head's signed checkpoint; in place of an earlier one for the same head."""
        try:
            await self._files[head.log].keep(head.size, head.note, receipt.by, encode_receipt(receipt))
        except (LogUnavailableError, ValueError) as error:
            raise AnchoringError(f"cannot write beside the log {head.log}: {error}") from error

    async def newest(self, log: str, by: str) -> tuple[int, Receipt] | None:
        """Return the receipt of `by` for the largest head of a log, with its size; None if there is none."""
        files = self._files[log]
        try:
            size = await files.newest(by)
            return None if size is None else (size, parse_receipt((await files.receipts(size))[by]))
        except (LogUnavailableError, ValueError) as error:
            raise AnchoringError(f"cannot read beside the log {log}: {error}") from error

    async def largest(self, log: str, origin: str, pins: Mapping[str, Anchorer]) -> Checkpoint | None:
        """Return the largest head of a log for which one of `pins` has given a receipt that verifies, None if none has."""
        heads = []
        for by in pins:
            try:
                newest = await self.newest(log, by)
                if newest is not None:
                    size, receipt = newest
                    heads.append(Checkpoint(origin, size, verify_receipt(receipt, origin, size, pins).root))
            except AnchorError:
                continue  # who is pinned under this name was another then
            except AnchoringError as error:
                if not isinstance(error.__cause__, ValueError):
                    raise
                _log.warning("the newest anchor by %s is passed over: %s", by, error, extra={"origin": origin})
        return max(heads, key=lambda head: head.size, default=None)

    async def drop(self, log: str, size: int, by: str) -> None:
        """Forget a receipt; fine if it is gone."""
        try:
            await self._files[log].drop(size, by)
        except LogUnavailableError as error:
            raise AnchoringError(f"cannot write beside the log {log}: {error}") from error
