"""The keys that evidence is found and opened with, from Vault."""

import base64
import binascii
from collections.abc import Collection

from tallystick.audit.database import Database
from tallystick.audit.errors import UnavailableError
from tallystick.runtime.vault import Vault, VaultError

COMPONENT = "vault"
LOOKUP_PATH = "evidence/lookup"
CUSTOMER_KEYS = "customer-keys"
_KEY_SIZE = 32


class EvidenceKeys:
    """The lookup key is read once and kept; customers' keys are never kept, so that one destroyed opens nothing more."""

    def __init__(self, vault: Vault, database: Database) -> None:
        self._vault = vault
        self._database = database
        self._lookup: bytes | None = None

    async def lookup_key(self) -> bytes:
        """Return the 32-byte key of `evidence/lookup`. Raises UnavailableError."""
        if self._lookup is None:
            try:
                secret = await self._vault.kv_read(LOOKUP_PATH)
            except VaultError as error:
                raise UnavailableError(COMPONENT, str(error)) from error
            self._lookup = _decode(secret)
        return self._lookup

    async def customer_keys(self, key_ids: Collection[bytes]) -> dict[bytes, bytes]:
        """Return customers' keys by id, unwrapped; those that were destroyed are left out. Raises UnavailableError."""
        wrapped = await self._database.wrapped_keys(list(key_ids)) if key_ids else {}
        if not wrapped:
            return {}
        try:
            return dict(zip(wrapped, await self._vault.decrypt(CUSTOMER_KEYS, list(wrapped.values())), strict=True))
        except VaultError as error:
            raise UnavailableError(COMPONENT, str(error)) from error

    async def probe(self) -> None:
        """Ask whether Vault answers and knows us. Raises UnavailableError."""
        await self.lookup_key()
        try:
            await self._vault.ping()
        except VaultError as error:
            raise UnavailableError(COMPONENT, str(error)) from error


def _decode(secret: dict[str, object] | None) -> bytes:
    try:
        key = base64.b64decode(str((secret or {})["key"]), validate=True)
    except (KeyError, binascii.Error) as error:
        raise UnavailableError(COMPONENT, f"the secret {LOOKUP_PATH} is missing or holds no base64 key") from error
    if len(key) != _KEY_SIZE:
        raise UnavailableError(COMPONENT, f"the key in {LOOKUP_PATH} is not {_KEY_SIZE} bytes")
    return key
