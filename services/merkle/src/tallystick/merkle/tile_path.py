"""Where a tile lies (C2SP tlog-tiles): `tile/<L>/<N>[.p/<W>]` and `tile/entries/<N>[.p/<W>]`."""

import re
from dataclasses import dataclass

from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import MAX_SIZE

TILE_HEIGHT = 8
TILE_WIDTH = 1 << TILE_HEIGHT
ENTRIES = -1
"""The level of an entry bundle, which holds the entries of the hash tile at level 0 with its index and width."""

_MAX_LEVEL = 63
_MAX_INDEX = MAX_SIZE >> TILE_HEIGHT
_MAX_PATH_LENGTH = 64
_PATH = re.compile(r"tile/(entries|[0-9]{1,2})/((?:x[0-9]{3}/)*[0-9]{3})(?:\.p/([0-9]{1,3}))?", re.ASCII)


class TileError(MerkleError):
    """A tile's path, size or contents are not what the log's format calls for."""


@dataclass(frozen=True, slots=True)
class TilePath:
    """One tile or entry bundle: its level (`ENTRIES` for a bundle), its index within the level, and its width.

    A width of `TILE_WIDTH` is a full tile; 1 to 255 a partial one.

    Raises:
        TileError: level not `ENTRIES` or 0 to 63, width not 1 to 256, or an index beyond the largest tree.
    """

    level: int
    index: int
    width: int = TILE_WIDTH

    def __post_init__(self) -> None:
        if not ENTRIES <= self.level <= _MAX_LEVEL:
            raise TileError(f"a tile's level lies between 0 and {_MAX_LEVEL}, not at {self.level}")
        if not 0 <= self.index <= _MAX_INDEX:
            raise TileError(f"tile index {self.index} is out of range")
        if not 1 <= self.width <= TILE_WIDTH:
            raise TileError(f"a tile's width lies between 1 and {TILE_WIDTH}, not at {self.width}")

    @property
    def is_full(self) -> bool:
        """Whether nothing more can be appended to it."""
        return self.width == TILE_WIDTH

    def full(self) -> "TilePath":
        """Return the path of the full tile that this one is, or is a part of."""
        return TilePath(self.level, self.index)

    def path(self) -> str:
        """Return the path relative to the log's prefix, such as `tile/0/x001/x234/067.p/8`."""
        index = f"{self.index % 1000:03d}"
        rest = self.index // 1000
        while rest:
            index = f"x{rest % 1000:03d}/{index}"
            rest //= 1000
        level = "entries" if self.level == ENTRIES else str(self.level)
        return f"tile/{level}/{index}" + ("" if self.is_full else f".p/{self.width}")

    @classmethod
    def parse(cls, path: str) -> "TilePath":
        """Parse what `path` writes, and nothing else: no leading zeros, slashes, or width of 256.

        Raises:
            TileError: it is not a tile's path.
        """
        match = _PATH.fullmatch(path) if len(path) <= _MAX_PATH_LENGTH else None
        if match is None:
            raise TileError("not the path of a tile")
        level, index, width = match.groups()
        parsed = cls(
            ENTRIES if level == "entries" else int(level),
            int(index.replace("/", "").replace("x", "")),
            TILE_WIDTH if width is None else int(width),
        )
        if parsed.path() != path:
            raise TileError("not the path of a tile as it is written")
        return parsed
