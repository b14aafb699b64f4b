"""Proof files: the specification's layout, and one mutation at a time."""

import pytest

from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import MAX_SIZE
from tallystick.merkle.proof_files import MAX_PROOF_FILE_SIZE, ProofFile, ProofFileError

from .signers import Signer, signed

HASH = "AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHh8="
NOTE = signed(f"example.com/log\n9\n{HASH}\n".encode(), Signer("example.com/log"))
SOUND = f"c2sp.org/tlog-proof@v1\nextra AQI=\nindex 5\n{HASH}\n{HASH}\n\n".encode() + NOTE


def test_the_layout() -> None:
    """Written and read as the specification shows it, with and without the extra line."""
    file = ProofFile.parse(SOUND)
    assert (file.index, file.path, file.extra) == (5, (bytes(range(32)),) * 2, b"\x01\x02")
    assert (file.checkpoint, file.encode()) == (NOTE, SOUND)
    bare = SOUND.replace(b"extra AQI=\n", b"")
    assert ProofFile.parse(bare) == ProofFile(5, file.path, NOTE)
    assert ProofFile.parse(b"c2sp.org/tlog-proof@v1\nindex 0\n\n" + NOTE).path == ()


MUTATIONS: dict[str, tuple[bytes, bytes, str]] = {
    "another version": (b"@v1", b"@v2", "begins with the line"),
    "a space before": (b"c2sp", b" c2sp", "begins with the line"),
    "carriage returns": (b"index 5\n", b"index 5\r\n", "not a decimal"),
    "an empty extra line": (b"extra AQI=", b"extra ", "canonical form"),
    "extra without its space": (b"extra AQI=", b"extra", "says its entry's index"),
    "extra that is not base64": (b"AQI=", b"A!I=", "not base64"),
    "extra with bits that no byte needs": (b"AQI=", b"AQJ=", "not canonical"),
    "extra twice": (b"extra AQI=\n", b"extra AQI=\nextra AQI=\n", "says its entry's index"),
    "extra after the index": (b"extra AQI=\nindex 5\n", b"index 5\nextra AQI=\n", "not base64"),
    "no index": (b"index 5\n", b"", "says its entry's index"),
    "an index with a leading zero": (b"index 5", b"index 05", "not a decimal"),
    "a negative index": (b"index 5", b"index -1", "not a decimal"),
    "an index of 2^63": (b"index 5", b"index 9223372036854775808", "is more than"),
    "an index of 2^63 - 1": (b"index 5", b"index 9223372036854775807", "index lies between"),
    "no space after the index": (b"index 5", b"index5", "says its entry's index"),
    "a hash of 31 bytes": (HASH.encode(), b"AAECAwQFBgcICQoLDA0ODxAREhMUFRYXGBkaGxwdHg==", "hashes of 32 bytes"),
    "an empty hash": (HASH.encode() + b"\n\n", b"\n\n", "a checkpoint's"),
    "a path of 64 hashes": (b"index 5\n", b"index 5\n" + f"{HASH}\n".encode() * 62, "at most 63"),
    "letters beyond ASCII": (b"index 5", "index 5é".encode(), "ASCII"),
    "no empty line": (HASH.encode() + b"\n\n", HASH.encode() + b"\n", "not base64"),
    "no checkpoint": (NOTE, b"", "a note"),
    "a checkpoint without its last newline": (NOTE, NOTE[:-1], "newline"),
    "a note that is no checkpoint": (b"\n9\n", b"\nnine\n", "not a decimal"),
}


@pytest.mark.parametrize("name", MUTATIONS)
def test_mutations(name: str) -> None:
    """Each is refused, for its own reason."""
    old, new, reason = MUTATIONS[name]
    assert old in SOUND
    with pytest.raises(MerkleError, match=reason):
        ProofFile.parse(SOUND.replace(old, new, 1))


def test_too_large_to_be_read() -> None:
    """By the whole file, whatever takes the room; what cannot be read cannot be written either."""
    with pytest.raises(ProofFileError, match="more than 1,048,576 bytes"):
        ProofFile.parse(SOUND + bytes(MAX_PROOF_FILE_SIZE))
    with pytest.raises(ProofFileError, match="more than 1,048,576 bytes"):
        ProofFile(0, (), NOTE, bytes(MAX_PROOF_FILE_SIZE))


@pytest.mark.parametrize("index", [-1, MAX_SIZE])
def test_no_tree_has_such_an_index(index: int) -> None:
    """Not when it is made, either."""
    with pytest.raises(ProofFileError, match="index"):
        ProofFile(index, (), NOTE)
