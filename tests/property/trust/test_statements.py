"""Signatures on statements, and protobuf messages, against their rules read naively."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import DecodeError
from hypothesis import given, settings
from hypothesis import strategies as st

from tallystick.contracts import Decision, Signature
from tallystick.trust.messages import MessageError, parse_message
from tallystick.trust.statements import APPROVER, PUBLISHER, SignatureError, Signer, verify_signatures

from ...unit.trust.helpers import World, key, public

PEOPLE = {"ada": {APPROVER}, "bob": {APPROVER, PUBLISHER}, "cyd": {PUBLISHER}}
SIGNERS = [Signer(name, public(name), frozenset(roles)) for name, roles in PEOPLE.items()]
DECISION = World().decision.SerializeToString()


@settings(max_examples=200, deadline=None)
@given(
    st.lists(st.tuples(st.sampled_from([*PEOPLE, "stranger"]), st.sampled_from([*PEOPLE]), st.booleans()), max_size=5),
    st.sampled_from([APPROVER, PUBLISHER]),
    st.integers(0, 3),
    st.binary(max_size=20),
)
def test_signatures(made: list[tuple[str, str, bool]], role: str, minimum: int, statement: bytes) -> None:
    """Enough signers, all known, with the role, each once, and every signature good over kind and statement: else refused."""
    message = b"tallystick/v1/Kind\n" + statement
    signatures = [
        Signature(signer=name, signature=key(by).sign(message if right else message + b"!")) for name, by, right in made
    ]

    def good(name: str, by: str, right: bool) -> bool:
        return right and name == by and role in PEOPLE.get(name, set())

    names = [name for name, _, _ in made]
    sound = all(good(*one) for one in made) and len(set(names)) == len(names) >= minimum
    try:
        verified = verify_signatures("Kind", statement, signatures, SIGNERS, role, minimum)
    except SignatureError:
        assert not sound
        return
    assert sound
    assert list(verified) == names
    for one in signatures:  # and by the library itself
        Ed25519PublicKey.from_public_bytes(public(one.signer)).verify(one.signature, message)


@settings(max_examples=200, deadline=None)
@given(st.data())
def test_messages(data: st.DataObject) -> None:
    """A message is accepted exactly when it decodes, and nothing is lost of it by dropping unknown fields."""
    start = data.draw(st.integers(0, len(DECISION)))
    stop = data.draw(st.integers(start, min(len(DECISION), start + 4)))
    altered = DECISION[:start] + data.draw(st.binary(max_size=6)) + DECISION[stop:]
    try:
        message = Decision.FromString(altered)
    except DecodeError:
        with pytest.raises(MessageError):
            parse_message(Decision, altered, "it")
        return
    whole = message.SerializeToString(deterministic=True)
    message.DiscardUnknownFields()
    known = message.SerializeToString(deterministic=True) == whole
    try:
        parse_message(Decision, altered, "it")
    except MessageError:
        assert not known
    else:
        assert known
