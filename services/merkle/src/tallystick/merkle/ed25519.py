"""Ed25519 (RFC 8032) as every verifier here uses it: keys on which implementations disagree are refused."""

from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey

from tallystick.merkle.errors import MerkleError

PUBLIC_KEY_SIZE = 32
SIGNATURE_SIZE = 64

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
_SMALL_ORDER_Y = frozenset(
    {
        0,  # order 4
        1,  # order 1
        _P - 1,  # order 2
        # order 8: the roots of d·y⁴ + 2y² = 1
        int.from_bytes(bytes.fromhex("26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05"), "little"),
        int.from_bytes(bytes.fromhex("c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a"), "little"),
    }
)


class PublicKeyError(MerkleError):
    """A public key that must not be trusted with anything, whatever it has signed."""


class SignatureError(MerkleError):
    """A signature that the key did not make over this message."""


def check_public_key(public_key: bytes) -> None:
    """Refuse keys that some verifiers accept and others do not, or for which anybody can sign.

    Raises:
        PublicKeyError: not 32 bytes, y not reduced modulo 2^255 - 19, not a point of the curve, or a point of small order.
    """
    if len(public_key) != PUBLIC_KEY_SIZE:
        raise PublicKeyError(f"an Ed25519 public key has {PUBLIC_KEY_SIZE} bytes, not {len(public_key)}")
    y = int.from_bytes(public_key, "little") & (2**255 - 1)
    if y >= _P:
        raise PublicKeyError("the Ed25519 public key is not in canonical form")
    if y in _SMALL_ORDER_Y:
        raise PublicKeyError("the Ed25519 public key is of small order: anybody can sign for it")
    y2 = y * y % _P
    # x² = (y² - 1) / (d·y² + 1) must be a square (RFC 8032 §5.1.3); u/v is one exactly if u·v is.
    if pow((y2 - 1) * (_D * y2 + 1) % _P, (_P - 1) // 2, _P) != 1:
        raise PublicKeyError("the Ed25519 public key is not a point of the curve")


def verify(public_key: bytes, message: bytes, signature: bytes) -> None:
    """Verify a signature (64 bytes). Requires a public key that `check_public_key` accepts.

    Raises:
        SignatureError: the signature is not this key's over this message.
    """
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signature, message)
    except InvalidSignature as error:
        raise SignatureError("the signature does not verify") from error
