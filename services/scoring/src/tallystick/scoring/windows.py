"""A customer's history: which transactions came before, and what they add up to.

Everything is an exact integer: milliseconds, minor units, counts; 64 bits hold nine million payments of 10^12. A window of N
days at event time t is (t - N days, t], the transaction itself included, and of several at one time only those that arrived
before it. A late transaction sees the history as of its own event time.

What is remembered is bounded, by rules that do not depend on when memory is freed:

- Whatever is `HORIZON_MS` or more before the customer's newest transaction is gone. A transaction that is itself gone when it
  arrives sees nothing but itself.
- Of an account only the newest `KEPT` by event time count, as they were before the transaction; it itself always does.
- An id is taken for `REPEAT_MS` both ways from every transaction that is remembered under it. Ids are compared by 64 bits of
  BLAKE2b: of a hundred transactions of one customer two that differ pass for one in less than one of 10^15 cases.

An account takes 20 bytes a transaction (time 4, running sum 8, id 8), and up to a quarter more between two trims; one of more
than `_SCANNED` transactions another 8 to 16, to find ids by.
"""

from array import array
from bisect import bisect_right
from hashlib import blake2b
from typing import cast

import numpy as np

DAY_MS = 86_400_000
REPEAT_MS = 30 * DAY_MS
HORIZON_MS = 37 * DAY_MS
KEPT = 65_536
"""Transactions of one customer in one currency that are remembered at the most."""

DIGEST_SIZE = 8
_MAX_OFFSET_MS = 2**32 - 1
_MAX_SUM = 2**62  # what an account can grow by between two trims fits in above it
TRIM_EVERY = 16  # a power of two
_SCANNED = 512
_BY_COLUMN = 128  # from here on numpy is faster than a loop


def digest_of(transaction_id: str) -> bytes:
    """Return what an id is remembered by; `DIGEST_SIZE` bytes."""
    return blake2b(transaction_id.encode(), digest_size=DIGEST_SIZE).digest()


class Account:
    """One customer's transactions in one currency, in order of event time, and of arrival at one time.

    Attributes:
        currency: its code.
        base_ms: what `times` count from; nothing that is remembered is older.
        times: event times in milliseconds since `base_ms`.
        sums: sums[i] - sums[0] = minor units of the first i transactions.
        digests: the ids' digests, one behind the other.
        following: the customer's next account.
        marks: of a large account, a byte that is 1 for each id that may be there, so that looking for one that is not takes no
            scan; by the digests' last bits.
    """

    __slots__ = ("base_ms", "currency", "digests", "following", "marks", "sums", "times")

    def __init__(self, currency: str, base_ms: int, following: "Account | None" = None) -> None:
        self.currency = currency
        self.base_ms = base_ms
        self.times = array("I")
        self.sums = array("q", [0])
        self.digests = bytearray()
        self.following = following
        self.marks: bytearray | None = None

    @classmethod
    def restored(cls, currency: str, base_ms: int, times: "array[int]", sums: "array[int]", digests: bytearray) -> "Account":
        """Return an account with these contents."""
        account = cls(currency, base_ms)
        account.times, account.sums, account.digests = times, sums, digests
        account._mark_all()
        return account

    def insert(self, digest: bytes, time_ms: int, amount_minor: int, spans_ms: tuple[int, ...], newest_ms: int) -> list[int]:
        """Add a late transaction and return its windows."""
        if time_ms - self.base_ms > _MAX_OFFSET_MS:  # the customer has paid in other currencies since
            self.rebase(newest_ms)
        times, sums = self.times, self.sums
        offset, known = time_ms - self.base_ms, len(times)
        lowest = max(bisect_right(times, newest_ms - HORIZON_MS - self.base_ms), known - KEPT)
        place = bisect_right(times, offset, lowest)
        if time_ms <= newest_ms - HORIZON_MS:
            return [1, amount_minor] * len(spans_ms)
        total = sums[place] + amount_minor
        times.insert(place, offset)
        sums.insert(place + 1, total)
        if known - place < _BY_COLUMN:
            for later in range(place + 2, known + 2):
                sums[later] += amount_minor
        else:
            np.frombuffer(sums, np.int64)[place + 2 :] += amount_minor
        self.digests[place * DIGEST_SIZE : place * DIGEST_SIZE] = digest
        if self.marks is not None:
            self.mark(digest)
        end = start = place + 1
        flat: list[int] = []
        for span in spans_ms:
            start = bisect_right(times, offset - span, lowest, start)
            flat += (end - start, total - sums[start])
        if not (known + 1) & (TRIM_EVERY - 1):
            self.trim(newest_ms)
        return flat

    def holds(self, digest: bytes, after_ms: int, before_ms: int) -> bool:
        """Tell whether an id is remembered from between two event times, neither included."""
        if self.marks is not None and not self.marks[int.from_bytes(digest, "little") & (len(self.marks) - 1)]:
            return False
        first = max(len(self.times) - KEPT, bisect_right(self.times, after_ms - self.base_ms))
        place = self.digests.find(digest, max(first, 0) * DIGEST_SIZE)
        while place >= 0:
            number, astray = divmod(place, DIGEST_SIZE)
            if not astray:
                return self.times[number] < before_ms - self.base_ms  # in order of time: a later one lies further off
            place = self.digests.find(digest, place + 1)
        return False

    def trim(self, newest_ms: int) -> None:
        """Free what is gone, if that is worth it."""
        times = self.times
        gone = max(len(times) - KEPT, bisect_right(times, newest_ms - HORIZON_MS - self.base_ms))
        if gone * 8 > len(times):
            self.times, self.sums, self.digests = times[gone:], self.sums[gone:], self.digests[gone * DIGEST_SIZE :]
            self._mark_all()
        elif len(times) > _SCANNED and (self.marks is None or len(times) * 8 > len(self.marks)):
            self._mark_all()
        if self.sums[-1] > _MAX_SUM:
            self.rebase(newest_ms)

    def rebase(self, newest_ms: int) -> None:
        """Free what is gone, and count times from the horizon, sums from nothing: both would outgrow their places."""
        base_ms = newest_ms - HORIZON_MS
        gone = max(len(self.times) - KEPT, bisect_right(self.times, base_ms - self.base_ms))
        moved = np.frombuffer(self.times, np.uint32)[gone:].astype(np.int64) - (base_ms - self.base_ms)
        self.times = array("I", moved.astype(np.uint32).tobytes())
        self.sums = array("q", (np.frombuffer(self.sums, np.int64)[gone:] - self.sums[gone]).tobytes())
        self.digests = self.digests[gone * DIGEST_SIZE :]
        self.base_ms = base_ms
        self._mark_all()

    def mark(self, digest: bytes) -> None:
        """Note that an id may be there. Requires `marks`."""
        marks = cast("bytearray", self.marks)
        marks[int.from_bytes(digest, "little") & (len(marks) - 1)] = 1

    def _mark_all(self) -> None:
        known = len(self.times)
        if known <= _SCANNED:
            self.marks = None
            return
        marks = np.zeros(1 << (known * 12).bit_length(), np.uint8)
        marks[np.frombuffer(self.digests, "<u8") & np.uint64(len(marks) - 1)] = 1
        self.marks = bytearray(marks.tobytes())


class Customer:
    """What a partition knows of one customer.

    Attributes:
        name: the customer's id.
        newest_ms: the newest event time.
        account: the first of the customer's accounts, one a currency.
        cut: the number of the last cut (see `customers`) that holds this customer.
        key_id: names the customer's key; filled in by the shell before evidence is sealed, as are
        key: the customer's key, and
        cipher: that key ready for use.
    """

    __slots__ = ("account", "cipher", "cut", "key", "key_id", "name", "newest_ms")

    def __init__(self, name: str) -> None:
        self.name = name
        self.newest_ms = 0
        self.account: Account | None = None
        self.cut = 0
        self.key_id: bytes | None = None
        self.key: bytes | None = None
        self.cipher: object = None

    def is_repeat(self, digest: bytes, time_ms: int) -> bool:
        """Tell whether the id is taken at `time_ms`."""
        account = self.account
        while account is not None:
            if (account.marks is not None or account.digests.find(digest) >= 0) and account.holds(
                digest, max(time_ms - REPEAT_MS, self.newest_ms - HORIZON_MS), time_ms + REPEAT_MS
            ):
                return True
            account = account.following
        return False

    def observe(self, digest: bytes, currency: str, time_ms: int, amount_minor: int, spans_ms: tuple[int, ...]) -> list[int]:
        """Add a transaction and return count and sum over each window, flattened: count, sum, then the next window's.

        Args:
            digest: its id's (`digest_of`).
            currency: its currency.
            time_ms: its event time.
            amount_minor: its amount, 0 to 10^12.
            spans_ms: the windows' lengths, each at most 30 days, shortest first.
        """
        account = self.account
        while account is not None and account.currency != currency:
            account = account.following
        if account is None:
            account = self.account = Account(currency, max(time_ms, self.newest_ms) - HORIZON_MS, self.account)
        if time_ms < self.newest_ms:
            return account.insert(digest, time_ms, amount_minor, spans_ms, self.newest_ms)
        self.newest_ms = time_ms
        offset = time_ms - account.base_ms
        if offset > _MAX_OFFSET_MS:
            account.rebase(time_ms)
            offset = time_ms - account.base_ms
        times, sums = account.times, account.sums
        total = sums[-1] + amount_minor
        times.append(offset)
        sums.append(total)
        account.digests += digest
        if account.marks is not None:
            account.mark(digest)
        end = start = len(times)
        lowest = end - 1 - KEPT if end > KEPT else 0
        flat: list[int] = []
        for span in spans_ms:  # a longer window begins no later than a shorter one
            start = bisect_right(times, offset - span, lowest, start)
            flat += (end - start, total - sums[start])
        if not end & (TRIM_EVERY - 1):
            account.trim(time_ms)
        return flat
