"""Writing files so that they are there, whole, once it was said so: what is written and its name are synced."""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes, mode: int = 0o666) -> None:
    """Write a file in place of what is there, whole or not at all; `mode` as in `open(2)`. Raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    _write(os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, mode), data)
    temporary.replace(path)
    sync(path.parent)


def create_file(path: Path, data: bytes) -> None:
    """Write a file where none is.

    Raises:
        FileExistsError: One is there; it is left as it is.
        OSError: It cannot be written.
    """
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o666)
    try:
        _write(descriptor, data)
    except BaseException:
        path.unlink()
        raise
    sync(path.parent)


def sync(path: Path) -> None:
    """Make a file's content, or a directory's names, durable. Raises OSError."""
    descriptor = os.open(path, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def _write(descriptor: int, data: bytes) -> None:
    """Write all of it, durably, and close the file."""
    with os.fdopen(descriptor, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(descriptor)
