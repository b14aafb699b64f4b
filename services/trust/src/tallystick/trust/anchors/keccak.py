"""Keccak-256 as Ethereum has it: SHA-3 before its padding was changed, which is why hashlib does not do."""

from Crypto.Hash import keccak


def keccak256(data: bytes) -> bytes:
    """Return the 32 bytes of Keccak-256(`data`)."""
    return keccak.new(digest_bits=256, data=data).digest()
