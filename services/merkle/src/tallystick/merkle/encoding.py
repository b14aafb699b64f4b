"""Text forms that have one spelling only: canonical base64 and decimal numbers."""

import base64
import binascii

from tallystick.merkle.errors import MerkleError


class EncodingError(MerkleError):
    """Text is not in its one canonical form."""


def encode_base64(data: bytes) -> str:
    """Return the standard base64 of the data, padded (RFC 4648 §4)."""
    return base64.b64encode(data).decode("ascii")


def decode_base64(text: str) -> bytes:
    """Decode what `encode_base64` writes, and nothing else.

    Raises:
        EncodingError: other characters, missing or superfluous padding, or bits set that no byte needs.
    """
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise EncodingError("not base64") from error
    if encode_base64(data) != text:
        raise EncodingError("not canonical base64")
    return data


def parse_decimal(text: str, maximum: int) -> int:
    """Parse a number from 0 to `maximum`: ASCII digits, no sign, no leading zeros.

    Raises:
        EncodingError: it is written otherwise or is too large.
    """
    if not (text.isascii() and text.isdigit()) or len(text) > len(str(maximum)) or (text[0] == "0" and text != "0"):
        raise EncodingError(f"not a decimal number from 0 to {maximum}")
    number = int(text)
    if number > maximum:
        raise EncodingError(f"{number} is more than {maximum}")
    return number
