"""Encoding by column says what protobuf says, row by row."""

import json
from typing import Any

import pyarrow as pa
from aiokafka.partitioner import murmur2 as reference_murmur2
from google.protobuf import json_format
from hypothesis import given
from hypothesis import strategies as st

from tallystick.cli.stream import Shift, encode_transactions, shift_ms
from tallystick.cli.stream.columns import ATTRIBUTE_MAP, transaction_table
from tallystick.cli.stream.partitioning import murmur2, partitions_of
from tallystick.cli.stream.shifting import WEEK_MS
from tallystick.contracts import Transaction

int64 = st.integers(-(2**63), 2**63 - 1)
texts = st.text(st.characters(codec="utf-8"), max_size=200)
optional_texts = st.none() | texts
rows = st.lists(
    st.fixed_dictionaries(
        {
            "transaction_id": texts,
            "customer_id": texts,
            "amount_minor": st.none() | int64,
            "currency": optional_texts,
            "event_time_ms": st.integers(-(2**62), 2**62),
            "terminal_id": optional_texts,
            "merchant_id": optional_texts,
            "source": optional_texts,
            "source_sequence": st.none() | st.integers(0, 2**64 - 1),
            "attributes": st.dictionaries(texts, st.floats(), max_size=4),
        }
    ),
    min_size=1,
    max_size=12,
)


def table_of(content: list[dict[str, Any]]) -> pa.Table:
    """Put rows into columns of the right types."""
    kinds = {"amount_minor": pa.int64(), "event_time_ms": pa.int64(), "source_sequence": pa.uint64()}
    columns = {
        name: pa.array([row[name] for row in content], kinds.get(name, pa.string()))
        for name in content[0]
        if name != "attributes"
    }
    attributes = pa.array([list(row["attributes"].items()) for row in content], ATTRIBUTE_MAP)
    return transaction_table({**columns, "attributes": attributes})


def message_of(row: dict[str, Any], moved_ms: int) -> Transaction:
    """Build the same transaction with protobuf's own code."""
    fields = {name: value for name, value in row.items() if value is not None}
    return Transaction(**fields | {"event_time_ms": row["event_time_ms"] + moved_ms})


def comparable(message: Transaction) -> str:
    """Return a message as text, in which NaN equals NaN."""
    return str(message) + str(message.HasField("amount_minor")) + str(sorted(message.attributes.items()))


@given(rows, st.integers(-(2**61), 2**61))
def test_protobuf_by_column_is_protobuf(content: list[dict[str, Any]], moved_ms: int) -> None:
    """Any row parses back to the message that protobuf itself would have made, presence of the amount included."""
    encoded = encode_transactions(table_of(content), moved_ms)
    parsed = [Transaction.FromString(value) for value in encoded]
    assert [comparable(message) for message in parsed] == [comparable(message_of(row, moved_ms)) for row in content]


@given(rows)
def test_protobuf_without_attributes_is_canonical(content: list[dict[str, Any]]) -> None:
    """Fields come in the order of their numbers and defaults are left out, so that the bytes are protobuf's own."""
    encoded = encode_transactions(table_of([row | {"attributes": {}} for row in content]))
    assert encoded == [message_of(row | {"attributes": {}}, 0).SerializeToString() for row in content]


@given(rows)
def test_json_is_proto3_json(content: list[dict[str, Any]]) -> None:
    """Protobuf's own strict parser reads the JSON form as the same message."""
    encoded = encode_transactions(table_of(content), form="json")
    parsed = [json_format.Parse(value.decode(), Transaction()) for value in encoded]
    assert [comparable(message) for message in parsed] == [comparable(message_of(row, 0)) for row in content]


def test_json_has_integers_as_strings() -> None:
    """64-bit integers are strings in proto3 JSON, so that no reader rounds them."""
    row = {"transaction_id": "t", "customer_id": "c", "amount_minor": 2**60, "currency": "EUR", "event_time_ms": 1}
    (encoded,) = encode_transactions(table_of([row | {"attributes": {}}]), form="json")
    assert json.loads(encoded)["amountMinor"] == str(2**60)


@given(st.lists(st.binary(max_size=70), min_size=1, max_size=30), st.integers(1, 64))
def test_partitions_are_those_of_kafkas_default_partitioner(keys: list[bytes], partitions: int) -> None:
    """Hashing all keys at once gives what the Java client's murmur2 gives one by one."""
    assert murmur2(keys).tolist() == [reference_murmur2(key) & 0xFFFFFFFF for key in keys]
    expected = [(reference_murmur2(key) & 0x7FFFFFFF) % partitions for key in keys]
    assert partitions_of(pa.array(keys, pa.binary()), partitions).tolist() == expected


def test_murmur2_has_known_values() -> None:
    """Values from the Java client's own tests (Kafka, UtilsTest.testMurmur2)."""
    known = {b"21": -973932308, b"foobar": -790332482, b"a-little-bit-long-string": -985981536, b"abc": 479470107}
    assert murmur2(list(known)).tolist() == [value & 0xFFFFFFFF for value in known.values()]


@given(st.integers(0, 2**42), st.integers(0, 2**42))
def test_whole_weeks_keep_weekday_and_hour(last_ms: int, now_ms: int) -> None:
    """The last event ends within the week before now, moved by a multiple of seven days."""
    moved_ms = shift_ms(Shift.WHOLE_WEEKS, last_ms, now_ms)
    assert moved_ms % WEEK_MS == 0
    assert 0 <= now_ms - (last_ms + moved_ms) < WEEK_MS


def test_other_shifts() -> None:
    """By default the last event becomes now; `no-shift` leaves it where it is."""
    assert shift_ms(Shift.TO_NOW, 1_000, 5_000) == 4_000
    assert shift_ms(Shift.NONE, 1_000, 5_000) == 0
