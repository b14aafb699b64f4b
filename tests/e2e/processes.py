"""Processes as the kernel shows them: who descends from whom, stopped and continued as a whole."""

import contextlib
import os
import signal
import time
from collections.abc import Iterator
from pathlib import Path


def descendants(pid: int) -> list[int]:
    """Return a process and all that descend from it, the eldest first."""
    parents = _parents()
    found = [pid]
    for one in found:
        found += [child for child, parent in parents.items() if parent == one]
    return found


def command_line(pid: int) -> bytes:
    """Return a process's arguments, nothing of one that has ended."""
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def alive(pids: list[int]) -> list[int]:
    """Return those that still run."""
    return [pid for pid in pids if pid in _parents()]


@contextlib.contextmanager
def stopped(pid: int) -> Iterator[None]:
    """Let a process and its descendants stand still (SIGSTOP); PostgreSQL's children, for one, have groups of their own."""
    pids = descendants(pid)
    _signal(pids, signal.SIGSTOP)
    try:
        yield
    finally:
        _signal(pids, signal.SIGCONT)


def wait_gone(pids: list[int], timeout_s: float = 60.0) -> list[int]:
    """Wait until none of them runs; return those that still do."""
    deadline = time.monotonic() + timeout_s
    while (left := alive(pids)) and time.monotonic() < deadline:
        time.sleep(0.05)
    return left


def _parents() -> dict[int, int]:
    """Return every process's parent; zombies do not run any more."""
    parents = {}
    for folder in Path("/proc").glob("[0-9]*"):
        with contextlib.suppress(OSError):
            state, parent = (folder / "stat").read_text().rpartition(")")[2].split()[:2]
            if state not in "ZX":
                parents[int(folder.name)] = int(parent)
    return parents


def _signal(pids: list[int], number: signal.Signals) -> None:
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
