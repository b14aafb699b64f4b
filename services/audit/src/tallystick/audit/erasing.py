"""Erasing a customer's evidence, and holding it: what a privacy officer asks for."""

import secrets
import time
from collections.abc import Callable
from dataclasses import dataclass

from tallystick.audit.errors import UnavailableError
from tallystick.audit.evidence import customer_token
from tallystick.audit.governing import Governing
from tallystick.audit.key_table import Erased, KeyTable
from tallystick.audit.keys import EvidenceKeys
from tallystick.runtime.retention import RetentionSettings


@dataclass(frozen=True, slots=True)
class ErasureState:
    """An erasure, and where the governance log has it (None: it will, in a moment)."""

    erased: Erased
    log_index: int | None


class Eraser:
    """Erases.

    Args:
        keys: the lookup key.
        table: the customers' keys.
        governing: the governance log.
        retention: when an erasure takes effect.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        keys: EvidenceKeys,
        table: KeyTable,
        governing: Governing,
        retention: RetentionSettings,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._keys = keys
        self._table = table
        self._governing = governing
        self._retention = retention
        self._clock = clock

    async def erase(self, customer_id: str) -> ErasureState:
        """Destroy all keys of a customer; once more does nothing more, unless there are new ones.

        Raises:
            UnknownError, HeldError, UnavailableError: see `KeyTable.erase`.
        """
        now_ms = self._now_ms()
        effective_ms = self._retention.effective_ms(now_ms)
        return await self._state(await self._table.erase(await self._name(customer_id), now_ms, effective_ms, _fresh()))

    async def erasure(self, customer_id: str) -> ErasureState:
        """Return a customer's newest erasure. Raises UnknownError, UnavailableError."""
        return await self._state(await self._table.last_erasure(await self._name(customer_id)))

    async def hold(self, customer_id: str) -> int | None:
        """Return since when a customer's erasure is forbidden (ms), None if it is not. Raises UnavailableError."""
        return await self._table.hold(await self._name(customer_id))

    async def place_hold(self, customer_id: str) -> int:
        """Forbid a customer's erasure, also for keys yet to be made; return since when (ms). Raises UnavailableError."""
        return await self._table.place_hold(await self._name(customer_id), self._now_ms(), _fresh())

    async def lift_hold(self, customer_id: str) -> None:
        """Allow it again. Raises UnavailableError."""
        await self._table.lift_hold(await self._name(customer_id), self._now_ms(), _fresh())

    async def _state(self, erased: Erased) -> ErasureState:
        try:
            logged = (await self._governing.now()).governance.erasures
        except UnavailableError:
            logged = ()  # what was done is done, and may be told
        return ErasureState(erased, next((one.index for one in logged if one.key_ids == erased.key_ids), None))

    async def _name(self, customer_id: str) -> bytes:
        return customer_token(await self._keys.lookup_key(), customer_id)

    def _now_ms(self) -> int:
        return round(self._clock() * 1000)


def _fresh() -> str:
    """Return an id for a record in the topic `governance`; it says nothing."""
    return secrets.token_hex(16)
