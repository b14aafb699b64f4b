"""A snapshot is whole or nothing."""

from collections.abc import Iterator
from dataclasses import replace

import pytest

from tallystick.scoring.snapshots import LAYOUT, Header, Reader, SnapshotError, encode, folder, read_name

KEY = bytes(range(32))
HEADER = Header("transactions", 3, 120, 100, "ab" * 32, 7, 1_700_000_000_000, LAYOUT, "vault:v1:wrapped")
FRAMES = [b"the clock", b"customers " * 40, b"more"]
WHOLE = b"".join(encode(HEADER, KEY, FRAMES))


def read(data: bytes, key: bytes = KEY) -> list[bytes]:
    """Read a snapshot in pieces of seven bytes."""
    return list(Reader(pieces(data)).frames(key))


def pieces(data: bytes) -> Iterator[bytes]:
    """Cut bytes into pieces."""
    yield from (data[start : start + 7] for start in range(0, len(data), 7))


def test_it_reads_as_it_was_written() -> None:
    """Header and frames come back; what is written is not to be read without the key."""
    assert Reader(pieces(WHOLE)).header == HEADER
    assert read(WHOLE) == FRAMES
    assert b"clock" not in WHOLE
    with pytest.raises(SnapshotError, match="frame 0"):
        read(WHOLE, bytes(32))


def test_no_byte_can_be_changed() -> None:
    """Wherever a bit flips, it is refused; header and frames belong together."""
    for place in range(len(WHOLE)):
        with pytest.raises(SnapshotError):
            read(WHOLE[:place] + bytes([WHOLE[place] ^ 1]) + WHOLE[place + 1 :])


def test_no_part_can_be_left_out() -> None:
    """Cut off anywhere, with something behind its end, with a frame less or two in each other's place: refused."""
    for end in range(len(WHOLE)):
        with pytest.raises(SnapshotError, match=r"cut off|no snapshot"):
            read(WHOLE[:end])
    with pytest.raises(SnapshotError, match="follows"):
        read(WHOLE + b"x")
    parts = list(encode(HEADER, KEY, FRAMES))
    for order in ([0, 2, 1, 3, 4], [0, 1, 2, 4], [0, 1, 1, 2, 3, 4]):
        with pytest.raises(SnapshotError, match=r"is not what was written|SHA-256"):
            read(b"".join(parts[place] for place in order))


@pytest.mark.parametrize(
    ("data", "reason"),
    [
        (b"", "cut off"),
        (b"another file altogether", "no snapshot"),
        (WHOLE.replace(b"snapshot-v1", b"snapshot-v2"), "no snapshot"),
        (b"tallystick-snapshot-v1\n{}\n", "header cannot be read"),
        (b"tallystick-snapshot-v1\n[]\n", "header cannot be read"),
        (b"tallystick-snapshot-v1\n" + b"x" * 9_000, "header is too large"),
        (replace(HEADER, next_sequence=-1).encode(), "not in the right types"),
        (replace(HEADER, chain="no hex").encode(), "header cannot be read"),
        (replace(HEADER, layout="customers/0/little").encode(), "written down as 'customers/0/little'"),
    ],
)
def test_what_is_none_or_of_another_format_is_refused(data: bytes, reason: str) -> None:
    """Before a key is asked for."""
    with pytest.raises(SnapshotError, match=reason):
        Reader([data])


def test_names_sort_by_place_and_say_it() -> None:
    """The newest is the last; other names are nobody's."""
    names = [replace(HEADER, next_sequence=sequence, made_ms=made_ms).name for sequence, made_ms in ((9, 2), (10, 1), (10, 3))]
    assert names == sorted(names)
    assert read_name(names[-1]) == (3, 10, 3)
    assert names[0].startswith(folder("transactions", 3))
    assert [read_name(other) for other in ("transactions/3/x.snapshot", f"{names[0]}.bak", "x")] == [None] * 3
