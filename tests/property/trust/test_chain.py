"""The input chain against an encoder written straight from its description."""

from hashlib import sha256

from hypothesis import given
from hypothesis import strategies as st

from tallystick.trust.chain import record_digest

optional_bytes = st.none() | st.binary(max_size=40)
records = st.tuples(
    st.integers(0, 2**63 - 1),
    st.integers(-(2**63), 2**63 - 1),
    optional_bytes,
    st.lists(st.tuples(st.text(max_size=8), optional_bytes), max_size=4),
    optional_bytes,
)
Record = tuple[int, int, bytes | None, list[tuple[str, bytes | None]], bytes | None]


def encode(record: Record) -> bytes:
    """Encode a record field by field."""
    offset, timestamp_ms, key, headers, value = record
    out = [offset.to_bytes(8, "big", signed=True), timestamp_ms.to_bytes(8, "big", signed=True), field(key)]
    out.append(len(headers).to_bytes(4, "big"))
    for name, content in headers:
        out += [field(name.encode()), field(content)]
    return b"".join([*out, field(value)])


def field(data: bytes | None) -> bytes:
    """Encode one length-prefixed field."""
    return b"\xff\xff\xff\xff" if data is None else len(data).to_bytes(4, "big") + data


@given(records)
def test_a_digest_is_of_the_described_encoding(record: Record) -> None:
    """The packed fast path gives the bytes of the description, for any record."""
    assert record_digest(*record) == sha256(encode(record)).digest()


@given(records, records)
def test_encodings_are_equal_only_for_equal_records(one: Record, other: Record) -> None:
    """No two records share an encoding."""
    assert (record_digest(*one) == record_digest(*other)) == (one == other)
