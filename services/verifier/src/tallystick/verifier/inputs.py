"""The files that a verdict is made from. That one cannot be read says nothing about what it holds: exit code 2, not 1."""

import sys
from contextlib import nullcontext
from pathlib import Path

from tallystick.merkle.policy import MAX_POLICY_SIZE, LogPolicy
from tallystick.trust.bundle_format import MAX_BUNDLE_BYTES
from tallystick.trust.packages.archive import MAX_ARCHIVE_BYTES, is_archive
from tallystick.trust.policy import TrustPolicy, TrustPolicyError


class UnreadableError(Exception):
    """A file named on the command line cannot be used; the message says which and why."""


def read_file(path: str, max_bytes: int) -> bytes:
    """Return a file's bytes, or those of standard input for "-"; of a longer file, `max_bytes` and one more.

    Raises:
        UnreadableError: It cannot be read.
    """
    try:
        if path == "-":
            return sys.stdin.buffer.read(max_bytes + 1)
        with Path(path).open("rb") as file:
            return file.read(max_bytes + 1)
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}") from None


def read_proof(path: str, max_bytes: int) -> bytes:
    """Return a proof's bytes, as `read_file` does; those of an audit package, which may be larger, to its own limit.

    Raises:
        UnreadableError: It cannot be read, or is empty.
    """
    try:
        with nullcontext(sys.stdin.buffer) if path == "-" else Path(path).open("rb") as file:
            data = file.read(max_bytes + 1)
            if is_package(path, data):
                data += file.read(MAX_ARCHIVE_BYTES + 1 - len(data))
    except OSError as error:
        raise UnreadableError(f"cannot read {path}: {error.strerror}") from None
    return _some(path, data)


def is_package(path: str, data: bytes) -> bool:
    """Tell whether a file is an audit package, sound or damaged: by what is in it, or by its name if that is no JSON."""
    return is_archive(data) or (path.lower().endswith(".zip") and not data.startswith(b"{"))


def _some(path: str, data: bytes) -> bytes:
    if not data:
        raise UnreadableError(f"{'standard input' if path == '-' else path} is empty: there is nothing to verify")
    return data


def read_bundle(path: str) -> bytes:
    """Return a bundle's bytes, not checked in any way.

    Raises:
        UnreadableError: It cannot be read, or is empty.
    """
    return _some(path, read_file(path, MAX_BUNDLE_BYTES))


def read_policy(path: str) -> TrustPolicy:
    """Return the trust policy in a folder.

    Raises:
        UnreadableError: It cannot be read, or is not understood.
    """
    try:
        return TrustPolicy.load(Path(path))
    except TrustPolicyError as error:
        raise UnreadableError(f"the trust policy {path}: {error}") from None


def read_log_policy(path: str) -> LogPolicy:
    """Return what a tlog-policy file says.

    Raises:
        UnreadableError: It cannot be read, or is not understood.
    """
    try:
        return LogPolicy.parse(read_file(path, MAX_POLICY_SIZE))
    except ValueError as error:
        raise UnreadableError(f"the policy {path}: {error}") from None
