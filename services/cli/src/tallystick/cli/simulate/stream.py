"""The card stream as columns, and its digests."""

import hashlib
from dataclasses import dataclass, fields

import numpy as np
from numpy.typing import NDArray

EPOCH_MS = 1_522_540_800_000
"""The stream's start, 2018-04-01T00:00:00Z, in milliseconds since 1970-01-01T00:00:00Z."""

DAYS = 183
DAY_S = 86_400

CARD_STREAM_DIGEST = "4e8331495f43c71c72eb5a102c3d6dda5fa5276ca4e6b85605793072794c496c"
"""SHA-256 of the whole stream's columns in transaction-id order."""

CARD_STREAM_SORTED_DIGEST = "897636bb5bd09b7c72cdfa4fa9b742331543aefa600a51285731ee3a4302016d"
"""SHA-256 of the same rows ordered by (time, customer, terminal, cents), blind to how ties in time were ordered."""


class StreamMismatchError(RuntimeError):
    """The generated rows are not the published ones: this machine's NumPy or Python draws or sorts differently."""


@dataclass(frozen=True, slots=True)
class CardStream:
    """Transactions in stream order; every column has one element a transaction.

    Attributes:
        transaction_id: position in the whole stream; int64.
        time_s: seconds since `EPOCH_MS`, never decreasing; int64.
        customer: 0 to 4,999; int64.
        terminal: 0 to 9,999; int64.
        amount_cents: int64.
        fraud: 0 or 1; int8.
        scenario: which fraud scenario, 0 for none; int8.
    """

    transaction_id: NDArray[np.int64]
    time_s: NDArray[np.int64]
    customer: NDArray[np.int64]
    terminal: NDArray[np.int64]
    amount_cents: NDArray[np.int64]
    fraud: NDArray[np.int8]
    scenario: NDArray[np.int8]

    def __len__(self) -> int:
        return len(self.transaction_id)

    def days(self, first: int, stop: int) -> "CardStream":
        """Transactions of days [first, stop), counted from the stream's start; they keep their ids."""
        rows = slice(*np.searchsorted(self.time_s, [first * DAY_S, stop * DAY_S]))
        return CardStream(*(getattr(self, field.name)[rows] for field in fields(self)))

    def digest(self) -> str:
        """SHA-256 in hex over the columns but the id, one after another, little-endian, in stream order."""
        return self._digest(np.arange(len(self)))

    def sorted_digest(self) -> str:
        """`digest` of the rows ordered by (time, customer, terminal, cents)."""
        return self._digest(np.lexsort((self.amount_cents, self.terminal, self.customer, self.time_s)))

    def _digest(self, order: NDArray[np.int64]) -> str:
        digest = hashlib.sha256()
        for column in (self.time_s, self.customer, self.terminal, self.amount_cents, self.fraud, self.scenario):
            digest.update(column[order].astype(column.dtype.newbyteorder("<")).tobytes())
        return digest.hexdigest()
