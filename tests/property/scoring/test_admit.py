"""Whatever lies in the topic, a partition goes on: no bytes make `admit` or `decide` raise."""

import json
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.contracts import Outcome, ReasonCode
from tallystick.scoring.engine import Partition
from tallystick.trust.decisions import check_decision

from ...unit.scoring.world import (
    CHAIN_KEYS,
    JSON,
    NOW_MS,
    PARTITION,
    TOPIC,
    FakeRecord,
    Scorer,
    actives,
    decisions,
    transaction,
)
from ...unit.trust.helpers import trust_policy

SOUND = transaction().SerializeToString()
TRUST = trust_policy()
int64 = st.integers(-(2**63), 2**63 - 1)
content_types = st.sampled_from([b"application/json", b"application/x-protobuf", b"text/plain", None]) | st.binary(max_size=20)
headers = st.lists(
    st.tuples(st.sampled_from(["content-type", "Content-Type"]) | st.text(max_size=9), content_types), max_size=3
)
keys = st.none() | st.just(b"customer-1") | st.binary(max_size=70)
times_ms = st.just(NOW_MS) | int64

names = st.sampled_from(
    [
        "transactionId",
        "customerId",
        "customer_id",
        "amountMinor",
        "amount_minor",
        "currency",
        "eventTimeMs",
        "attributes",
        "@type",
    ]
)
anything = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats()
    | st.text()
    | st.sampled_from(["NaN", 10**400, 2**64, "\ud800", "1e3"]),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names | st.text(max_size=3), inner, max_size=3),
    max_leaves=6,
)


@st.composite
def damaged(draw: st.DrawFn) -> bytes:
    """Draw a sound transaction with a few bytes changed, cut out or put in."""
    value = bytearray(SOUND)
    for _ in range(draw(st.integers(1, 3))):
        start = draw(st.integers(0, len(value)))
        value[start : start + draw(st.integers(0, 3))] = draw(st.binary(max_size=3))
    return bytes(value)


def decide_one(made: FakeRecord) -> None:
    """Decide a record between two sound ones, and check all three."""
    scorer = Scorer()
    before = FakeRecord(max(made.offset - 1, 0), value=transaction(transaction_id="before").SerializeToString())
    after = FakeRecord(made.offset + 1, value=transaction(transaction_id="after").SerializeToString())
    decided = scorer.score([before, made, after])
    first, middle, last = decisions(decided)
    assert [one.sequence for one in (first, middle, last)] == [0, 1, 2]
    assert last.outcome != Outcome.OUTCOME_REJECTED
    for one in (first, middle, last):
        check_decision(one, TRUST)
    if middle.outcome == Outcome.OUTCOME_REJECTED:
        assert [ReasonCode.Name(reason) for reason in middle.reasons]
        assert decided[1].rejected is made


@settings(max_examples=300, deadline=None)
@given(st.none() | st.binary(max_size=300), keys, headers, times_ms)
def test_any_record_is_decided(value: bytes | None, key: bytes | None, headers: Any, timestamp_ms: int) -> None:
    """Random keys, values, headers and time stamps."""
    decide_one(FakeRecord(1, timestamp_ms, key, value, headers))


@settings(max_examples=500, deadline=None)
@given(damaged())
def test_damaged_protobuf_is_decided(value: bytes) -> None:
    """Bytes close to a sound transaction get further in."""
    decide_one(FakeRecord(1, value=value))


@settings(max_examples=500, deadline=None)
@given(st.dictionaries(names, anything, max_size=5), st.booleans())
def test_any_json_is_decided(fields: dict[str, Any], filled: bool) -> None:
    """JSON of any shape under the names that a transaction has."""
    sound = {"transactionId": "tx-1", "customerId": "customer-1", "amountMinor": 5, "currency": "EUR", "eventTimeMs": NOW_MS}
    decide_one(FakeRecord(1, value=json.dumps(sound | fields if filled else fields).encode(), headers=JSON))


@settings(max_examples=300, deadline=None)
@given(st.text(alphabet='[]{},:"0123456789.eE+-\\u tfalsn', max_size=60))
def test_anything_like_json_is_decided(text: str) -> None:
    """Text of JSON's own characters."""
    decide_one(FakeRecord(1, value=text.encode(), headers=JSON))


@settings(max_examples=200, deadline=None)
@given(st.lists(st.tuples(int64, int64, st.text(max_size=3), st.text(max_size=3)), max_size=20))
def test_extreme_numbers_move_the_windows_without_harm(rows: list[tuple[int, int, str, str]]) -> None:
    """Times and amounts anywhere in 64 bits, stamped to fit."""
    partition = Partition(TOPIC, PARTITION, lambda _: PARTITION)
    records = [
        FakeRecord(
            offset,
            time_ms,
            customer.encode(),
            transaction(
                transaction_id=identifier, customer_id=customer, amount_minor=amount, event_time_ms=time_ms
            ).SerializeToString(),
        )
        for offset, (time_ms, amount, customer, identifier) in enumerate(rows)
    ]
    assert len(partition.admit(records, actives(), CHAIN_KEYS)) == len(rows)
