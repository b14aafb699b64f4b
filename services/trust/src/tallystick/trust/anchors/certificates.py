"""Whether a certificate is a time-stamp authority's: its path to a pinned root at a given time, and its one purpose."""

from collections.abc import Sequence
from datetime import datetime

from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.x509.oid import ExtendedKeyUsageOID
from cryptography.x509.verification import Criticality, ExtensionPolicy, Policy, PolicyBuilder, Store, VerificationError

from tallystick.trust.anchors.errors import AnchorError


def check_path(
    signer: x509.Certificate, others: Sequence[x509.Certificate], roots: Sequence[x509.Certificate], time: datetime
) -> None:
    """Check that `signer` may make time stamps, and leads to one of `roots` by way of any of `others`, all valid at `time`.

    Its extended key usage must be there, critical, and timeStamping alone (RFC 3161 §2.3). `others` are not believed: whatever
    is among them, a path must be signed all the way to a root. Revocation is not looked at: it is not known offline.

    Raises:
        AnchorError: it is not so.
    """
    verifier = (
        PolicyBuilder()
        .store(Store(list(roots)))
        .time(time)
        .extension_policies(
            ca_policy=ExtensionPolicy.permit_all()
            .require_present(x509.BasicConstraints, Criticality.AGNOSTIC, None)  # cryptography sees to what it says
            .may_be_present(x509.KeyUsage, Criticality.AGNOSTIC, _may_sign_certificates),
            ee_policy=ExtensionPolicy.permit_all().require_present(
                x509.ExtendedKeyUsage, Criticality.CRITICAL, _only_time_stamping
            ),
        )
        .build_client_verifier()
    )
    try:
        verifier.verify(signer, list(others))
    except (VerificationError, UnsupportedAlgorithm, ValueError) as error:
        raise AnchorError(f"the authority's certificate is refused: {error}") from None


def _only_time_stamping(_: Policy, __: x509.Certificate, usage: x509.ExtendedKeyUsage) -> None:
    if list(usage) != [ExtendedKeyUsageOID.TIME_STAMPING]:
        raise ValueError("its extended key usage must be timeStamping alone")


def _may_sign_certificates(_: Policy, __: x509.Certificate, usage: x509.KeyUsage | None) -> None:
    if usage is not None and not usage.key_cert_sign:
        raise ValueError("a key on its path may not sign certificates")
