"""The body of add-checkpoint: one spelling, everything else refused."""

import base64

import pytest

from tallystick.witness.request import MAX_PROOF_LINES, MAX_REQUEST_SIZE, AddCheckpoint, RequestError

HASH = base64.b64encode(bytes(range(32))).decode()
REST = "an origin\n3\nAAAA\n\nlines"


def test_a_request_is_read() -> None:
    """The old size, the hashes, and the checkpoint as it came."""
    parsed = AddCheckpoint.parse(f"old 7\n{HASH}\n{HASH}\n\n{REST}".encode())
    assert parsed == AddCheckpoint(7, (bytes(range(32)),) * 2, REST.encode())


def test_the_largest_proof_is_read() -> None:
    """63 hashes, and the largest size that a tree may have."""
    parsed = AddCheckpoint.parse((f"old {2**63 - 1}\n" + f"{HASH}\n" * MAX_PROOF_LINES + "\n").encode())
    assert (parsed.old_size, len(parsed.proof), parsed.checkpoint) == (2**63 - 1, 63, b"")


@pytest.mark.parametrize(
    "body",
    [
        "",
        "\n\n",
        REST,
        "old\n\n" + REST,
        "old \n\n" + REST,
        "old  1\n\n" + REST,
        "old 1 \n\n" + REST,
        " old 1\n\n" + REST,
        "Old 1\n\n" + REST,
        "old\t1\n\n" + REST,
        "old 01\n\n" + REST,
        "old +1\n\n" + REST,
        "old -1\n\n" + REST,
        "old 1.0\n\n" + REST,
        "old ١\n\n" + REST,
        "old 0x1\n\n" + REST,
        f"old {2**63}\n\n" + REST,
        "old " + "9" * 5000 + "\n\n" + REST,
        "old 1\r\n\r\n" + REST,
        "size 1\n\n" + REST,
        f"old 1\n{HASH}\n{REST.split(chr(10), maxsplit=1)[0]}",
        f"old 1\n{HASH[:-1]}\n\n" + REST,
        f"old 1\n{HASH}=\n\n" + REST,
        f"old 1\n{HASH} \n\n" + REST,
        f"old 1\n{HASH[:-2]}9=\n\n" + REST,  # bits that no byte needs
        f"old 1\n{HASH.replace('/', '_').replace('+', '-')[:-4]}-_-=\n\n" + REST,
        f"old 1\n{base64.b64encode(bytes(31)).decode()}\n\n" + REST,
        f"old 1\n{base64.b64encode(bytes(33)).decode()}\n\n" + REST,
        f"old 1\n{HASH}\r\n\n" + REST,
        "old 1\n" + f"{HASH}\n" * (MAX_PROOF_LINES + 1) + "\n" + REST,
        "old 1\n\n" + "x" * MAX_REQUEST_SIZE,
    ],
)
def test_another_spelling_is_refused(body: str) -> None:
    """Whatever is not what `encode` writes."""
    with pytest.raises(RequestError):
        AddCheckpoint.parse(body.encode())
