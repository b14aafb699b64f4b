"""What is kept on disk: the last head, signed heads that nothing proves yet, and the evidence of alarms.

    <state>                                          the last head, replaced by the next that continues it
    <state>.unproven-<size>-<16 digits of its root>   a head that the log has signed and not proven, until another one proves it
    <evidence>                                       the first alarm
    <evidence>-<16 digits>, before the suffix        any other, named by its two heads

Evidence is never replaced: what an alarm leaves may be the only proof that there is.
"""

from collections.abc import Callable, Iterator
from glob import escape
from itertools import count
from pathlib import Path

from tallystick.cli.monitor_log.evidence import MAX_EVIDENCE_BYTES, Evidence
from tallystick.cli.monitor_log.following import Head, open_head
from tallystick.merkle.policy import LogPolicy
from tallystick.runtime.durable_files import create_file, replace_file
from tallystick.runtime.log_reader import MAX_CHECKPOINT_BYTES
from tallystick.verifier.inputs import UnreadableError, read_file

MAX_UNPROVEN = 64
"""Heads without proof that are kept; the first ones, should a log sign more. 16 MiB at most, usually some kilobytes."""


class KeptHeads:
    """The heads of a log that were seen, in files; what was kept is on disk. All methods raise UnreadableError.

    Args:
        state: the last head's file; the others lie beside it.
        policy: names the log.
    """

    def __init__(self, state: Path, policy: LogPolicy) -> None:
        self._state, self._policy = state, policy
        self.last = self._read(state) if state.exists() else None

    def keep(self, head: Head) -> None:
        """Keep a head as the last one."""
        if self.last is None or self.last.note != head.note:
            _write(replace_file, self._state, head.note)
            self.last = head

    def unproven(self) -> dict[Path, Head]:
        """Return the heads that nothing has proven yet, by their files, in order of their names."""
        return {path: self._read(path) for path in sorted(self._state.parent.glob(f"{escape(self._state.name)}.unproven-*"))}

    def set_aside(self, head: Head) -> Path | None:
        """Keep a head that is not proven; return where it is, None if there are too many already."""
        said = head.checkpoint
        path = self._state.with_name(f"{self._state.name}.unproven-{said.size}-{said.root.hex()[:16]}")
        present = self.unproven()
        if path in present:
            return path
        if len(present) >= MAX_UNPROVEN:
            return None
        _write(replace_file, path, head.note)
        return path

    def _read(self, path: Path) -> Head:
        try:
            return open_head(read_file(str(path), MAX_CHECKPOINT_BYTES), self._policy)
        except ValueError as error:
            raise UnreadableError(f"the head kept in {path} is not one that this policy's logs have signed: {error}") from None


def keep_evidence(path: Path, evidence: Evidence) -> Path:
    """Write the evidence of an alarm where none of another is, and return where; once, however often it alarms.

    Raises:
        UnreadableError: It cannot be written.
    """
    for place in _places(path, evidence.digest()):
        try:
            _write(create_file, place, evidence.encode())
        except FileExistsError:
            if not _holds(place, evidence):
                continue
        return place
    raise AssertionError("there is always another name")


def _places(path: Path, digest: str) -> Iterator[Path]:
    yield path
    yield path.with_stem(f"{path.stem}-{digest}")
    for number in count(2):
        yield path.with_stem(f"{path.stem}-{digest}-{number}")


def _holds(path: Path, evidence: Evidence) -> bool:
    try:
        return Evidence.parse(read_file(str(path), MAX_EVIDENCE_BYTES)).digest() == evidence.digest()
    except (ValueError, UnreadableError):
        return False


def _write(how: Callable[[Path, bytes], None], path: Path, data: bytes) -> None:
    try:
        how(path, data)
    except FileExistsError:
        raise
    except OSError as error:
        raise UnreadableError(f"cannot write {path}: {error.strerror}") from None
