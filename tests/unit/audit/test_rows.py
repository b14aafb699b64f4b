"""Evidence records as rows."""

import hashlib
from dataclasses import dataclass

import pytest

from tallystick.audit.ingest.rows import MAX_SEQUENCE, rows_of
from tallystick.contracts import Evidence


@dataclass(frozen=True)
class Record:
    """A Kafka record, as far as it is looked at."""

    partition: int
    offset: int
    value: bytes | None
    timestamp: int = 1_000


def evidence(**changes: object) -> bytes:
    """Serialise good evidence with some fields changed."""
    fields: dict[str, object] = {
        "key_id": bytes(16),
        "lookup": b"l" * 32,
        "partition": 3,
        "sequence": 5,
        "nonce": bytes(12),
        "ciphertext": bytes(16),
    }
    return Evidence(**(fields | changes)).SerializeToString()  # type: ignore[arg-type]  # by name


def test_good() -> None:
    """A good record becomes a row with the digest of its exact value."""
    value = evidence()
    rows = rows_of([Record(3, 70, value)])
    assert rows.evidence == [(3, 70, 5, b"l" * 32, hashlib.sha256(value).digest(), value, 1_000)]
    assert rows.malformed == []


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        (None, "no value"),
        (b"\xff", "not a protobuf"),
        (b"", "another partition"),
        (evidence(partition=2), "another partition"),
        (evidence(lookup=bytes(31)), "lookup"),
        (evidence(key_id=bytes(17)), "key_id"),
        (evidence(nonce=b""), "nonce"),
        (evidence(ciphertext=bytes(15)), "tag"),
        (evidence(sequence=MAX_SEQUENCE + 1), "2^63"),
    ],
)
def test_malformed(value: bytes | None, reason: str) -> None:
    """A bad record is kept aside with its reason and its bytes, and its neighbours are not touched."""
    rows = rows_of([Record(3, 1, evidence()), Record(3, 2, value), Record(3, 3, evidence(sequence=MAX_SEQUENCE))])
    assert [row[1] for row in rows.evidence] == [1, 3]
    ((partition, offset, said, kept, timestamp_ms),) = rows.malformed
    assert (partition, offset, kept, timestamp_ms) == (3, 2, value, 1_000)
    assert reason in said
