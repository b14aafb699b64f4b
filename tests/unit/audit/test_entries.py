"""Log entries read and described for people."""

import json

import pytest

from tallystick.audit.api import examples
from tallystick.audit.api.schemas import ConsistencyAnswer, DecisionAnswer, Logs
from tallystick.audit.api.schemas import Decision as DecisionSchema
from tallystick.audit.entries import EntryError, Place, describe, group_name, parse_decision, parse_governance
from tallystick.contracts import Commitment, Decision, DisclosureGroup, EntryKind, LogEntry, Outcome, ReasonCode
from tallystick.merkle.hashing import leaf_hash
from tallystick.trust.bundle_format import parse_bundle

DECISION = Decision(
    source_topic="transactions",
    source_partition=3,
    source_offset=9,
    sequence=7,
    chain=bytes(32),
    decided_at_ms=1_700_000_000_123,
    outcome=Outcome.OUTCOME_REVIEW,
    reasons=[ReasonCode.REASON_CODE_MARGIN_REVIEW],
    margin_bits=0x3F9D70A4,
    score=774,
    model_digest=b"m" * 32,
    activation_index=2,
    evidence_digest=b"e" * 32,
    commitments=[Commitment(group=DisclosureGroup.DISCLOSURE_GROUP_FEATURES, digest=b"c" * 32)],
)


def entry(value: bytes, kind: EntryKind = EntryKind.ENTRY_KIND_DECISION) -> bytes:
    """Wrap a record's value as the log does."""
    return LogEntry(
        kind=kind, topic="decisions", partition=3, offset=7, timestamp_ms=1_700_000_000_500, value=value
    ).SerializeToString()


def test_describe() -> None:
    """A decision is described by names, hex digests and its margin both as bits and as a number."""
    logged = parse_decision(41, entry(DECISION.SerializeToString()))
    plain = describe(logged)
    assert logged.place == Place(3, 7)
    assert plain["outcome"] == "REVIEW"
    assert plain["reasons"] == ["MARGIN_REVIEW"]
    assert plain["margin"] == {"bits": "3f9d70a4", "value": pytest.approx(1.23)}
    assert plain["decided_at"] == "2023-11-14T22:13:20.123Z"
    assert plain["leaf_hash"] == leaf_hash(logged.entry).hex()
    assert plain["policy_digest"] is None
    assert plain["commitments"] == {"features": (b"c" * 32).hex()}
    DecisionSchema.model_validate(plain)


def test_describe_what_later_versions_say() -> None:
    """Codes that are not known yet keep their numbers, odd numbers and times do not break the answer."""
    odd = Decision(decided_at_ms=2**62, margin_bits=0x7FC00000)
    odd.MergeFromString(b"\x38\x63\x42\x02\xe7\x07")  # outcome 99, reasons [999]
    plain = describe(parse_decision(0, entry(odd.SerializeToString())))
    assert plain["outcome"] == "UNKNOWN_99"
    assert plain["reasons"] == ["UNKNOWN_999"]
    assert plain["margin"] == {"bits": "7fc00000", "value": None}
    assert plain["decided_at"] is None
    assert plain["score"] is None
    DecisionSchema.model_validate(plain)
    assert group_name(17) == "unknown_17"


@pytest.mark.parametrize(
    "data",
    [b"\xff", entry(b"\xff"), entry(b"", EntryKind.ENTRY_KIND_MALFORMED), entry(b"", EntryKind.ENTRY_KIND_MODEL_VERSION)],
)
def test_entries_that_are_no_decision(data: bytes) -> None:
    """What is not a decision is told so, with its index."""
    with pytest.raises(EntryError, match="41"):
        parse_decision(41, data)


def test_governance_entries() -> None:
    """A governance entry must be of the kind that is expected."""
    data = entry(b"value", EntryKind.ENTRY_KIND_ACTIVATION)
    assert parse_governance(1, data, EntryKind.ENTRY_KIND_ACTIVATION) == b"value"
    with pytest.raises(EntryError):
        parse_governance(1, data, EntryKind.ENTRY_KIND_MODEL_VERSION)
    with pytest.raises(EntryError):
        parse_governance(1, b"\xff", EntryKind.ENTRY_KIND_MODEL_VERSION)


def test_examples_are_answers() -> None:
    """The examples in the OpenAPI document have the shapes that the document declares."""
    DecisionAnswer.model_validate(examples.DECISION)
    Logs.model_validate(examples.LOGS)
    ConsistencyAnswer.model_validate(examples.CONSISTENCY)
    parse_bundle(json.dumps(examples.BUNDLE).encode())
