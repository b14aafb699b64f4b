"""The core of scoring once more, row by row and message by message: slow, and held equal to the fast one to the byte."""

from collections.abc import Sequence
from hashlib import sha256
from hmac import new as hmac

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import (
    Commitment,
    Contribution,
    Decision,
    Disclosure,
    Evidence,
    EvidenceBody,
    Explanation,
    FeatureVector,
    Identity,
    Outcome,
    ReasonCode,
    TransactionDetails,
)
from tallystick.scoring.engine import Row
from tallystick.scoring.sealing import GROUPS, Randomness
from tallystick.trust.decisions import outcome_of, score_of

from .world import LOOKUP_KEY, PARTITION, TOPIC, customer_key

REASONS = {
    Outcome.OUTCOME_APPROVE: [],
    Outcome.OUTCOME_REVIEW: [ReasonCode.REASON_CODE_MARGIN_REVIEW],
    Outcome.OUTCOME_DECLINE: [ReasonCode.REASON_CODE_MARGIN_DECLINE],
}


def decide(rows: Sequence[Row], randomness: Randomness) -> list[tuple[bytes, bytes | None]]:
    """Return each row's decision and evidence; randomness is drawn row by row: four salts, then the nonce."""
    return [_decide(row, randomness) for row in rows]


def _decide(row: Row, randomness: Randomness) -> tuple[bytes, bytes | None]:
    decision = Decision(
        source_topic=TOPIC,
        source_partition=PARTITION,
        source_offset=row.record.offset,
        sequence=row.sequence,
        chain=row.chain,
        decided_at_ms=row.record.timestamp,
    )
    if row.active is not None:
        decision.policy_digest = row.active.policy_digest
        decision.activation_index = row.active.index
    if row.reason is not None:
        decision.outcome = Outcome.OUTCOME_REJECTED
        decision.reasons.append(row.reason)
        return decision.SerializeToString(), None
    assert row.active is not None
    contents = _score(row, decision)
    salts = [randomness(16) for _ in GROUPS]
    disclosures = [
        Disclosure(group=group, salt=salt, content=content)
        for group, salt, content in zip(GROUPS, salts, contents, strict=True)
    ]
    evidence = _seal(row, EvidenceBody(disclosures=disclosures), randomness(12))
    decision.evidence_digest = sha256(evidence).digest()
    for one in disclosures:
        decision.commitments.append(Commitment(group=one.group, digest=sha256(one.salt + one.content).digest()))
    return decision.SerializeToString(), evidence


def _score(row: Row, decision: Decision) -> list[bytes]:
    paid, active = row.payment, row.active
    assert paid is not None
    assert active is not None
    schema = active.vectoriser.schema
    matrix = active.vectoriser.matrix([paid.event_time_ms], [paid.amount_minor], [row.windows or []], [row.attributes or []])
    margin = active.model.margins(matrix)[0]
    decision.outcome = outcome_of(float(margin), active.policy.statement)
    decision.reasons.extend(REASONS[decision.outcome])
    decision.margin_bits = int(margin.view(np.uint32))
    decision.score = score_of(float(margin))
    decision.model_digest = active.model_digest
    decision.feature_schema_digest = schema.digest
    explanation = Explanation()
    if decision.outcome != Outcome.OUTCOME_APPROVE:
        shares = zip(schema.names, active.model.contributions(matrix)[0].tolist(), strict=True)
        for name, share in sorted(shares, key=lambda one: -abs(one[1]))[:5]:
            explanation.contributions.append(Contribution(feature=name, margin=share))
    messages = (
        Identity(transaction_id=paid.transaction_id, customer_id=paid.customer_id),
        TransactionDetails(
            amount_minor=paid.amount_minor,
            currency=paid.currency,
            event_time_ms=paid.event_time_ms,
            terminal_id=paid.terminal_id,
            merchant_id=paid.merchant_id,
            source=paid.source,
            source_sequence=paid.source_sequence,
        ),
        FeatureVector(feature_schema_digest=schema.digest, values=matrix.astype("<f4").tobytes()),
        explanation,
    )
    return [message.SerializeToString() for message in messages]


def _seal(row: Row, body: EvidenceBody, nonce: bytes) -> bytes:
    assert row.payment is not None
    key_id, key = customer_key(row.payment.customer_id)
    lookup = hmac(LOOKUP_KEY, row.payment.transaction_id.encode(), "sha256").digest()
    place = PARTITION.to_bytes(4, "big") + row.sequence.to_bytes(8, "big")
    ciphertext = AESGCM(key).encrypt(nonce, body.SerializeToString(), key_id + lookup + place)
    return Evidence(
        key_id=key_id, lookup=lookup, partition=PARTITION, sequence=row.sequence, nonce=nonce, ciphertext=ciphertext
    ).SerializeToString()
