"""Checkpoints: what is read, what is refused."""

import pytest

from tallystick.merkle.checkpoints import Checkpoint, CheckpointError
from tallystick.merkle.hashing import EMPTY_ROOT, MAX_SIZE

ROOT = "CsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I="
TEXT = f"example.com/log\n20852163\n{ROOT}\n"

SOUND = {
    "plain": TEXT,
    "extension lines": TEXT + "one\nand — another\n",
    "size 0": TEXT.replace("20852163", "0"),
    "the largest size": TEXT.replace("20852163", str(MAX_SIZE)),
    "an origin with spaces": TEXT.replace("example.com/log", "go.sum database tree"),
    "an origin in another script": TEXT.replace("example.com/log", "例え.jp/ログ"),
}

REFUSED = {
    "empty": "",
    "a newline": "\n",
    "one line": "example.com/log\n",
    "two lines": "example.com/log\n20852163\n",
    "no newline at the end": TEXT[:-1],
    "no origin": TEXT.replace("example.com/log", ""),
    "no size": TEXT.replace("20852163", ""),
    "no root": TEXT.replace(ROOT, ""),
    "an empty line at the end": TEXT + "\n",
    "an empty extension line": TEXT + "\nextension\n",
    "a control character in the origin": TEXT.replace("log", "l\x00g"),
    "a tab in an extension line": TEXT + "a\tb\n",
    "carriage returns": TEXT.replace("\n", "\r\n"),
    "a leading zero": TEXT.replace("20852163", "020852163"),
    "two zeros": TEXT.replace("20852163", "00"),
    "a plus sign": TEXT.replace("20852163", "+1"),
    "a negative size": TEXT.replace("20852163", "-1"),
    "a space before the size": TEXT.replace("20852163", " 1"),
    "a space after the size": TEXT.replace("20852163", "1 "),
    "a hexadecimal size": TEXT.replace("20852163", "0x10"),
    "an underscore in the size": TEXT.replace("20852163", "1_000"),
    "digits of another script": TEXT.replace("20852163", "١٢"),
    "a size of 2^63": TEXT.replace("20852163", str(2**63)),
    "a size of 10,000 digits": TEXT.replace("20852163", "1" * 10_000),
    "a root of 31 bytes": TEXT.replace(ROOT, "A" * 40 + "AA=="),
    "a root of 33 bytes": TEXT.replace(ROOT, "A" * 44),
    "a root without padding": TEXT.replace(ROOT, ROOT[:-1]),
    "a root with stray bits": TEXT.replace(ROOT, ROOT.replace("2I=", "2J=")),
    "a root in hexadecimal": TEXT.replace(ROOT, "00" * 32),
    "a root for URLs": TEXT.replace(ROOT, ROOT.replace("/", "_")),
    "a space after the root": TEXT.replace(ROOT, ROOT + " "),
    "far too much": TEXT + "x" * 200_000 + "\n",
}


@pytest.mark.parametrize("text", SOUND.values(), ids=SOUND)
def test_sound(text: str) -> None:
    """A checkpoint is read, and written as it was."""
    assert Checkpoint.parse(text.encode()).encode() == text.encode()


def test_fields() -> None:
    """Origin, size, root and extension lines are told apart."""
    checkpoint = Checkpoint.parse((TEXT + "one\ntwo\n").encode())
    assert (checkpoint.origin, checkpoint.size, checkpoint.extensions) == ("example.com/log", 20852163, ("one", "two"))
    assert checkpoint.root.hex() == "0ac5186a91863e8e1d90c808014aa89bf5da8e3ee1d9f07630f0378f68f1ab62"


@pytest.mark.parametrize("text", REFUSED.values(), ids=REFUSED)
def test_refused(text: str) -> None:
    """What is not a checkpoint in its one spelling is refused."""
    with pytest.raises(CheckpointError):
        Checkpoint.parse(text.encode())


def test_not_utf8() -> None:
    """Bytes that are not UTF-8 are refused."""
    with pytest.raises(CheckpointError):
        Checkpoint.parse(TEXT.encode().replace(b"log", b"l\xffg"))


@pytest.mark.parametrize(
    ("origin", "size", "root", "extensions"),
    [
        ("", 0, EMPTY_ROOT, ()),
        ("a\nb", 0, EMPTY_ROOT, ()),
        ("a\udcffb", 0, EMPTY_ROOT, ()),
        ("a", -1, EMPTY_ROOT, ()),
        ("a", MAX_SIZE + 1, EMPTY_ROOT, ()),
        ("a", 0, EMPTY_ROOT[:-1], ()),
        ("a", 0, EMPTY_ROOT, ("",)),
        ("a", 0, EMPTY_ROOT, ("one\n\n— a AAAA",)),
    ],
)
def test_not_made(origin: str, size: int, root: bytes, extensions: tuple[str, ...]) -> None:
    """No checkpoint is made that could not be read back."""
    with pytest.raises(CheckpointError):
        Checkpoint(origin, size, root, extensions)
