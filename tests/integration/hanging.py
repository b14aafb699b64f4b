"""PostgreSQL that hangs: its connections stay open, and nothing answers on them nor on new ones."""

import contextlib
import os
import signal
from collections.abc import Callable
from pathlib import Path

from tallystick.embedded import Postgres


def suspend_database(server: Postgres) -> Callable[[], None]:
    """Stop PostgreSQL's processes, those of its connections first; return what wakes them, and may be called again."""
    postmaster = server.pid
    pids = [*_children(postmaster), postmaster]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)

    def wake() -> None:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):  # a connection's own process may be gone
                os.kill(pid, signal.SIGCONT)

    return wake


def _children(pid: int) -> list[int]:
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
