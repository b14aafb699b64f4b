"""The input chain: a running hash over every record of an input partition, so that none can be left out unseen.

    chain[-1] = 32 zero bytes
    chain[i]  = HMAC-SHA-256(K, chain[i-1] || SHA-256(record[i]))

`record` is a sequence of length-prefixed fields, every number big-endian:

    offset      8 bytes, signed
    time stamp  8 bytes, signed, milliseconds
    key         4-byte length, then the bytes; null is ff ff ff ff and no bytes
    headers     4-byte count, then for each one its name (its bytes, UTF-8 or not) and its value, encoded as the key is
    value       as the key

K is random, one for each partition and `KEY_SPAN` sequences, so that nobody without it can test guesses of a record against
the log. Scoring, which has many records under one key, takes the HMAC from `keyed_hash` instead of `next_chain`.
"""

from collections.abc import Sequence
from hashlib import sha256
from hmac import digest as _hmac
from struct import Struct
from typing import Protocol

CHAIN_START = bytes(32)
"""The chain before a partition's first record."""

KEY_SPAN = 2**20
"""How many sequences of a partition one chain key serves."""

_NULL = b"\xff\xff\xff\xff"
_NO_HEADERS = bytes(4)
_length = Struct(">I").pack
_position_and_key = Struct(">qqI").pack
_position_and_null = Struct(">qq4s").pack
_headers_and_value = Struct(">4sI").pack
_headers_and_null = _NO_HEADERS + _NULL


class Record(Protocol):
    """A Kafka record, as far as the chain is concerned; aiokafka's are ones."""

    @property
    def offset(self) -> int:
        """Its place in the partition."""

    @property
    def timestamp(self) -> int:
        """Kafka's time stamp, in milliseconds since 1970-01-01T00:00:00Z."""

    @property
    def key(self) -> bytes | None:
        """Its key."""

    @property
    def value(self) -> bytes | None:
        """Its value."""

    @property
    def headers(self) -> Sequence[tuple[str, bytes | None]]:
        """Its headers, in order."""


def record_digest(
    offset: int, timestamp_ms: int, key: bytes | None, headers: Sequence[tuple[str, bytes | None]], value: bytes | None
) -> bytes:
    """Return SHA-256 of a Kafka record's canonical encoding, 32 bytes.

    `headers` keep their order and repetitions; a null key, value or header value is told from an empty one. Bytes of a header's
    name that are not UTF-8 are surrogate escapes in it.
    """
    if key is None:
        head = _position_and_null(offset, timestamp_ms, _NULL)
    else:
        head = _position_and_key(offset, timestamp_ms, len(key)) + key
    if headers:
        return sha256(head + _encode_headers(headers) + _encode_field(value)).digest()
    if value is None:
        return sha256(head + _headers_and_null).digest()
    return sha256(head + _headers_and_value(_NO_HEADERS, len(value)) + value).digest()


def next_chain(key: bytes, previous: bytes, record_digest: bytes) -> bytes:
    """Return the chain after one more record: HMAC-SHA-256(key, previous || record_digest), 32 bytes."""
    return _hmac(key, previous + record_digest, "sha256")


def _encode_field(field: bytes | None) -> bytes:
    return _NULL if field is None else _length(len(field)) + field


def _encode_headers(headers: Sequence[tuple[str, bytes | None]]) -> bytes:
    encoded = [_length(len(headers))]
    for name, value in headers:
        encoded += _encode_field(name.encode("utf-8", "surrogateescape")), _encode_field(value)
    return b"".join(encoded)
