"""Approvers' signatures on a governance record. Pure: records, keys and the roster in, records out."""

from base64 import b64encode
from typing import TypeVar

from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.cli.approval.keys import public_key_of
from tallystick.contracts import Activation, Enrolment, Incident, LogKey, Signature
from tallystick.trust.enrolments import Roster
from tallystick.trust.errors import TrustError
from tallystick.trust.statements import APPROVER, signing_input, verify_signatures

Record = TypeVar("Record", Activation, Enrolment, Incident, LogKey)
"""A statement's serialised bytes and the approvers' signatures on it."""


class ApprovalError(ValueError):
    """What is proposed would not count; the message says why."""


def signed(record: Record, key: Ed25519PrivateKey, signer: str, roster: Roster) -> Record:
    """Return the record with one more approver's signature.

    Raises:
        ApprovalError: They signed it already, or the roster does not know them as an approver with this key.
    """
    _check_approver(key, signer, roster)
    signature = Signature(signer=signer, signature=key.sign(signing_input(_kind(record), record.statement)))
    more = type(record)(statement=record.statement, signatures=[*record.signatures, signature])
    check_signatures(more, roster, len(more.signatures))
    return more


def check_signatures(record: Record, roster: Roster, minimum: int) -> None:
    """Check that at least so many approvers have signed, and nobody else.

    Raises:
        ApprovalError: They have not.
    """
    try:
        verify_signatures(_kind(record), record.statement, record.signatures, roster.signers, APPROVER, minimum)
    except TrustError as error:
        raise ApprovalError(f"it is not well signed: {error}") from error


def _check_approver(key: Ed25519PrivateKey, name: str, roster: Roster) -> None:
    known = roster.people.get(name)
    if known is None:
        raise ApprovalError(f"neither the trust policy nor the governance log knows {name!r}")
    if b64encode(known.public_key).decode() != public_key_of(key):
        raise ApprovalError(f"the key is not the one that {name!r} is known by")


def _kind(record: Record) -> str:
    return f"{record.DESCRIPTOR.name}Statement"
