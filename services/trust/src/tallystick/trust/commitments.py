"""Salted commitments: the log binds personal data without holding it, and still proves it after it is erased elsewhere.

    commitment = SHA-256(salt || content)        salt: 16 random bytes

The salt has one length, so `salt || content` reads one way only.
"""

from hashlib import sha256

from tallystick.trust.errors import TrustError

SALT_SIZE = 16
"""Bytes of random salt before the content."""

DIGEST_SIZE = 32


class CommitmentError(TrustError):
    """A salt and content do not open a commitment."""


def commit(salt: bytes, content: bytes) -> bytes:
    """Return the commitment to `content` under `salt` (16 random bytes, used once), 32 bytes."""
    return sha256(salt + content).digest()


def open_commitment(commitment: bytes, salt: bytes, content: bytes) -> None:
    """Check that `salt` and `content` are what `commitment` binds.

    Raises:
        CommitmentError: They are not, or the salt or commitment has the wrong length.
    """
    if len(salt) != SALT_SIZE:
        raise CommitmentError(f"the salt has {len(salt)} bytes and not {SALT_SIZE}")
    if len(commitment) != DIGEST_SIZE:
        raise CommitmentError(f"the commitment has {len(commitment)} bytes and not {DIGEST_SIZE}")
    if commit(salt, content) != commitment:
        raise CommitmentError("the salt and content are not those that were committed to")
