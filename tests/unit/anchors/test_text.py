"""The text that is stamped: one spelling only."""

from hashlib import sha256

import pytest

from tallystick.merkle.encoding import encode_base64
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.text import MAX_HEADS, Head, encode_text, parse_text

ROOT, NOTE = sha256(b"root").digest(), sha256(b"note").digest()
HEADS = [Head("bank.example/decisions", 12, ROOT, NOTE), Head("bank.example/governance", 3, NOTE, ROOT)]
TEXT = encode_text(HEADS).decode()
LINES = TEXT.splitlines(keepends=True)


def test_a_text_comes_back() -> None:
    """The order in which heads are given does not matter."""
    assert parse_text(encode_text(reversed(HEADS))) == HEADS
    assert LINES[1] == f"12 {encode_base64(ROOT)} {encode_base64(NOTE)} bank.example/decisions\n"


@pytest.mark.parametrize(
    "text",
    [
        "",
        "\n",
        LINES[0],
        TEXT.replace("v1", "v2"),
        TEXT[:-1],
        TEXT + "\n",
        TEXT + LINES[1],
        LINES[0] + LINES[2] + LINES[1],
        TEXT.replace("12 ", "012 "),
        TEXT.replace("12 ", "0 "),
        TEXT.replace("12 ", "-12 "),
        TEXT.replace("12 ", "12  "),
        TEXT.replace("12 ", f"{2**63} "),
        TEXT.replace(encode_base64(ROOT), encode_base64(ROOT[:-1])),
        TEXT.replace(encode_base64(ROOT), encode_base64(ROOT).removesuffix("=")),
        TEXT.replace("bank.example/decisions", ""),
        TEXT.replace("bank.example/decisions", "a\tb"),
        TEXT.replace("\n", "\r\n"),
        encode_text(Head(f"log{place:03}", 1, ROOT, NOTE) for place in range(MAX_HEADS + 1)).decode(),
        TEXT + "x" * 70_000,
    ],
)
def test_no_other_spelling_is_read(text: str) -> None:
    """Each is refused as what it is, an AnchorError."""
    with pytest.raises(AnchorError):
        parse_text(text.encode())


def test_bytes_that_are_no_text_are_refused() -> None:
    """Not UTF-8."""
    with pytest.raises(AnchorError):
        parse_text(TEXT.encode() + b"\xff")
