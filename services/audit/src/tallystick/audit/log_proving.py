"""An entry's proof in the log's own formats: proof files (C2SP tlog-proof) and COSE receipts (RFC 9942)."""

from collections.abc import Sequence

from tallystick.audit.database import Database
from tallystick.audit.errors import InconsistentError, OutOfRangeError, ReceiptMissingError
from tallystick.audit.finding import Found
from tallystick.audit.logs import Head, PublishedLog
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.proof_files import ProofFile
from tallystick.merkle.receipts import ConsistencyReceipt, InclusionReceipt
from tallystick.merkle.signed_roots import ReceiptKey, SignedRoot

_NONE_YET = "No head that covers this has been signed for receipts yet; the proof file proves the same."


class LogProver:
    """Builds proofs of what was found; `keys` are the trust policy's receipt keys."""

    def __init__(self, database: Database, keys: Sequence[ReceiptKey]) -> None:
        self._database = database
        self._keys = keys

    async def proof_file(self, found: Found) -> bytes:
        """Return the proof file, against the newest checkpoint, the entry in its `extra` line.

        Raises:
            InconsistentError: what is stored does not fit together. UnavailableError.
        """
        proven = await found.log.prove(found.logged.index, found.head)
        return ProofFile(proven.index, tuple(proven.proof), found.head.note, proven.entry).encode()

    async def receipt(self, found: Found) -> bytes:
        """Return the receipt of inclusion in the newest tree that was signed for receipts.

        Raises:
            ReceiptMissingError: there is none that holds the entry.
            InconsistentError: what is stored does not fit together. UnavailableError.
        """
        index = found.logged.index
        signed, root = await self._signed_root(found.log, index, found.head)
        proven = await found.log.prove_in(index, signed.header.size, root, found.head)
        return InclusionReceipt(signed, index, tuple(proven.proof)).encode()

    async def consistency_receipt(self, log: PublishedLog, first: int) -> bytes:
        """Return the receipt that the newest tree signed for receipts begins with that of `first` entries.

        Raises:
            OutOfRangeError: there is no such older tree.
            ReceiptMissingError: nothing larger was signed for receipts.
            InconsistentError: what is stored does not fit together. UnavailableError.
        """
        head = await log.head()
        if not 1 <= first < head.size:
            raise OutOfRangeError(f"The older size must be 1 <= first < {head.size}, the published size.")
        signed, root = await self._signed_root(log, first, head)
        proven = await log.consistency(first, signed.header.size)
        if proven.second_root != root:
            raise InconsistentError(f"The stored {log.name} log does not have the root that was signed for receipts.")
        return ConsistencyReceipt(signed, first, tuple(proven.proof)).encode()

    async def _signed_root(self, log: PublishedLog, above: int, head: Head) -> tuple[SignedRoot, bytes]:
        """Return the newest signed root of more than `above` entries, verified here too."""
        stored = await self._database.signed_root(log.name, above, head.size)
        if stored is None:
            raise ReceiptMissingError(_NONE_YET)
        root, receipt = stored
        try:
            signed = SignedRoot.parse(receipt)
            signed.verify(root, self._keys)
        except MerkleError as error:
            raise InconsistentError(f"The stored receipt of the {log.name} log cannot be used: {error}.") from error
        if signed.header.origin != log.origin:
            raise InconsistentError(f"The stored receipt of the {log.name} log is another log's.")
        return signed, root
