"""Evidence and commitments: what the decision was made on, readable only with its customer's key."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from functools import lru_cache, partial
from itertools import repeat
from operator import add
from struct import Struct
from typing import NamedTuple, cast

import numpy as np
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.contracts import Disclosure, DisclosureGroup, Evidence
from tallystick.scoring.columns import joined, sha256_each
from tallystick.scoring.disclosures import transaction_contents
from tallystick.scoring.windows import Customer
from tallystick.scoring.wire import sized, varint_fields
from tallystick.trust.commitments import SALT_SIZE
from tallystick.trust.keyed_hash import keyed_hash
from tallystick.trust.transactions import Payment

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
    """A batch's evidence by columns: exact values, their SHA-256, and the digests of the commitments, a column a group."""

    values: list[bytes]
    digests: list[bytes]
    commitments: list[list[bytes]]


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
        payments: Sequence[Payment],
        customers: Sequence[Customer],
        features: Sequence[bytes],
        explanations: Callable[[], Sequence[bytes]],
        attributes: Sequence[str] = (),
    ) -> Sealed:
        """Return the sealed evidence of a batch of decisions, in order.

        Args:
            partition: where they are.
            sequences: their places in it.
            payments: what was decided.
            customers: whose payments; each has its cipher.
            features: serialised `FeatureVector`s.
            explanations: gives serialised `Explanation`s; asked when nothing can be done without them any more.
            attributes: names of the payments' attributes that the evidence has to hold.
        """
        # Every row's randomness in one call of the system.
        rows = len(sequences)
        *salts, nonces = zip(*_RANDOM.iter_unpack(self._randomness(rows * _RANDOM.size)), strict=True)
        contents = [*transaction_contents(payments, attributes), features]
        commitments = [sha256_each(map(add, *each)) for each in zip(salts, contents, strict=False)]
        key_ids = cast("list[bytes]", [customer.key_id for customer in customers])
        ciphers = cast("list[AESGCM]", [customer.cipher for customer in customers])
        lookups = [self._lookup(payment.transaction_id.encode()) for payment in payments]
        contents.append(explanations())
        commitments.append(sha256_each(map(add, salts[-1], contents[-1])))
        associated = joined(rows, key_ids, lookups, map(_place, repeat(partition), sequences))
        ciphertexts = [
            cipher.encrypt(nonce, body, bound)
            for cipher, nonce, body, bound in zip(ciphers, nonces, _bodies(salts, contents), associated, strict=True)
        ]
        partition_field = Evidence(partition=partition).SerializeToString()
        sequence_fields = varint_fields(0x20, np.array(sequences, np.uint64))
        columns = (
            *(b"\x0a\x10", key_ids, b"\x12\x20", lookups, partition_field, sequence_fields),
            *(b"\x2a\x0c", nonces, map(_before_ciphertext, map(len, ciphertexts)), ciphertexts),
        )
        values = [*joined(rows, *columns)]
        return Sealed(values, sha256_each(values), commitments)


def _bodies(salts: Sequence[Sequence[bytes]], contents: Sequence[Sequence[bytes]]) -> Iterator[bytes]:
    """Return serialised `EvidenceBody`s, one opening for each of `GROUPS`."""
    columns: list[bytes | Iterable[bytes]] = []
    for group, salt, content in zip(GROUPS, salts, contents, strict=True):
        sizes = [*map(len, content)]
        if sizes.count(sizes[0]) == len(sizes):  # as the vectors are, and the explanations where all is approved
            columns += _before_salt(group, sizes[0]), salt, _behind_salt(sizes[0]), content
        else:
            columns += map(partial(_before_salt, group), sizes), salt, map(_behind_salt, sizes), content
    return joined(len(salts[0]), *columns)


@lru_cache(maxsize=1 << 12)
def _before_salt(group: DisclosureGroup, size: int) -> bytes:
    """Return what stands before the salt in an `EvidenceBody`'s disclosure of a content of this size."""
    empty = Disclosure(group=group, salt=bytes(SALT_SIZE)).SerializeToString()
    return sized(b"\x0a", len(empty) + len(_behind_salt(size)) + size) + empty[:-SALT_SIZE]


@lru_cache(maxsize=1 << 12)
def _behind_salt(size: int) -> bytes:
    """Return what stands between the salt and a content of this size."""
    return sized(b"\x1a", size) if size else b""


@lru_cache(maxsize=1 << 12)
def _before_ciphertext(size: int) -> bytes:
    return sized(b"\x32", size)
