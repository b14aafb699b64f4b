"""People's keys: Ed25519, PKCS #8 in PEM, in a file that only its owner may read."""

import os
from base64 import b64encode
from pathlib import Path

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    PublicFormat,
    load_pem_private_key,
)

OWNER_ONLY = 0o600


class SigningKeyError(ValueError):
    """A key file does not hold an Ed25519 private key in PEM."""


def generate_key() -> Ed25519PrivateKey:
    """Make a new key."""
    return Ed25519PrivateKey.generate()


def write_key(key: Ed25519PrivateKey, path: Path) -> None:
    """Write a key to a new file that only its owner may read.

    Raises:
        FileExistsError: there is a file already; a key is never overwritten.
        OSError: it cannot be written.
    """
    pem = key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    with os.fdopen(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, OWNER_ONLY), "wb") as file:
        file.write(pem)


def read_key(path: Path) -> Ed25519PrivateKey:
    """Read a key.

    Raises:
        SigningKeyError: the file holds something else.
        OSError: it cannot be read.
    """
    try:
        key = load_pem_private_key(path.read_bytes(), password=None)
    except (ValueError, TypeError) as error:
        raise SigningKeyError(f"{path}: not an unencrypted private key in PEM") from error
    if not isinstance(key, Ed25519PrivateKey):
        raise SigningKeyError(f"{path}: not an Ed25519 key")
    return key


def public_key_of(key: Ed25519PrivateKey) -> str:
    """Return the public key as a trust policy has it: base64 of 32 bytes."""
    return b64encode(key.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)).decode()
