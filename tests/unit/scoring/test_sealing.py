"""Evidence: it opens every commitment, only with its customer's key and in its own place, and repeats nothing."""

from hashlib import sha256
from hmac import new as hmac
from random import Random
from typing import Any

import pytest
from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import (
    Decision,
    DisclosureGroup,
    Evidence,
    EvidenceBody,
    Explanation,
    FeatureVector,
    Identity,
    Outcome,
    Transaction,
    TransactionDetails,
)
from tallystick.scoring.engine import Decided
from tallystick.scoring.sealing import GROUPS, Sealer
from tallystick.scoring.windows import Customer
from tallystick.trust.commitments import open_commitment
from tallystick.trust.transactions import check_fields

from .world import LOOKUP_KEY, PARTITION, FakeRecord, Scorer, active, customer_key, open_evidence, stream, transaction

RECORDS = stream(300)


@pytest.fixture(scope="module")
def accepted() -> list[tuple[FakeRecord, Decided, Decision, Evidence]]:
    """Score a mixed stream and return what was accepted."""
    return [
        (made, item, Decision.FromString(item.decision), Evidence.FromString(item.evidence))
        for made, item in zip(RECORDS, Scorer().score_by(64, RECORDS), strict=True)
        if item.evidence is not None
    ]


Accepted = list[tuple[FakeRecord, Decided, Decision, Evidence]]


def test_every_commitment_opens(accepted: Accepted) -> None:
    """The evidence discloses each group that the decision commits to, in order, once."""
    for made, item, decision, _ in accepted:
        body = open_evidence(item.evidence or b"", (made.key or b"").decode())
        assert [commitment.group for commitment in decision.commitments] == list(GROUPS)
        assert [disclosure.group for disclosure in body.disclosures] == list(GROUPS)
        for commitment, disclosure in zip(decision.commitments, body.disclosures, strict=True):
            open_commitment(commitment.digest, disclosure.salt, disclosure.content)
    assert {group for group in DisclosureGroup.values() if group} == set(GROUPS)


def test_disclosures_hold_what_was_decided(accepted: Accepted) -> None:
    """Identity and details are the transaction's, the schema is the decision's, and what is not approved is explained."""
    for made, item, decision, _ in accepted:
        paid = Transaction.FromString(made.value or b"")
        identity, details, features, explanation = [
            disclosure.content for disclosure in open_evidence(item.evidence or b"", paid.customer_id).disclosures
        ]
        assert Identity.FromString(identity) == Identity(transaction_id=paid.transaction_id, customer_id=paid.customer_id)
        named = {name: getattr(paid, name) for name in TransactionDetails.DESCRIPTOR.fields_by_name}
        assert TransactionDetails.FromString(details) == TransactionDetails(**named)
        vector = FeatureVector.FromString(features)
        assert vector.feature_schema_digest == decision.feature_schema_digest
        assert len(vector.values) == 4 * 9
        shares = [abs(one.margin) for one in Explanation.FromString(explanation).contributions]
        assert shares == sorted(shares, reverse=True)
        assert len(shares) == (0 if decision.outcome == Outcome.OUTCOME_APPROVE else 5)
    assert {decision.outcome for _, _, decision, _ in accepted} == {1, 2, 3}


def test_decision_names_the_exact_evidence(accepted: Accepted) -> None:
    """The digest is over the record's value as it is sent; place, lookup and key id are in the clear."""
    for made, item, decision, evidence in accepted:
        assert decision.evidence_digest == sha256(item.evidence or b"").digest()
        assert (evidence.partition, evidence.sequence) == (PARTITION, decision.sequence)
        identifier = Transaction.FromString(made.value or b"").transaction_id
        assert evidence.lookup == hmac(LOOKUP_KEY, identifier.encode(), "sha256").digest()
        assert evidence.key_id == customer_key((made.key or b"").decode())[0]


@pytest.mark.parametrize(
    ("changed", "to"),
    [("key_id", bytes(16)), ("lookup", bytes(32)), ("partition", PARTITION + 1), ("sequence", 2**40), ("nonce", bytes(12))],
)
def test_evidence_is_bound_to_its_header(accepted: Accepted, changed: str, to: Any) -> None:
    """AES-GCM's associated data: evidence moved to another place, key or lookup does not decrypt."""
    made, item, _, _ = accepted[7]
    moved = Evidence.FromString(item.evidence or b"")
    setattr(moved, changed, to)
    with pytest.raises(InvalidTag):
        open_evidence(moved.SerializeToString(), (made.key or b"").decode())


def test_evidence_opens_with_its_customers_key_alone(accepted: Accepted) -> None:
    """Another customer's key does not decrypt it."""
    made, item, _, _ = accepted[7]
    assert made.key != b"somebody"
    with pytest.raises(InvalidTag):
        open_evidence(item.evidence or b"", "somebody")


def test_nothing_random_repeats(accepted: Accepted) -> None:
    """Nonces and salts are all different: within a row, within a batch and between batches."""
    random = [evidence.nonce for *_, evidence in accepted]
    for made, item, _, _ in accepted:
        random += [one.salt for one in open_evidence(item.evidence or b"", (made.key or b"").decode()).disclosures]
    assert {len(one) for one in random} == {12, 16}
    assert len(set(random)) == len(random) == 5 * len(accepted)


def test_randomness_is_what_was_drawn() -> None:
    """All of it comes from the source that is given, each byte used once, one draw a batch."""
    drawn: list[bytes] = []

    def draw(size: int) -> bytes:
        drawn.append(Random(len(drawn)).randbytes(size))
        return drawn[-1]

    customer = Customer("c")
    customer.key_id, customer.cipher = bytes(16), AESGCM(bytes(32))
    sealer = Sealer(LOOKUP_KEY, draw)
    paid = [check_fields(transaction(transaction_id=f"tx-{place}", customer_id="c")) for place in range(3)]
    used = b""
    for value in sealer.seal(0, [0, 1, 2], paid, [customer] * 3, [b"f"] * 3, lambda: [b""] * 3).values:
        evidence = Evidence.FromString(value)
        associated = evidence.key_id + evidence.lookup + bytes(4) + evidence.sequence.to_bytes(8, "big")
        body = AESGCM(bytes(32)).decrypt(evidence.nonce, evidence.ciphertext, associated)
        used += b"".join(one.salt for one in EvidenceBody.FromString(body).disclosures) + evidence.nonce
    assert drawn == [used]


def test_decision_says_nothing_about_a_person() -> None:
    """Neither identifiers nor amounts, times of payment, places nor features are in a decision, in any usual form."""
    amount, event_time_ms = 987_654_321_012, 1_699_999_123_457
    paid = Transaction(
        transaction_id="transaction-of-ada",
        customer_id="customer-ada",
        amount_minor=amount,
        currency="CHF",
        event_time_ms=event_time_ms,
        terminal_id="terminal-ada",
        merchant_id="merchant-ada",
        source="source-ada",
        source_sequence=123_456_789_012,
    )
    made = FakeRecord(0, event_time_ms + 1_000_000, b"customer-ada", paid.SerializeToString())
    (item,) = Scorer().score([made])
    fields = TransactionDetails(amount_minor=amount, event_time_ms=event_time_ms, source_sequence=123_456_789_012)
    secrets = [b"ada", b"CHF", b"transaction-", str(amount).encode(), *_numbers(fields)]
    vector = FeatureVector.FromString(open_evidence(item.evidence or b"", "customer-ada").disclosures[2].content).values
    secrets += [vector[:4], vector[16:20], sha256(b"customer-ada").digest(), sha256(made.value or b"").digest()]
    for secret in secrets:
        assert secret not in item.decision
        assert secret not in (item.evidence or b"")
    assert item.rejected is None


def _numbers(details: TransactionDetails) -> list[bytes]:
    """Return each number as a varint and in both byte orders."""
    forms = []
    for _, value in details.ListFields():
        varint = TransactionDetails(amount_minor=value).SerializeToString()[1:]
        forms += [varint, value.to_bytes(6, "big"), value.to_bytes(6, "little")]
    return forms


@pytest.mark.parametrize("broken", [b"", b"{", b"customer-ada paid 987654"])
def test_rejection_says_nothing_of_the_record(broken: bytes) -> None:
    """Not even when the record is broken: the reason is a code, the chain a keyed hash."""
    (item,) = Scorer(actives=Scorer().actives).score([FakeRecord(0, key=b"customer-ada", value=broken)])
    assert b"ada" not in item.decision
    assert sha256(broken).digest() not in item.decision
    assert len(item.decision) < 200


def test_active_is_what_the_decision_names(accepted: Accepted) -> None:
    """Model, policy and schema digests and the activation's index are those in force."""
    expected = active()
    for *_, decision, _ in accepted:
        assert decision.model_digest == expected.model_digest
        assert decision.policy_digest == expected.policy_digest
        assert decision.feature_schema_digest == expected.vectoriser.schema.digest
        assert decision.activation_index == expected.index
