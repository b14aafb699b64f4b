"""Entry bundles (C2SP tlog-tiles): for each entry a big-endian uint16 length, then its bytes."""

from collections.abc import Sequence

from tallystick.merkle.tile_path import TILE_WIDTH, TileError

MAX_ENTRY_SIZE = 0xFFFF


def encode_bundle(entries: Sequence[bytes]) -> bytes:
    """Encode 1 to 256 entries of at most 65,535 bytes each.

    Raises:
        TileError: too many entries, none, or one that is too long.
    """
    if not 1 <= len(entries) <= TILE_WIDTH:
        raise TileError(f"a bundle holds 1 to {TILE_WIDTH} entries, not {len(entries)}")
    if max(map(len, entries)) > MAX_ENTRY_SIZE:
        raise TileError(f"an entry is longer than {MAX_ENTRY_SIZE:,} bytes")
    return b"".join([len(entry).to_bytes(2, "big") + entry for entry in entries])


def decode_bundle(data: bytes, width: int) -> list[bytes]:
    """Decode a bundle of exactly `width` entries (1 to 256).

    Raises:
        TileError: the bundle holds fewer or more, or ends within an entry.
    """
    if not 1 <= width <= TILE_WIDTH:
        raise TileError(f"a bundle holds 1 to {TILE_WIDTH} entries, not {width}")
    entries: list[bytes] = []
    at = 0
    for _ in range(width):
        start = at + 2
        at = start + int.from_bytes(data[at:start], "big")
        if at > len(data):
            raise TileError(f"the bundle ends within entry {len(entries)} of {width}")
        entries.append(data[start:at])
    if at != len(data):
        raise TileError(f"the bundle holds more than {width} entries")
    return entries
