"""Keys of the input chain, in Vault's key-value store: who needs one first makes it, others take it."""

import base64
import binascii

from tallystick.runtime.vault import Vault, VaultRefusedError

CHAIN_KEY_SIZE = 32


async def chain_key(vault: Vault, topic: str, partition: int, epoch: int, fresh: bytes) -> bytes:
    """Return the key of one span of a partition's chain, 32 bytes; `fresh`, as many random bytes, if there is none yet.

    Raises:
        VaultError: Vault does not answer, or refuses, as when the key was destroyed with the records that it served.
    """
    path = f"chain/{topic}/{partition}/{epoch}"
    secret = await vault.kv_create(path, {"key": base64.b64encode(fresh).decode()})
    try:
        key = base64.b64decode(secret["key"], validate=True)
    except (KeyError, TypeError, binascii.Error):
        key = b""
    if len(key) != CHAIN_KEY_SIZE:
        raise VaultRefusedError(f"the secret {path} is not a key of {CHAIN_KEY_SIZE} bytes")
    return key
