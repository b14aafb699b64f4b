"""Checkpoints (C2SP tlog-checkpoint): a note's text of `origin`, size and root, one a line, and perhaps extension lines."""

from dataclasses import dataclass

from tallystick.merkle.encoding import EncodingError, decode_base64, encode_base64, parse_decimal
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE

MAX_CHECKPOINT_SIZE = 100_000


class CheckpointError(MerkleError):
    """A checkpoint is malformed, or is not one that may be trusted."""


@dataclass(frozen=True, slots=True)
class Checkpoint:
    """A log's tree head: whose log, how many leaves, and the root over them.

    That an empty tree's root is `EMPTY_ROOT` is for whoever verifies to check: a witness answers that case in its own way.

    Raises:
        CheckpointError: an empty line or one with control characters, a size out of range, or a root that is not 32 bytes.
    """

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        for line in (self.origin, *self.extensions):
            _check_line(line)
        if not 0 <= self.size <= MAX_SIZE:
            raise CheckpointError(f"a checkpoint's size must lie between 0 and {MAX_SIZE}, not {self.size}")
        if len(self.root) != HASH_SIZE:
            raise CheckpointError(f"a checkpoint's root has {HASH_SIZE} bytes, not {len(self.root)}")

    def encode(self) -> bytes:
        """Return the note text that is signed."""
        return "".join(f"{line}\n" for line in (self.origin, self.size, encode_base64(self.root), *self.extensions)).encode()

    @classmethod
    def parse(cls, text: bytes) -> "Checkpoint":
        """Parse a note's text, in the one spelling that `encode` writes.

        Raises:
            CheckpointError: it is not a checkpoint.
        """
        if len(text) > MAX_CHECKPOINT_SIZE:
            raise CheckpointError(f"a checkpoint of more than {MAX_CHECKPOINT_SIZE:,} bytes")
        try:
            lines = text.decode().split("\n")
        except UnicodeDecodeError as error:
            raise CheckpointError("a checkpoint must be UTF-8") from error
        if len(lines) < 4 or lines.pop() != "":
            raise CheckpointError("a checkpoint has at least three lines, each ending in a newline")
        origin, size, root, *extensions = lines
        try:
            checkpoint = cls(origin, parse_decimal(size, MAX_SIZE), decode_base64(root), tuple(extensions))
        except EncodingError as error:
            raise CheckpointError(f"a checkpoint's size or root is {error}") from error
        if checkpoint.encode() != text:
            raise CheckpointError("the checkpoint is not written in its canonical form")
        return checkpoint


def _check_line(line: str) -> None:
    if not line:
        raise CheckpointError("a checkpoint has no empty lines")
    if any(character < " " for character in line):
        raise CheckpointError("a checkpoint has no control characters")
    try:
        line.encode()
    except UnicodeEncodeError as error:
        raise CheckpointError("a checkpoint must be UTF-8") from error
