"""Finding and opening evidence. Pure: keys are parameters.

`Evidence` is found by HMAC-SHA-256(lookup key, transaction id). Its ciphertext is AES-256-GCM under the customer's key, with
associated data key_id || lookup || big-endian uint32 partition || big-endian uint64 sequence.
"""

import hashlib
import hmac

from cryptography.exceptions import InvalidTag
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from google.protobuf.message import DecodeError

from tallystick.audit.entries import group_name
from tallystick.contracts import Decision, Evidence, EvidenceBody
from tallystick.trust.bundle_format import Opening
from tallystick.trust.commitments import CommitmentError, open_commitment


class EvidenceError(ValueError):
    """Evidence that does not open, or opens to something the decision did not commit to."""


def lookup_token(lookup_key: bytes, transaction_id: str) -> bytes:
    """Return the 32 bytes by which a transaction's evidence is found."""
    return hmac.digest(lookup_key, transaction_id.encode(), hashlib.sha256)


def customer_token(lookup_key: bytes, customer_id: str) -> bytes:
    """Return the 32 bytes by which a customer's keys are found."""
    return hmac.digest(lookup_key, customer_id.encode(), hashlib.sha256)


def key_id(value: bytes) -> bytes:
    """Return the id of the customer's key that an `Evidence` value is encrypted under.

    Raises:
        EvidenceError: the value is no `Evidence`.
    """
    return _parse(value).key_id


def open_evidence(value: bytes, customer_key: bytes, decision: Decision) -> dict[str, Opening]:
    """Decrypt an `Evidence` value and give the openings of `decision`'s commitments, by group.

    Raises:
        EvidenceError: it is not this decision's evidence, the key is not its key, or an opening does not open its commitment.
    """
    if not hmac.compare_digest(hashlib.sha256(value).digest(), decision.evidence_digest):
        raise EvidenceError("this is not the evidence that the decision names")
    opened = open_groups(value, customer_key)
    committed = {group_name(item.group): item.digest for item in decision.commitments}
    for opening in opened.values():
        try:
            open_commitment(committed.get(opening.group, b""), opening.salt, opening.content)
        except CommitmentError as error:
            raise EvidenceError(f"the evidence's {opening.group} does not open its commitment: {error}") from None
    return opened


def open_groups(value: bytes, customer_key: bytes) -> dict[str, Opening]:
    """Decrypt an `Evidence` value and give what is inside by group, compared with no decision.

    Raises:
        EvidenceError: the key is not its key, or it holds something else.
    """
    sealed = _parse(value)
    place = sealed.partition.to_bytes(4, "big") + sealed.sequence.to_bytes(8, "big")
    try:
        plain = AESGCM(customer_key).decrypt(sealed.nonce, sealed.ciphertext, sealed.key_id + sealed.lookup + place)
        body = EvidenceBody.FromString(plain)
    except (InvalidTag, DecodeError, ValueError):
        raise EvidenceError("the evidence does not open under its customer's key") from None
    return {(name := group_name(item.group)): Opening(name, item.salt, item.content) for item in body.disclosures}


def _parse(value: bytes) -> Evidence:
    try:
        return Evidence.FromString(value)
    except DecodeError:
        raise EvidenceError("the stored evidence is not readable") from None
