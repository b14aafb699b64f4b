"""A log's public files, checked without the product's own code: RFC 6962 and C2SP as they are written, slow and plain."""

import base64
import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

WIDTH = 256


@dataclass(frozen=True, slots=True)
class Published:
    """What a stranger finds: the signed size and root, and the entries, of which more may lie there than are signed."""

    size: int
    root: bytes
    entries: list[bytes]


def leaf(entry: bytes) -> bytes:
    """Return an entry's leaf hash."""
    return hashlib.sha256(b"\0" + entry).digest()


def root(leaves: Sequence[bytes]) -> bytes:
    """Return the Merkle tree hash, by RFC 6962 §2.1's recursion over leaf hashes."""
    if not leaves:
        return hashlib.sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1 << (len(leaves) - 1).bit_length() - 1
    return hashlib.sha256(b"\1" + root(leaves[:split]) + root(leaves[split:])).digest()


def parse_checkpoint(text: bytes) -> tuple[str, int, bytes]:
    """Return a checkpoint's origin, size and root."""
    origin, size, digest, rest = text.decode().split("\n")
    assert rest == ""
    assert size == str(int(size))
    return origin, int(size), base64.b64decode(digest, validate=True)


def open_note(note: bytes, origin: str, key: bytes) -> tuple[int, bytes]:
    """Return the size and root that the log's key has signed."""
    text, _, lines = note.rpartition(b"\n\n")
    text += b"\n"
    key_id = hashlib.sha256(origin.encode() + b"\n\x01" + key).digest()[:4]
    blobs = [line.rsplit(b" ", 1)[1] for line in lines.splitlines() if line.startswith(f"\u2014 {origin} ".encode())]
    (signature,) = [blob for blob in map(base64.b64decode, blobs) if blob[:4] == key_id]
    Ed25519PublicKey.from_public_bytes(key).verify(signature[4:], text)
    named, size, digest = parse_checkpoint(text)
    assert named == origin
    return size, digest


def check_cosigned(note: bytes, name: str, key: bytes) -> None:
    """Check that a witness has cosigned a note (C2SP cosignature/v1)."""
    text, _, lines = note.rpartition(b"\n\n")
    (blob,) = [line.rsplit(b" ", 1)[1] for line in lines.splitlines() if line.startswith(f"\u2014 {name} ".encode())]
    decoded = base64.b64decode(blob)
    key_id, time_s, signature = decoded[:4], int.from_bytes(decoded[4:12], "big"), decoded[12:]
    assert key_id == hashlib.sha256(name.encode() + b"\n\x04" + key).digest()[:4]
    Ed25519PublicKey.from_public_bytes(key).verify(signature, b"cosignature/v1\ntime %d\n%s\n" % (time_s, text))


def verify(files: Mapping[str, bytes], origin: str, key: bytes) -> Published:
    """Check every public file; return what the log holds.

    All that the checkpoint covers must be there; what lies beyond it (committed, not yet published) must be sound too, as far
    as its entries are there.
    """
    size, digest = open_note(files["checkpoint"], origin, key) if "checkpoint" in files else (0, root([]))
    tiles = {_place(name): data for name, data in files.items() if name.startswith("tile/")}
    assert set(files) <= {"checkpoint", *(name for name in files if name.startswith("tile/"))}, "a file that is no log's"

    entries: list[bytes] = []
    while widths := [width for level, index, width in tiles if level == "entries" and index * WIDTH == len(entries)]:
        entries += _bundle(tiles["entries", len(entries) // WIDTH, max(widths)], max(widths))
        if max(widths) < WIDTH:
            break
    assert len(entries) >= size, "the checkpoint covers more entries than there are"

    levels = [[leaf(entry) for entry in entries]]
    while len(levels[-1]) >= WIDTH:
        below = levels[-1]
        levels.append([root(below[at : at + WIDTH]) for at in range(0, len(below) - WIDTH + 1, WIDTH)])
    assert root(levels[0][:size]) == digest, "the entries do not hash to the signed root"

    for (level, index, width), data in tiles.items():
        start = index * WIDTH
        if level == "entries":
            expected = entries[start : start + width]
            if len(expected) == width:
                assert _bundle(data, width) == expected, f"bundle {index}/{width}"
            else:
                assert start + width > size, "a bundle under the checkpoint is not whole"
            continue
        hashes = levels[int(level)][start : start + width] if int(level) < len(levels) else []
        if len(hashes) == width:
            assert data == b"".join(hashes), f"tile {level}/{index}/{width}"
        else:
            assert (start + width) * WIDTH ** int(level) > size, "a tile under the checkpoint has no entries"

    for name, count in [("entries", size), *((str(level), size // WIDTH**level) for level in range(8))]:
        for index in range((count + WIDTH - 1) // WIDTH):
            width = min(WIDTH, count - index * WIDTH)
            assert {(name, index, width), (name, index, WIDTH)} & set(tiles), f"{name}/{index}/{width} is missing"
    return Published(size, digest, entries)


def _place(name: str) -> tuple[str, int, int]:
    _, level, *rest = name.split("/")
    path, _, width = "/".join(rest).partition(".p/")
    digits = [part.removeprefix("x") for part in path.split("/")]
    return level, int("".join(digits)), int(width) if width else WIDTH


def _bundle(data: bytes, width: int) -> list[bytes]:
    entries, at = [], 0
    for _ in range(width):
        length = int.from_bytes(data[at : at + 2], "big")
        entries.append(data[at + 2 : at + 2 + length])
        assert len(entries[-1]) == length
        at += 2 + length
    assert at == len(data)
    return entries
