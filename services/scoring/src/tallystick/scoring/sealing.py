"""Evidence and commitments: what the decision was made on, readable only with its customer's key."""

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import digest as hmac_digest
from struct import Struct
from typing import NamedTuple

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import (
    Commitment,
    Contribution,
    Disclosure,
    DisclosureGroup,
    Evidence,
    EvidenceBody,
    Explanation,
    FeatureVector,
    Identity,
    Transaction,
    TransactionDetails,
)
from tallystick.trust.commitments import SALT_SIZE, commit

Randomness = Callable[[int], bytes]
_NONCE_SIZE = 12
_RANDOM_SIZE = 4 * SALT_SIZE + _NONCE_SIZE
_place = Struct(">IQ").pack

_IDENTITY = DisclosureGroup.DISCLOSURE_GROUP_IDENTITY
_TRANSACTION = DisclosureGroup.DISCLOSURE_GROUP_TRANSACTION
_FEATURES = DisclosureGroup.DISCLOSURE_GROUP_FEATURES
_EXPLANATION = DisclosureGroup.DISCLOSURE_GROUP_EXPLANATION


class Sealed(NamedTuple):
    """One decision's evidence: the record's exact value, its SHA-256, and the commitments."""

    value: bytes
    digest: bytes
    commitments: list[Commitment]


class Sealer:
    """Seals evidence.

    Args:
        lookup_key: 32 bytes; the evidence of a transaction is found by HMAC under it.
        randomness: returns so many random bytes (`os.urandom`).
    """

    def __init__(self, lookup_key: bytes, randomness: Randomness) -> None:
        self._lookup_key = lookup_key
        self._randomness = randomness

    def randomness(self, rows: int) -> list[bytes]:
        """Return random bytes for so many rows, drawn at once."""
        drawn = self._randomness(rows * _RANDOM_SIZE)
        return [drawn[start : start + _RANDOM_SIZE] for start in range(0, len(drawn), _RANDOM_SIZE)]

    def seal(
        self,
        transaction: Transaction,
        features: bytes,
        explanation: bytes,
        key_id: bytes,
        cipher: AESGCM,
        partition: int,
        sequence: int,
        random: bytes,
    ) -> Sealed:
        """Return the sealed evidence of one decision.

        Args:
            transaction: what was decided.
            features: a serialised `FeatureVector`.
            explanation: a serialised `Explanation`.
            key_id: the customer's key, by its id.
            cipher: the customer's key.
            partition: the decision's place.
            sequence: the decision's place.
            random: one row of `randomness`, used once.
        """
        contents = (
            (_IDENTITY, Identity(transaction_id=transaction.transaction_id, customer_id=transaction.customer_id)),
            (
                _TRANSACTION,
                TransactionDetails(
                    amount_minor=transaction.amount_minor,
                    currency=transaction.currency,
                    event_time_ms=transaction.event_time_ms,
                    terminal_id=transaction.terminal_id,
                    merchant_id=transaction.merchant_id,
                    source=transaction.source,
                    source_sequence=transaction.source_sequence,
                ),
            ),
        )
        groups = [(group, message.SerializeToString()) for group, message in contents]
        groups += ((_FEATURES, features), (_EXPLANATION, explanation))
        disclosures, commitments = [], []
        at = 0
        for group, content in groups:
            salt = random[at : at + SALT_SIZE]
            at += SALT_SIZE
            disclosures.append(Disclosure(group=group, salt=salt, content=content))
            commitments.append(Commitment(group=group, digest=commit(salt, content)))
        lookup = hmac_digest(self._lookup_key, transaction.transaction_id.encode(), "sha256")
        nonce = random[at:]
        body = EvidenceBody(disclosures=disclosures).SerializeToString()
        value = Evidence(
            key_id=key_id,
            lookup=lookup,
            partition=partition,
            sequence=sequence,
            nonce=nonce,
            ciphertext=cipher.encrypt(nonce, body, key_id + lookup + _place(partition, sequence)),
        ).SerializeToString()
        return Sealed(value, sha256(value).digest(), commitments)


def feature_contents(schema_digest: bytes, rows: Sequence[bytes]) -> list[bytes]:
    """Return the `features` group of each row; `rows` are little-endian float32 vectors."""
    return [FeatureVector(feature_schema_digest=schema_digest, values=row).SerializeToString() for row in rows]


def explanation_content(contributions: Sequence[tuple[str, float]]) -> bytes:
    """Return the `explanation` group: features and their shares of the margin, largest first."""
    return Explanation(
        contributions=[Contribution(feature=name, margin=margin) for name, margin in contributions]
    ).SerializeToString()
