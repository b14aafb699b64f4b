"""The shapes of a time stamp and its signature, as DER (RFC 3161 §2.4, RFC 5652 §5, RFC 5035 §3 and §5).

Shapes only: nothing here is verified. What is not needed stays an opaque element.
"""

from typing import Annotated

from cryptography import x509
from cryptography.hazmat.asn1 import (
    TLV,
    BitString,
    Default,
    Explicit,
    GeneralizedTime,
    Implicit,
    Null,
    SetOf,
    decode_der,
    encode_der,
    sequence,
)

__all__ = ["decode_der", "encode_der"]

OID = x509.ObjectIdentifier
SIGNED_DATA = OID("1.2.840.113549.1.7.2")
TST_INFO = OID("1.2.840.113549.1.9.16.1.4")
CONTENT_TYPE = OID("1.2.840.113549.1.9.3")
MESSAGE_DIGEST = OID("1.2.840.113549.1.9.4")
SIGNING_CERTIFICATE = OID("1.2.840.113549.1.9.16.2.12")
SIGNING_CERTIFICATE_V2 = OID("1.2.840.113549.1.9.16.2.47")


@sequence
class Algorithm:
    """AlgorithmIdentifier (RFC 5280 §4.1.1.2), of those without parameters."""

    algorithm: OID
    parameters: Null | None


@sequence
class Imprint:
    """MessageImprint."""

    algorithm: Algorithm
    digest: bytes


@sequence
class Request:
    """TimeStampReq."""

    version: int
    imprint: Imprint
    policy: OID | None
    nonce: int | None
    cert_req: Annotated[bool, Default(False)]
    extensions: Annotated[list[TLV] | None, Implicit(0)]


@sequence
class Accuracy:
    """Accuracy: plus and minus."""

    seconds: int | None
    millis: Annotated[int | None, Implicit(0)]
    micros: Annotated[int | None, Implicit(1)]


@sequence
class StampInfo:
    """TSTInfo: what the authority signs."""

    version: int
    policy: OID
    imprint: Imprint
    serial: int
    time: GeneralizedTime
    accuracy: Accuracy | None
    ordering: Annotated[bool, Default(False)]
    nonce: int | None
    authority: Annotated[list[TLV] | None, Implicit(0)]
    extensions: Annotated[list[TLV] | None, Implicit(1)]


@sequence
class Status:
    """PKIStatusInfo."""

    status: int
    text: list[str] | None
    failure: BitString | None


@sequence
class Content:
    """EncapsulatedContentInfo."""

    content_type: OID
    content: Annotated[bytes, Explicit(0)]


@sequence
class IssuerAndSerial:
    """IssuerAndSerialNumber."""

    issuer: TLV
    serial: int


@sequence
class Attribute:
    """Attribute."""

    kind: OID
    values: SetOf[TLV]


@sequence
class Signer:
    """SignerInfo, its signer named by issuer and serial number."""

    version: int
    signer: IssuerAndSerial
    digest_algorithm: Algorithm
    signed: Annotated[SetOf[Attribute], Implicit(0)]
    signature_algorithm: Algorithm
    signature: bytes
    unsigned: Annotated[SetOf[Attribute] | None, Implicit(1)]


@sequence
class SignedData:
    """SignedData.

    The certificates and revocations are sets that nobody signs and that authorities send in any order (RFC 5652 §5.1 asks for
    DER in the signed attributes alone): they are read as sequences, which under their implicit tags are the same bytes.
    """

    version: int
    digest_algorithms: SetOf[Algorithm]
    content: Content
    certificates: Annotated[list[TLV] | None, Implicit(0)]
    revocations: Annotated[list[TLV] | None, Implicit(1)]
    signers: SetOf[Signer]


@sequence
class Token:
    """ContentInfo with SignedData in it."""

    content_type: OID
    content: Annotated[SignedData, Explicit(0)]


@sequence
class Response:
    """TimeStampResp."""

    status: Status
    token: Token | None


@sequence
class IssuerSerial:
    """IssuerSerial: general names and a serial number."""

    issuer: list[TLV]
    serial: int


@sequence
class CertificateId:
    """ESSCertID: SHA-1."""

    digest: bytes
    issuer_serial: IssuerSerial | None


@sequence
class CertificateIdV2:
    """ESSCertIDv2: SHA-256 if no algorithm is named."""

    algorithm: Algorithm | None
    digest: bytes
    issuer_serial: IssuerSerial | None


@sequence
class SigningCertificate:
    """SigningCertificate; the first is the signer's."""

    certificates: list[CertificateId]
    policies: list[TLV] | None


@sequence
class SigningCertificateV2:
    """SigningCertificateV2; the first is the signer's."""

    certificates: list[CertificateIdV2]
    policies: list[TLV] | None
