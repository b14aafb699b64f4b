"""As much CBOR (RFC 8949) as COSE receipts need: one encoding a value, no floats, nothing of indefinite length.

Integers, byte and text strings, arrays, maps with integer or text keys, null and tags. Lengths and integers take the fewest
bytes that hold them (§4.2.1). Map keys keep the order in which they came, so that what was decoded encodes to the same bytes:
whoever wants them sorted puts them so.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

from tallystick.merkle.errors import MerkleError

MAX_CBOR_SIZE = 65_536
MAX_DEPTH = 8

_UNSIGNED, _NEGATIVE, _BYTES, _TEXT, _ARRAY, _MAP, _TAG, _SIMPLE = range(8)
_MAX_ARGUMENT = 2**64 - 1
_NULL = 22


class CborError(MerkleError):
    """Not CBOR, or CBOR that is not read here."""


@dataclass(frozen=True, slots=True)
class Tag:
    """A tagged value."""

    number: int
    value: "Value"


Map: TypeAlias = dict[int | str, "Value"]
Value: TypeAlias = "int | bytes | str | list[Value] | Map | Tag | None"


def encode(value: Value) -> bytes:
    """Encode a value.

    Raises:
        CborError: an integer of more than 64 bits.
    """
    match value:
        case None:
            return _head(_SIMPLE, _NULL)
        case int():
            return _head(_NEGATIVE, -1 - value) if value < 0 else _head(_UNSIGNED, value)
        case bytes():
            return _head(_BYTES, len(value)) + value
        case str():
            text = value.encode()
            return _head(_TEXT, len(text)) + text
        case list():
            return _head(_ARRAY, len(value)) + b"".join([encode(item) for item in value])
        case dict():
            return _head(_MAP, len(value)) + b"".join([encode(key) + encode(item) for key, item in value.items()])
        case Tag():
            return _head(_TAG, value.number) + encode(value.value)


def decode(data: bytes) -> Value:
    """Decode exactly one value.

    Raises:
        CborError: it is none of those above, not in its shortest form, larger or deeper than is read, has a key twice, or ends
            early or late.
    """
    if len(data) > MAX_CBOR_SIZE:
        raise CborError(f"CBOR of more than {MAX_CBOR_SIZE:,} bytes")
    heads = _Reader(data)
    whole = _Open(_ARRAY, 1)  # an array around it all, so that there always is one to put the next value into
    stack = [whole]
    while stack:
        opened = stack[-1]
        if len(opened.items) == opened.count:
            stack.pop()
            if stack:
                stack[-1].items.append(opened.close())
            continue
        value = heads.next()
        if isinstance(value, _Open):
            if len(stack) > MAX_DEPTH:
                raise CborError(f"CBOR nested more than {MAX_DEPTH} deep")
            stack.append(value)
        else:
            opened.items.append(value)
    if not heads.at_end:
        raise CborError("bytes after the end of the CBOR")
    return whole.items[0]


@dataclass(slots=True)
class _Open:
    """An array, map or tag whose values are still being read; `count` is how many it takes."""

    kind: int
    count: int
    number: int = 0
    items: list[Value] = field(default_factory=list)

    def close(self) -> Value:
        if self.kind == _ARRAY:
            return self.items
        if self.kind == _TAG:
            return Tag(self.number, self.items[0])
        entries: Map = {}
        for key, value in _pairs(self.items):
            if not isinstance(key, int | str):
                raise CborError("a map's key is an integer or text")
            if key in entries:
                raise CborError(f"a map has the key {key!r} twice")
            entries[key] = value
        return entries


class _Reader:
    """Reads one head after the other, and the strings that follow them."""

    def __init__(self, data: bytes) -> None:
        self._data, self._at = data, 0

    @property
    def at_end(self) -> bool:
        return self._at == len(self._data)

    def next(self) -> "Value | _Open":
        """Return the next integer, string or null, or the array, map or tag that begins here."""
        kind, argument = self._head()
        if kind in (_UNSIGNED, _NEGATIVE):
            return argument if kind == _UNSIGNED else -1 - argument
        if kind in (_BYTES, _TEXT):
            taken = self._take(argument)
            return taken if kind == _BYTES else _text(taken)
        if kind == _TAG:
            return _Open(_TAG, 1, argument)
        if kind in (_ARRAY, _MAP):
            return _Open(kind, argument if kind == _ARRAY else 2 * argument)
        if argument != _NULL:
            raise CborError("a simple value or a float, which is not read here")
        return None

    def _head(self) -> tuple[int, int]:
        initial = self._take(1)[0]
        kind, info = initial >> 5, initial & 0x1F
        if info < 24:
            return kind, info
        if info > 27 or kind == _SIMPLE:
            raise CborError("an indefinite length, a float or a reserved form, which is not read here")
        argument = int.from_bytes(self._take(1 << (info - 24)), "big")
        if _width(argument) != info:
            raise CborError("a number that is not in its shortest form")
        return kind, argument

    def _take(self, size: int) -> bytes:
        end = self._at + size
        if end > len(self._data):
            raise CborError("the CBOR ends too early")
        taken = self._data[self._at : end]
        self._at = end
        return taken


def _text(data: bytes) -> str:
    try:
        return data.decode()
    except UnicodeDecodeError as error:
        raise CborError("a text string that is not UTF-8") from error


def _head(kind: int, argument: int) -> bytes:
    if argument > _MAX_ARGUMENT:
        raise CborError("an integer of more than 64 bits")
    info = _width(argument)
    return bytes([kind << 5 | info]) + (argument.to_bytes(1 << (info - 24), "big") if info >= 24 else b"")


def _width(argument: int) -> int:
    """Return the low five bits of the head that holds this argument: itself, or how many bytes follow."""
    if argument < 24:
        return argument
    return next(info for info in (24, 25, 26, 27) if argument < 1 << (8 << (info - 24)))


def _pairs(items: list[Value]) -> Iterator[tuple[Value, Value]]:
    return zip(items[::2], items[1::2], strict=True)
