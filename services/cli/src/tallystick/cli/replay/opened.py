"""Opened evidence, by column: what of it there is for each decision, and whether it is what the decision commits to."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from hashlib import sha256
from operator import add, methodcaller
from typing import Protocol

import numpy as np
from google.protobuf.message import DecodeError
from numpy.typing import NDArray

from tallystick.cli.replay.decided import Decisions
from tallystick.cli.replay.shapes import Bytes
from tallystick.contracts import Evidence
from tallystick.trust.commitments import DIGEST_SIZE, SALT_SIZE

_digest = methodcaller("digest")


class State(IntEnum):
    """What has become of a decision's evidence."""

    OPENED = 0
    ERASED = 1
    MISSING = 2


class EvidenceUnavailableError(OSError):
    """Evidence cannot be had; the message says why."""


@dataclass(frozen=True, slots=True)
class Opened:
    """The evidence of some decisions, row by row.

    Attributes:
        states: of `State`; shape (rows,).
        salts: by group, one a row; empty where there is none.
        contents: likewise.
        sealed: of rows that are said to be erased the `Evidence` as it is stored, which says under which key it is encrypted.
    """

    states: NDArray[np.uint8]
    salts: Mapping[str, Sequence[bytes]]
    contents: Mapping[str, Sequence[bytes]]
    sealed: Mapping[int, bytes] = field(default_factory=dict)


class EvidenceSource(Protocol):
    """Whoever has opened evidence; what it gives is believed for nothing but having been committed to."""

    async def read(self, origin: str, batches: Sequence[Decisions], groups: Collection[str]) -> list[Opened]:
        """Return the evidence of scored decisions of a log, as far as it is there. Raises EvidenceUnavailableError."""


def opens(committed: Bytes, salts: Sequence[bytes], contents: Sequence[bytes]) -> NDArray[np.bool_]:
    """Return of each row whether salt and content open the commitment.

    Args:
        committed: commitments, shape (rows, 32).
        salts: one a row.
        contents: one a row.
    """
    found = b"".join(map(_digest, map(sha256, map(add, salts, contents))))
    alike: NDArray[np.bool_] = (np.frombuffer(found, np.uint8).reshape(-1, DIGEST_SIZE) == committed).all(axis=1)
    alike &= np.fromiter(map(len, salts), np.int64, len(alike)) == SALT_SIZE
    return alike


def proven_erased(evidence_digest: bytes, sealed: bytes, erased_keys: Collection[bytes]) -> bool:
    """Tell whether evidence is the decision's and is encrypted under a key that the governance log says was destroyed."""
    try:
        return sha256(sealed).digest() == evidence_digest and Evidence.FromString(sealed).key_id in erased_keys
    except DecodeError:
        return False
