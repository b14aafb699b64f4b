"""Makes `cases.json`: time stamps, sound and broken, each broken one by a single change. Made anew by a run.

    .venv/bin/python -m tests.vectors.timestamps.forge

The keys are thrown away. What `openssl ts` itself makes is tested in tests/integration/anchors.
"""

import json
from base64 import b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from hashlib import sha1, sha256
from pathlib import Path
from typing import Any

from cryptography import x509
from cryptography.hazmat.asn1 import TLV, GeneralizedTime, SetOf
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID

from tallystick.trust.anchors import cms

CASES = Path(__file__).with_name("cases.json")
TEXT = b"a text to stamp\n"
TIME = datetime(2026, 6, 1, 12, 0, 0, tzinfo=UTC)
SHA256, ECDSA_SHA256 = cms.OID("2.16.840.1.101.3.4.2.1"), cms.OID("1.2.840.10045.4.3.2")
STAMPING, CODE = ExtendedKeyUsageOID.TIME_STAMPING, ExtendedKeyUsageOID.CODE_SIGNING
DAY = timedelta(days=1)


@dataclass(frozen=True)
class Pair:
    """A certificate and its private key."""

    certificate: x509.Certificate
    key: ec.EllipticCurvePrivateKey

    @property
    def der(self) -> bytes:
        """The certificate."""
        return self.certificate.public_bytes(Encoding.DER)


def certificate(
    name: str,
    issuer: Pair | None = None,
    *,
    ca: bool = False,
    usage: Sequence[x509.ObjectIdentifier] | None = (STAMPING,),
    critical: bool = True,
    before: datetime = TIME - 100 * DAY,
    after: datetime = TIME + 100 * DAY,
    serial: int | None = None,
    issuer_name: x509.Name | None = None,
    key_usage: x509.KeyUsage | None = None,
) -> Pair:
    """Make a certificate; without an issuer it signs itself."""
    key = ec.generate_private_key(ec.SECP256R1())
    subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
    builder = (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer_name or (issuer.certificate.subject if issuer else subject))
        .public_key(key.public_key())
        .serial_number(serial or x509.random_serial_number())
        .not_valid_before(before)
        .not_valid_after(after)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
    )
    if usage is not None and not ca:
        builder = builder.add_extension(x509.ExtendedKeyUsage(usage), critical)
    if key_usage is not None:
        builder = builder.add_extension(key_usage, critical=True)
    return Pair(builder.sign(issuer.key if issuer else key, hashes.SHA256()), key)


ROOT = certificate("root", ca=True)
STRANGER = certificate("stranger", ca=True)
AUTHORITY = certificate("authority", ROOT)


@dataclass(frozen=True)
class Stamp:
    """A time stamp to be; every field can be made wrong by itself."""

    signer: Pair = AUTHORITY
    bag: Sequence[bytes] | None = None
    roots: Sequence[Pair] = (ROOT,)
    request_text: bytes = TEXT
    stamped_text: bytes = TEXT
    request_nonce: int | None = 0x1234567890ABCDEF
    nonce: int | None = 0x1234567890ABCDEF
    time: datetime = TIME
    status: int = 0
    ess: str | None = "v2"
    ess_of: bytes | None = None
    ess_serial: int | None = None
    content_type: x509.ObjectIdentifier = cms.TST_INFO
    signing_key: ec.EllipticCurvePrivateKey | None = None
    signed_content: bytes | None = None
    signatures: int = 1
    named_serial: int | None = None
    policy: x509.ObjectIdentifier | None = None
    token: bool = True
    spoil: Callable[[bytes], bytes] = field(default=lambda response: response)

    def request(self) -> bytes:
        """Return the query."""
        asked = cms.Request(
            version=1,
            imprint=imprint(self.request_text),
            policy=self.policy,
            nonce=self.request_nonce,
            cert_req=True,
            extensions=None,
        )
        return cms.encode_der(asked)

    def response(self) -> bytes:
        """Return the answer."""
        token = cms.Token(content_type=cms.SIGNED_DATA, content=self._signed()) if self.token else None
        status = cms.Status(status=self.status, text=None, failure=None)
        return self.spoil(cms.encode_der(cms.Response(status=status, token=token)))

    def _signed(self) -> cms.SignedData:
        info = cms.encode_der(
            cms.StampInfo(
                version=1,
                policy=cms.OID("1.2.3.4.1"),
                imprint=imprint(self.stamped_text),
                serial=7,
                time=GeneralizedTime(self.time),
                accuracy=None,
                ordering=False,
                nonce=self.nonce,
                authority=None,
                extensions=None,
            )
        )
        bag = [self.signer.der] if self.bag is None else self.bag
        return cms.SignedData(
            version=3,
            digest_algorithms=SetOf([algorithm(SHA256)]),
            content=cms.Content(content_type=self.content_type, content=info),
            certificates=[element(der) for der in bag] if bag else None,
            revocations=None,
            signers=SetOf([self._signer(self.signed_content or info) for _ in range(self.signatures)]),
        )

    def _signer(self, content: bytes) -> cms.Signer:
        signed = SetOf(self._attributes(content))
        key = self.signing_key or self.signer.key
        return cms.Signer(
            version=1,
            signer=cms.IssuerAndSerial(
                issuer=element(self.signer.certificate.issuer.public_bytes()),
                serial=self.named_serial or self.signer.certificate.serial_number,
            ),
            digest_algorithm=algorithm(SHA256),
            signed=signed,
            signature_algorithm=algorithm(ECDSA_SHA256),
            signature=key.sign(cms.encode_der(signed), ec.ECDSA(hashes.SHA256())),
            unsigned=None,
        )

    def _attributes(self, content: bytes) -> list[cms.Attribute]:
        attributes = [
            attribute(cms.CONTENT_TYPE, element(bytes.fromhex("060b2a864886f70d0109100104"))),
            attribute(cms.MESSAGE_DIGEST, element(b"\x04\x20" + sha256(content).digest())),
        ]
        of = self.ess_of or self.signer.der
        issuer_serial = None
        if self.ess_serial is not None:
            name = self.signer.certificate.issuer.public_bytes()
            issuer_serial = cms.IssuerSerial(issuer=[element(b"\xa4" + bytes([len(name)]) + name)], serial=self.ess_serial)
        if self.ess == "v1":
            one = cms.CertificateId(digest=sha1(of, usedforsecurity=False).digest(), issuer_serial=issuer_serial)
            value: Any = cms.SigningCertificate(certificates=[one], policies=None)
            attributes.append(attribute(cms.SIGNING_CERTIFICATE, element(cms.encode_der(value))))
        if self.ess == "v2":
            two = cms.CertificateIdV2(algorithm=None, digest=sha256(of).digest(), issuer_serial=issuer_serial)
            value = cms.SigningCertificateV2(certificates=[two], policies=None)
            attributes.append(attribute(cms.SIGNING_CERTIFICATE_V2, element(cms.encode_der(value))))
        return attributes


def imprint(text: bytes) -> cms.Imprint:
    """Return a text's imprint."""
    return cms.Imprint(algorithm=algorithm(SHA256), digest=sha256(text).digest())


def algorithm(oid: x509.ObjectIdentifier) -> cms.Algorithm:
    """Return an algorithm without parameters."""
    return cms.Algorithm(algorithm=oid, parameters=None)


def attribute(kind: x509.ObjectIdentifier, value: TLV) -> cms.Attribute:
    """Return an attribute with one value."""
    return cms.Attribute(kind=kind, values=SetOf([value]))


def element(der: bytes) -> TLV:
    """Return an element as it is."""
    return cms.decode_der(TLV, der)


def flip(response: bytes, at: int) -> bytes:
    """Return a response with one bit changed."""
    return response[:at] + bytes([response[at] ^ 1]) + response[at:][1:]


def cases() -> dict[str, tuple[Stamp, str | None]]:
    """Return each stamp with the reason for which it must be refused (a part of the message), None if it is sound."""
    sound = Stamp()
    twin = certificate("twin", STRANGER, serial=AUTHORITY.certificate.serial_number, issuer_name=ROOT.certificate.subject)
    middle = certificate("middle", ROOT, ca=True)
    below = certificate("below", middle)
    no_issuer = certificate("no issuer", ROOT)
    astray = certificate("astray", no_issuer)
    old = certificate("old", ROOT, before=TIME - 90 * DAY, after=TIME - DAY)
    young = certificate("young", ROOT, before=TIME + DAY, after=TIME + 90 * DAY)
    dead_root = certificate("dead root", ca=True, before=TIME - 90 * DAY, after=TIME - DAY)
    usage = dict.fromkeys(("content_commitment", "key_encipherment", "data_encipherment", "key_agreement"), False)
    usage |= dict.fromkeys(("key_cert_sign", "crl_sign", "encipher_only", "decipher_only"), False)
    signs_data = certificate("signs data", ROOT, ca=True, key_usage=x509.KeyUsage(digital_signature=True, **usage))
    beneath = certificate("beneath", signs_data)
    late = certificate("late", ROOT, after=TIME + DAY / 24)
    plain, soft = certificate("plain", ROOT, usage=None), certificate("soft", ROOT, critical=False)
    both, other = certificate("both", ROOT, usage=(STAMPING, CODE)), certificate("other", ROOT, usage=(CODE,))
    fake = certificate("authority", STRANGER)
    unreadable = bytes.fromhex("3003020105")
    serial_at = STRANGER.der.index(bytes.fromhex("a003020102")) + 7  # after the version: INTEGER, its length, its first octet
    negative = STRANGER.der[:serial_at] + bytes([STRANGER.der[serial_at] | 0x80]) + STRANGER.der[serial_at + 1 :]
    return {
        "sound, ESSCertID v2": (sound, None),
        "sound, ESSCertID v1": (replace(sound, ess="v1"), None),
        "sound, issuer and serial in ESSCertID": (replace(sound, ess_serial=AUTHORITY.certificate.serial_number), None),
        "sound, path by an intermediate": (replace(sound, signer=below, bag=sorted([below.der, middle.der])), None),
        "sound, though the certificate expired an hour later": (replace(sound, signer=late), None),
        "sound, one of two roots": (replace(sound, roots=(STRANGER, ROOT)), None),
        "injected: a stranger's root": (replace(sound, bag=[AUTHORITY.der, STRANGER.der]), None),
        "injected: a stranger's root, before the signer": (replace(sound, bag=[STRANGER.der, AUTHORITY.der]), None),
        "injected: the pinned root": (replace(sound, bag=[AUTHORITY.der, ROOT.der]), None),
        "injected: the pinned root, before the signer": (replace(sound, bag=[ROOT.der, AUTHORITY.der]), None),
        "injected: the signer's certificate once more": (replace(sound, bag=[AUTHORITY.der, AUTHORITY.der]), None),
        "injected: another authority of the same root": (replace(sound, bag=[AUTHORITY.der, both.der]), None),
        "injected: a certificate with the signer's issuer and serial": (replace(sound, bag=[twin.der, AUTHORITY.der]), None),
        "injected: a certificate with the signer's issuer and serial, after it": (
            replace(sound, bag=[AUTHORITY.der, twin.der]),
            None,
        ),
        "injected: a certificate with a negative serial number": (replace(sound, bag=[AUTHORITY.der, negative]), None),
        "injected: something unreadable": (replace(sound, bag=[AUTHORITY.der, unreadable]), None),
        "made by a stranger, whose root is injected": (
            replace(sound, signer=fake, bag=[fake.der, STRANGER.der]),
            "certificate is refused",
        ),
        "made by a stranger, the true certificate injected": (
            replace(sound, signer=fake, bag=[fake.der, AUTHORITY.der, ROOT.der]),
            "certificate is refused",
        ),
        "made with the twin's key": (
            replace(sound, signing_key=twin.key, bag=[twin.der, AUTHORITY.der]),
            "signature does not verify",
        ),
        "twin that names itself": (
            replace(sound, signing_key=twin.key, ess_of=twin.der, bag=[twin.der, AUTHORITY.der]),
            "certificate is refused",
        ),
        "another text": (replace(sound, stamped_text=b"another"), "of another text"),
        "a request for another text": (replace(sound, request_text=b"another", stamped_text=b"another"), "not made for this"),
        "another nonce": (replace(sound, nonce=1), "nonce"),
        "no nonce in the stamp": (replace(sound, nonce=None), "nonce"),
        "no nonce anywhere": (replace(sound, nonce=None, request_nonce=None), "nonce"),
        "another policy than asked for": (replace(sound, policy=cms.OID("1.2.3.4.2")), "policy"),
        "granted with modifications": (replace(sound, status=1), "status 1"),
        "rejected": (replace(sound, status=2, token=False), "status 2"),
        "granted, without a stamp": (replace(sound, token=False), "status 0"),
        "the certificate had expired": (replace(sound, signer=old), "certificate is refused"),
        "the certificate was not valid yet": (replace(sound, signer=young), "certificate is refused"),
        "the root had expired": (
            replace(sound, signer=certificate("heir", dead_root), roots=(dead_root,)),
            "certificate is refused",
        ),
        "no extended key usage": (replace(sound, signer=plain), "certificate is refused"),
        "extended key usage not critical": (replace(sound, signer=soft), "certificate is refused"),
        "extended key usage with another purpose": (replace(sound, signer=both), "certificate is refused"),
        "extended key usage for something else": (replace(sound, signer=other), "certificate is refused"),
        "another root is pinned": (replace(sound, roots=(STRANGER,)), "certificate is refused"),
        "issued by a certificate that may not": (
            replace(sound, signer=astray, bag=[astray.der, no_issuer.der]),
            "certificate is refused",
        ),
        "issued by a key that signs no certificates": (
            replace(sound, signer=beneath, bag=[beneath.der, signs_data.der]),
            "certificate is refused",
        ),
        "the signer's certificate is missing": (replace(sound, bag=[ROOT.der]), "certificate is not there"),
        "no certificates": (replace(sound, bag=[]), "certificate is not there"),
        "the signer names another serial number": (replace(sound, named_serial=5), "certificate is not there"),
        "no ESSCertID": (replace(sound, ess=None), "does not say which certificate"),
        "ESSCertID v2 of another certificate": (replace(sound, ess_of=ROOT.der), "another certificate"),
        "ESSCertID v1 of another certificate": (replace(sound, ess="v1", ess_of=ROOT.der), "another certificate"),
        "ESSCertID with another serial number": (replace(sound, ess_serial=5), "another certificate"),
        "signed over other content": (replace(sound, signed_content=b"other"), "digest is not the time stamp's"),
        "signed with another key": (replace(sound, signing_key=STRANGER.key), "signature does not verify"),
        "no signature": (replace(sound, signatures=0), "one signature"),
        "two signatures": (replace(sound, signatures=2), "one signature"),
        "something that is no time stamp": (replace(sound, content_type=cms.SIGNED_DATA), "not a time stamp"),
        "33 certificates": (replace(sound, bag=[AUTHORITY.der] + [ROOT.der] * 32), "33 certificates"),
        "one byte too many": (replace(sound, spoil=lambda response: response + b"\0"), "cannot be read"),
        "one byte too few": (replace(sound, spoil=lambda response: response[:-1]), "cannot be read"),
        "the signature's last bit": (replace(sound, spoil=lambda response: flip(response, -1)), "does not verify"),
        "nothing": (replace(sound, spoil=lambda _: b""), "cannot be read"),
        "nested without end": (replace(sound, spoil=lambda _: b"\x30\x80" * 1_000), "cannot be read"),
    }


def main() -> None:
    """Write the cases."""
    document = [
        {
            "name": name,
            "refused": reason,
            "text": b64encode(TEXT).decode(),
            "request": b64encode(stamp.request()).decode(),
            "response": b64encode(stamp.response()).decode(),
            "roots": [root.certificate.public_bytes(Encoding.PEM).decode() for root in stamp.roots],
            "time": TIME.isoformat(),
        }
        for name, (stamp, reason) in cases().items()
    ]
    CASES.write_text(json.dumps(document, indent=1) + "\n")


if __name__ == "__main__":
    main()
