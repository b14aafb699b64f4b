"""A cache of bytes that forgets what was used longest ago."""

from collections import OrderedDict
from collections.abc import Callable, Hashable
from typing import Generic, TypeVar

K = TypeVar("K", bound=Hashable)


class ByteCache(Generic[K]):
    """Keeps values up to `limit_bytes` in all; for one event loop, not for threads."""

    def __init__(self, limit_bytes: int) -> None:
        self._limit = limit_bytes
        self._size = 0
        self._values: OrderedDict[K, bytes] = OrderedDict()

    def get(self, key: K) -> bytes | None:
        """Return the value, which is now the last to be forgotten; None if it is not here."""
        value = self._values.get(key)
        if value is not None:
            self._values.move_to_end(key)
        return value

    def put(self, key: K, value: bytes) -> None:
        """Keep a value, forgetting others for it; one larger than the cache is not kept."""
        if len(value) > self._limit:
            return
        self._size += len(value) - len(self._values.pop(key, b""))
        self._values[key] = value
        while self._size > self._limit:
            self._size -= len(self._values.popitem(last=False)[1])

    def drop(self, unwanted: Callable[[K], bool]) -> None:
        """Forget the values of some keys."""
        for key in [key for key in self._values if unwanted(key)]:
            self._size -= len(self._values.pop(key))
