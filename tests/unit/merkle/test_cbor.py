"""CBOR: the examples of RFC 8949, and one mutation at a time."""

import pytest

from tallystick.merkle.cbor import MAX_CBOR_SIZE, MAX_DEPTH, CborError, Tag, Value, decode, encode

# RFC 8949, Appendix A, as far as it is read here.
EXAMPLES: list[tuple[str, Value]] = [
    ("00", 0),
    ("0a", 10),
    ("17", 23),
    ("1818", 24),
    ("1864", 100),
    ("1903e8", 1000),
    ("1a000f4240", 1000000),
    ("1b000000e8d4a51000", 1000000000000),
    ("1bffffffffffffffff", 18446744073709551615),
    ("3bffffffffffffffff", -18446744073709551616),
    ("20", -1),
    ("29", -10),
    ("3863", -100),
    ("3903e7", -1000),
    ("f6", None),
    ("c11a514b67b0", Tag(1, 1363896240)),
    ("d74401020304", Tag(23, b"\x01\x02\x03\x04")),
    ("d818456449455446", Tag(24, b"dIETF")),
    ("40", b""),
    ("4401020304", b"\x01\x02\x03\x04"),
    ("60", ""),
    ("6449455446", "IETF"),
    ("62c3bc", "ü"),
    ("64f0908591", "\U00010151"),
    ("80", []),
    ("83010203", [1, 2, 3]),
    ("8301820203820405", [1, [2, 3], [4, 5]]),
    ("98190102030405060708090a0b0c0d0e0f101112131415161718181819", list(range(1, 26))),
    ("a0", {}),
    ("a201020304", {1: 2, 3: 4}),
    ("a26161016162820203", {"a": 1, "b": [2, 3]}),
    ("826161a161626163", ["a", {"b": "c"}]),
]

# What is wrong: the bytes, and the words that it is refused with.
REFUSED: dict[str, tuple[str, str]] = {
    "nothing at all": ("", "ends too early"),
    "a value too many": ("0000", "after the end"),
    "an argument cut off": ("19", "ends too early"),
    "a byte string cut off": ("4401", "ends too early"),
    "an array cut off": ("8201", "ends too early"),
    "a map without its last value": ("a101", "ends too early"),
    "a tag of nothing": ("d2", "ends too early"),
    "23 in two bytes": ("1817", "shortest"),
    "255 in three bytes": ("1900ff", "shortest"),
    "65,535 in five bytes": ("1a0000ffff", "shortest"),
    "2^32 - 1 in nine bytes": ("1b00000000ffffffff", "shortest"),
    "a length not in its shortest form": ("5800", "shortest"),
    "a tag not in its shortest form": ("d81200", "shortest"),
    "a byte string of indefinite length": ("5f42010243030405ff", "indefinite"),
    "an array of indefinite length": ("9fff", "indefinite"),
    "a map of indefinite length": ("bfff", "indefinite"),
    "reserved additional information": ("1c", "reserved"),
    "break alone": ("ff", "indefinite"),
    "false": ("f4", "simple value"),
    "true": ("f5", "simple value"),
    "undefined": ("f7", "simple value"),
    "a simple value in two bytes": ("f8ff", "float"),
    "a half-precision float": ("f93c00", "float"),
    "a single-precision float": ("fa47c35000", "float"),
    "a double-precision float": ("fb3ff199999999999a", "float"),
    "text that is not UTF-8": ("61ff", "UTF-8"),
    "half a surrogate pair": ("63eda080", "UTF-8"),
    "a key twice": ("a201020103", "the key 1 twice"),
    "a text key twice": ("a26161016161 02".replace(" ", ""), "the key 'a' twice"),
    "bytes as a key": ("a14000", "integer or text"),
    "null as a key": ("a1f600", "integer or text"),
    "an array as a key": ("a18000", "integer or text"),
    "2^64 items promised": ("9bffffffffffffffff", "ends too early"),
    "2^64 bytes promised": ("5bffffffffffffffff", "ends too early"),
}


@pytest.mark.parametrize(("data", "value"), EXAMPLES)
def test_the_rfcs_examples(data: str, value: Value) -> None:
    """Each is read as the RFC says, and written to the same bytes."""
    assert decode(bytes.fromhex(data)) == value
    assert encode(value) == bytes.fromhex(data)


@pytest.mark.parametrize("name", REFUSED)
def test_refusals(name: str) -> None:
    """Each for its own reason."""
    data, words = REFUSED[name]
    with pytest.raises(CborError, match=words):
        decode(bytes.fromhex(data))


def test_keys_keep_their_order() -> None:
    """What was read is written back to the same bytes, sorted or not: whoever signed it chose the order."""
    data = bytes.fromhex("a203040102")
    decoded = decode(data)
    assert isinstance(decoded, dict)
    assert list(decoded) == [3, 1]
    assert encode(decoded) == data


@pytest.mark.parametrize("nested", [b"\x81", b"\xd2", b"\xa1\x00"])
def test_depth_is_bounded(nested: bytes) -> None:
    """Arrays, tags and maps within each other are read to a depth, and refused beyond it, however deep, without recursion."""
    assert decode(nested * MAX_DEPTH + b"\x00") is not None
    for depth in (MAX_DEPTH + 1, 20_000):
        with pytest.raises(CborError, match="deep"):
            decode(nested * depth + b"\x00")


def test_size_is_bounded() -> None:
    """64 KiB are read, a byte more is not."""
    decode(b"\x59\xff\xfd" + bytes(MAX_CBOR_SIZE - 3))
    with pytest.raises(CborError, match="more than 65,536 bytes"):
        decode(bytes(MAX_CBOR_SIZE + 1))


@pytest.mark.parametrize("value", [2**64, -(2**64) - 1])
def test_integers_of_more_than_64_bits_cannot_be_written(value: int) -> None:
    """They would need a tag."""
    with pytest.raises(CborError, match="64 bits"):
        encode(value)
