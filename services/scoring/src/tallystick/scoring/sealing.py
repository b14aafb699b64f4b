"""Evidence and commitments: what the decision was made on, readable only with its customer's key.

A batch is sealed at once, in messages that are filled in again for every row: building each row's afresh took three times as
long. The messages end with the batch, because protobuf frees what was filled in before only with the message.
"""

from collections.abc import Callable, Sequence
from hashlib import sha256
from hmac import new as hmac
from struct import Struct
from typing import NamedTuple, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import (
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
from tallystick.scoring.windows import Customer
from tallystick.trust.commitments import SALT_SIZE, commit

Randomness = Callable[[int], bytes]
GROUPS = (
    DisclosureGroup.DISCLOSURE_GROUP_IDENTITY,
    DisclosureGroup.DISCLOSURE_GROUP_TRANSACTION,
    DisclosureGroup.DISCLOSURE_GROUP_FEATURES,
    DisclosureGroup.DISCLOSURE_GROUP_EXPLANATION,
)
"""The disclosure groups, in the order of disclosures and commitments."""

_NONCE_SIZE = 12
_RANDOM = Struct(f"{SALT_SIZE}s" * len(GROUPS) + f"{_NONCE_SIZE}s")
_place = Struct(">IQ").pack


class Sealed(NamedTuple):
    """One decision's evidence: the record's exact value, its SHA-256, and the commitments' digests in the order of `GROUPS`."""

    value: bytes
    digest: bytes
    commitments: list[bytes]


class Sealer:
    """Seals evidence.

    Args:
        lookup_key: 32 bytes; the evidence of a transaction is found by HMAC under it.
        randomness: returns so many random bytes (`os.urandom`).
    """

    def __init__(self, lookup_key: bytes, randomness: Randomness) -> None:
        self._lookup = hmac(lookup_key, digestmod="sha256")
        self._randomness = randomness

    def seal(
        self,
        partition: int,
        sequences: Sequence[int],
        transactions: Sequence[Transaction],
        customers: Sequence[Customer],
        features: Sequence[bytes],
        explanations: Sequence[bytes],
    ) -> list[Sealed]:
        """Return the sealed evidence of a batch of decisions, in order.

        Args:
            partition: where they are.
            sequences: their places in it.
            transactions: what was decided.
            customers: whose transactions; each has its cipher.
            features: serialised `FeatureVector`s.
            explanations: serialised `Explanation`s.
        """
        body = EvidenceBody(disclosures=[Disclosure(group=group) for group in GROUPS])
        disclosures, evidence = tuple(body.disclosures), Evidence(partition=partition)
        identity, details = Identity(), TransactionDetails()
        sealed = []
        # Every row's randomness in one call of the system.
        randomness = _RANDOM.iter_unpack(self._randomness(len(sequences) * _RANDOM.size))
        for sequence, transaction, customer, features_content, explanation, (*salts, nonce) in zip(
            sequences, transactions, customers, features, explanations, randomness, strict=True
        ):
            contents = (*_openings(transaction, identity, details), features_content, explanation)
            commitments = []
            for disclosure, salt, content in zip(disclosures, salts, contents, strict=True):
                disclosure.salt, disclosure.content = salt, content
                commitments.append(commit(salt, content))
            key_id, lookup = cast("bytes", customer.key_id), self._lookup.copy()
            lookup.update(identity.transaction_id.encode())
            evidence.key_id, evidence.lookup, evidence.sequence, evidence.nonce = key_id, lookup.digest(), sequence, nonce
            associated = key_id + evidence.lookup + _place(partition, sequence)
            evidence.ciphertext = cast("AESGCM", customer.cipher).encrypt(nonce, body.SerializeToString(), associated)
            value = evidence.SerializeToString()
            sealed.append(Sealed(value, sha256(value).digest(), commitments))
        return sealed


def _openings(transaction: Transaction, identity: Identity, details: TransactionDetails) -> tuple[bytes, bytes]:
    """Return the groups that come from the transaction; every field of both messages is filled in again."""
    identity.transaction_id = transaction.transaction_id
    identity.customer_id = transaction.customer_id
    details.amount_minor = transaction.amount_minor
    details.currency = transaction.currency
    details.event_time_ms = transaction.event_time_ms
    details.terminal_id = transaction.terminal_id
    details.merchant_id = transaction.merchant_id
    details.source = transaction.source
    details.source_sequence = transaction.source_sequence
    return identity.SerializeToString(), details.SerializeToString()


def feature_contents(schema_digest: bytes, rows: bytes, row_size: int) -> list[bytes]:
    """Return the `features` group of each row.

    Args:
        schema_digest: SHA-256 of the feature schema.
        rows: the vectors, little-endian float32, one behind the other.
        row_size: bytes of one vector.
    """
    # The vectors come last in the message and are all of one size, so what is before them is the same in every row.
    head = FeatureVector(feature_schema_digest=schema_digest, values=bytes(row_size)).SerializeToString()[:-row_size]
    return [head + rows[start : start + row_size] for start in range(0, len(rows), row_size)]


def explanation_content(contributions: Sequence[tuple[str, float]]) -> bytes:
    """Return the `explanation` group: features and their shares of the margin, largest first."""
    return Explanation(
        contributions=[Contribution(feature=name, margin=margin) for name, margin in contributions]
    ).SerializeToString()
