"""What goes on beside the requests: asking the state whether it is there, and reading the file of logs when it changes."""

import asyncio
import logging
from pathlib import Path

from tallystick.witness.logs import LogsError, parse_logs
from tallystick.witness.status import OK, Status
from tallystick.witness.store import StateUnavailableError
from tallystick.witness.witness import Witness

EVERY_S = 2.0
_log = logging.getLogger(__name__)


async def watch_state(witness: Witness, status: Status, every_s: float = EVERY_S) -> None:
    """Ask every few seconds, until cancelled. Raises StateError: a state that must not be cosigned by."""
    while True:
        try:
            await witness.check()
        except StateUnavailableError as error:
            if status.state == OK:
                _log.error("the state does not answer: %s", error)
            status.state = f"not answering: {error}"
        else:
            status.state = OK
        status.looked()
        await asyncio.sleep(every_s)


async def watch_logs(path: Path, witness: Witness, status: Status, hangup: asyncio.Event, every_s: float = EVERY_S) -> None:
    """Read the file of logs when it changes or `hangup` is set, until cancelled; a bad one changes nothing."""
    seen = _stamp(path)
    while True:
        asked = await _set_within(hangup, every_s)
        stamp = _stamp(path)
        if asked or stamp != seen:
            seen = stamp
            read_logs(path, witness, status)


def read_logs(path: Path, witness: Witness, status: Status) -> None:
    """Put the file's list of logs in force, or say what is wrong with it."""
    try:
        witness.logs = parse_logs(path.read_bytes(), witness.verifier)
    except (LogsError, OSError) as error:
        problems = error.problems if isinstance(error, LogsError) else (str(error.strerror),)
        status.logs = f"not in force, the one before it is: {'; '.join(problems)}"
        for problem in problems:
            _log.error("file of logs: %s", problem)
    else:
        status.logs = OK
        _log.info("file of logs read", extra={"logs": len(witness.logs)})


def _stamp(path: Path) -> tuple[int, ...] | None:
    try:
        found = path.stat()
    except OSError:
        return None
    return found.st_mtime_ns, found.st_size, found.st_ino


async def _set_within(event: asyncio.Event, timeout_s: float) -> bool:
    try:
        await asyncio.wait_for(event.wait(), timeout_s)
    except TimeoutError:
        return False
    event.clear()
    return True
