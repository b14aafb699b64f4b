"""HMAC-SHA-256 (RFC 2104) under one key many times over.

The two blocks that hold the key are hashed once; every message goes on from copies of them. That takes half as long as
`hmac.digest`, and a third of `hmac.HMAC.copy`, whose bookkeeping is Python.
"""

from collections.abc import Callable
from hashlib import sha256

_BLOCK_SIZE = 64
_INNER = bytes(byte ^ 0x36 for byte in range(256))
_OUTER = bytes(byte ^ 0x5C for byte in range(256))

KeyedHash = Callable[[bytes], bytes]


def keyed_hash(key: bytes) -> KeyedHash:
    """Return the function that gives a message's HMAC-SHA-256 under `key`, 32 bytes."""
    block = (key if len(key) <= _BLOCK_SIZE else sha256(key).digest()).ljust(_BLOCK_SIZE, b"\0")
    inner, outer = sha256(block.translate(_INNER)).copy, sha256(block.translate(_OUTER)).copy

    def digest(message: bytes) -> bytes:
        hashed = inner()
        hashed.update(message)
        keyed = outer()
        keyed.update(hashed.digest())
        return keyed.digest()

    return digest
