"""Ethereum's RLP, as much as receipts need: one level at a time, so nothing recurses (Yellow Paper, appendix B).

Strict: a length or a single byte that could have been written shorter is refused, as is anything left over.
"""

from collections.abc import Sequence

from tallystick.trust.anchors.errors import AnchorError

_STRING, _LONG_STRING, _LIST, _LONG_LIST = 0x80, 0xB7, 0xC0, 0xF7
_SHORT = 55  # the longest payload whose length fits the first byte


def list_items(data: bytes) -> Sequence[bytes]:
    """Return the items of the list that `data` encodes, each still encoded.

    Raises:
        AnchorError: it is not one list in its only encoding.
    """
    start, end = _span(data, 0)
    if not data or data[0] < _LIST or end != len(data):
        raise AnchorError("an RLP list is not one")
    items = []
    while start < end:
        _, stop = _span(data, start)
        if stop > end:
            raise AnchorError("an RLP item is cut off")
        items.append(data[start:stop])
        start = stop
    return items


def string(item: bytes) -> bytes:
    """Return the bytes that `item` encodes. Raises AnchorError if it is not one byte string in its only encoding."""
    start, end = _span(item, 0)
    if item[0] >= _LIST or end != len(item):
        raise AnchorError("an RLP string is not one")
    if end == 2 and item[1] < _STRING and item[0] == _STRING + 1:
        raise AnchorError("an RLP string is not in its shortest form")
    return item[start:end]


def integer(item: bytes) -> int:
    """Return the non-negative integer that `item` encodes. Raises AnchorError if it is not one, or has leading zeros."""
    value = string(item)
    if value.startswith(b"\0"):
        raise AnchorError("an RLP integer has a leading zero")
    return int.from_bytes(value, "big")


def encode_integer(value: int) -> bytes:
    """Return the encoding of an integer from 0 to 2^64 - 1."""
    data = value.to_bytes((value.bit_length() + 7) // 8, "big")
    return data if len(data) == 1 and data[0] < _STRING else bytes([_STRING + len(data)]) + data


def _span(data: bytes, at: int) -> tuple[int, int]:
    """Return where the payload of the item at `at` starts and ends."""
    if at >= len(data):
        raise AnchorError("an RLP item is missing")
    first = data[at]
    if first < _STRING:
        return at, at + 1
    base, long = (_STRING, _LONG_STRING) if first < _LIST else (_LIST, _LONG_LIST)
    if first <= long:
        start, length = at + 1, first - base
    else:
        width = first - long
        start = at + 1 + width
        length = int.from_bytes(data[at + 1 : start], "big")
        if data[at + 1 : at + 2] == b"\0" or length <= _SHORT:
            raise AnchorError("an RLP length is not in its shortest form")
    if start + length > len(data):
        raise AnchorError("an RLP item is cut off")
    return start, start + length
