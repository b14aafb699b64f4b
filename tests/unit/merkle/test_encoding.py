"""Base64 and decimals have one spelling."""

import pytest

from tallystick.merkle.encoding import EncodingError, decode_base64, encode_base64, parse_decimal


@pytest.mark.parametrize("data", [b"", b"\x00", b"ab", b"abc", bytes(range(256))])
def test_base64(data: bytes) -> None:
    """What is encoded decodes to itself."""
    assert decode_base64(encode_base64(data)) == data


@pytest.mark.parametrize(
    "text",
    [
        "A",
        "AA",
        "AA=",
        "AB==",
        "AA===",
        "AAA",
        "AAB=",
        "AA==AA==",
        "AA==\n",
        " AA==",
        "A A==",
        "-_-_",
        "AA=A",
        "é===",
        "\udc80",
        "=",
    ],
)
def test_base64_refused(text: str) -> None:
    """Missing or superfluous padding, stray bits, other alphabets and blanks are refused."""
    with pytest.raises(EncodingError):
        decode_base64(text)


@pytest.mark.parametrize(("text", "number"), [("0", 0), ("1", 1), ("10", 10), ("999", 999), ("1000", 1000)])
def test_decimal(text: str, number: int) -> None:
    """Plain decimals up to the maximum are read."""
    assert parse_decimal(text, 1000) == number


@pytest.mark.parametrize(
    "text", ["", "00", "01", "+1", "-1", " 1", "1 ", "1_0", "1e2", "0x1", "١", "²", "1001", "9999", "9" * 5000, "1.0"]
)
def test_decimal_refused(text: str) -> None:
    """Signs, leading zeros, other digits and numbers that are too large are refused."""
    with pytest.raises(EncodingError):
        parse_decimal(text, 1000)
