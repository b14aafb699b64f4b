"""Signatures on statements."""

import pytest

from tallystick.contracts import Signature
from tallystick.trust.statements import SignatureError, Signer, signing_input, verify_signatures

from .helpers import public, sign

APPROVER = frozenset({"approver"})
SIGNERS = [
    Signer("ada", public("ada"), frozenset({"publisher", "approver"})),
    Signer("bob", public("bob"), APPROVER),
    Signer("ada again", public("ada"), APPROVER),
    Signer("pat", public("pat"), frozenset({"publisher"})),
]
KIND, STATEMENT = "ActivationStatement", b"statement"


def check(signatures: list[Signature], kind: str = KIND, statement: bytes = STATEMENT) -> tuple[str, ...]:
    """Verify as an activation's signatures: two approvers."""
    return verify_signatures(kind, statement, signatures, SIGNERS, "approver", 2)


def named(name: str, signature: Signature) -> Signature:
    """Return the signature under another name."""
    return Signature(signer=name, signature=signature.signature)


def test_what_is_signed_names_its_kind() -> None:
    """A signature on one kind of statement can never be one on another."""
    assert signing_input("ModelStatement", b"\x0a") == b"tallystick/v1/ModelStatement\n\x0a"


def test_two_approvers_are_enough() -> None:
    """Their names come back in the signatures' order."""
    assert check(sign(KIND, STATEMENT, "bob", "ada")) == ("bob", "ada")


ADA, BOB, PAT = sign(KIND, STATEMENT, "ada", "bob", "pat")
TAMPERED = bytearray(BOB.signature)
TAMPERED[7] ^= 1


@pytest.mark.parametrize(
    ("signatures", "reason"),
    [
        ([], "0 of the 2 approver signatures"),
        ([ADA], "1 of the 2 approver signatures"),
        ([ADA, ADA], "'ada' signed it twice"),
        ([ADA, named("ada again", ADA)], "'ada again' signed it with a key that already signed"),
        ([ADA, named("bob", ADA)], "signature of 'bob' on it is not good"),
        ([ADA, PAT], "'pat' is not an approver"),
        ([ADA, BOB, PAT], "'pat' is not an approver"),
        ([ADA, BOB, named("eve", BOB)], "'eve' is neither in the trust policy nor enrolled"),
        ([ADA, BOB, named("", BOB)], "'' is neither in the trust policy nor enrolled"),
        ([ADA, Signature(signer="bob", signature=bytes(TAMPERED))], "signature of 'bob' on it is not good"),
        ([ADA, Signature(signer="bob", signature=BOB.signature[:63])], "signature of 'bob' on it is not good"),
        ([ADA, Signature(signer="bob")], "signature of 'bob' on it is not good"),
        ([ADA, BOB] * 9, "18 signatures, more than 16"),
        (sign("ModelStatement", STATEMENT, "ada", "bob"), "signature of 'ada' on it is not good"),
        (sign(KIND, b"another", "ada", "bob"), "signature of 'ada' on it is not good"),
    ],
)
def test_anything_less_is_refused(signatures: list[Signature], reason: str) -> None:
    """One person twice, one key under two names, a wrong role, an unknown signer or one bad signature condemn the statement."""
    with pytest.raises(SignatureError, match=reason):
        check(signatures)


@pytest.mark.parametrize("public_key", [bytes(32), b"\x01" + bytes(31), b"\xff" * 32, bytes(31)])
def test_keys_for_which_verifiers_disagree_are_nobody_s(public_key: bytes) -> None:
    """A signer cannot have a small-order or non-canonical key: anybody could sign for it, or only some would accept it."""
    with pytest.raises(ValueError, match="Ed25519 public key"):
        Signer("eve", public_key, APPROVER)
