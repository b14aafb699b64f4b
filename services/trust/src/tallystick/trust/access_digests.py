"""Who was shown evidence: digests over those records, in the governance log; the records stay with whoever keeps them.

Each record is a line, kept and served as it was written. A batch of them is stated by

    digest[n] = SHA-256("tallystick/v1/access-records" || 0A || digest[n-1] || line || 0A || line || 0A ...)

with digest[-1] = 32 zero bytes; batches count from 0 without gaps. Whoever is given the lines of all batches sees that none was
changed, left out or put in since its digest was logged. A line holds a salt, so that nobody can guess one from its digest.
"""

from collections.abc import Iterable
from hashlib import sha256

from tallystick.contracts import AccessDigest
from tallystick.trust.errors import TrustError
from tallystick.trust.messages import parse_message

DIGEST_SIZE = 32
FIRST = bytes(DIGEST_SIZE)
"""What the first batch follows on."""
_PREFIX = b"tallystick/v1/access-records\n"


class AccessDigestError(TrustError):
    """A digest over access records does not follow from the one before it."""


def digest_of(previous: bytes, lines: Iterable[str]) -> bytes:
    """Return the digest of a batch, `previous` being that of the one before it."""
    digest = sha256(_PREFIX + previous)
    for line in lines:
        digest.update(line.encode() + b"\n")
    return digest.digest()


class AccessDigests:
    """The digests logged so far; `last` is the newest, None before the first."""

    def __init__(self) -> None:
        self.last: AccessDigest | None = None

    def take(self, value: bytes) -> None:
        """Take the log's next; the same one may come again, since it is sent until it is known to be there.

        Raises:
            TrustError: It is none, or leaves one out, or follows on another one.
        """
        record = parse_message(AccessDigest, value, "the record")
        if record == self.last:
            return
        batch, previous = (self.last.batch + 1, self.last.digest) if self.last else (0, FIRST)
        if record.batch != batch or record.previous != previous:
            raise AccessDigestError(f"the digest of access records {record.batch} does not follow on the one before it")
        if len(record.digest) != DIGEST_SIZE or not record.records:
            raise AccessDigestError(f"the digest of access records {record.batch} is none, or is of no records")
        self.last = record
