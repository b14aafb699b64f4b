"""The body of `POST /add-checkpoint` (C2SP tlog-witness).

old <decimal size>
<base64 of a hash>        0 to 63 of them: a consistency proof (RFC 6962 §2.1.2)
<empty line>
<signed note>             the checkpoint
"""

from dataclasses import dataclass

from tallystick.merkle.encoding import EncodingError, decode_base64, encode_base64, parse_decimal
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import HASH_SIZE, MAX_SIZE

MAX_REQUEST_SIZE = 256 * 1024
"""Enough for the 16 signatures that must be accepted, post-quantum ones of 5 kB among them (C2SP signed-note)."""

MAX_PROOF_LINES = 63


class RequestError(MerkleError):
    """The body is not an add-checkpoint request; the message names the line."""


@dataclass(frozen=True, slots=True)
class AddCheckpoint:
    """A request to cosign: the size of the tree cosigned last, the proof from it, and the signed checkpoint, not yet parsed."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint: bytes

    def encode(self) -> bytes:
        """Return the request's body."""
        lines = [f"old {self.old_size}", *map(encode_base64, self.proof), "", ""]
        return "\n".join(lines).encode() + self.checkpoint

    @classmethod
    def parse(cls, body: bytes) -> "AddCheckpoint":
        """Parse a body, in the one spelling that `encode` writes.

        Raises:
            RequestError: it is not one, or larger than is accepted.
        """
        if len(body) > MAX_REQUEST_SIZE:
            raise RequestError(f"a request of more than {MAX_REQUEST_SIZE:,} bytes")
        head, separator, checkpoint = body.partition(b"\n\n")
        if not separator:
            raise RequestError("a request is a line `old <size>`, proof lines, an empty line, and the checkpoint")
        first, *hashes = head.split(b"\n", MAX_PROOF_LINES + 1)
        if len(hashes) > MAX_PROOF_LINES:
            raise RequestError(f"more than {MAX_PROOF_LINES} proof lines")
        return cls(_old_size(first), tuple([_hash(line, number) for number, line in enumerate(hashes, start=2)]), checkpoint)


def _old_size(line: bytes) -> int:
    keyword, _, number = line.partition(b" ")
    try:
        if keyword != b"old":
            raise EncodingError("not `old <size>`")
        return parse_decimal(number.decode("latin-1"), MAX_SIZE)
    except EncodingError as error:
        raise RequestError(f"line 1: {error}") from error


def _hash(line: bytes, number: int) -> bytes:
    try:
        value = decode_base64(line.decode("latin-1"))
    except EncodingError as error:
        raise RequestError(f"line {number}: a proof hash is {error}") from error
    if len(value) != HASH_SIZE:
        raise RequestError(f"line {number}: a proof hash has {HASH_SIZE} bytes, not {len(value)}")
    return value
