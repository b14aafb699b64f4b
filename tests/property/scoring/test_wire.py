"""Bytes that are written by hand are protobuf's own, at every edge of a varint."""

from dataclasses import replace
from hashlib import sha256

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from hypothesis import given
from hypothesis import strategies as st

from tallystick.contracts import (
    Commitment,
    Decision,
    Disclosure,
    EntryKind,
    Evidence,
    EvidenceBody,
    Identity,
    LogEntry,
    Outcome,
    ReasonCode,
    Transaction,
    TransactionDetails,
)
from tallystick.merkle.hashing import leaf_hash
from tallystick.scoring.coverage import decision_leaf, decision_leaves
from tallystick.scoring.decision_form import DecisionForm
from tallystick.scoring.disclosures import transaction_contents
from tallystick.scoring.sealing import GROUPS, Sealer
from tallystick.scoring.windows import Customer
from tallystick.scoring.wire import sized, varint_fields
from tallystick.trust.rulings import Ruling
from tallystick.trust.transactions import check_fields

from ...unit.scoring.world import active

edges = st.builds(lambda bits, by: max(0, (1 << bits) + by), st.integers(0, 63), st.integers(-2, 2))
uint64 = edges | st.integers(0, 2**64 - 1)
int63 = (edges | st.integers(0, 2**63 - 1)).filter(lambda number: number < 2**63)
names = st.text(st.characters(min_codepoint=0x21, max_codepoint=0x7E), max_size=64)
ids = names.filter(bool)
digests = st.binary(min_size=32, max_size=32)
attribute_names = st.sampled_from(["V1", "V2", "€"])
transactions = st.builds(
    Transaction,
    transaction_id=ids,
    customer_id=ids,
    amount_minor=st.integers(0, 10**12) | edges.filter(lambda number: number <= 10**12),
    currency=st.sampled_from(["EUR", "CHF"]),
    event_time_ms=st.integers(-(2**63), 2**63 - 1).filter(bool) | int63.filter(bool),
    terminal_id=names,
    merchant_id=names,
    source=names,
    source_sequence=uint64,
    attributes=st.dictionaries(attribute_names, st.floats(allow_nan=False, allow_infinity=False), max_size=3),
)


@given(st.lists(uint64, max_size=9) | st.builds(lambda first: list(range(first, first + 9)), int63))
def test_a_column_of_numbers_is_protobufs(numbers: list[int]) -> None:
    """Of one length and of several; 0 is left out."""
    expected = [LogEntry(offset=number).SerializeToString() for number in numbers]
    assert varint_fields(0x20, np.array(numbers, np.uint64)) == expected


@given(st.lists(st.integers(-(2**63), 2**63 - 1), max_size=9))
def test_a_column_of_signed_numbers_is_protobufs(numbers: list[int]) -> None:
    """Negative ones take ten bytes."""
    expected = [LogEntry(timestamp_ms=number).SerializeToString() for number in numbers]
    assert varint_fields(0x28, np.array(numbers, np.int64).view(np.uint64)) == expected


@given(st.integers(0, 2**40))
def test_a_size_is_protobufs(size: int) -> None:
    """It is written as any number is."""
    assert sized(b"\x20", size) == (LogEntry(offset=size).SerializeToString() or b"\x20\0")


@given(st.lists(transactions, min_size=1, max_size=4), st.lists(attribute_names, max_size=3, unique=True))
def test_identity_and_details_are_protobufs(paid: list[Transaction], names: list[str]) -> None:
    """For every transaction that is accepted, with the attributes that are asked for."""
    identities, details = transaction_contents([*map(check_fields, paid)], names)
    for one, identity, detail in zip(paid, identities, details, strict=True):
        assert identity == Identity(transaction_id=one.transaction_id, customer_id=one.customer_id).SerializeToString()
        assert detail == _details(one, names).SerializeToString(deterministic=True)


def _details(paid: Transaction, names: list[str]) -> TransactionDetails:
    named = {name: getattr(paid, name) for name in TransactionDetails.DESCRIPTOR.fields_by_name if name != "attributes"}
    return TransactionDetails(**named, attributes={name: paid.attributes[name] for name in names if name in paid.attributes})


@given(
    transactions,
    st.integers(0, 2**32 - 1),
    uint64,
    st.binary(max_size=2100),
    st.binary(max_size=300),
    st.binary(min_size=76, max_size=76),
)
def test_evidence_is_protobufs(
    paid: Transaction, partition: int, sequence: int, vector: bytes, explanation: bytes, random: bytes
) -> None:
    """Serialised again from what it says, it is the same; what it holds is what went in, under the salts drawn."""
    customer = Customer(paid.customer_id)
    customer.key_id, customer.cipher = b"the key's own id", AESGCM(bytes(32))
    sealed = Sealer(bytes(32), lambda _: random).seal(
        partition, [sequence], [check_fields(paid)], [customer], [vector], lambda: [explanation]
    )
    (value,), (digest,), commitments = sealed
    evidence = Evidence.FromString(value)
    assert evidence.SerializeToString() == value
    assert digest == sha256(value).digest()
    assert (evidence.partition, evidence.sequence, evidence.nonce) == (partition, sequence, random[64:])
    place = partition.to_bytes(4, "big") + sequence.to_bytes(8, "big")
    body = AESGCM(bytes(32)).decrypt(evidence.nonce, evidence.ciphertext, evidence.key_id + evidence.lookup + place)
    contents = (*(column[0] for column in transaction_contents([check_fields(paid)], ())), vector, explanation)
    salts = [random[start : start + 16] for start in range(0, 64, 16)]
    disclosures = [
        Disclosure(group=group, salt=salt, content=content)
        for group, salt, content in zip(GROUPS, salts, contents, strict=True)
    ]
    assert body == EvidenceBody(disclosures=disclosures).SerializeToString()
    assert commitments == [[sha256(salt + content).digest()] for salt, content in zip(salts, contents, strict=True)]


@given(
    st.text(max_size=20),
    st.integers(0, 2**32 - 1),
    uint64,
    uint64,
    digests,
    int63,
    st.sampled_from(Outcome.values()[1:4]),
    st.lists(st.sampled_from(ReasonCode.values()), max_size=70),
    st.lists(st.text(max_size=9), max_size=3),
    st.floats(width=32, allow_nan=False),
    st.integers(0, 2**63),
)
def test_a_decision_is_protobufs(
    topic: str,
    partition: int,
    offset: int,
    sequence: int,
    chain: bytes,
    time_ms: int,
    outcome: Outcome,
    reasons: list[ReasonCode],
    applied: list[str],
    margin: float,
    index: int,
) -> None:
    """Serialised again from what it says, it is the same, and it says what was filled in."""
    in_force = replace(active(), index=index)
    commitments = [sha256(bytes([group])).digest() for group in GROUPS]
    (value,) = DecisionForm(topic, partition, in_force).filled(
        [offset],
        [sequence],
        [chain],
        [time_ms],
        [Ruling(outcome, tuple(reasons), tuple(applied))],
        np.array([margin], np.float32),
        [chain[::-1]],
        [[digest] for digest in commitments],
    )
    decision = Decision.FromString(value)
    assert decision.SerializeToString() == value
    assert decision == Decision(
        source_topic=topic,
        source_partition=partition,
        source_offset=offset,
        sequence=sequence,
        chain=chain,
        decided_at_ms=time_ms,
        outcome=decision.outcome,
        reasons=reasons,
        margin_bits=int(np.float32(margin).view(np.uint32)),
        score=decision.score,
        model_digest=in_force.model_digest,
        policy_digest=in_force.policy_digest,
        feature_schema_digest=in_force.vectoriser.schema.digest,
        activation_index=index,
        evidence_digest=chain[::-1],
        commitments=[Commitment(group=group, digest=digest) for group, digest in zip(GROUPS, commitments, strict=True)],
        applied=applied,
    )
    assert decision.outcome == outcome
    assert decision.HasField("score")


@given(st.integers(0, 2**32 - 1), int63, int63, st.lists(st.binary(max_size=300), max_size=4))
def test_leaves_are_of_protobufs_entries(partition: int, first: int, time_ms: int, values: list[bytes]) -> None:
    """A leaf is the hash of the entry that the notary serialises."""
    leaves = decision_leaves("decisions", partition, first, time_ms, values)
    for place, (leaf, value) in enumerate(zip(leaves, values, strict=True)):
        entry = LogEntry(
            kind=EntryKind.ENTRY_KIND_DECISION,
            topic="decisions",
            partition=partition,
            offset=first + place,
            timestamp_ms=time_ms,
            value=value,
        )
        assert leaf == leaf_hash(entry.SerializeToString())
        assert leaf == decision_leaf("decisions", partition, first + place, time_ms, value)
