"""The text whose digest is stamped: one line for each log's newest signed checkpoint, the logs in the order of their origins.

    tallystick/anchor/v1
    <size> <base64 of the root> <base64 of SHA-256(the signed checkpoint, a note's bytes)> <origin>

One stamp so covers the heads of all logs, and their signatures: these existed when it was made.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from hashlib import sha256

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import decode_base64, encode_base64, parse_decimal
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE
from tallystick.merkle.notes import Note
from tallystick.trust.anchors.errors import AnchorError

HEADER = "tallystick/anchor/v1"
MAX_HEADS = 64
MAX_TEXT_BYTES = 65_536


@dataclass(frozen=True, slots=True)
class Head:
    """A log's head as an anchor names it: the tree's `size`, at least 1, its `root`, and its signed checkpoint's digest."""

    origin: str
    size: int
    root: bytes
    note_digest: bytes

    @classmethod
    def of(cls, note: bytes) -> "Head":
        """Return the head that a signed checkpoint states. Verifies nothing. Raises MerkleError if it is no checkpoint."""
        checkpoint = Checkpoint.parse(Note.parse(note).text)
        return cls(checkpoint.origin, checkpoint.size, checkpoint.root, sha256(note).digest())


def encode_text(heads: Iterable[Head]) -> bytes:
    """Return the canonical text of heads of different logs."""
    lines = [
        f"{head.size} {encode_base64(head.root)} {encode_base64(head.note_digest)} {head.origin}\n"
        for head in sorted(heads, key=lambda head: head.origin.encode())
    ]
    return f"{HEADER}\n{''.join(lines)}".encode()


def parse_text(text: bytes) -> Sequence[Head]:
    """Return the heads in a text, in the one spelling that `encode_text` writes.

    Raises:
        AnchorError: it is not such a text.
    """
    if len(text) > MAX_TEXT_BYTES:
        raise AnchorError(f"the text has more than {MAX_TEXT_BYTES:,} bytes")
    try:
        header, *lines = text.decode().split("\n")
        heads = [_parse_line(line) for line in lines[:-1]]
    except ValueError as error:  # not UTF-8, not a number, not base64, too few words
        raise AnchorError(f"the text cannot be read: {error}") from None
    if header != HEADER or not 1 <= len(heads) <= MAX_HEADS:
        raise AnchorError(f"the text must be {HEADER} and 1 to {MAX_HEADS} heads")
    if len({head.origin for head in heads}) != len(heads) or encode_text(heads) != text:
        raise AnchorError("the text is not written in its canonical form")
    return heads


def _parse_line(line: str) -> Head:
    size, root, digest, origin = line.split(" ", 3)
    head = Head(origin, parse_decimal(size, MAX_SIZE), decode_base64(root), decode_base64(digest))
    Checkpoint(head.origin, head.size, head.root)  # raises what a checkpoint may not be
    if head.size == 0 or len(head.note_digest) != HASH_SIZE:
        raise AnchorError("a head has at least one entry, and a digest of 32 bytes")
    return head
