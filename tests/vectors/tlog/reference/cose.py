"""COSE receipts (RFC 9942) in the naivest CBOR (RFC 8949): an encoder, and a decoder of what deterministic encoding allows."""

from dataclasses import dataclass
from hashlib import sha256
from typing import Any

from .ed25519 import verify
from .tree import root_from_inclusion, roots_from_consistency

ALG, KID, CLAIMS, VDS, PROOFS, SIZE = 1, 4, 15, 395, 396, -65537


@dataclass(frozen=True)
class Tag:
    """A tagged value."""

    number: int
    value: Any


@dataclass(frozen=True)
class Raw:
    """Bytes that are put where a value is called for, as they are."""

    data: bytes


def head(major: int, number: int) -> bytes:
    """Return the shortest head of a data item."""
    if number < 24:
        return bytes([major << 5 | number])
    size = next(size for size in (1, 2, 4, 8) if number < 1 << 8 * size)
    return bytes([major << 5 | 23 + size.bit_length()]) + number.to_bytes(size, "big")


def encode(value: Any) -> bytes:
    """Encode; maps by the order of their encoded keys (RFC 8949 §4.2.1)."""
    if value is None or isinstance(value, bool):
        return {None: b"\xf6", False: b"\xf4", True: b"\xf5"}[value]
    if isinstance(value, Raw):
        return value.data
    if isinstance(value, Tag):
        return head(6, value.number) + encode(value.value)
    if isinstance(value, int):
        return head(0, value) if value >= 0 else head(1, -1 - value)
    if isinstance(value, bytes):
        return head(2, len(value)) + value
    if isinstance(value, str):
        return head(3, len(value.encode())) + value.encode()
    if isinstance(value, dict):
        pairs = sorted((encode(key), encode(item)) for key, item in value.items())
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    return head(4, len(value)) + b"".join(map(encode, value))


def decode(data: bytes) -> Any:
    """Decode one data item that is all of the data, and that `encode` would write the same.

    Raises:
        ValueError: it is not that.
    """
    if len(data) > 10_000:
        raise ValueError("too long")
    value, rest = _decode(data, 0)
    if rest or encode(value) != data:
        raise ValueError("trailing bytes, or another spelling")
    return value


def _decode(data: bytes, depth: int) -> tuple[Any, bytes]:
    if not data or depth > 8:
        raise ValueError("nothing, or nested too deep")
    major, low, rest = data[0] >> 5, data[0] & 31, data[1:]
    if major == 7:
        if low not in {20, 21, 22}:
            raise ValueError("a float, or a simple value that is not known")
        return {20: False, 21: True, 22: None}[low], rest
    size = {24: 1, 25: 2, 26: 4, 27: 8}.get(low, 0)
    if low > 27 or len(rest) < size:
        raise ValueError("indefinite, or cut short")
    number, rest = (int.from_bytes(rest[:size], "big") if size else low), rest[size:]
    if major < 2:
        return (number, rest) if major == 0 else (-1 - number, rest)
    if number > len(rest) and major != 6:
        raise ValueError("cut short")
    if major < 4:
        return (rest[:number] if major == 2 else rest[:number].decode()), rest[number:]
    if major == 6:
        value, rest = _decode(rest, depth + 1)
        return Tag(number, value), rest
    items = []
    for _ in range(number if major == 4 else 2 * number):
        item, rest = _decode(rest, depth + 1)
        items.append(item)
    if major == 4:
        return items, rest
    if len({encode(key) for key in items[::2]}) != number:
        raise ValueError("a key twice")
    return dict(zip(items[::2], items[1::2], strict=True)), rest


def key_id(public: bytes) -> bytes:
    """Return the thumbprint of an Ed25519 key (RFC 9679)."""
    return sha256(encode({1: 1, -1: 6, -2: public})).digest()


def signed_bytes(protected: bytes, root: bytes) -> bytes:
    """Return the Sig_structure of RFC 9052 §4.4, the root being the payload."""
    return encode(["Signature1", protected, b"", root])


def verify_receipt(data: bytes, kind: int, start: bytes, origin: str, public: bytes) -> bytes | None:
    """Verify a receipt of inclusion (kind -1, from a leaf hash) or consistency (-2, from the old root): the root, or None."""
    try:
        receipt = decode(data)
        protected, unprotected, payload, signature = receipt.value
        header = decode(protected)
        [inner] = unprotected[PROOFS][kind]
        first, second, path = decode(inner)
    except (ValueError, LookupError, TypeError, AttributeError):
        return None
    size = second if kind == -2 else first
    wanted = {ALG: -19, KID: key_id(public), CLAIMS: {1: origin}, VDS: 1, SIZE: size}
    if receipt.number != 18 or payload is not None or encode(header) != encode(wanted) or not path:
        return None
    if encode(unprotected) != encode({PROOFS: {kind: [inner]}}) or not all(isinstance(h, bytes) and len(h) == 32 for h in path):
        return None
    if not all(type(number) is int and 0 <= number < 2**63 for number in (first, second)):
        return None
    root = _root(kind, first, second, path, start)
    if root is None or not isinstance(signature, bytes) or not verify(public, signed_bytes(protected, root), signature):
        return None
    return root


def _root(kind: int, first: int, second: int, path: list[bytes], start: bytes) -> bytes | None:
    if kind == -1:
        return root_from_inclusion(second, first, start, path)
    roots = roots_from_consistency(first, second, path, start) if 0 < first < second else None
    return roots[1] if roots and roots[0] == start else None
