"""A snapshot: a partition's customers as they were at one place of its input, as one object that is whole or nothing.

    tallystick-snapshot-v1 LF
    header: JSON in one line, LF
    frames: length (4 bytes, big-endian), AES-256-GCM ciphertext; the first is the clock, the others hold whole customers
    length 0
    SHA-256 of everything before (32 bytes)

It holds personal data: who paid when and how much (ids of transactions only as digests). So all frames are encrypted, under a
key that is used once and lies in the header, wrapped by Vault. Nonces count the frames; each is bound to the header.

Pure: bytes in, bytes out.
"""

import json
import re
import struct
import sys
from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from hashlib import sha256
from typing import Self

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.scoring.customers import FORMAT

LAYOUT = f"{FORMAT}/{sys.byteorder}"
_MAGIC = b"tallystick-snapshot-v1\n"
_MAX_HEADER_BYTES = 8_192
_MAX_FRAME_BYTES = 1 << 30  # a slice of customers each as large as they get
_LENGTH = struct.Struct(">I")
_NONCE_BYTES = 12
_NAME = re.compile(r"([0-9]+)/([0-9]{20})-([0-9]{13})\.snapshot")


class SnapshotError(ValueError):
    """A snapshot that cannot be used: broken, cut off, of another format or another partition."""


@dataclass(frozen=True, slots=True)
class Header:
    """Where a snapshot was taken, and how it is read.

    Attributes:
        topic: the input topic.
        partition: its partition.
        next_offset: the input offset behind the last record that moved a customer.
        next_sequence: the sequence number of the next decision.
        chain: the input chain up to here, as hexadecimal digits.
        activation_index: the activation that was in force, None before the first.
        made_ms: when, in milliseconds since 1970.
        layout: how customers are written down.
        wrapped_key: the frames' key, wrapped.
    """

    topic: str
    partition: int
    next_offset: int
    next_sequence: int
    chain: str
    activation_index: int | None
    made_ms: int
    layout: str
    wrapped_key: str

    @property
    def name(self) -> str:
        """What the snapshot is called: names sort by place, then by age."""
        return f"{folder(self.topic, self.partition)}{self.next_sequence:020d}-{self.made_ms:013d}.snapshot"

    def encode(self) -> bytes:
        """Return the object's beginning."""
        return _MAGIC + json.dumps(asdict(self), separators=(",", ":")).encode() + b"\n"

    @classmethod
    def parse(cls, line: bytes) -> Self:
        """Read the JSON. Raises SnapshotError."""
        try:
            header = cls(**json.loads(line))
            bytes.fromhex(header.chain)
            numbers = (header.partition, header.next_offset, header.next_sequence, header.made_ms)
            if not all(type(number) is int and number >= 0 for number in numbers) or type(header.wrapped_key) is not str:
                raise ValueError("not in the right types")
        except (ValueError, TypeError, RecursionError) as error:
            raise SnapshotError(f"its header cannot be read: {error}") from error
        return header


def folder(topic: str, partition: int | None = None) -> str:
    """Return where the snapshots of a partition, or of all partitions, are; ends at a slash."""
    return f"{topic}/" if partition is None else f"{topic}/{partition}/"


def read_name(name: str) -> tuple[int, int, int] | None:
    """Return the partition, next sequence number and age (ms since 1970) that a name says, None if it is no snapshot's."""
    found = _NAME.fullmatch(name.partition("/")[2])
    return None if found is None else (int(found[1]), int(found[2]), int(found[3]))


def encode(header: Header, key: bytes, frames: Iterable[bytes]) -> Iterator[bytes]:
    """Give a snapshot's bytes, a frame at a time.

    Args:
        header: as above.
        key: 32 bytes, used for nothing else.
        frames: what it holds.
    """
    beginning, cipher = header.encode(), AESGCM(key)
    digest, bound = sha256(beginning), sha256(beginning).digest()
    yield beginning
    for number, frame in enumerate(frames):
        sealed = cipher.encrypt(_nonce(number), frame, bound)
        part = _LENGTH.pack(len(sealed)) + sealed
        digest.update(part)
        yield part
    digest.update(_LENGTH.pack(0))
    yield _LENGTH.pack(0) + digest.digest()


class Reader:
    """Reads a snapshot from its bytes as they come.

    Args:
        parts: the object's bytes, in pieces of any size.

    Attributes:
        header: what the object says of itself; nothing of it is proven yet.

    Raises:
        SnapshotError: it is no snapshot, or not of this format.
    """

    def __init__(self, parts: Iterable[bytes]) -> None:
        self._parts = iter(parts)
        self._ahead = bytearray()
        self._digest = sha256()
        if self._take(len(_MAGIC)) != _MAGIC:
            raise SnapshotError("it is no snapshot of this version")
        line = self._line()
        self.header = Header.parse(line)
        if self.header.layout != LAYOUT:
            raise SnapshotError(f"its customers are written down as {self.header.layout!r}, read are {LAYOUT!r}")
        self._bound = sha256(_MAGIC + line + b"\n").digest()

    def frames(self, key: bytes) -> Iterator[bytes]:
        """Give the frames; only when all were given, the snapshot is known to be whole. Raises SnapshotError."""
        cipher, number = AESGCM(key), 0
        while length := _LENGTH.unpack(self._take(_LENGTH.size))[0]:
            if length > _MAX_FRAME_BYTES:
                raise SnapshotError("a frame is too large")
            try:
                yield cipher.decrypt(_nonce(number), self._take(length), self._bound)
            except InvalidTag:
                raise SnapshotError(f"frame {number} is not what was written") from None
            number += 1
        expected = self._digest.digest()
        if self._take(len(expected)) != expected:
            raise SnapshotError("its SHA-256 is another")
        if self._ahead or any(self._parts):
            raise SnapshotError("something follows its end")

    def _take(self, size: int) -> bytes:
        while len(self._ahead) < size:
            part = next(self._parts, None)
            if part is None:
                raise SnapshotError("it is cut off")
            self._ahead += part
        taken = bytes(self._ahead[:size])
        del self._ahead[:size]
        self._digest.update(taken)
        return taken

    def _line(self) -> bytes:
        line = bytearray()
        while (byte := self._take(1)) != b"\n":
            line += byte
            if len(line) > _MAX_HEADER_BYTES:
                raise SnapshotError("its header is too large")
        return bytes(line)


def _nonce(number: int) -> bytes:
    return number.to_bytes(_NONCE_BYTES, "big")
