"""What HTTP wraps a body in (RFC 9110 §8.4), undone within bounds: a few bytes of gzip may stand for gigabytes."""

import zlib

ACCEPT_ENCODING = "gzip, identity"
"""What a client asks for (C2SP tlog-tiles); a log may send gzip without being asked."""

_GZIP = 31  # zlib's number for a gzip header and trailer around the data


class ContentCodingError(ValueError):
    """A body is too long, or not in the coding that its header names, or in one that is not understood."""


class Body:
    """A body that comes piece by piece; never more than `limit` bytes and one are held.

    Args:
        coding: the Content-Encoding header; empty if there is none.
        limit: the most bytes that the body may have once it is unwrapped.

    Raises:
        ContentCodingError: neither gzip nor identity.
    """

    def __init__(self, coding: str, limit: int) -> None:
        name = coding.strip().lower()
        if name not in {"", "identity", "gzip", "x-gzip"}:
            raise ContentCodingError(f"its content coding {name!r} was not asked for")
        self._gzip = zlib.decompressobj(_GZIP) if "gzip" in name else None
        self._limit = limit
        self._data = bytearray()

    def add(self, piece: bytes) -> None:
        """Take what came next. Raises ContentCodingError."""
        if self._gzip is None:
            self._data += piece
        else:
            try:
                self._data += self._gzip.decompress(piece, self._limit + 1 - len(self._data))
            except zlib.error as error:
                raise ContentCodingError(f"not gzip: {error}") from error
            if self._gzip.unused_data:
                raise ContentCodingError("something follows its gzip stream")
        if len(self._data) > self._limit:
            raise ContentCodingError(f"more than {self._limit} bytes")

    def end(self) -> bytes:
        """Return the whole body. Raises ContentCodingError: it is cut short."""
        if self._gzip is not None and not self._gzip.eof:
            raise ContentCodingError("its gzip stream is cut short")
        return bytes(self._data)
