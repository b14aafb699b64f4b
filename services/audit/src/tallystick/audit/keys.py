"""The keys that evidence is found and opened with, from Vault."""

import base64
import binascii
from collections.abc import Collection

from tallystick.audit.errors import UnavailableError
from tallystick.audit.governing import Governing
from tallystick.audit.key_table import KeyTable
from tallystick.runtime.vault import Vault, VaultError, VaultRefusedError
from tallystick.trust.erasures import erased_keys

COMPONENT = "vault"
LOOKUP_PATH = "evidence/lookup"
CUSTOMER_KEYS = "customer-keys"
_KEY_SIZE = 32


class EvidenceKeys:
    """The lookup key is read once and kept; customers' keys are never kept, so that one destroyed opens nothing more.

    Before the first customer's key is given out, those that logged erasures name are destroyed: the key table may have been
    restored from a backup that still has them.
    """

    def __init__(self, vault: Vault, table: KeyTable, governing: Governing) -> None:
        self._vault = vault
        self._table = table
        self._governing = governing
        self._lookup: bytes | None = None
        self._reapplied = False

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
        if not key_ids:
            return {}
        await self._reapply()
        wrapped = await self._table.wrapped_keys(list(key_ids))
        if not wrapped:
            return {}
        try:
            return dict(zip(wrapped, await self._vault.decrypt(CUSTOMER_KEYS, list(wrapped.values())), strict=True))
        except VaultRefusedError as refused:
            # Perhaps they were wrapped anew meanwhile, and the version that these were under is gone.
            again = await self._table.wrapped_keys(list(key_ids))
            if again == wrapped:
                raise UnavailableError(COMPONENT, str(refused)) from refused
            return await self.customer_keys(key_ids)
        except VaultError as error:
            raise UnavailableError(COMPONENT, str(error)) from error

    async def _reapply(self) -> None:
        if not self._reapplied:
            erased = erased_keys((await self._governing.now()).governance.erasures)
            await self._table.destroy(list(erased))
            self._reapplied = True

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
