"""The witness's own key: an Ed25519 private key in a file that nobody else may read."""

import os
import stat
from pathlib import Path

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat, load_pem_private_key

from tallystick.merkle.keys import COSIGNATURE_V1, VerifierKey, check_name, cosignature_message
from tallystick.merkle.notes import Note, SignatureLine
from tallystick.witness.decision import Accepted, Head
from tallystick.witness.files import sync_directory

_MAX_FILE_SIZE = 16 * 1024


class KeyFileError(OSError):
    """The key's file cannot be used; the message says why and what to do."""


class WitnessKey:
    """A name and the private key by which this witness cosigns (C2SP tlog-cosignature, cosignature/v1)."""

    def __init__(self, name: str, private: Ed25519PrivateKey) -> None:
        """Take a private key. Raises NoteError: `name` is no key's name."""
        self._private = private
        self.verifier = VerifierKey.make(name, COSIGNATURE_V1, private.public_key().public_bytes_raw())

    @classmethod
    def load(cls, name: str, path: Path) -> "WitnessKey":
        """Read the key of a file. Raises KeyFileError or, for a bad name, NoteError."""
        return cls(name, load_private_key(path))

    @classmethod
    def make(cls, name: str, path: Path) -> "WitnessKey":
        """Make a new key and its file, durably. Raises KeyFileError, as when there is such a file; NoteError for a bad name."""
        check_name(name)
        return cls(name, make_private_key(path))

    def cosign(self, accepted: Accepted) -> tuple[Head, str]:
        """Cosign what was accepted. Returns the head to keep and the signature line to answer with."""
        submission, time_s = accepted.submission, accepted.time_s
        line = SignatureLine.by(self.verifier, self._private.sign(cosignature_message(submission.text, time_s)), time_s)
        note = Note(submission.text, (*submission.signatures, line)).encode()
        checkpoint = submission.checkpoint
        return Head(checkpoint.origin, checkpoint.size, checkpoint.root, time_s, note), line.encode()


def load_private_key(path: Path) -> Ed25519PrivateKey:
    """Read the private key of a file. Raises KeyFileError."""
    try:
        with path.open("rb") as file:
            mode = os.fstat(file.fileno()).st_mode
            data = file.read(_MAX_FILE_SIZE)
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be read: {error.strerror}") from error
    if mode & (stat.S_IRWXG | stat.S_IRWXO):
        raise KeyFileError(f"{path}: others than its owner may read or write it: chmod 600 it")
    try:
        private = load_pem_private_key(data, password=None)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        private = None
    if not isinstance(private, Ed25519PrivateKey):
        raise KeyFileError(f"{path}: holds no Ed25519 private key (PKCS #8 in PEM, without a password)")
    return private


def make_private_key(path: Path) -> Ed25519PrivateKey:
    """Make a new private key and its file, durably. Raises KeyFileError, as when there is such a file."""
    private = Ed25519PrivateKey.generate()
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with os.fdopen(descriptor, "wb") as file:
            file.write(private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
            file.flush()
            os.fsync(descriptor)
        sync_directory(path.parent)
    except FileExistsError as error:
        raise KeyFileError(f"{path}: is there already; a key is never overwritten") from error
    except OSError as error:
        raise KeyFileError(f"{path}: cannot be made: {error.strerror}") from error
    return private
