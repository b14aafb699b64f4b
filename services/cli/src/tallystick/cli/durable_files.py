"""Writing files so that they are there, whole, once it was said so: what is written and its name are synced."""

import os
from pathlib import Path


def replace_file(path: Path, data: bytes) -> None:
    """Write a file in place of what is there, whole or not at all. Raises OSError."""
    temporary = path.with_name(f".{path.name}.new")
    with temporary.open("wb") as file:
        _write(file.fileno(), data)
    temporary.replace(path)
    _sync_names(path.parent)


def create_file(path: Path, data: bytes) -> None:
    """Write a file where none is.

    Raises:
        FileExistsError: One is there; it is left as it is.
        OSError: It cannot be written.
    """
    with path.open("xb") as file:
        try:
            _write(file.fileno(), data)
        except BaseException:
            path.unlink()
            raise
    _sync_names(path.parent)


def _write(descriptor: int, data: bytes) -> None:
    left = memoryview(data)
    while left:
        left = left[os.write(descriptor, left) :]
    os.fsync(descriptor)


def _sync_names(directory: Path) -> None:
    descriptor = os.open(directory, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
