"""Evidence records as database rows. Pure, and on the hot path: only the clear header is looked at, nothing is decrypted."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass, field
from typing import Protocol

from google.protobuf.message import DecodeError

from tallystick.contracts import Evidence

MAX_SEQUENCE = 2**63 - 1  # PostgreSQL's bigint
_TAG_SIZE = 16

EvidenceRow = tuple[int, int, int, bytes, bytes, bytes, int]
MalformedRow = tuple[int, int, str, bytes | None, int]


class Record(Protocol):
    """What is read of a Kafka record."""

    @property
    def partition(self) -> int: ...  # noqa: D102 - the class says it
    @property
    def offset(self) -> int: ...  # noqa: D102
    @property
    def timestamp(self) -> int: ...  # noqa: D102
    @property
    def value(self) -> bytes | None: ...  # noqa: D102


@dataclass(slots=True)
class Rows:
    """What a batch becomes.

    evidence: (partition, record_offset, sequence, lookup, SHA-256 of value, value, time stamp in ms)
    malformed: (partition, record_offset, reason, value, time stamp in ms), kept aside so that nothing that came is lost.
    """

    evidence: list[EvidenceRow] = field(default_factory=list)
    malformed: list[MalformedRow] = field(default_factory=list)


def rows_of(records: Iterable[Record]) -> Rows:
    """Every record as one row, in the order given; never raises for what a record holds."""
    rows = Rows()
    sha256 = hashlib.sha256
    for record in records:
        value = record.value
        try:
            sealed = Evidence.FromString(value) if value is not None else None
        except DecodeError:
            sealed = None
        reason = _fault(record.partition, value, sealed)
        if reason is None and sealed is not None and value is not None:
            rows.evidence.append(
                (
                    record.partition,
                    record.offset,
                    sealed.sequence,
                    sealed.lookup,
                    sha256(value).digest(),
                    value,
                    record.timestamp,
                )
            )
        else:
            rows.malformed.append((record.partition, record.offset, reason or "", value, record.timestamp))
    return rows


def _fault(partition: int, value: bytes | None, sealed: Evidence | None) -> str | None:
    """Why a record cannot be evidence; None if it can."""
    if value is None:
        return "the record has no value"
    if sealed is None:
        return "the value is not a protobuf Evidence"
    if sealed.partition != partition:
        return "the evidence names another partition"
    if len(sealed.lookup) != 32:
        return "lookup is not 32 bytes"
    if len(sealed.key_id) != 16:
        return "key_id is not 16 bytes"
    if len(sealed.nonce) != 12:
        return "nonce is not 12 bytes"
    if len(sealed.ciphertext) < _TAG_SIZE:
        return "ciphertext is shorter than its tag"
    if sealed.sequence > MAX_SEQUENCE:
        return "sequence is over 2^63 - 1"
    return None
