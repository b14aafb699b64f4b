"""Anchors beside the logs: listed; and for a decision those that cover it, linked to the checkpoint it is proven under."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from tallystick.audit.errors import InconsistentError, UnavailableError, UnknownError
from tallystick.audit.logs import Head, PublishedLog
from tallystick.runtime.anchor_files import AnchorFiles
from tallystick.runtime.log_reader import LogUnavailableError
from tallystick.trust.anchors.receipts import Receipt, parse_receipt
from tallystick.trust.bundle_format import MAX_ANCHORS, AnchorProof

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class AnchoredHead:
    """What is kept of an anchored head: the signed checkpoint, the receipts, and under whose names there is none to be read.

    Whoever trusts one of these has a broken anchor; to everybody else they are nobody's. Who is trusted, readers know.
    """

    checkpoint: str
    receipts: Sequence[Receipt]
    unreadable: Sequence[str]


class Anchors:
    """What is anchored of each log, by the logs' names. Receipts are handed on as they are: whoever gets one verifies it."""

    def __init__(self, files: Mapping[str, AnchorFiles]) -> None:
        self._files = files

    async def sizes(self, log: PublishedLog, first: int, limit: int) -> Sequence[int]:
        """Return the sizes, from `first` on in their order, whose heads are anchored. Raises UnavailableError."""
        try:
            return await self._files[log.name].sizes(first, limit)
        except LogUnavailableError as error:
            raise UnavailableError(log.component, str(error)) from error

    async def of(self, log: PublishedLog, size: int) -> AnchoredHead:
        """Return what is kept of an anchored head.

        Raises:
            UnknownError: the head of this size is not anchored.
            InconsistentError: what is stored is larger than any receipt, or the checkpoint no text. UnavailableError.
        """
        files = self._files[log.name]
        try:
            note, receipts = await files.checkpoint(size), await files.receipts(size)
            if note is None or not receipts:
                raise UnknownError(f"The head of {size} entries of the log {log.name} is not anchored.")
            return _head(note.decode(), receipts)
        except LogUnavailableError as error:
            raise UnavailableError(log.component, str(error)) from error
        except ValueError as error:
            raise InconsistentError(f"A stored anchor of the log {log.name} at {size} entries is not readable.") from error

    async def prove(self, log: PublishedLog, index: int, head: Head) -> Sequence[AnchorProof]:
        """Return, of each of those who anchor, the earliest anchor that covers an entry, linked to `head`.

        None is no error: a decision is proven without, and what cannot be read now is left out.
        """
        try:
            covering = await self._files[log.name].covering(index + 1)
        except (LogUnavailableError, ValueError) as error:
            _log.warning("a bundle goes without anchors: %s", error, extra={"origin": log.origin})
            return []
        proofs: list[AnchorProof] = []
        for by, (size, data) in list(covering.items())[:MAX_ANCHORS]:
            try:
                if size <= head.size:
                    proofs.append(AnchorProof(size, (await log.consistency(size, head.size)).proof, parse_receipt(data)))
            except ValueError as error:
                _log.warning("the anchor by %s at %d entries is left out: %s", by, size, error, extra={"origin": log.origin})
        return proofs


def _head(checkpoint: str, files: Mapping[str, bytes]) -> AnchoredHead:
    receipts: list[Receipt] = []
    unreadable: list[str] = []
    for by in sorted(files):
        try:
            receipts.append(_receipt(by, files[by]))
        except ValueError:
            unreadable.append(by)
    return AnchoredHead(checkpoint, receipts, unreadable)


def _receipt(by: str, data: bytes) -> Receipt:
    """Read the receipt that is kept under somebody's name. Raises ValueError: it is none, or somebody else's."""
    receipt = parse_receipt(data)
    if receipt.by != by:
        raise ValueError(f"the receipt of {by} says that it is by {receipt.by}")
    return receipt
