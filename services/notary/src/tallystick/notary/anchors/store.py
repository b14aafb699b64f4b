"""Where receipts go: beside the logs, by size, durable before anything counts as anchored."""

import asyncio
import os
from pathlib import Path
from typing import Protocol

from tallystick.notary.anchors.errors import AnchoringError
from tallystick.notary.anchors.heads import SignedHead
from tallystick.runtime.anchor_files import AnchorFiles, checkpoint_path, receipt_path
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.anchors.receipts import Receipt, encode_receipt, parse_receipt
from tallystick.trust.strict_json import JsonError


class ReceiptStore(Protocol):
    """Keeps receipts. Durable when `keep` returns; one writer for each `by`. All methods raise AnchoringError."""

    async def keep(self, head: SignedHead, receipt: Receipt) -> None:
        """Keep a receipt for a head, and the head's signed checkpoint; in place of an earlier one for the same head."""
        ...

    async def newest(self, log: str, by: str) -> tuple[int, Receipt] | None:
        """Return the receipt of `by` for the largest head of a log, with its size; None if there is none."""
        ...

    async def drop(self, log: str, size: int, by: str) -> None:
        """Forget a receipt; fine if it is gone."""
        ...


class ReceiptDirectory:
    """Receipts as files below `<log_dir>/<log>`, as `runtime.anchor_files` lays them out."""

    def __init__(self, log_dir: Path) -> None:
        self._log_dir = log_dir

    async def keep(self, head: SignedHead, receipt: Receipt) -> None:
        """See `ReceiptStore`."""
        log = self._log_dir / head.log
        try:
            # The checkpoint first: a receipt without it could not be explained.
            await asyncio.to_thread(_write, log / checkpoint_path(head.size), head.note)
            await asyncio.to_thread(_write, log / receipt_path(head.size, receipt.by), encode_receipt(receipt))
        except OSError as error:
            raise AnchoringError(f"cannot write beside the log {head.log}: {error.strerror}") from error

    async def newest(self, log: str, by: str) -> tuple[int, Receipt] | None:
        """See `ReceiptStore`."""
        files = AnchorFiles(self._log_dir / log)
        try:
            size = await files.newest(by)
            return None if size is None else (size, parse_receipt((await files.receipts(size))[by]))
        except (LogUnavailableError, JsonError) as error:
            raise AnchoringError(f"{log}: {error}") from error

    async def drop(self, log: str, size: int, by: str) -> None:
        """See `ReceiptStore`."""
        await asyncio.to_thread((self._log_dir / log / receipt_path(size, by)).unlink, missing_ok=True)


def _write(path: Path, data: bytes) -> None:
    """Write a file so that it is whole or not there, and survives a crash."""
    path.parent.mkdir(parents=True, exist_ok=True)
    temporary = path.with_name(f".{path.name}.tmp")
    with temporary.open("wb") as file:
        file.write(data)
        os.fsync(file.fileno())
    temporary.rename(path)
    for directory in (path.parent, path.parent.parent, path.parent.parent.parent):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
