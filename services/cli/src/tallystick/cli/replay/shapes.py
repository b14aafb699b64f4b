"""Protobuf messages by column: what a loop would read field by field, numpy reads at one place of all of them.

Messages of one kind that a program writes differ in their values and in little else. Those of the same length, with the same
tags, the same lengths of fields and varints of as many bytes have one *shape*: every field stands at the same place in each.
The first of them is walked; the rest need only be compared with it, at the places that make the shape.

A shape is only made of a message that protobuf would serialise to the same bytes, so what stands in a column is what protobuf
would have read; any other message is left alone (`Shaped.fields` is None), for whoever reads it by itself.
"""

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import cast

import numpy as np
from google.protobuf.descriptor import Descriptor, FieldDescriptor
from google.protobuf.message import DecodeError, Message
from numpy.typing import NDArray

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

_MAX_SHAPES = 48
"""Of one length; what has none of them then stands alone, so that strange input costs time by its size only."""
_VARINT, _FIXED64, _SIZED, _FIXED32 = 0, 1, 2, 5


@dataclass(frozen=True, slots=True)
class _Place:
    """Where a field's value is: its bytes `start` to `stop` in every message of the shape."""

    start: int
    stop: int
    wire: int
    is_32_bits: bool


@dataclass(frozen=True, slots=True)
class Shaped:
    """Messages of one shape.

    Attributes:
        rows: their places among the messages that were given, rising.
        data: their bytes, shape (rows, length).
        fields: where each field is, by its dotted path; a repeated one's elements are numbered: "commitments.0.digest".
    """

    rows: Integers
    data: Bytes
    fields: Mapping[str, _Place] | None

    def __contains__(self, path: object) -> bool:
        return self.fields is not None and path in self.fields

    def content(self, path: str) -> Bytes:
        """Return a field of bytes or text, shape (rows, bytes); no bytes if it is absent."""
        place = (self.fields or {}).get(path)
        return self.data[:, 0:0] if place is None else self.data[:, place.start : place.stop]

    def integers(self, path: str) -> Integers:
        """Return a field of integers or enums, shape (rows,); 0 if it is absent."""
        place = (self.fields or {}).get(path)
        if place is None:
            return np.zeros(len(self.data), np.int64)
        if place.wire in (_FIXED32, _FIXED64):
            width = "<u4" if place.wire == _FIXED32 else "<i8"
            return np.ascontiguousarray(self.data[:, place.start : place.stop]).view(width)[:, 0].astype(np.int64)
        values = np.zeros(len(self.data), np.uint64)
        for shift, column in enumerate(range(place.start, place.stop)):
            values |= (self.data[:, column] & np.uint8(0x7F)).astype(np.uint64) << np.uint64(7 * shift)
        return (values & np.uint64(0xFFFF_FFFF)).astype(np.int64) if place.is_32_bits else values.view(np.int64)


def shaped(
    kind: type[Message], messages: Sequence[bytes], inside: Mapping[str, type[Message]], same: Collection[str]
) -> Iterator[Shaped]:
    """Give messages shape by shape; of an element of a repeated field every number counts as "*" in `inside` and `same`.

    Args:
        kind: what they are.
        messages: serialised.
        inside: fields of bytes that are messages themselves, by path.
        same: paths of fields whose values have to be the same, too, for messages to be of one shape.
    """
    by_length: dict[int, list[int]] = {}
    for row, message in enumerate(messages):
        by_length.setdefault(len(message), []).append(row)
    for length, rows in by_length.items():
        data = np.frombuffer(b"".join([messages[row] for row in rows]), np.uint8).reshape(len(rows), length)
        yield from _of_one_length(kind, np.array(rows, np.int64), data, inside, same)


def _of_one_length(
    kind: type[Message], rows: Integers, data: Bytes, inside: Mapping[str, type[Message]], same: Collection[str]
) -> Iterator[Shaped]:
    for _ in range(_MAX_SHAPES):
        if not len(rows):
            return
        found = _Walk.over(kind, data[0].tobytes(), inside, same)
        if found is None:
            yield Shaped(rows[:1], data[:1], None)
            rows, data = rows[1:], data[1:]
            continue
        alike = ((data & found.mask) == (data[0] & found.mask)).all(axis=1)
        if alike.all():
            yield Shaped(rows, data, found.fields)
            return
        yield Shaped(rows[alike], data[alike], found.fields)
        rows, data = rows[~alike], data[~alike]
    for place in range(len(rows)):
        yield Shaped(rows[place : place + 1], data[place : place + 1], None)


class _Walk:
    """A message's fields, and the bits that make its shape."""

    def __init__(self, data: bytes, inside: Mapping[str, type[Message]], same: Collection[str]) -> None:
        self.mask = np.full(len(data), 0xFF, np.uint8)
        self.fields: dict[str, _Place] = {}
        self._data = data
        self._inside = inside
        self._same = same

    @classmethod
    def over(
        cls, kind: type[Message], data: bytes, inside: Mapping[str, type[Message]], same: Collection[str]
    ) -> "_Walk | None":
        """Return the walk over a message, None if protobuf would not write it so."""
        if not _is_canonical(kind, data):
            return None
        walk = cls(data, inside, same)
        return walk if walk._walk(cast("Descriptor", kind.DESCRIPTOR), 0, len(data), "", "") else None

    def _walk(self, descriptor: Descriptor, at: int, end: int, prefix: str, general: str) -> bool:
        seen: dict[str, int] = {}
        while at < end:
            tag, at = self._varint(at)
            field = descriptor.fields_by_number[tag >> 3]
            name = asterisk = field.name
            if field.is_repeated:
                number = seen.get(name, 0)
                seen[name] = number + 1
                name, asterisk = f"{field.name}.{number}", f"{field.name}.*"
            path, general_path = prefix + name, general + asterisk
            wire = tag & 7
            if wire == _SIZED:
                size, at = self._varint(at)
                start, at = at, at + size
                nested = self._inside.get(general_path)
                if nested is not None and not _is_canonical(nested, self._data[start:at]):
                    return False
                kind = nested.DESCRIPTOR if nested is not None else field.message_type
                if kind is not None:
                    if not self._walk(cast("Descriptor", kind), start, at, f"{path}.", f"{general_path}."):
                        return False
                    continue
            elif wire == _VARINT:
                start, at = at, self._varint(at)[1]
            else:
                start, at = at, at + (4 if wire == _FIXED32 else 8)
            self.fields[path] = _Place(start, at, wire, field.cpp_type == FieldDescriptor.CPPTYPE_UINT32)
            if general_path not in self._same:
                self.mask[start:at] = 0x80 if wire == _VARINT else 0
        return True

    def _varint(self, at: int) -> tuple[int, int]:
        value = shift = 0
        while True:
            byte = self._data[at]
            value |= (byte & 0x7F) << shift
            at, shift = at + 1, shift + 7
            if byte < 0x80:
                return value, at


def _is_canonical(kind: type[Message], data: bytes) -> bool:
    message = kind()
    try:
        message.ParseFromString(data)
    except DecodeError:
        return False
    message.DiscardUnknownFields()
    return message.SerializeToString(deterministic=True) == data
