r"""The staging object: all that one commit adds to the public files, in one file that is durable before the commit.

tallystick/staging/v1\n
<size>\n
<root, hex>\n
<path> <length>\n<bytes>          for each file
<SHA-256 of all the above, 32 bytes>
"""

import hashlib
import re
from collections.abc import Mapping
from dataclasses import dataclass

from tallystick.merkle.hashing import HASH_SIZE
from tallystick.merkle.tiles import TilePath
from tallystick.notary.errors import CorruptLogError

MAGIC = b"tallystick/staging/v1\n"
_NAME = re.compile(r"([0-9]{8,18})-[0-9]+-[0-9a-f]+(\.tmp)?")


@dataclass(frozen=True, slots=True)
class Staged:
    """A log's new size and root, and the public files that it adds, by path."""

    size: int
    root: bytes
    files: Mapping[TilePath, bytes]

    def name(self, epoch: int) -> str:
        """Return the staging object's name: no two writers and no two batches share one."""
        return f"{epoch:08d}-{self.size:016d}-{self.root.hex()[:16]}"

    def encode(self) -> bytes:
        """Return the object's bytes."""
        parts = [MAGIC, f"{self.size}\n{self.root.hex()}\n".encode()]
        for path, data in self.files.items():
            parts += (f"{path.path()} {len(data)}\n".encode(), data)
        body = b"".join(parts)
        return body + hashlib.sha256(body).digest()

    @classmethod
    def decode(cls, data: bytes) -> "Staged":
        """Parse a staging object. Raises CorruptLogError if its digest does not hold."""
        body, digest = data[:-HASH_SIZE], data[-HASH_SIZE:]
        if not body.startswith(MAGIC) or hashlib.sha256(body).digest() != digest:
            raise CorruptLogError("the staging object's digest does not hold")
        size, at = _line(body, len(MAGIC))
        root, at = _line(body, at)
        files = {}
        while at < len(body):
            head, at = _line(body, at)
            path, _, length = head.rpartition(" ")
            files[TilePath.parse(path)] = body[at : at + int(length)]
            at += int(length)
        return cls(int(size), bytes.fromhex(root), files)


def is_stale(name: str, epoch: int, committed: str | None) -> bool:
    """Whether a staging object, or a temporary of one, is of a writer up to `epoch` and not the committed one.

    What else lies there is none of ours: a file system's own, such as NFS keeps for a deleted file that somebody has open.
    """
    found = _NAME.match(name)
    return found is not None and name != committed and int(found[1]) <= epoch


def _line(body: bytes, start: int) -> tuple[str, int]:
    end = body.index(b"\n", start)
    return body[start:end].decode(), end + 1
