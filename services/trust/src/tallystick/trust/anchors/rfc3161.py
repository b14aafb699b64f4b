"""A time stamp (RFC 3161), verified with nothing but the authority's pinned roots."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from hashlib import sha256, sha512

from cryptography import x509

from tallystick.trust.anchors import cms
from tallystick.trust.anchors.certificates import check_path
from tallystick.trust.anchors.errors import AnchorError
from tallystick.trust.anchors.signatures import load_certificates, verify_signature

MAX_RESPONSE_BYTES = 65_536
MAX_REQUEST_BYTES = 4_096
GRANTED = 0
_IMPRINTS = {cms.OID("2.16.840.1.101.3.4.2.1"): sha256, cms.OID("2.16.840.1.101.3.4.2.3"): sha512}


@dataclass(frozen=True, slots=True)
class Stamp:
    """A good time stamp: when it was made, in UTC, its serial number, and the authority's certificate."""

    time: datetime
    serial: int
    certificate: x509.Certificate


def verify_stamp(request: bytes, response: bytes, text: bytes, roots: Sequence[x509.Certificate]) -> Stamp:
    """Verify an authority's answer to a request that was made for `text`.

    Checked: the status is granted; the imprint is `text`'s, in the request and in the stamp; the nonce is the request's; the
    signature; the signer's certificate, by issuer, serial number and ESSCertID (v1 or v2); its one purpose; its path to one
    of `roots` at the stamp's own time. Not checked: whether a certificate was revoked.

    Raises:
        AnchorError: any of these is not so.
    """
    if len(request) > MAX_REQUEST_BYTES or len(response) > MAX_RESPONSE_BYTES:
        raise AnchorError("the time stamp or its request is larger than any")
    try:
        return _verify(request, response, text, roots)
    except AnchorError:
        raise
    except ValueError as error:  # what the DER parser says
        raise AnchorError(f"the time stamp cannot be read: {error}") from None


def _verify(request: bytes, response: bytes, text: bytes, roots: Sequence[x509.Certificate]) -> Stamp:
    asked = cms.decode_der(cms.Request, request)
    answer = cms.decode_der(cms.Response, response)
    if answer.status.status != GRANTED or answer.token is None:
        raise AnchorError(f"the authority did not grant the time stamp (status {answer.status.status})")
    if answer.token.content_type != cms.SIGNED_DATA:
        raise AnchorError("the time stamp is not signed data")
    signed = answer.token.content
    certificates = load_certificates(signed)
    signer = verify_signature(signed, certificates)
    info = cms.decode_der(cms.StampInfo, signed.content.content)
    _check_answer(asked, info, text)
    time = info.time.as_datetime().astimezone(UTC)
    check_path(signer, [certificate for certificate in certificates if certificate != signer], roots, time)
    return Stamp(time, info.serial, signer)


def _check_answer(asked: cms.Request, info: cms.StampInfo, text: bytes) -> None:
    algorithm = asked.imprint.algorithm.algorithm
    if algorithm not in _IMPRINTS or asked.imprint.digest != _IMPRINTS[algorithm](text).digest():
        raise AnchorError("the request was not made for this text")
    if info.imprint.algorithm.algorithm != algorithm or info.imprint.digest != asked.imprint.digest:
        raise AnchorError("the time stamp is of another text")
    if asked.nonce is None or info.nonce != asked.nonce:
        raise AnchorError("the time stamp does not have the request's nonce")
    if asked.policy is not None and info.policy != asked.policy:
        raise AnchorError("the time stamp was made under another policy than was asked for")
    if info.version != 1 or asked.version != 1:
        raise AnchorError("the time stamp's version is not 1")
