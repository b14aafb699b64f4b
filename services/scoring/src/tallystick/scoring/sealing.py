"""Evidence and commitments: what the decision was made on, readable only with its customer's key."""

from collections.abc import Callable, Sequence
from functools import lru_cache
from hashlib import sha256
from struct import Struct
from typing import NamedTuple, cast

from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import (
    ChallengerMargin,
    Contribution,
    Disclosure,
    DisclosureGroup,
    Evidence,
    Explanation,
    FeatureVector,
    Transaction,
    TransactionDetails,
)
from tallystick.scoring.windows import Customer
from tallystick.scoring.wire import SHORT, number_fields, sized, varint
from tallystick.trust.commitments import SALT_SIZE
from tallystick.trust.keyed_hash import keyed_hash

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
    """A batch's evidence by columns: exact values, their SHA-256, and the commitments' digests in the order of `GROUPS`."""

    values: list[bytes]
    digests: list[bytes]
    commitments: list[tuple[bytes, bytes, bytes, bytes]]


class Sealer:
    """Seals evidence.

    Args:
        lookup_key: 32 bytes; the evidence of a transaction is found by HMAC under it.
        randomness: returns so many random bytes (`os.urandom`).
    """

    def __init__(self, lookup_key: bytes, randomness: Randomness) -> None:
        self._lookup = keyed_hash(lookup_key)
        self._randomness = randomness

    def seal(
        self,
        partition: int,
        sequences: Sequence[int],
        transactions: Sequence[Transaction],
        customers: Sequence[Customer],
        features: Sequence[bytes],
        explanations: Sequence[bytes],
        attributes: Sequence[str] = (),
    ) -> Sealed:
        """Return the sealed evidence of a batch of decisions, in order.

        Args:
            partition: where they are.
            sequences: their places in it.
            transactions: what was decided.
            customers: whose transactions; each has its cipher.
            features: serialised `FeatureVector`s.
            explanations: serialised `Explanation`s.
            attributes: names of the transactions' attributes that the evidence has to hold.
        """
        sealed = Sealed([], [], [])
        values, digests, commitments = sealed
        partition_field = Evidence(partition=partition).SerializeToString()
        lookup_of, join, hashed = self._lookup, b"".join, sha256
        # Every row's randomness in one call of the system.
        randomness = _RANDOM.iter_unpack(self._randomness(len(sequences) * _RANDOM.size))
        ciphers = cast("list[tuple[bytes, AESGCM]]", [(customer.key_id, customer.cipher) for customer in customers])
        places = zip(sequences, number_fields("\x20", sequences), strict=True)
        rows = zip(places, transactions, ciphers, features, explanations, randomness, strict=True)
        # One loop does it all, and nearly nothing is called but C: a call for each step would cost as much as the steps.
        for place, transaction, (key_id, cipher), vector, explanation, (salt1, salt2, salt3, salt4, nonce) in rows:
            sequence, sequence_field = place
            transaction_id = transaction.transaction_id
            identity = identity_content(transaction_id, transaction.customer_id)
            details = details_content(transaction)
            if attributes:
                details += attributes_content(transaction, attributes)
            (head1, tag1), (head2, tag2) = _around(1, len(identity)), _around(2, len(details))
            (head3, tag3), (head4, tag4) = _around(3, len(vector)), _around(4, len(explanation))
            body = join((
                head1, salt1, tag1, identity, head2, salt2, tag2, details,
                head3, salt3, tag3, vector, head4, salt4, tag4, explanation,
            ))  # fmt: skip
            lookup = lookup_of(transaction_id.encode())
            ciphertext = cipher.encrypt(nonce, body, key_id + lookup + _place(partition, sequence))
            value = join((
                b"\x0a\x10", key_id, b"\x12\x20", lookup, partition_field, sequence_field,
                b"\x2a\x0c", nonce, _ciphertext_head(len(ciphertext)), ciphertext,
            ))  # fmt: skip
            values.append(value)
            digests.append(hashed(value).digest())
            commitments.append((
                hashed(salt1 + identity).digest(), hashed(salt2 + details).digest(),
                hashed(salt3 + vector).digest(), hashed(salt4 + explanation).digest(),
            ))  # fmt: skip
        return sealed


def identity_content(transaction_id: str, customer_id: str) -> bytes:
    """Return the `identity` group; both ids are of ASCII and not empty."""
    return f"\x0a{SHORT[len(transaction_id)]}{transaction_id}\x12{SHORT[len(customer_id)]}{customer_id}".encode("latin-1")


def details_content(transaction: Transaction) -> bytes:
    """Return the `transaction` group; every text is of ASCII, the currency and the event time are there."""
    text = f"\x12\x03{transaction.currency}\x18{varint(transaction.event_time_ms)}"
    if amount := transaction.amount_minor:
        text = f"\x08{varint(amount)}{text}"
    if terminal := transaction.terminal_id:
        text = f"{text}\x22{SHORT[len(terminal)]}{terminal}"
    if merchant := transaction.merchant_id:
        text = f"{text}\x2a{SHORT[len(merchant)]}{merchant}"
    if source := transaction.source:
        text = f"{text}\x32{SHORT[len(source)]}{source}"
    if number := transaction.source_sequence:
        text = f"{text}\x38{varint(number)}"
    return text.encode("latin-1")


def attributes_content(transaction: Transaction, names: Sequence[str]) -> bytes:
    """Return what the `transaction` group says of these attributes, behind `details_content`."""
    present = transaction.attributes
    return TransactionDetails(attributes={name: present[name] for name in names if name in present}).SerializeToString(
        deterministic=True
    )


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


def challengers_content(recorded: Sequence[tuple[int, int]]) -> bytes:
    """Return what the `explanation` group says of challengers (activation, margin bits), behind `explanation_content`."""
    return Explanation(
        challengers=[ChallengerMargin(activation_index=index, margin_bits=bits) for index, bits in recorded]
    ).SerializeToString()


@lru_cache(maxsize=1 << 12)
def _around(group: int, size: int) -> tuple[bytes, bytes]:
    """Return what stands before and behind the salt in an `EvidenceBody`'s disclosure of a content of this size."""
    empty = Disclosure(group=cast("DisclosureGroup", group), salt=bytes(SALT_SIZE)).SerializeToString()
    behind = sized(b"\x1a", size) if size else b""
    return sized(b"\x0a", len(empty) + len(behind) + size) + empty[:-SALT_SIZE], behind


@lru_cache(maxsize=1 << 12)
def _ciphertext_head(size: int) -> bytes:
    return sized(b"\x32", size)
