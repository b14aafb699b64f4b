"""Signed notes that others published: the Go package's example, and tree heads of Go's checksum database as served."""

import pytest

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.notes import NoteError, SignatureError, VerifierKey, cosignature_message, open_note
from tallystick.merkle.policy import LogPolicy

PETER = "PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW"
PETERS_NOTE = (
    "If you think cryptography is the answer to your problem,\n"
    "then you don't know what your problem is.\n\n"
    "— PeterNeumann x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM=\n"
).encode()

SUMDB = "sum.golang.org+033de0ae+Ac4zctda0e5eza+HJyk9SxEdh+s3Ux18htTTAD8OuAn8"
SUMDB_NOTES = [
    (
        15067302,
        (
            "go.sum database tree\n15067302\ngJyioq6dwR9n+NjEWORfYmH+ubeYm3kH42BBQ0bTpYI=\n\n"
            "— sum.golang.org Az3grp1rvWOs5NKlr/xR4GLN/CDyzzakmt1o61uSxYKpK1SerqOP2ClbX/peKUZjYnyomH5Xz7GZG3TpB7OeKn4E2ww=\n"
            "— test.example.com qTGhC/xIPQ0AXKHK6Y+9ypRfuvMZWPjRXM8NiOg5M1WREn07VQXyuIXM3NRNav3ieVFLUqDRK77PWDmL6w8w84UqeAw=\n"
        ),
    ),
    (
        6353345,
        (
            "go.sum database tree\n6353345\nd5kp6/RTbWj/e9AMga1hdcHZHcLdFKA2fjHfKJ8FfR4=\n\n"
            "— sum.golang.org Az3grhfKc0hf9eAH1x5p0VjY99pEe8l9JKKLGyf9F0m4JTrJjcsr9rUDh6kvNIl7vdzWqULpk3+azvpfJo9aOMZaYQE=\n"
        ),
    ),
]


def test_go_example() -> None:
    """The example of Go's note package opens, with the key as it is published."""
    key = VerifierKey.parse(PETER)
    assert str(key) == PETER
    note, signers = open_note(PETERS_NOTE, [key])
    assert note.text == PETERS_NOTE[: PETERS_NOTE.rindex(b"\n\n") + 1]
    assert signers == [key]


@pytest.mark.parametrize(("size", "note"), SUMDB_NOTES)
def test_checksum_database(size: int, note: str) -> None:
    """A real tree head verifies, another key's line beside it is ignored, and with one digit changed it is refused."""
    key = VerifierKey.parse(SUMDB)
    opened, signers = open_note(note.encode(), [key])
    checkpoint = Checkpoint.parse(opened.text)
    assert (checkpoint.origin, checkpoint.size) == ("go.sum database tree", size)
    assert checkpoint.encode() == opened.text
    assert signers == [key]
    with pytest.raises(SignatureError):
        open_note(note.replace(str(size), str(size + 1)).encode(), [key])
    with pytest.raises(NoteError, match="no known key"):
        open_note(note.encode(), [VerifierKey.parse(PETER)])


def test_cosigned_message() -> None:
    """What a cosignature signs is the specification's example to the byte."""
    text = b"example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n"
    assert cosignature_message(text, 1679315147) == b"cosignature/v1\ntime 1679315147\n" + text


def test_policy_with_published_keys() -> None:
    """A policy of published keys parses."""
    policy = LogPolicy.parse(f"log {SUMDB} https://sum.golang.org\nlog {PETER}\nquorum none\n".encode())
    assert [(str(key), url) for key, url in policy.logs] == [(SUMDB, "https://sum.golang.org"), (PETER, None)]
