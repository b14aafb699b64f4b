"""The one signature on a time stamp, and whose certificate it binds itself to (RFC 5652 §5.4, RFC 5035, RFC 5816)."""

import hashlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from typing import Any, TypeVar

from cryptography import x509
from cryptography.exceptions import InvalidSignature, UnsupportedAlgorithm
from cryptography.hazmat.asn1 import TLV
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, padding, rsa
from cryptography.utils import CryptographyDeprecationWarning

from tallystick.trust.anchors import cms
from tallystick.trust.anchors.cms import OID
from tallystick.trust.anchors.errors import AnchorError

T = TypeVar("T")
MAX_CERTIFICATES = 32
_VERSION, _SIGNER_VERSION = (
    3,
    1,
)  # RFC 5652 §5.1 and §5.3, for content that is not plain data, and a signer by issuer and serial

_HASHES: Mapping[OID, Callable[[], hashes.HashAlgorithm]] = {
    OID("2.16.840.1.101.3.4.2.1"): hashes.SHA256,
    OID("2.16.840.1.101.3.4.2.2"): hashes.SHA384,
    OID("2.16.840.1.101.3.4.2.3"): hashes.SHA512,
}
_RSA = OID("1.2.840.113549.1.1.1")
"""rsaEncryption: the hash is the digest algorithm's."""
_SIGNATURES: Mapping[OID, tuple[type, Callable[[], hashes.HashAlgorithm]]] = {
    OID("1.2.840.113549.1.1.11"): (rsa.RSAPublicKey, hashes.SHA256),
    OID("1.2.840.113549.1.1.12"): (rsa.RSAPublicKey, hashes.SHA384),
    OID("1.2.840.113549.1.1.13"): (rsa.RSAPublicKey, hashes.SHA512),
    OID("1.2.840.10045.4.3.2"): (ec.EllipticCurvePublicKey, hashes.SHA256),
    OID("1.2.840.10045.4.3.3"): (ec.EllipticCurvePublicKey, hashes.SHA384),
    OID("1.2.840.10045.4.3.4"): (ec.EllipticCurvePublicKey, hashes.SHA512),
    OID("1.3.101.112"): (ed25519.Ed25519PublicKey, hashes.SHA512),
}


def load_certificates(signed: cms.SignedData) -> Sequence[x509.Certificate]:
    """Return the certificates that came with a signature and can be read; nothing is believed of them.

    Raises:
        AnchorError: more than any authority sends.
    """
    bag = signed.certificates or []
    if len(bag) > MAX_CERTIFICATES:
        raise AnchorError(f"it comes with {len(bag)} certificates, more than {MAX_CERTIFICATES}")
    certificates = []
    for element in bag:
        # Anybody on the way may have put one in: what cannot be read is not needed, and must not spoil the rest.
        # A warning is raised, as of a negative serial number, where warnings are errors; a TypeError by a name of bits.
        with suppress(ValueError, TypeError, x509.InvalidVersion, UnsupportedAlgorithm, CryptographyDeprecationWarning):
            certificate = x509.load_der_x509_certificate(cms.encode_der(element))
            certificate.issuer.public_bytes()
            certificates.append(certificate)
    return certificates


def verify_signature(signed: cms.SignedData, certificates: Sequence[x509.Certificate]) -> x509.Certificate:
    """Verify the signature over `signed`'s content, and return the certificate of whoever made it.

    That is the one with the issuer and serial number that the signer names, and the digest that the signed attributes name,
    wherever it stands among `certificates`. Its path is not looked at.

    Raises:
        AnchorError: not exactly one signer, no such certificate, or any digest or signature is wrong.
    """
    signers = signed.signers.as_list()
    if len(signers) != 1 or signed.version != _VERSION or signers[0].version != _SIGNER_VERSION:
        raise AnchorError("it must be signed data of version 3 with one signature of version 1")
    signer = signers[0]
    if signer.digest_algorithm.algorithm not in [known.algorithm for known in signed.digest_algorithms.as_list()]:
        raise AnchorError("the signer's digest algorithm is not among those that it lists")
    attributes = _attributes(signer)
    _check_content(signed.content, signer, attributes)
    certificate = _signer_certificate(signer.signer, attributes, certificates)
    _check_signature(signer, certificate)
    return certificate


def _attributes(signer: cms.Signer) -> Mapping[OID, TLV]:
    """Return the signed attributes by kind; each is there once, with one value."""
    attributes: dict[OID, TLV] = {}
    for attribute in signer.signed.as_list():
        values = attribute.values.as_list()
        if attribute.kind in attributes or len(values) != 1:
            raise AnchorError("a signed attribute is there twice, or has not one value")
        attributes[attribute.kind] = values[0]
    return attributes


def _check_content(content: cms.Content, signer: cms.Signer, attributes: Mapping[OID, TLV]) -> None:
    if content.content_type != cms.TST_INFO or _value(attributes, cms.CONTENT_TYPE, OID) != cms.TST_INFO:
        raise AnchorError("what is signed is not a time stamp")
    if _value(attributes, cms.MESSAGE_DIGEST, bytes) != _digest(_hash(signer.digest_algorithm), content.content):
        raise AnchorError("the signed digest is not the time stamp's")


def _signer_certificate(
    named: cms.IssuerAndSerial, attributes: Mapping[OID, TLV], certificates: Sequence[x509.Certificate]
) -> x509.Certificate:
    issuer = cms.encode_der(named.issuer)
    candidates = [c for c in certificates if c.serial_number == named.serial and c.issuer.public_bytes() == issuer]
    if not candidates:
        raise AnchorError("the signer's certificate is not there")
    if cms.SIGNING_CERTIFICATE not in attributes and cms.SIGNING_CERTIFICATE_V2 not in attributes:
        raise AnchorError("the signature does not say which certificate it was made with")
    for certificate in candidates:
        if all(_names(attributes, kind, certificate) for kind in _NAMING if kind in attributes):
            return certificate
    raise AnchorError("the signature was made with another certificate than the one with its issuer and serial number")


def _names(attributes: Mapping[OID, TLV], kind: OID, certificate: x509.Certificate) -> bool:
    """Tell whether a signing-certificate attribute is about `certificate`."""
    ids: Sequence[cms.CertificateId | cms.CertificateIdV2] = _value(attributes, kind, _NAMING[kind]).certificates
    if not ids:
        return False
    first = ids[0]  # the others are its path's, which is checked in its own way
    if isinstance(first, cms.CertificateId):
        digest = certificate.fingerprint(hashes.SHA1())  # noqa: S303  by its definition; it only picks one out
    else:
        digest = certificate.fingerprint(hashes.SHA256() if first.algorithm is None else _hash(first.algorithm))
    if first.digest != digest:
        return False
    if first.issuer_serial is None:
        return True
    names = [(name.tag_bytes, bytes(name.data)) for name in first.issuer_serial.issuer]
    directory_name = (b"\xa4", certificate.issuer.public_bytes())
    return first.issuer_serial.serial == certificate.serial_number and directory_name in names


_NAMING: Mapping[OID, type[Any]] = {
    cms.SIGNING_CERTIFICATE: cms.SigningCertificate,
    cms.SIGNING_CERTIFICATE_V2: cms.SigningCertificateV2,
}


def _check_signature(signer: cms.Signer, certificate: x509.Certificate) -> None:
    algorithm = signer.signature_algorithm.algorithm
    if algorithm == _RSA:
        kind: type = rsa.RSAPublicKey
        chosen = _hash(signer.digest_algorithm)
    elif algorithm in _SIGNATURES:
        kind, chosen = _SIGNATURES[algorithm][0], _SIGNATURES[algorithm][1]()
    else:
        raise AnchorError(f"the signature's algorithm {algorithm.dotted_string} is not understood")
    message = cms.encode_der(signer.signed)  # as a SET OF, though it stands there as [0] (RFC 5652 §5.4)
    try:
        key = certificate.public_key()
        if not isinstance(key, kind):
            raise AnchorError("the signature's algorithm is not that of the certificate's key")
        if isinstance(key, rsa.RSAPublicKey):
            key.verify(signer.signature, message, padding.PKCS1v15(), chosen)
        elif isinstance(key, ec.EllipticCurvePublicKey):
            key.verify(signer.signature, message, ec.ECDSA(chosen))
        elif isinstance(key, ed25519.Ed25519PublicKey):
            key.verify(signer.signature, message)
    except (InvalidSignature, UnsupportedAlgorithm, ValueError) as error:
        raise AnchorError(str(error) or "the authority's signature does not verify") from None


def _value(attributes: Mapping[OID, TLV], kind: OID, shape: type[T]) -> T:
    if kind not in attributes:
        raise AnchorError(f"the signed attribute {kind.dotted_string} is missing")
    value: T = attributes[kind].parse(shape)
    return value


def _hash(algorithm: cms.Algorithm) -> hashes.HashAlgorithm:
    if algorithm.algorithm not in _HASHES:
        raise AnchorError(f"the digest algorithm {algorithm.algorithm.dotted_string} is not understood")
    return _HASHES[algorithm.algorithm]()


def _digest(algorithm: hashes.HashAlgorithm, data: bytes) -> bytes:
    return hashlib.new(algorithm.name, data).digest()
