"""Bodies as HTTP wraps them: unwrapped within bounds, or refused."""

import gzip
import tracemalloc

import pytest

from tallystick.runtime.content_coding import Body, ContentCodingError

DATA = b"an entry, and another entry, and another entry" * 20


def unwrap(coding: str, data: bytes, limit: int = len(DATA), piece: int = 7) -> bytes:
    """Take a body in pieces."""
    body = Body(coding, limit)
    for at in range(0, len(data), piece):
        body.add(data[at : at + piece])
    return body.end()


@pytest.mark.parametrize("coding", ["", "identity", "Identity"])
def test_plain(coding: str) -> None:
    """What is not wrapped comes out as it is, up to the limit and no further."""
    assert unwrap(coding, DATA) == DATA
    with pytest.raises(ContentCodingError, match="more than"):
        unwrap(coding, DATA, len(DATA) - 1)


@pytest.mark.parametrize("coding", ["gzip", "x-gzip", " GZIP "])
@pytest.mark.parametrize("piece", [1, 7, 100_000])
def test_gzip(coding: str, piece: int) -> None:
    """Gzip comes out unwrapped, whatever the pieces; the limit is the unwrapped body's."""
    assert unwrap(coding, gzip.compress(DATA), piece=piece) == DATA
    with pytest.raises(ContentCodingError, match="more than"):
        unwrap(coding, gzip.compress(DATA), len(DATA) - 1, piece)


def test_a_bomb_is_held_to_the_limit() -> None:
    """A hundred kilobytes that stand for a hundred megabytes cost no more than the limit."""
    bomb = gzip.compress(bytes(100_000_000))
    tracemalloc.start()
    try:
        with pytest.raises(ContentCodingError, match="more than 1000 bytes"):
            unwrap("gzip", bomb, 1_000, piece=65_536)
        assert tracemalloc.get_traced_memory()[1] < 1_000_000
    finally:
        tracemalloc.stop()


@pytest.mark.parametrize("coding", ["br", "deflate", "gzip, gzip", "zstd", "identity, gzip"])
def test_other_codings(coding: str) -> None:
    """What was not asked for is refused."""
    with pytest.raises(ContentCodingError, match="not asked for"):
        unwrap(coding, DATA)


def test_broken_gzip() -> None:
    """What is cut short, altered, followed by something, or no gzip at all is refused."""
    whole = gzip.compress(DATA)
    for broken in (b"", whole[:-1], whole[:20], DATA, whole + b"\0", whole + whole, whole[:-8] + bytes(8)):
        with pytest.raises(ContentCodingError):
            unwrap("gzip", broken)
