"""TLS towards callers: whose certificate was shown is known in each request, and nobody else's word for it."""

import ssl
from datetime import UTC, datetime, timedelta
from ipaddress import IPv4Address
from pathlib import Path

import httpx
import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
from cryptography.x509.oid import NameOID
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import PlainTextResponse
from starlette.routing import Route

from tallystick.gateway.settings import GatewaySettings
from tallystick.gateway.tls import CHANNEL, tls
from tallystick.runtime.http import serving


class Authority:
    """An authority that signs certificates."""

    def __init__(self, folder: Path, name: str) -> None:
        self._folder = folder
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])
        self.file = self._write(name, self._certificate(self._name, self._key, authority=True))

    def issue(self, name: str) -> tuple[Path, Path]:
        """Return the files of a certificate and its key."""
        key = ec.generate_private_key(ec.SECP256R1())
        certificate = self._certificate(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]), key, authority=False)
        file = self._folder / f"{name}.key"
        file.write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
        return self._write(name, certificate), file

    def _certificate(self, name: x509.Name, key: ec.EllipticCurvePrivateKey, *, authority: bool) -> x509.Certificate:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(name)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(minutes=1))
            .not_valid_after(now + timedelta(hours=1))
            .add_extension(x509.BasicConstraints(ca=authority, path_length=None), critical=True)
            .add_extension(x509.SubjectAlternativeName([x509.IPAddress(IPv4Address("127.0.0.1"))]), critical=False)
            .sign(self._key, hashes.SHA256())
        )

    def _write(self, name: str, certificate: x509.Certificate) -> Path:
        file = self._folder / f"{name}.crt"
        file.write_bytes(certificate.public_bytes(Encoding.PEM))
        return file


@pytest.mark.parametrize(
    ("who", "seen"), [(None, "nobody"), ("web", "web"), ("stranger", None)], ids=["no certificate", "ours", "another's"]
)
async def test_whose_certificate_it_is(tmp_path: Path, who: str | None, seen: str | None) -> None:
    """Nobody without one, its common name with one of ours; one of another authority's makes no connection."""
    authority, stranger = Authority(tmp_path, "ours"), Authority(tmp_path, "theirs")
    certificate, key = authority.issue("server")
    settings = GatewaySettings(
        trust_policy=tmp_path,
        spool_dir=tmp_path / "spool",
        http_cert_file=certificate,
        http_key_file=key,
        http_client_ca_file=authority.file,
    )

    async def told(request: Request) -> PlainTextResponse:
        return PlainTextResponse(request.scope["state"].get(CHANNEL, "nobody"))

    trusting = ssl.create_default_context(cafile=authority.file)
    if who is not None:
        trusting.load_cert_chain(*(stranger if who == "stranger" else authority).issue(who))
    app = Starlette(routes=[Route("/", told)])
    async with serving(app, "127.0.0.1", 0, tls(settings)) as port, httpx.AsyncClient(verify=trusting) as client:
        if seen is None:
            with pytest.raises(httpx.TransportError):
                await client.get(f"https://127.0.0.1:{port}/")
        else:
            answer = await client.get(f"https://127.0.0.1:{port}/", headers={"channel": "cards"})
            assert answer.text == seen


def test_without_a_certificate_of_ours_there_is_no_tls(tmp_path: Path) -> None:
    """Then something in front of it speaks TLS."""
    (tmp_path / "callers").write_text("cards token-of-the-cards-channel")
    assert tls(GatewaySettings(trust_policy=tmp_path, spool_dir=tmp_path, callers_file=tmp_path / "callers")) == {}
