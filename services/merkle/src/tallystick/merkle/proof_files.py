"""Proof files (C2SP tlog-proof, `.tlog-proof`): an entry's inclusion proof and the checkpoint it leads to, offline.

c2sp.org/tlog-proof@v1
extra <base64>                    left out if there is none
index <decimal>
<base64 of 32 bytes>              the path, leaf to root, one hash a line; none in a log of one entry
<empty line>
<the signed checkpoint, to its last byte>
"""

from dataclasses import dataclass

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import EncodingError, decode_base64, encode_base64, parse_decimal
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE
from tallystick.merkle.notes import Note
from tallystick.merkle.policy import LogPolicy, VerifiedCheckpoint
from tallystick.merkle.proofs import verify_inclusion

MAX_PROOF_FILE_SIZE = 2**20
MAX_PATH = MAX_SIZE.bit_length()
"""The longest path of any tree."""

HEADER = b"c2sp.org/tlog-proof@v1\n"
_EXTRA, _INDEX = "extra ", "index "


class ProofFileError(MerkleError):
    """A proof file is malformed."""


@dataclass(frozen=True, slots=True)
class ProofFile:
    """An entry's index, its path (leaf to root), the signed checkpoint's bytes, and `extra` data for the application.

    Nobody has signed `extra`: it proves nothing by itself, and is only for what is checked otherwise, such as the bytes of an
    entry whose hash the path then bears out. The entry itself is not in the file.

    Raises:
        ProofFileError: an index out of range, a hash that is not 32 bytes, a path longer than any tree's, or too large.
        MerkleError: the checkpoint is not a signed note with a checkpoint in it.
    """

    index: int
    path: tuple[bytes, ...]
    checkpoint: bytes
    extra: bytes = b""

    def __post_init__(self) -> None:
        if not 0 <= self.index < MAX_SIZE:
            raise ProofFileError(f"an entry's index lies between 0 and {MAX_SIZE - 1}, not at {self.index}")
        if len(self.path) > MAX_PATH or any(len(node) != HASH_SIZE for node in self.path):
            raise ProofFileError(f"a path has at most {MAX_PATH} hashes of {HASH_SIZE} bytes")
        Checkpoint.parse(Note.parse(self.checkpoint).text)
        if len(self.encode()) > MAX_PROOF_FILE_SIZE:
            raise ProofFileError(f"a proof file of more than {MAX_PROOF_FILE_SIZE:,} bytes")

    def encode(self) -> bytes:
        """Return the file's bytes."""
        lines = [f"{_EXTRA}{encode_base64(self.extra)}"] if self.extra else []
        lines += [f"{_INDEX}{self.index}", *map(encode_base64, self.path), ""]
        return HEADER + "".join([f"{line}\n" for line in lines]).encode() + self.checkpoint

    @classmethod
    def parse(cls, data: bytes) -> "ProofFile":
        """Parse a file, in the one spelling that `encode` writes.

        Raises:
            MerkleError: it is not one; a ProofFileError for everything but the checkpoint.
        """
        if len(data) > MAX_PROOF_FILE_SIZE:
            raise ProofFileError(f"a proof file of more than {MAX_PROOF_FILE_SIZE:,} bytes")
        if not data.startswith(HEADER):
            raise ProofFileError(f"a proof file begins with the line {HEADER.decode().strip()}")
        proof, separator, checkpoint = data[len(HEADER) :].partition(b"\n\n")
        if not separator:
            raise ProofFileError("a proof file has an empty line before its checkpoint")
        try:
            lines = proof.decode("ascii").split("\n")
            extra = decode_base64(lines.pop(0).removeprefix(_EXTRA)) if lines[0].startswith(_EXTRA) else b""
            if not lines or not lines[0].startswith(_INDEX):
                raise ProofFileError("a proof file says its entry's index before the path: index <number>")
            index = parse_decimal(lines.pop(0).removeprefix(_INDEX), MAX_SIZE)
            path = tuple([decode_base64(line) for line in lines])
        except UnicodeDecodeError as error:
            raise ProofFileError("a proof file is ASCII up to its checkpoint") from error
        except EncodingError as error:
            raise ProofFileError(f"a proof file's extra, index or path is {error}") from error
        parsed = cls(index, path, checkpoint, extra)
        if parsed.encode() != data:
            raise ProofFileError("the proof file is not written in its canonical form")
        return parsed


def verify_proof_file(file: ProofFile, policy: LogPolicy, origin: str, leaf: bytes) -> VerifiedCheckpoint:
    """Verify that the log `origin` has the leaf hash `leaf` at the file's index, under a checkpoint that the policy accepts.

    `extra` is not looked at.

    Raises:
        NoteError, CheckpointError: as `LogPolicy.verify_checkpoint` says.
        ProofError: the path does not lead from this leaf, at this index, to the checkpoint's root.
    """
    verified = policy.verify_checkpoint(file.checkpoint, origin)
    checkpoint = verified.checkpoint
    verify_inclusion(file.index, checkpoint.size, leaf, file.path, checkpoint.root)
    return verified
