"""A time-stamp authority (RFC 3161), embedded: `openssl ts` behind HTTP on loopback, with a root and a certificate of its own.

It needs the program `openssl`; `is_available` tells. The keys live in the directory and outlive a stop.
"""

import shutil
import subprocess
import sys
import urllib.error
import urllib.request
from collections.abc import Sequence
from pathlib import Path

from tallystick.embedded.ports import free_port
from tallystick.embedded.process import Child, StartError
from tallystick.embedded.server import Server

_OPENSSL_TIMEOUT_S = 30
# No `certs`: the set would not be sorted as DER has it, and strict readers refuse it.
_CONFIGURATION = """\
[tsa]
default_tsa = embedded
[embedded]
serial = {directory}/serial
signer_cert = {directory}/tsa.pem
signer_key = {directory}/tsa.key
signer_digest = sha256
default_policy = 1.3.6.1.4.1.99999.1
digests = sha256, sha384, sha512
accuracy = secs:1
ess_cert_id_alg = {ess_digest}
ess_cert_id_chain = no
"""
_PURPOSE = "extendedKeyUsage = critical, timeStamping\nkeyUsage = critical, digitalSignature\nbasicConstraints = CA:FALSE\n"


def is_available() -> bool:
    """Tell whether the program that it needs is on this machine."""
    return shutil.which("openssl") is not None


class Tsa(Server):
    """One authority. `ess_digest` sha1 makes it name its certificate as before RFC 5816 (ESSCertID v1)."""

    STOP_TIMEOUT_S = 2.0

    def __init__(self, directory: Path, ess_digest: str = "sha256", port: int | None = None) -> None:
        super().__init__(Child("time-stamp authority (openssl ts)", directory / "tsa.log"), port or free_port())
        self.directory = directory / "tsa"
        self._ess_digest = ess_digest

    @property
    def url(self) -> str:
        """Where it answers time-stamp queries."""
        return f"http://{self.address}/"

    @property
    def root_pem(self) -> str:
        """The root certificate that verifiers pin."""
        return (self.directory / "root.pem").read_text()

    def make_keys(self) -> None:
        """Make the root and the authority's certificate, unless they are there. Raises StartError."""
        if (self.directory / "tsa.pem").exists():
            return
        self.directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        (self.directory / "tsa.conf").write_text(_CONFIGURATION.format(directory=self.directory, ess_digest=self._ess_digest))
        (self.directory / "purpose").write_text(_PURPOSE)
        (self.directory / "serial").write_text("01\n")
        new_key = ("-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes")
        root, request = ("-subj", "/CN=Embedded root", "-days", "3650", "-x509"), ("-subj", "/CN=Embedded authority")
        self._openssl("req", *new_key, *root, "-keyout", "root.key", "-out", "root.pem")
        self._openssl("req", *new_key, *request, "-keyout", "tsa.key", "-out", "tsa.csr")
        signing = ("-CA", "root.pem", "-CAkey", "root.key", "-CAcreateserial", "-days", "365", "-extfile", "purpose")
        self._openssl("x509", "-req", "-in", "tsa.csr", *signing, "-out", "tsa.pem")

    def spawn(self) -> None:
        """Start it without waiting. Raises StartError."""
        self.make_keys()
        self.child.spawn([sys.executable, "-m", "tallystick.embedded.tsa_server", str(self.port), str(self.directory)])

    def _openssl(self, *arguments: str) -> None:
        run_openssl(arguments, self.directory)

    def answers(self) -> bool:
        """Ask its front page."""
        try:
            with urllib.request.urlopen(self.url, timeout=2) as answer:  # noqa: S310  the scheme is ours
                return bool(answer.status == 200)
        except (urllib.error.URLError, OSError):
            return False


def run_openssl(arguments: Sequence[str], directory: Path) -> bytes:
    """Run openssl in a directory and return what it writes. Raises StartError with what it says."""
    try:
        done = subprocess.run(  # noqa: S603  the arguments are ours
            ["openssl", *arguments],  # noqa: S607  whichever is on PATH: it is for this machine's own tests and demo
            cwd=directory,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            check=True,
            timeout=_OPENSSL_TIMEOUT_S,
        )
    except (OSError, subprocess.SubprocessError) as error:
        said = getattr(error, "stderr", b"") or b""
        raise StartError(f"openssl {arguments[0]}: {error}\n{said.decode(errors='replace')}") from error
    return done.stdout
