"""uvicorn's connections, but that a slow client cannot keep one for ever."""

import asyncio

from uvicorn.protocols.http.h11_impl import H11Protocol, RequestResponseCycle


class PatientConnection(H11Protocol):
    """A connection that is dropped when no request has begun on it for `patience_s` to twice that.

    uvicorn itself waits for ever for the head of a request that trickles in. Bodies have a limit of their own, in `http`.
    """

    patience_s = 20.0
    _seen: RequestResponseCycle | None = None
    _timer: asyncio.TimerHandle | None = None

    @classmethod
    def of(cls, patience_s: float) -> "type[PatientConnection]":
        """Return the class with another patience, for uvicorn to make connections of."""
        return type(cls.__name__, (cls,), {"patience_s": patience_s})

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's own
        """Start to watch."""
        super().connection_made(transport)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        """Stop to watch."""
        if self._timer is not None:
            self._timer.cancel()
        super().connection_lost(exc)

    def _watch(self) -> None:
        self._timer = self.loop.call_later(self.patience_s, self._look)

    def _look(self) -> None:
        idle = self.cycle is None or self.cycle.response_complete
        if idle and self.cycle is self._seen:
            self.transport.abort()
            return
        self._seen = self.cycle
        self._watch()
