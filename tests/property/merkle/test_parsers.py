"""Parsers against arbitrary and slightly altered input: one spelling each, and no errors but their own."""

from collections.abc import Callable

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import decode_base64, encode_base64, parse_decimal
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import MAX_SIZE
from tallystick.merkle.notes import COSIGNATURE_V1, ED25519, Note, SignatureLine, VerifierKey, cosignature_message
from tallystick.merkle.policy import LogPolicy
from tallystick.merkle.tiles import TilePath, decode_bundle, encode_bundle

LOG, WITNESS = (Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32) for seed in (1, 2))
ORIGIN = "example.com/log"
LOG_KEY = VerifierKey.make(ORIGIN, ED25519, LOG.public_key().public_bytes_raw())
WITNESS_KEY = VerifierKey.make("example.com/witness", COSIGNATURE_V1, WITNESS.public_key().public_bytes_raw())
TEXT = Checkpoint(ORIGIN, 123_456, bytes(range(32))).encode()
NOTE = Note(
    TEXT,
    (
        SignatureLine.by(LOG_KEY, LOG.sign(TEXT)),
        SignatureLine.by(WITNESS_KEY, WITNESS.sign(cosignature_message(TEXT, 1_700_000_000)), 1_700_000_000),
    ),
).encode()
POLICY_TEXT = f"log {LOG_KEY}\nwitness clock {WITNESS_KEY}\nquorum clock\n".encode()
POLICY = LogPolicy.parse(POLICY_TEXT)


def _accept_policy(data: bytes) -> None:
    """Blanks and comments mean nothing in a policy, so that it alone is not written back."""
    LogPolicy.parse(data)


PARSERS: dict[str, tuple[bytes, Callable[[bytes], bytes | None]]] = {
    "note": (NOTE, lambda data: Note.parse(data).encode()),
    "checkpoint": (TEXT, lambda data: Checkpoint.parse(data).encode()),
    "key": (str(LOG_KEY).encode(), lambda data: str(VerifierKey.parse(data.decode("utf-8", "surrogateescape"))).encode()),
    "path": (b"tile/0/x001/234.p/5", lambda data: TilePath.parse(data.decode("utf-8", "surrogateescape")).path().encode()),
    "base64": (b"aGFzaA==", lambda data: encode_base64(decode_base64(data.decode("utf-8", "surrogateescape"))).encode()),
    "decimal": (b"1234", lambda data: str(parse_decimal(data.decode("utf-8", "surrogateescape"), MAX_SIZE)).encode()),
    "bundle": (encode_bundle([b"one", b"", b"three"]), lambda data: encode_bundle(decode_bundle(data, 3))),
    "policy": (POLICY_TEXT, _accept_policy),
}


@st.composite
def alterations(draw: st.DrawFn, sound: bytes) -> bytes:
    """Arbitrary bytes, or sound ones with a piece replaced, left out or put in."""
    if draw(st.booleans()):
        return draw(st.binary(max_size=80))
    start = draw(st.integers(0, len(sound)))
    stop = draw(st.integers(start, min(len(sound), start + 3)))
    piece = draw(st.sampled_from([b"", b"\n", b" ", b"0", b"=", b"\x00", b"\xff", b"\n\n"]) | st.binary(max_size=3))
    return sound[:start] + piece + sound[stop:]


@pytest.mark.parametrize("name", PARSERS)
@given(st.data())
def test_one_spelling(name: str, data: st.DataObject) -> None:
    """What a parser accepts is written back to the same bytes; for the rest it raises its own error."""
    sound, round_trip = PARSERS[name]
    assert round_trip(sound) in (sound, None)
    altered = data.draw(alterations(sound))
    try:
        written = round_trip(altered)
    except MerkleError:
        return
    assert written in (altered, None)


@given(st.data())
def test_altered_checkpoints_are_refused(data: st.DataObject) -> None:
    """No alteration of a signed and cosigned checkpoint is accepted."""
    assert POLICY.verify_checkpoint(NOTE, ORIGIN).cosigned == {"clock": 1_700_000_000}
    altered = data.draw(alterations(NOTE).filter(lambda note: note != NOTE))
    with pytest.raises(MerkleError):
        POLICY.verify_checkpoint(altered, ORIGIN)


@given(st.integers(0, len(NOTE) - 1), st.integers(0, 7))
def test_flipped_bits_are_refused(at: int, bit: int) -> None:
    """No bit of it can be flipped: text, names, key ids, times and signatures are all bound, or the quorum is lost."""
    altered = bytearray(NOTE)
    altered[at] ^= 1 << bit
    with pytest.raises(MerkleError):
        POLICY.verify_checkpoint(bytes(altered), ORIGIN)


@given(st.binary(max_size=200), st.integers(-1, 257))
def test_bundles_of_arbitrary_bytes(data: bytes, width: int) -> None:
    """A bundle that decodes has just as many entries as were asked for, and all of the bytes."""
    try:
        entries = decode_bundle(data, width)
    except MerkleError:
        return
    assert len(entries) == width
    assert encode_bundle(entries) == data


@given(st.integers(0, 63), st.integers(0, MAX_SIZE >> 8), st.integers(1, 256))
def test_tile_paths(level: int, index: int, width: int) -> None:
    """Every tile's path leads back to it."""
    tile = TilePath(level, index, width)
    assert TilePath.parse(tile.path()) == tile
