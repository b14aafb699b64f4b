"""Finding and opening evidence."""

import hashlib
import hmac

import pytest
from cryptography.hazmat.primitives.ciphers.aead import AESGCM

from tallystick.audit.evidence import EvidenceError, key_id, lookup_token, open_evidence
from tallystick.contracts import Commitment, Decision, Disclosure, DisclosureGroup, Evidence, EvidenceBody

KEY = b"k" * 32
SALT = b"s" * 16
FEATURES = DisclosureGroup.DISCLOSURE_GROUP_FEATURES


def seal(disclosures: list[Disclosure], partition: int = 1, bound_to: int = 1) -> bytes:
    """Encrypt a body as FORMATS has it; `bound_to` is the partition in the associated data."""
    sealed = Evidence(key_id=b"i" * 16, lookup=b"l" * 32, partition=partition, sequence=2**40, nonce=b"n" * 12)
    data = sealed.key_id + sealed.lookup + bound_to.to_bytes(4, "big") + (2**40).to_bytes(8, "big")
    sealed.ciphertext = AESGCM(KEY).encrypt(sealed.nonce, EvidenceBody(disclosures=disclosures).SerializeToString(), data)
    return sealed.SerializeToString()


def decision_on(value: bytes, content: bytes = b"content") -> Decision:
    """Make the decision that names this evidence and commits to `content` as its features."""
    return Decision(
        evidence_digest=hashlib.sha256(value).digest(),
        commitments=[Commitment(group=FEATURES, digest=hashlib.sha256(SALT + content).digest())],
    )


GOOD = seal([Disclosure(group=FEATURES, salt=SALT, content=b"content")])


def test_lookup_token() -> None:
    """Evidence is found by HMAC-SHA-256 of the transaction id."""
    assert lookup_token(KEY, "tx-1") == hmac.new(KEY, b"tx-1", "sha256").digest()


def test_open() -> None:
    """Evidence opens to what the decision committed to."""
    openings = open_evidence(GOOD, KEY, decision_on(GOOD))
    assert (openings["features"].salt, openings["features"].content) == (SALT, b"content")
    assert key_id(GOOD) == b"i" * 16


def test_other_evidence() -> None:
    """Evidence with another digest than the decision's is refused before it is opened."""
    with pytest.raises(EvidenceError, match="names"):
        open_evidence(GOOD, KEY, decision_on(GOOD + b"\0"))


def test_other_key() -> None:
    """Another customer's key opens nothing."""
    with pytest.raises(EvidenceError, match="does not open"):
        open_evidence(GOOD, b"x" * 32, decision_on(GOOD))


def test_moved_evidence() -> None:
    """Evidence is bound to its place: the partition is authenticated."""
    moved = seal([], partition=2, bound_to=1)
    with pytest.raises(EvidenceError, match="does not open"):
        open_evidence(moved, KEY, decision_on(moved))


@pytest.mark.parametrize(
    "disclosure",
    [
        Disclosure(group=FEATURES, salt=SALT, content=b"other"),
        Disclosure(group=FEATURES, salt=SALT[:15], content=SALT[15:] + b"content"),
        Disclosure(group=DisclosureGroup.DISCLOSURE_GROUP_IDENTITY, salt=SALT, content=b"content"),
    ],
)
def test_openings_that_do_not_open(disclosure: Disclosure) -> None:
    """An opening of something else, with another salt's length or of a group not committed to, is refused."""
    value = seal([disclosure])
    with pytest.raises(EvidenceError, match="commitment"):
        open_evidence(value, KEY, decision_on(value))


def test_unreadable() -> None:
    """What is no protobuf is said to be unreadable."""
    with pytest.raises(EvidenceError, match="not readable"):
        key_id(b"\xff")
