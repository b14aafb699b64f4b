"""Opening files that others may have put there: a pipe or a device in a file's place keeps nobody waiting."""

import os
import stat
from pathlib import Path

_NONBLOCK = getattr(os, "O_NONBLOCK", 0)


class IrregularFileError(OSError):
    """What has the name is a directory, a pipe, a socket or a device."""


def open_regular(path: str | Path) -> int:
    """Return the descriptor of a regular file, opened for reading without waiting for anybody.

    Raises:
        IrregularFileError: It is none.
        OSError: It cannot be opened.
    """
    descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_BINARY", 0) | _NONBLOCK)
    try:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise IrregularFileError(0, "not a regular file", str(path))
    except OSError:
        os.close(descriptor)
        raise
    return descriptor
