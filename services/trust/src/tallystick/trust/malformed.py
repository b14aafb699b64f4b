"""What stands in a log for a record that could not be logged as it is, and for records that are gone."""

import re
from hashlib import sha256

from tallystick.contracts import Malformed
from tallystick.trust.errors import TrustError
from tallystick.trust.messages import parse_message

_EMPTY = sha256().digest()
_MISSING = re.compile(
    r"the topic has no records from offset ([0-9]{1,20}) to ([0-9]{1,20}): deleted before they were logged, or never any"
)


class MalformedError(TrustError):
    """A stand-in does not say what it must."""


def missing(first: int, last: int) -> Malformed:
    """Return what stands for the offsets `first` to `last`, at which a topic has no records."""
    reason = f"the topic has no records from offset {first} to {last}: deleted before they were logged, or never any"
    return Malformed(digest=_EMPTY, reason=reason)


def open_malformed(value: bytes) -> Malformed:
    """Return the stand-in in `value`.

    Raises:
        TrustError: It is none, or holds no digest.
    """
    stand_in = parse_message(Malformed, value, "the record")
    if len(stand_in.digest) != len(_EMPTY):
        raise MalformedError(f"its digest has {len(stand_in.digest)} bytes and not {len(_EMPTY)}")
    return stand_in


def missing_range(stand_in: Malformed) -> tuple[int, int] | None:
    """Return the first and the last offset that it says are `missing`, None if it stands for a record."""
    said = _MISSING.fullmatch(stand_in.reason)
    if said is None or stand_in.size_bytes or stand_in.digest != _EMPTY:
        return None
    return int(said[1]), int(said[2])
