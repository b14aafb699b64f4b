"""Salted commitments."""

from hashlib import sha256

import pytest

from tallystick.trust.commitments import CommitmentError, commit, open_commitment

SALT = bytes(range(16))


def test_a_commitment_is_the_hash_of_salt_and_content() -> None:
    """SHA-256(salt || content), and it opens."""
    assert commit(SALT, b"content") == sha256(SALT + b"content").digest()
    open_commitment(commit(SALT, b"content"), SALT, b"content")


@pytest.mark.parametrize(
    ("commitment", "salt", "content", "reason"),
    [
        (commit(SALT, b"content"), SALT, b"Content", "not those that were committed to"),
        (commit(SALT, b"content"), bytes(16), b"content", "not those that were committed to"),
        (commit(SALT, b"content"), SALT + b"c", b"ontent", "17 bytes and not 16"),
        (commit(SALT, b"content"), SALT[:15], SALT[15:] + b"content", "15 bytes and not 16"),
        (commit(SALT, b"content")[:31], SALT, b"content", "31 bytes and not 32"),
        (b"", SALT, b"content", "0 bytes and not 32"),
    ],
)
def test_nothing_else_opens_it(commitment: bytes, salt: bytes, content: bytes, reason: str) -> None:
    """Other content, another salt, and above all a boundary moved between the two are refused."""
    with pytest.raises(CommitmentError, match=reason):
        open_commitment(commitment, salt, content)
