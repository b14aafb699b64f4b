"""All customers of a partition: found, made, forgotten, and copied while they move on.

Which customers there are, and what is known of each, is a function of the partition's accepted transactions in their order, so
that replaying them and loading a copy come to the same.

Forgotten is who sent nothing for the whole of `HORIZON_MS`. A partition's time, for that, is the median event time of its last
`BLOCK` accepted transactions, taken whenever there are so many: no single wrong clock moves it, and it may go back. Each time
that it reaches another day, everybody is forgotten whose newest transaction is before that day less the horizon; that looks
at every customer once, some 90 ms for a million. Of what a customer who comes back could have seen, nothing is lost unless the
transaction is later than seven days: windows and ids look back for 30 days, and what is 37 days old is gone anyway.
"""

import struct
from array import array
from collections.abc import Iterator
from struct import Struct

import numpy as np

from tallystick.scoring.windows import DAY_MS, DIGEST_SIZE, HORIZON_MS, Account, Customer

BLOCK = 4_096
FORMAT = "customers/1"
"""Names the layout below; another layout is another name."""

# A customer: length of the name, number of accounts, newest event time; the name; its accounts. Little-endian.
_CUSTOMER = Struct("<BBq")
# An account: currency, transactions, base time; then times (4 bytes each), sums (8, one more of them), digests (8).
_ACCOUNT = Struct("<3sIq")
_CLOCK = Struct("<q")
_NO_DAY = -1


class Customers:
    """The customers of one partition, by their id."""

    def __init__(self) -> None:
        self._known: dict[str, Customer] = {}
        self._times_ms = array("q")  # of the block that is under way
        self._day = _NO_DAY
        self._cut: Cut | None = None
        self._cuts = 0

    def __len__(self) -> int:
        return len(self._known)

    def __iter__(self) -> Iterator[Customer]:
        return iter(self._known.values())

    def get(self, name: str) -> Customer | None:
        """Return a customer, None if there is none of that id, or none any more."""
        return self._known.get(name)

    def create(self, name: str) -> Customer:
        """Return a new customer; there is none of that id."""
        customer = self._known[name] = Customer(name)
        customer.cut = self._cuts
        return customer

    def observe(
        self, customer: Customer, digest: bytes, currency: str, time_ms: int, amount_minor: int, spans_ms: tuple[int, ...]
    ) -> list[int]:
        """Add an accepted transaction and return its windows; see `Customer.observe`."""
        if self._cut is not None:
            self._cut.keep(customer)
        windows = customer.observe(digest, currency, time_ms, amount_minor, spans_ms)
        self._times_ms.append(time_ms)
        if len(self._times_ms) == BLOCK:
            self._end_block()
        return windows

    def evict(self, before_ms: int) -> None:
        """Forget who sent nothing at or after an event time."""
        known = self._known
        for name in [name for name, customer in known.items() if customer.newest_ms < before_ms]:
            del known[name]

    def cut(self) -> "Cut":
        """Begin a copy of everything as it is now; ends another that is under way."""
        self._cuts += 1
        self._cut = Cut(self._cuts, list(self._known.values()), _CLOCK.pack(self._day) + self._times_ms.tobytes())
        return self._cut

    def end_cut(self) -> None:
        """Stop copying."""
        self._cut = None

    def load_clock(self, data: bytes) -> None:
        """Take over a cut's clock. Raises ValueError."""
        if len(data) < _CLOCK.size or len(data) >= _CLOCK.size + BLOCK * 8:
            raise ValueError(f"a clock of {len(data)} bytes")
        (self._day,) = _CLOCK.unpack_from(data)
        self._times_ms = array("q", data[_CLOCK.size :])

    def load(self, data: bytes) -> None:
        """Add dumped customers. Raises ValueError if it is no whole number of them, or one is here already."""
        for customer in _loaded(data):
            if self._known.setdefault(customer.name, customer) is not customer:
                raise ValueError("a customer twice")

    def _end_block(self) -> None:
        middle = int(np.partition(self._times_ms, BLOCK // 2)[BLOCK // 2])
        self._times_ms = array("q")
        day = (middle - HORIZON_MS) // DAY_MS
        if day != self._day:
            self._day = day
            self.evict(day * DAY_MS)


class Cut:
    """A copy of a partition's customers as they were at one moment, taken in slices while they move on.

    Who is about to change and not copied yet is copied first (`keep`), so no slice has to wait for another. Everybody is in
    exactly one piece.

    Attributes:
        clock: the clock (`Customers.load_clock`).
    """

    def __init__(self, number: int, waiting: list[Customer], clock: bytes) -> None:
        self.clock = clock
        self._number = number
        self._waiting = waiting
        self._kept: list[bytes] = []

    def keep(self, customer: Customer) -> None:
        """Copy a customer who is about to change."""
        if customer.cut != self._number:
            customer.cut = self._number
            self._kept.append(dump(customer))

    def slice(self, most: int) -> bytes:
        """Return some more of the copy, about `most` customers; empty at its end."""
        waiting, number = self._waiting, self._number
        pieces, self._kept = self._kept, []
        while waiting and len(pieces) < most:
            customer = waiting.pop()
            if customer.cut != number:
                customer.cut = number
                pieces.append(dump(customer))
        return b"".join(pieces)


def dump(customer: Customer) -> bytes:
    """Return what is known of a customer, in the layout above; the same for the same knowledge."""
    name, account = customer.name.encode(), customer.account
    pieces: list[bytes | bytearray] = [b"", name]
    number = 0
    while account is not None:
        number += 1
        pieces += (
            _ACCOUNT.pack(account.currency.encode(), len(account.times), account.base_ms),
            account.times.tobytes(),
            account.sums.tobytes(),
            account.digests,
        )
        account = account.following
    pieces[0] = _CUSTOMER.pack(len(name), number, customer.newest_ms)
    return b"".join(pieces)


def _loaded(data: bytes) -> Iterator[Customer]:
    place, end = 0, len(data)
    while place < end:
        try:
            length, accounts, newest_ms = _CUSTOMER.unpack_from(data, place)
            place += _CUSTOMER.size
            customer = Customer(data[place : place + length].decode("ascii"))
            customer.newest_ms = newest_ms
            place += length
            last: Account | None = None
            for _ in range(accounts):
                account, place = _account(data, place)
                if last is None:
                    customer.account = account
                else:
                    last.following = account
                last = account
        except (ValueError, struct.error) as error:
            raise ValueError(f"customers that cannot be read: {error}") from error
        yield customer


def _account(data: bytes, place: int) -> tuple[Account, int]:
    currency, known, base_ms = _ACCOUNT.unpack_from(data, place)
    times_at = place + _ACCOUNT.size
    sums_at = times_at + 4 * known
    digests_at = sums_at + 8 * (known + 1)
    end = digests_at + DIGEST_SIZE * known
    if end > len(data):
        raise ValueError("an account is cut off")
    times, sums = array("I", data[times_at:sums_at]), array("q", data[sums_at:digests_at])
    return Account.restored(currency.decode("ascii"), base_ms, times, sums, bytearray(data[digests_at:end])), end
