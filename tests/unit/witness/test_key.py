"""The private key's file: made once, for its owner alone, never overwritten."""

import stat
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import BestAvailableEncryption, Encoding, NoEncryption, PrivateFormat

from tallystick.merkle.keys import NoteError, VerifierKey
from tallystick.witness.key import KeyFileError, WitnessKey

NAME = "witness.example/w1"


def test_a_key_is_made_and_loaded(tmp_path: Path) -> None:
    """What is loaded is what was made; only the owner may read it; its verifier key is one of cosignature/v1."""
    made = WitnessKey.make(NAME, tmp_path / "key")
    assert stat.S_IMODE((tmp_path / "key").stat().st_mode) == 0o600
    loaded = WitnessKey.load(NAME, tmp_path / "key")
    assert loaded.verifier == made.verifier == VerifierKey.parse(str(made.verifier))
    assert made.verifier.kind == 4


def test_two_keys_differ(tmp_path: Path) -> None:
    """Each is random."""
    assert WitnessKey.make(NAME, tmp_path / "a").verifier != WitnessKey.make(NAME, tmp_path / "b").verifier


def test_a_key_is_never_overwritten(tmp_path: Path) -> None:
    """Nor is anything else."""
    WitnessKey.make(NAME, tmp_path / "key")
    before = (tmp_path / "key").read_bytes()
    with pytest.raises(KeyFileError, match="is there already"):
        WitnessKey.make(NAME, tmp_path / "key")
    assert (tmp_path / "key").read_bytes() == before


@pytest.mark.parametrize("mode", [0o640, 0o604, 0o644, 0o620, 0o602, 0o610, 0o601])
def test_a_key_that_others_may_reach_is_refused(tmp_path: Path, mode: int) -> None:
    """Group or world, reading, writing or running: none of it; the message says what to do."""
    WitnessKey.make(NAME, tmp_path / "key")
    (tmp_path / "key").chmod(mode)
    with pytest.raises(KeyFileError, match="chmod 600"):
        WitnessKey.load(NAME, tmp_path / "key")


def _pem(private: Ed25519PrivateKey | EllipticCurvePrivateKey, password: bytes | None = None) -> bytes:
    encryption = BestAvailableEncryption(password) if password else NoEncryption()
    return private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, encryption)


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"nonsense",
        _pem(generate_private_key(SECP256R1())),
        _pem(Ed25519PrivateKey.generate(), b"password"),
        b"\0" * 100_000,
    ],
)
def test_what_is_no_key_is_refused(tmp_path: Path, data: bytes) -> None:
    """Another kind of key, one with a password, or none; what it holds is not repeated."""
    (tmp_path / "key").write_bytes(data)
    (tmp_path / "key").chmod(0o600)
    with pytest.raises(KeyFileError, match="holds no Ed25519 private key") as refused:
        WitnessKey.load(NAME, tmp_path / "key")
    assert str(refused.value).startswith(f"{tmp_path}/key: holds")


@pytest.mark.parametrize("path", ["missing", "."])
def test_a_file_that_is_not_there_is_named(tmp_path: Path, path: str) -> None:
    """Missing, or no file at all."""
    with pytest.raises(KeyFileError, match="cannot be read"):
        WitnessKey.load(NAME, tmp_path / path)


def test_a_key_without_a_place_is_not_made(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(KeyFileError, match="cannot be made"):
        WitnessKey.make(NAME, tmp_path / "missing" / "key")


def test_a_bad_name_makes_no_file(tmp_path: Path) -> None:
    """Nothing is left behind."""
    with pytest.raises(NoteError, match="no spaces"):
        WitnessKey.make("two words", tmp_path / "key")
    assert not (tmp_path / "key").exists()
