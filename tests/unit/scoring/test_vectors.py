"""Feature columns against plain Python: the same float32, to the bit."""

import json
from datetime import UTC, datetime, timedelta
from fractions import Fraction

import numpy as np
import pytest
from google.protobuf.json_format import MessageToJson
from google.protobuf.message import DecodeError

from tallystick.contracts import FeatureVector, Transaction
from tallystick.scoring.vectors import Vectoriser
from tallystick.scoring.windows import DAY_MS
from tallystick.trust.features import FeatureSchema

from .world import CARD, CHAIN_KEYS, JSON, NOW_MS, FakeRecord, Scorer, actives, decisions, open_evidence, stream

HOUR_MS = 3_600_000
SCHEMA = FeatureSchema.parse(CARD)


def moment(time_ms: int) -> datetime:
    """Return the UTC time, by the standard library."""
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(milliseconds=time_ms)


def rounded(number: Fraction | int) -> np.float32:
    """Return an exact number as float64 (Fraction rounds correctly) and then float32."""
    return np.float32(float(number))


def naive_vector(paid: Transaction, before: list[Transaction]) -> list[np.float32]:
    """Return the card schema's vector, from everything that the customer paid before."""
    vector = [rounded(Fraction(paid.amount_minor, 100))]
    when = moment(paid.event_time_ms)
    vector += [rounded(when.weekday() >= 5), rounded(when.hour <= 6)]
    for days in (1, 7, 30):
        start_ms = paid.event_time_ms - days * DAY_MS
        inside = [one.amount_minor for one in [*before, paid] if start_ms < one.event_time_ms <= paid.event_time_ms]
        vector += [rounded(len(inside)), rounded(Fraction(sum(inside), 100 * len(inside)))]
    return vector


def vectors_of(records: list[FakeRecord]) -> dict[int, bytes]:
    """Return the vectors in the evidence, by sequence."""
    scorer = Scorer()
    found = {}
    for item, made, decision in zip(decided := scorer.score(records), records, decisions(decided), strict=True):
        if item.evidence is not None:
            body = open_evidence(item.evidence, (made.key or b"").decode())
            found[decision.sequence] = FeatureVector.FromString(body.disclosures[2].content).values
    return found


def test_vectors_equal_a_naive_computation() -> None:
    """Amounts, weekends, nights, counts and means over a mixed stream of months, late ones and two currencies included."""
    records = stream(700, customers=4)
    found = vectors_of(records)
    history: dict[tuple[str, str], list[Transaction]] = {}
    for offset, values in found.items():
        paid = Transaction.FromString(records[offset].value or b"")
        before = history.setdefault((paid.customer_id, paid.currency), [])
        assert values == np.array(naive_vector(paid, before), "<f4").tobytes()
        before.append(paid)
    assert len(found) > 500


def test_protobuf_and_json_give_the_same_vectors() -> None:
    """The same transactions as JSON, in either spelling of the names, have the same vectors."""
    records = stream(200)
    as_json = []
    for number, made in enumerate(records):
        try:
            paid = Transaction.FromString(made.value or b"")
        except DecodeError:  # broken records stay as they are
            as_json.append(made)
            continue
        value = MessageToJson(paid, preserving_proto_field_name=number % 2 == 0).encode()
        as_json.append(FakeRecord(made.offset, made.timestamp, made.key, value, JSON))
    assert vectors_of(as_json) == vectors_of(records)


def test_an_amount_may_be_a_number_or_a_string_in_json() -> None:
    """Proto3's JSON allows both for 64-bit integers."""
    fields = {"transactionId": "t", "customerId": "customer-1", "currency": "EUR", "eventTimeMs": NOW_MS}
    vectors = [
        vectors_of([FakeRecord(value=json.dumps(fields | {"amountMinor": amount}).encode(), headers=JSON)])[0]
        for amount in (1_250, "1250", 1250.0)
    ]
    assert len(set(vectors)) == 1


@pytest.mark.parametrize("start_ms", [0, -DAY_MS * 400, NOW_MS // DAY_MS * DAY_MS, 4_102_444_800_000])
def test_weekend_and_night_follow_the_calendar(start_ms: int) -> None:
    """Every edge of every hour of a week agrees with the calendar in UTC, before 1970 too."""
    times_ms = [start_ms + hour * HOUR_MS + edge for hour in range(7 * 24) for edge in (-1, 0, 1)]
    rows = len(times_ms)
    matrix = Vectoriser(SCHEMA).matrix(times_ms, [0] * rows, [[1, 0] * 3] * rows, [[]] * rows)
    for time_ms, vector in zip(times_ms, matrix, strict=True):
        when = moment(time_ms)
        assert (vector[1], vector[2]) == (when.weekday() >= 5, when.hour <= 6)


@pytest.mark.parametrize("amount", [0, 1, 29, 16_777_217, 33_554_433, 1_677_721_700 + 50, 10**12 - 1, 10**12])
@pytest.mark.parametrize("count", [1, 3, 7, 2**24 + 1])
def test_division_is_rounded_once_to_float64_and_once_to_float32(amount: int, count: int) -> None:
    """Amounts and means of integers that float32 cannot hold come out as the written formula says."""
    total = min(amount * count + 1, 2**62)
    vector = Vectoriser(SCHEMA).matrix([0], [amount], [[count, total] * 3], [[]])[0]
    assert vector[0] == rounded(Fraction(amount, 100))
    assert vector[3] == rounded(count)
    assert vector[4] == np.float32(float(total) / float(100 * count))


def test_windows_and_attributes_are_found_whatever_their_order() -> None:
    """Columns follow the schema, windows are kept once and shortest first, attributes by name."""
    schema = FeatureSchema.parse(
        b"""{"name": "mixed", "version": 1, "features": [
            {"name": "b", "kind": "attribute", "attribute": "B"},
            {"name": "m7", "kind": "mean_amount", "days": 7},
            {"name": "c2", "kind": "count", "days": 2},
            {"name": "a", "kind": "attribute", "attribute": "A"},
            {"name": "c7", "kind": "count", "days": 7},
            {"name": "amount", "kind": "amount"}
        ]}"""
    )
    vectoriser = Vectoriser(schema)
    assert vectoriser.spans_ms == (2 * DAY_MS, 7 * DAY_MS)
    values = vectoriser.attribute_values(Transaction(attributes={"A": 1.5, "B": -2.5, "C": 9.0}).attributes)
    matrix = vectoriser.matrix([0, 0], [250, 300], [[2, 500, 4, 1_000], [1, 300, 1, 300]], [values, [0.1, 0.2]])
    assert matrix.dtype == np.float32
    assert matrix.tolist() == np.array([[-2.5, 2.5, 2, 1.5, 4, 2.5], [0.1, 3, 1, 0.2, 1, 3]], np.float32).tolist()


def test_reading_attributes_leaves_the_transaction_alone() -> None:
    """A protobuf map creates what is read; asking for a missing attribute must not."""
    paid = Transaction(attributes={"A": 1.0})
    vectoriser = Vectoriser(
        FeatureSchema.parse(b'{"name": "x", "version": 1, "features": [{"name": "b", "kind": "attribute", "attribute": "B"}]}')
    )
    with pytest.raises(ValueError, match="ATTRIBUTE_MISSING"):
        vectoriser.attribute_values(paid.attributes)
    assert dict(paid.attributes) == {"A": 1.0}


def test_windows_of_a_row_are_those_of_its_schema() -> None:
    """`admit` gives count and sum for each of the schema's windows."""
    (row,) = Scorer().partition.admit(stream(1), actives(), CHAIN_KEYS)
    assert row.windows is not None
    assert row.windows[::2] == [1, 1, 1]
