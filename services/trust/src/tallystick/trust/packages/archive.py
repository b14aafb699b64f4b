"""A zip archive with one way to be written (PKWARE APPNOTE 6.3, §4.3): the same files are the same bytes, everywhere.

Files are stored as they are, by rising name, dated 1980-01-01, readable by everybody; no compression, comments, extra fields,
folders, encryption, or zip64. Reading goes from the first byte to the last, and what was read must be written again to the same
bytes. So there is nothing in an archive that a reader does not see, no second table of contents for another program to believe,
and nothing that grows when it is opened.
"""

import re
from collections.abc import Mapping
from struct import Struct, error
from zlib import crc32

from tallystick.trust.errors import TrustError

MAX_ARCHIVE_BYTES = 2**31
MAX_FILES = 60_000
MAX_NAME = 200
_LOCAL = Struct("<4s5H3I2H")
_CENTRAL = Struct("<4s6H3I5H2I")
_END = Struct("<4s4H2IH")
_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE = b"PK\x03\x04", b"PK\x01\x02", b"PK\x05\x06"
_VERSION, _MADE_BY_UNIX, _DATE, _MODE = 10, 3 << 8 | 10, 1 << 5 | 1, 0o100644 << 16
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*(?:/[A-Za-z0-9][A-Za-z0-9._-]*)*")


class ArchiveError(TrustError):
    """A file is not an archive of this kind; the message says where it is not."""


def is_archive(data: bytes) -> bool:
    """Tell whether a file is a zip, or what is left of one: it has somewhere the mark with which a zip's parts begin.

    No JSON or text has one, for the marks hold control characters.
    """
    return any(mark in data for mark in (_LOCAL_SIGNATURE, _CENTRAL_SIGNATURE, _END_SIGNATURE))


def is_headless(data: bytes) -> bool:
    """Tell whether a file does not even begin as a zip does."""
    return not data.startswith((_LOCAL_SIGNATURE, _END_SIGNATURE))


def write_archive(files: Mapping[str, bytes]) -> bytes:
    """Return the archive of files by name.

    Raises:
        ArchiveError: A name or the size is none that an archive may have.
    """
    if len(files) > MAX_FILES:
        raise ArchiveError(f"it would hold {len(files):,} files, more than {MAX_FILES:,}")
    members, table, at = list[bytes](), list[bytes](), 0
    for name, content in sorted(files.items()):
        _check_name(name)
        said = name.encode("ascii")
        sums = crc32(content), len(content), len(content)
        local = _LOCAL.pack(_LOCAL_SIGNATURE, _VERSION, 0, 0, 0, _DATE, *sums, len(said), 0)
        central = (_CENTRAL_SIGNATURE, _MADE_BY_UNIX, _VERSION, 0, 0, 0, _DATE, *sums, len(said), 0, 0, 0, 0, _MODE, at)
        members += local, said, content
        table += _CENTRAL.pack(*central), said
        at += len(local) + len(said) + len(content)
        if at > MAX_ARCHIVE_BYTES:
            raise ArchiveError(f"it would be larger than {MAX_ARCHIVE_BYTES:,} bytes")
    size = sum(map(len, table))
    end = _END.pack(_END_SIGNATURE, 0, 0, len(files), len(files), size, at, 0)
    return b"".join([*members, *table, end])


def read_archive(data: bytes) -> dict[str, bytes]:
    """Return an archive's files by name.

    Raises:
        ArchiveError: It is not what `write_archive` would make of them.
    """
    if len(data) > MAX_ARCHIVE_BYTES:
        raise ArchiveError(f"it is larger than {MAX_ARCHIVE_BYTES:,} bytes")
    files: dict[str, bytes] = {}
    at, last = 0, ""
    while data[at : at + 4] == _LOCAL_SIGNATURE:
        name, content, at = _member(data, at)
        if name in files:
            raise ArchiveError(f"it holds {name} twice")
        if name < last:
            raise ArchiveError(f"{name} stands behind {last}, out of order")
        if len(files) == MAX_FILES:
            raise ArchiveError(f"it holds more than {MAX_FILES:,} files")
        files[name], last = content, name
    if data[at : at + 4] not in (_CENTRAL_SIGNATURE, _END_SIGNATURE):
        raise ArchiveError(f"byte {at:,} begins neither a file nor the table of contents: it was cut off or changed")
    if write_archive(files) != data:
        raise ArchiveError(
            f"its table of contents, from byte {at:,} on, is not just that of the files before it: another program wrote it, or"
            " somebody changed it"
        )
    return files


def _member(data: bytes, at: int) -> tuple[str, bytes, int]:
    try:
        _, _, flags, method, _, _, crc, packed, size, name_size, _ = _LOCAL.unpack_from(data, at)
    except error:
        raise ArchiveError(f"it ends at byte {len(data):,}, within a file's header") from None
    start = at + _LOCAL.size
    raw = data[start : start + name_size]
    name = raw.decode("ascii", "backslashreplace")
    _check_name(name)
    if flags & 1:
        raise ArchiveError(f"{name} is encrypted")
    if method or packed != size or flags:
        raise ArchiveError(f"{name} is compressed: a package holds its files as they are, so that none grows when opened")
    content = data[start + name_size : start + name_size + size]
    if len(content) != size:
        raise ArchiveError(f"{name} is to have {size:,} bytes, and the file ends after {len(content):,}")
    if crc32(content) != crc:
        raise ArchiveError(f"{name} was changed: its checksum is another")
    return name, content, start + name_size + size


def _check_name(name: str) -> None:
    if len(name) > MAX_NAME or not _NAME.fullmatch(name):
        raise ArchiveError(f"{name[:MAX_NAME]!r} is no name for a file in a package: it could lead out of its folder")
