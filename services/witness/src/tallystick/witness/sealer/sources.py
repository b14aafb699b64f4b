"""Which of their own numbers upstream systems have brought, over all partitions, in any order: what never comes is reported.

Pure. A source's numbers are spread over partitions, so a larger one may come first; one counts as missing when larger ones have
come for longer than `grace_ms`.
"""

import heapq
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Any

from tallystick.contracts import SealedSource
from tallystick.trust.chain import Record
from tallystick.trust.transactions import RejectionError, decode

MAX_SOURCES = 64
MAX_AHEAD = 20_000
NAMED = 16
"""How many missing numbers a seal names of each source."""
_MAX_NAME = 64
_MAX_NUMBER = 2**62
_PROTOBUF_FIELD, _JSON_FIELD = b"\x42", b'"source"'


@dataclass(slots=True)
class _Source:
    next: int = 0
    missing: int = 0
    given_up: list[int] = field(default_factory=list)
    ahead: list[tuple[int, int]] = field(default_factory=list)  # a heap of (number, when it came)


class Sources:
    """The numbers of all sources; those beyond `MAX_SOURCES` are not followed."""

    def __init__(self, kept: dict[str, Any] | None = None) -> None:
        self._sources = {
            name: _Source(following, missing, [], [(number, at_ms) for number, at_ms in ahead])
            for name, (following, missing, ahead) in (kept or {}).items()
        }

    def to_json(self) -> dict[str, Any]:
        """Return the state, for `Sources(kept)`."""
        return {name: [one.next, one.missing, one.ahead] for name, one in self._sources.items()}

    def read(self, records: Iterable[Record], now_ms: int) -> None:
        """Take the numbers of transactions; what is none, or names no source, has none."""
        for record in records:
            value = record.value
            # Most banks' transactions name no source, and to parse every one would cost more than all the rest.
            if value and (_PROTOBUF_FIELD in value or _JSON_FIELD in value):
                try:
                    transaction = decode(record.headers, value)
                except RejectionError:
                    continue
                if transaction.source:
                    self.take(transaction.source, transaction.source_sequence, now_ms)

    def take(self, name: str, number: int, now_ms: int) -> None:
        """Take one number of a source."""
        source = self._sources.get(name)
        if source is None:
            if len(self._sources) == MAX_SOURCES or len(name.encode()) > _MAX_NAME:
                return
            source = self._sources[name] = _Source()
        if number == source.next and not source.ahead:
            source.next += 1
        elif source.next <= number < _MAX_NUMBER:
            heapq.heappush(source.ahead, (number, now_ms))

    def settle(self, now_ms: int, grace_ms: int) -> list[SealedSource]:
        """Give up what has not come in time, and return what the next seal says, by source."""
        for source in self._sources.values():
            ahead = source.ahead
            while ahead:
                number, at_ms = ahead[0]
                if number > source.next:
                    if now_ms - at_ms < grace_ms and len(ahead) <= MAX_AHEAD:
                        break
                    source.missing += number - source.next
                    named = range(source.next, min(number, source.next + NAMED))
                    source.given_up = [*source.given_up, *named][:NAMED]
                source.next = max(source.next, number + 1)
                heapq.heappop(ahead)
        return [
            SealedSource(source=name, next_sequence=one.next, missing=one.missing, given_up=one.given_up)
            for name, one in sorted(self._sources.items())
        ]

    def were_sealed(self) -> None:
        """Begin with what comes after a seal."""
        for source in self._sources.values():
            source.given_up = []
