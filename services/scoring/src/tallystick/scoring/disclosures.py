"""What evidence discloses: the contents of the disclosure groups, to which a decision commits.

The groups of every row are made by columns (see `wire`); what only a few rows have, protobuf makes.
"""

from collections.abc import Sequence

import numpy as np

from tallystick.contracts import ChallengerMargin, Contribution, Explanation, FeatureVector, TransactionDetails
from tallystick.scoring.columns import joined
from tallystick.scoring.wire import SIZES, varint_fields
from tallystick.trust.transactions import CURRENCIES, Payment

_CURRENCIES = {code: TransactionDetails(currency=code).SerializeToString() for code in CURRENCIES}


def transaction_contents(payments: Sequence[Payment], names: Sequence[str]) -> tuple[list[bytes], list[bytes]]:
    """Return the `identity` and the `transaction` group of each row.

    Args:
        payments: at least one.
        names: of the attributes that the `transaction` group has to hold.
    """
    ids, customers, amounts, currencies, times, terminals, merchants, sources, numbers, attributes = zip(*payments, strict=True)
    columns = [
        varint_fields(0x08, np.array(amounts, np.uint64)),
        map(_CURRENCIES.__getitem__, currencies),
        varint_fields(0x18, np.array(times, np.int64).view(np.uint64)),
        map(_places, terminals, merchants, sources),
        varint_fields(0x38, np.array(numbers, np.uint64)),
    ]
    if names:
        columns.append(
            TransactionDetails(attributes={name: known[name] for name in names if name in known}).SerializeToString(
                deterministic=True
            )
            for known in attributes
        )
    return [*map(_identity, ids, customers)], [*joined(len(payments), *columns)]


def _identity(transaction_id: str, customer_id: str) -> bytes:
    return f"\x0a{SIZES[len(transaction_id)]}{transaction_id}\x12{SIZES[len(customer_id)]}{customer_id}".encode()


def _places(terminal: str, merchant: str, source: str) -> bytes:
    text = f"\x22{SIZES[len(terminal)]}{terminal}" if terminal else ""
    if merchant:
        text = f"{text}\x2a{SIZES[len(merchant)]}{merchant}"
    if source:
        text = f"{text}\x32{SIZES[len(source)]}{source}"
    return text.encode()


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
