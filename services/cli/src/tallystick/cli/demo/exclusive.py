"""One demo at a time in a folder, by a lock beside it that the kernel drops with its holder, however that one ends."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


class RunningError(RuntimeError):
    """Another demo runs in the folder; the message says which process, and what to do."""


@contextmanager
def alone_in(directory: Path) -> Iterator[None]:
    """Hold `<directory>.lock`; the folder itself need not exist.

    Raises:
        RunningError: somebody else holds it.
    """
    with directory.with_name(f"{directory.name}.lock").open("a+") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            file.seek(0)
            holder = file.read().strip() or "unknown"
            raise RunningError(
                f"another one runs in {directory} (process {holder}); stop it first, or give this one a folder by --build"
            ) from None
        file.truncate(0)
        file.write(f"{os.getpid()}\n")
        file.flush()
        yield
