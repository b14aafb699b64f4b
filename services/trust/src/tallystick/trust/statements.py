"""Signatures of people (and machines) on statements.

What is signed is the statement's exact serialised bytes, under the name of its message so that a signature on one kind never
counts for another:

    Ed25519 over "tallystick/v1/" || kind || 0A || statement        kind: "ModelStatement", "ActivationStatement", …
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Protocol

from tallystick.merkle import ed25519
from tallystick.trust.errors import TrustError

PUBLISHER = "publisher"
"""The role whose signature makes a model or policy version."""

APPROVER = "approver"
"""The role of which two make an activation."""

ROLES = frozenset({PUBLISHER, APPROVER})

MAX_SIGNATURES = 16
"""More signatures than this on one statement are refused before any is checked."""


class SignatureError(TrustError):
    """A statement's signatures do not add up to what its kind needs."""


@dataclass(frozen=True, slots=True)
class Signer:
    """Someone whom the trust policy or an enrolment names; `public_key` is 32 bytes of Ed25519, no roles mean revoked.

    Raises:
        PublicKeyError: The key is not one that every verifier would treat alike.
    """

    name: str
    public_key: bytes
    roles: frozenset[str]

    def __post_init__(self) -> None:
        ed25519.check_public_key(self.public_key)


@dataclass(frozen=True, slots=True)
class Sealer:
    """Who seals the input, by the trust policy: nobody of the operator's; `public_key` is 32 bytes of Ed25519.

    Raises:
        PublicKeyError: The key is not one that every verifier would treat alike.
    """

    name: str
    public_key: bytes

    def __post_init__(self) -> None:
        ed25519.check_public_key(self.public_key)


class SignatureLike(Protocol):
    """The contracts' `Signature`: a signer's name and 64 bytes of Ed25519."""

    signer: str
    signature: bytes


def signing_input(kind: str, statement: bytes) -> bytes:
    """Return the bytes that a signer signs; `kind` is the name of the statement's message."""
    return b"tallystick/v1/" + kind.encode("ascii") + b"\n" + statement


def verify_signatures(
    kind: str, statement: bytes, signatures: Sequence[SignatureLike], signers: Iterable[Signer], role: str, minimum: int
) -> tuple[str, ...]:
    """Return the names of those who signed `statement`, in the signatures' order.

    At least `minimum` of them, all holding `role`, all different by name and by key. One signature that is not good condemns
    the rest: whoever put it there wanted something to be overlooked.

    Raises:
        SignatureError: A signer is unknown, repeated or without the role, a signature is bad, or they are too few.
    """
    if len(signatures) > MAX_SIGNATURES:
        raise SignatureError(f"it carries {len(signatures)} signatures, more than {MAX_SIGNATURES}")
    by_name = {signer.name: signer for signer in signers}
    message = signing_input(kind, statement)
    names: list[str] = []
    keys: set[bytes] = set()
    for item in signatures:
        signer = by_name.get(item.signer)
        if signer is None:
            raise SignatureError(f"its signer {item.signer!r} is neither in the trust policy nor enrolled")
        if not signer.roles:
            raise SignatureError(f"its signer {signer.name!r} was revoked")
        if role not in signer.roles:
            raise SignatureError(f"its signer {signer.name!r} is not a{'n' if role[0] in 'aeiou' else ''} {role}")
        if signer.name in names:
            raise SignatureError(f"{signer.name!r} signed it twice, which counts once")
        if signer.public_key in keys:
            raise SignatureError(f"{signer.name!r} signed it with a key that already signed under another name")
        try:
            ed25519.verify(signer.public_key, message, item.signature)
        except ed25519.SignatureError:
            raise SignatureError(f"the signature of {signer.name!r} on it is not good") from None
        names.append(signer.name)
        keys.add(signer.public_key)
    if len(names) < minimum:
        raise SignatureError(f"it has {len(names)} of the {minimum} {role} signatures that it needs")
    return tuple(names)
