"""Bad input, one case a mutation: each is rejected for its own reason and nothing else is disturbed."""

import json
from dataclasses import replace
from typing import Any, NamedTuple

import pytest
from google.protobuf.json_format import MessageToDict

from tallystick.contracts import Decision, Outcome, ReasonCode
from tallystick.scoring.windows import DAY_MS
from tallystick.trust.chain import next_chain, record_digest

from .world import (
    CHAIN_KEYS,
    COMPONENTS,
    JSON,
    LIMITS,
    NOW_MS,
    PARTITION,
    TOPIC,
    FakeRecord,
    Scorer,
    active,
    actives,
    decisions,
    record,
    transaction,
)

HOUR_MS = LIMITS.event_time_tolerance_ms
LONG = "x" * 65


class Case(NamedTuple):
    """A record that is refused, and why."""

    name: str
    reason: str
    record: FakeRecord


def field(name: str, reason: str, **fields: Any) -> Case:
    """Return a protobuf record with these fields wrong."""
    return Case(name, reason, replace(record(**{"event_time_ms": NOW_MS, **fields}), timestamp=NOW_MS))


def raw(
    name: str, reason: str, value: bytes | None, *headers: tuple[str, bytes | None], key: bytes | None = b"customer-1"
) -> Case:
    """Return a record with this value."""
    return Case(name, reason, FakeRecord(value=value, headers=headers, key=key))


def text(name: str, reason: str, value: str) -> Case:
    """Return a JSON record with this value."""
    return raw(name, reason, value.encode(), *JSON)


def json_with(**fields: object) -> str:
    """Return the JSON of a sound transaction, but for the fields given; None leaves one out."""
    sound = MessageToDict(transaction()) | fields
    return json.dumps({name: value for name, value in sound.items() if value is not None})


def attributes(name: str, reason: str, **values: float) -> Case:
    """Return a record with these attributes."""
    return field(name, reason, attributes=values)


SOUND = transaction().SerializeToString()
# With an unknown field, 98, that fills the value up to the limit: tag, length as a varint of three bytes, content.
_ROOM = LIMITS.max_value_bytes - len(SOUND) - 5
PADDED = SOUND + b"\x92\x06" + bytes((_ROOM & 0x7F | 0x80, _ROOM >> 7 & 0x7F | 0x80, _ROOM >> 14)) + bytes(_ROOM)
NO_CUSTOMER = transaction(customer_id=None).SerializeToString()

CASES = [
    raw("null value", "VALUE_NULL", None),
    raw("empty value", "FIELD_MISSING", b""),
    raw("value one byte over the limit", "RECORD_TOO_LARGE", bytes(LIMITS.max_value_bytes + 1)),
    raw("value far over the limit", "RECORD_TOO_LARGE", bytes(5_000_000)),
    # content type
    raw("unknown content type", "CONTENT_TYPE_UNKNOWN", SOUND, ("content-type", b"text/plain")),
    raw("content type with a parameter", "CONTENT_TYPE_UNKNOWN", SOUND, ("content-type", b"application/json; charset=utf-8")),
    raw("null content type", "CONTENT_TYPE_UNKNOWN", SOUND, ("content-type", None)),
    raw("empty content type", "CONTENT_TYPE_UNKNOWN", SOUND, ("content-type", b"")),
    raw("content type of no text", "CONTENT_TYPE_UNKNOWN", SOUND, ("content-type", b"\xff\xfe")),
    raw("repeated content type", "CONTENT_TYPE_UNKNOWN", SOUND, *[("content-type", b"application/x-protobuf")] * 2),
    raw("content types that differ in case", "CONTENT_TYPE_UNKNOWN", SOUND, *JSON, ("Content-Type", b"application/json")),
    # protobuf
    raw("truncated protobuf", "PROTOBUF_MALFORMED", SOUND[:-1]),
    raw("protobuf with a stray byte", "PROTOBUF_MALFORMED", SOUND + b"\xff"),
    raw("no protobuf", "PROTOBUF_MALFORMED", b"\xff" * 40),
    raw("protobuf that says it is longer", "PROTOBUF_MALFORMED", b"\x0a\xff\xff\xff\xff\x07x"),
    raw("deep-nested protobuf groups", "PROTOBUF_MALFORMED", b"\xa3\x06" * 20_000 + b"\xa4\x06" * 1_000),
    raw("invalid UTF-8 in protobuf", "PROTOBUF_MALFORMED", SOUND + b"\x32\x02\xff\xfe"),
    raw("JSON that is called protobuf", "PROTOBUF_MALFORMED", json_with().encode()),
    # JSON
    text("truncated JSON", "JSON_MALFORMED", json_with()[:-1]),
    text("empty JSON", "JSON_MALFORMED", ""),
    text("JSON with something behind it", "JSON_MALFORMED", json_with() + "{}"),
    text("JSON list", "JSON_MALFORMED", "[]"),
    text("JSON null", "JSON_MALFORMED", "null"),
    text("JSON number", "JSON_MALFORMED", "1"),
    text("deep-nested JSON lists", "JSON_MALFORMED", "[" * 50_000),
    text("deep-nested JSON objects", "JSON_MALFORMED", '{"a":' * 9_000 + "1" + "}" * 9_000),
    text("deep-nested JSON inside", "JSON_MALFORMED", '{"attributes":' + "[" * 20_000 + "]" * 20_000 + "}"),
    text("unknown JSON name", "JSON_MALFORMED", json_with(amount=5)),
    text("repeated JSON name", "JSON_MALFORMED", json_with()[:-1] + ', "amountMinor": "1250"}'),
    text("repeated JSON attribute", "JSON_MALFORMED", json_with()[:-1] + ', "attributes": {"a": 1, "a": 1}}'),
    text("JSON name in both spellings", "JSON_MALFORMED", json_with(amount_minor="1250")),
    text("JSON identifier that is a number", "JSON_MALFORMED", json_with(transactionId=5)),
    text("JSON amount with a fraction", "JSON_MALFORMED", json_with(amountMinor=12.5)),
    text("JSON amount in words", "JSON_MALFORMED", json_with(amountMinor="twelve")),
    text("JSON amount that is true", "JSON_MALFORMED", json_with(amountMinor=True)),
    text("JSON amount of 5,000 digits", "JSON_MALFORMED", '{"amountMinor": ' + "9" * 5_000 + "}"),
    text("JSON amount over 64 bits", "JSON_MALFORMED", json_with(amountMinor=2**63)),
    text("JSON attribute over every float", "JSON_MALFORMED", '{"attributes": {"a": 1' + "0" * 400 + "}}"),
    text("JSON attribute that is null", "JSON_MALFORMED", json_with(attributes={"a": None})),
    text("JSON lone surrogate", "JSON_MALFORMED", '{"transactionId": "\\ud800"}'),
    text("JSON lone surrogate in a name", "JSON_MALFORMED", '{"\\ud800": 1}'),
    text("JSON lone surrogate in an attribute's name", "JSON_MALFORMED", '{"attributes": {"\\ud800": 1}}'),
    raw("invalid UTF-8 in JSON", "JSON_MALFORMED", b'{"transactionId": "\xff"}', *JSON),
    raw("JSON with a byte order mark", "JSON_MALFORMED", b"\xef\xbb\xbf" + json_with().encode(), *JSON),
    raw("JSON in UTF-16", "JSON_MALFORMED", json_with().encode("utf-16"), *JSON),
    raw("protobuf that is called JSON", "JSON_MALFORMED", SOUND, *JSON),
    # amounts
    text("amount NaN", "AMOUNT_NOT_FINITE", '{"amountMinor": NaN}'),
    text("amount Infinity", "AMOUNT_NOT_FINITE", '{"amountMinor": Infinity}'),
    text("amount -Infinity", "AMOUNT_NOT_FINITE", '{"amountMinor": -Infinity}'),
    text("amount that overflows to infinity", "AMOUNT_NOT_FINITE", '{"amountMinor": 1e400}'),
    text("amount 'NaN'", "AMOUNT_NOT_FINITE", json_with(amountMinor="NaN")),
    text("amount 'Infinity'", "AMOUNT_NOT_FINITE", json_with(amountMinor="Infinity")),
    text("amount '-Infinity'", "AMOUNT_NOT_FINITE", json_with(amountMinor="-Infinity")),
    text("amount NaN in the other spelling", "AMOUNT_NOT_FINITE", '{"amount_minor": NaN}'),
    field("negative amount", "AMOUNT_NEGATIVE", amount_minor=-1),
    field("smallest amount", "AMOUNT_NEGATIVE", amount_minor=-(2**63)),
    text("negative amount in JSON", "AMOUNT_NEGATIVE", json_with(amountMinor="-1")),
    field("amount one over the largest", "AMOUNT_TOO_LARGE", amount_minor=10**12 + 1),
    text("amount far over the largest in JSON", "AMOUNT_TOO_LARGE", json_with(amountMinor=str(2**63 - 1))),
    # missing fields
    field("no transaction id", "FIELD_MISSING", transaction_id=None),
    field("empty transaction id", "FIELD_MISSING", transaction_id=""),
    raw("no customer id", "FIELD_MISSING", NO_CUSTOMER),
    raw("no customer id and no key", "FIELD_MISSING", NO_CUSTOMER, key=None),
    field("no amount", "FIELD_MISSING", amount_minor=None),
    text(
        "amount null in JSON", "FIELD_MISSING", json_with()[:-1].replace('"amountMinor": "1250"', '"amountMinor": null') + "}"
    ),
    field("no currency", "FIELD_MISSING", currency=None),
    Case("no event time", "FIELD_MISSING", FakeRecord(value=transaction(event_time_ms=None).SerializeToString())),
    text("empty object", "FIELD_MISSING", "{}"),
    # oversized fields
    *(
        field(f"{name} of 65 bytes", "FIELD_TOO_LARGE", **{name: LONG})
        for name in ("transaction_id", "customer_id", "terminal_id", "merchant_id", "source")
    ),
    field("33 letters of two bytes", "FIELD_TOO_LARGE", merchant_id="ä" * 33),
    attributes("257 attributes", "FIELD_TOO_LARGE", **{f"a{place}": 0.0 for place in range(257)}),
    attributes("attribute's name of 65 bytes", "FIELD_TOO_LARGE", **{LONG: 0.0}),
    # characters
    *(
        field(f"{name} with {what}", "FIELD_CHARACTERS", **{name: f"a{character}b"})
        for name in ("transaction_id", "customer_id", "terminal_id", "merchant_id", "source")
        for what, character in (
            ("a newline", "\n"),
            ("NUL", "\0"),
            ("a space", " "),
            ("DEL", "\x7f"),
            ("a letter of two bytes", "ä"),
        )
    ),
    field("trailing newline", "FIELD_CHARACTERS", transaction_id="tx-1\n"),
    field("five names in one", "FIELD_CHARACTERS", transaction_id="a\0b\0c\0d", terminal_id="", merchant_id="", source=""),
    text("control character in JSON", "FIELD_CHARACTERS", json_with(transactionId="tx\u0007")),
    # currency
    field("unknown currency", "CURRENCY_UNKNOWN", currency="EUX"),
    field("currency in lower case", "CURRENCY_UNKNOWN", currency="eur"),
    field("currency that is none", "CURRENCY_UNKNOWN", currency="E" * 50_000),
    # attributes
    attributes("attribute NaN", "ATTRIBUTE_NOT_FINITE", a=float("nan")),
    attributes("attribute infinite", "ATTRIBUTE_NOT_FINITE", a=float("inf")),
    attributes("attribute minus infinite", "ATTRIBUTE_NOT_FINITE", a=float("-inf")),
    text("attribute 'NaN' in JSON", "ATTRIBUTE_NOT_FINITE", json_with(attributes={"a": "NaN"})),
    # time
    field("event time too early", "EVENT_TIME_SKEWED", event_time_ms=NOW_MS - HOUR_MS - 1),
    field("event time too late", "EVENT_TIME_SKEWED", event_time_ms=NOW_MS + HOUR_MS + 1),
    field("event time before time", "EVENT_TIME_SKEWED", event_time_ms=-(2**63)),
    field("event time after time", "EVENT_TIME_SKEWED", event_time_ms=2**63 - 1),
    Case("no time stamp", "EVENT_TIME_SKEWED", replace(record(event_time_ms=-1), timestamp=-1)),
    Case("time stamp before 1970", "EVENT_TIME_SKEWED", replace(record(event_time_ms=5), timestamp=-5)),
    # key and partition
    raw("null key", "KEY_MISMATCH", SOUND, key=None),
    raw("empty key", "KEY_MISMATCH", SOUND, key=b""),
    raw("another's key", "KEY_MISMATCH", SOUND, key=b"customer-2"),
    raw("another known customer's key", "KEY_MISMATCH", SOUND, key=b"known"),
    raw("key of no text", "KEY_MISMATCH", SOUND, key=b"\xff\xfe"),
    field("wrong partition", "PARTITION_MISMATCH", customer_id="elsewhere"),
    # history
    field("repeated transaction id", "TRANSACTION_REPEATED", transaction_id="tx-0", customer_id="known"),
]


def partition_of(key: bytes) -> int:
    """Place everybody here but `elsewhere`."""
    return PARTITION + 1 if key == b"elsewhere" else PARTITION


def known(offset: int, time_ms: int) -> FakeRecord:
    """Return a sound record of the customer `known`."""
    return record(offset, transaction_id=f"tx-{offset}", customer_id="known", event_time_ms=time_ms)


def windows_after(middle: FakeRecord | None) -> list[int] | None:
    """Return the windows of a sound record of each customer behind `middle`."""
    scorer = Scorer(partition_of=partition_of)
    scorer.score([known(0, NOW_MS - 1)] + ([middle] if middle else []))
    rows = scorer.partition.admit([known(2, NOW_MS + 1), record(3, transaction_id="tx-3")], actives(), CHAIN_KEYS)
    assert [row.reason for row in rows] == [None, None]
    return [number for row in rows for number in row.windows or []]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_record_is_rejected_for_its_reason(case: Case) -> None:
    """It gets one decision, REJECTED, with the reason alone and no evidence; it goes to the dead letters as it came."""
    bad = replace(case.record, offset=1)
    scorer = Scorer(partition_of=partition_of)
    before, rejected, after = scorer.score([known(0, NOW_MS - 1), bad, known(2, NOW_MS + 1)])
    decision = Decision.FromString(rejected.decision)
    assert [ReasonCode.Name(reason) for reason in decision.reasons] == [f"REASON_CODE_{case.reason}"]
    assert rejected.rejected is bad
    assert rejected.reason == decision.reasons[0]
    assert rejected.evidence is None
    assert decision == Decision(
        source_topic=TOPIC,
        source_partition=PARTITION,
        source_offset=1,
        sequence=1,
        chain=next_chain(
            CHAIN_KEYS[0],
            Decision.FromString(before.decision).chain,
            record_digest(1, bad.timestamp, bad.key, bad.headers, bad.value),
        ),
        decided_at_ms=bad.timestamp,
        outcome=Outcome.OUTCOME_REJECTED,
        reasons=decision.reasons,
        policy_digest=active().policy_digest,
        activation_index=active().index,
    )
    assert [decision.outcome == Outcome.OUTCOME_REJECTED for decision in decisions((before, after))] == [False, False]
    assert [decision.sequence for decision in decisions((before, after))] == [0, 2]


@pytest.mark.parametrize("case", CASES, ids=[case.name for case in CASES])
def test_bad_record_leaves_the_windows_alone(case: Case) -> None:
    """Whoever comes next sees the history that he would have seen without it."""
    assert windows_after(replace(case.record, offset=1)) == windows_after(None)


EDGES: dict[str, FakeRecord] = {
    "largest amount": record(amount_minor=10**12),
    "amount zero": record(amount_minor=0),
    "names of 64 bytes": record(transaction_id="!" * 64, customer_id="~" * 64, terminal_id="x" * 64, merchant_id="y" * 64),
    "only what is required": record(terminal_id=None, source=None, source_sequence=None),
    "event time at the tolerance, early": replace(record(event_time_ms=NOW_MS - HOUR_MS), timestamp=NOW_MS),
    "event time at the tolerance, late": replace(record(event_time_ms=NOW_MS + HOUR_MS), timestamp=NOW_MS),
    "256 attributes of any size": record(attributes={f"a{place}": 1e300 for place in range(256)}),
    "attribute that nobody asks for": record(attributes={"x" * 64: 0.5}),
    "content type protobuf": replace(record(), headers=(("Content-Type", b" Application/X-Protobuf "),)),
    "other headers": replace(record(), headers=(("trace", None), ("trace", b"\xff"))),
    "JSON": FakeRecord(value=json_with().encode(), headers=JSON),
    "JSON names as in the proto": FakeRecord(value=json_with(amountMinor=None, amount_minor=5).encode(), headers=JSON),
    "value at the limit": replace(record(), value=PADDED),
    "unknown protobuf field": replace(record(), value=SOUND + b"\xa0\x06\x01"),
}


@pytest.mark.parametrize("made", EDGES.values(), ids=EDGES)
def test_good_record_at_the_edge_is_scored(made: FakeRecord) -> None:
    """What is just allowed is scored."""
    (decided,) = Scorer().score([made])
    assert decided.reason is None
    assert decided.evidence is not None
    assert len(PADDED) == LIMITS.max_value_bytes


@pytest.mark.parametrize(
    ("days_ms", "repeated"),
    [(0, True), (1, True), (30 * DAY_MS - 1, True), (30 * DAY_MS, False), (31 * DAY_MS, False), (400 * DAY_MS, False)],
)
def test_transaction_id_comes_back_after_thirty_days(days_ms: int, repeated: bool) -> None:
    """An id is taken for 30 days, to the millisecond, then free again."""
    _, later = Scorer().score([record(0), record(1, event_time_ms=NOW_MS + days_ms)])
    assert (later.reason == ReasonCode.REASON_CODE_TRANSACTION_REPEATED) is repeated


def test_transaction_id_is_a_customers_own() -> None:
    """Two customers may use one id; and a rejected record takes none."""
    broken = replace(record(0), timestamp=0)
    first, *others = Scorer().score([broken, record(1), record(2, customer_id="customer-2")])
    assert first.reason == ReasonCode.REASON_CODE_EVENT_TIME_SKEWED
    assert [other.reason for other in others] == [None, None]


@pytest.mark.parametrize(
    ("values", "reason"),
    [
        ({"V1": 1.0, "V2": 2.0}, None),
        ({"V1": 1.0, "V2": 2.0, "V3": 1e300}, None),
        ({"V1": 3.4028234663852886e38, "V2": -3.4028234663852886e38}, None),
        ({"V1": 1.0}, "ATTRIBUTE_MISSING"),
        ({}, "ATTRIBUTE_MISSING"),
        ({"V1": 1.0, "v2": 2.0}, "ATTRIBUTE_MISSING"),
        ({"V1": 1.0, "V2": 1e39}, "ATTRIBUTE_NOT_FINITE"),
        ({"V1": -1e39, "V2": 1.0}, "ATTRIBUTE_NOT_FINITE"),
        ({"V1": 1.0, "V2": float("nan")}, "ATTRIBUTE_NOT_FINITE"),
    ],
)
def test_attributes_that_the_schema_asks_for(values: dict[str, float], reason: str | None) -> None:
    """Each must be there and fit float32; when one is missing the windows stay and the id stays free."""
    scorer = Scorer(actives(active(schema=COMPONENTS)))
    first, again = scorer.score([record(0, attributes=values), record(1, attributes={"V1": 1.0, "V2": 2.0})])
    assert (first.reason and ReasonCode.Name(first.reason)) == (reason and f"REASON_CODE_{reason}")
    assert again.reason == (ReasonCode.REASON_CODE_TRANSACTION_REPEATED if reason is None else None)


def test_nothing_is_scored_before_an_activation() -> None:
    """A sound record is rejected without a model, policy or activation; a bad one still for its own reason."""
    sound, bad = Scorer(actives(active(effective_at_ms=NOW_MS + 1))).score([record(0), replace(record(1), value=None)])
    assert sound.reason == ReasonCode.REASON_CODE_NO_ACTIVE_MODEL
    assert bad.reason == ReasonCode.REASON_CODE_VALUE_NULL
    for decision in decisions((sound, bad)):
        assert not decision.HasField("activation_index")
        assert (decision.model_digest, decision.policy_digest, decision.evidence_digest) == (b"", b"", b"")


def test_policy_sets_the_limits() -> None:
    """The value's size and the clock's skew are the policy's, not this program's."""
    strict = active(limits=replace(LIMITS, max_value_bytes=len(SOUND) - 1))
    (decided,) = Scorer(actives(strict)).score([record()])
    assert decided.reason == ReasonCode.REASON_CODE_RECORD_TOO_LARGE
    punctual = active(limits=replace(LIMITS, event_time_tolerance_ms=0))
    on_time, late = Scorer(actives(punctual)).score([record(0), replace(record(1), timestamp=NOW_MS + 1)])
    assert on_time.reason is None
    assert late.reason == ReasonCode.REASON_CODE_EVENT_TIME_SKEWED


def test_every_reason_to_reject_has_a_case() -> None:
    """A reason code that is added must be added here."""
    elsewhere = {"ATTRIBUTE_MISSING", "NO_ACTIVE_MODEL"}
    tried = {f"REASON_CODE_{reason}" for reason in elsewhere | {case.reason for case in CASES}}
    assert tried == {name for name, number in ReasonCode.items() if number >= ReasonCode.REASON_CODE_VALUE_NULL}
