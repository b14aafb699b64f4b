"""Which Ed25519 public keys and signatures are accepted."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from tallystick.merkle.ed25519 import PublicKeyError, SignatureError, check_public_key, verify

P = 2**255 - 19
D = -121665 * pow(121666, -1, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493
SIGN = 1 << 255

# RFC 8032 §7.1, tests 1 to 3: public key, message, signature.
RFC_8032 = [
    (
        "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a",
        "",
        "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe24655141438e7a100b",
    ),
    (
        "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c",
        "72",
        "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00",
    ),
    (
        "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025",
        "af82",
        "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc027beceea1ec40a",
    ),
]


def _encode(y: int) -> bytes:
    return y.to_bytes(32, "little")


def _sqrt(value: int) -> int | None:
    root = pow(value, (P + 3) // 8, P)
    for candidate in (root, root * pow(2, (P - 1) // 4, P) % P):
        if candidate * candidate % P == value % P:
            return candidate
    return None


def _x(y: int) -> int | None:
    return _sqrt((y * y - 1) * pow(D * y * y + 1, -1, P) % P)


def _double(x: int, y: int) -> tuple[int, int]:
    product = D * x * x * y * y % P
    return 2 * x * y * pow(1 + product, -1, P) % P, (y * y + x * x) * pow(1 - product, -1, P) % P


def _order_8_ys() -> list[int]:
    """Return the y of the points that become (±√-1, 0) when doubled: d·y⁴ + 2y² = 1."""
    root = _sqrt(1 + D)
    assert root is not None
    squares = [(sign * root - 1) * pow(D, -1, P) % P for sign in (1, -1)]
    ys = [y for square in squares if (y := _sqrt(square)) is not None]
    return [*ys, *(P - y for y in ys)]


def test_small_order_keys() -> None:
    """Every point of order 1, 2, 4 and 8 is refused, with either sign."""
    ys = [0, 1, P - 1, *_order_8_ys()]
    assert len(set(ys)) == 5
    for y in ys:
        x = _x(y)
        assert x is not None
        point = (x, y)
        for _ in range(3):
            point = _double(*point)
        assert point == (0, 1), "eight times the point is the neutral element"
        for encoded in (_encode(y), _encode(y | SIGN)):
            with pytest.raises(PublicKeyError, match="small order"):
                check_public_key(encoded)


@pytest.mark.parametrize("y", [P, P + 1, P + 3, 2**255 - 1])
def test_keys_not_canonical(y: int) -> None:
    """A y that is not reduced modulo p is refused, with either sign, whether or not it is a point."""
    for encoded in (_encode(y), _encode(y | SIGN)):
        with pytest.raises(PublicKeyError, match="canonical"):
            check_public_key(encoded)


def test_keys_off_the_curve() -> None:
    """A y without an x is refused; with one, it is accepted."""
    on, off = 0, 0
    for y in range(2, 60):
        if _x(y) is None:
            off += 1
            with pytest.raises(PublicKeyError, match="curve"):
                check_public_key(_encode(y))
        else:
            on += 1
            check_public_key(_encode(y))
    assert on > 10
    assert off > 10


@pytest.mark.parametrize("size", [0, 31, 33, 64])
def test_key_length(size: int) -> None:
    """A key has 32 bytes."""
    with pytest.raises(PublicKeyError, match="32 bytes"):
        check_public_key(bytes([9]) * size)


@pytest.mark.parametrize(("public_key", "message", "signature"), RFC_8032)
def test_rfc_8032(public_key: str, message: str, signature: str) -> None:
    """The RFC's signatures verify, and with any byte changed do not."""
    key, data, good = bytes.fromhex(public_key), bytes.fromhex(message), bytes.fromhex(signature)
    check_public_key(key)
    verify(key, data, good)
    for at in range(64):
        with pytest.raises(SignatureError):
            verify(key, data, good[:at] + bytes([good[at] ^ 1]) + good[at + 1 :])
    with pytest.raises(SignatureError):
        verify(key, data + b"x", good)


def test_signatures_have_one_form() -> None:
    """A signature whose S is not reduced modulo the group's order, or with more or fewer bytes, is refused."""
    private = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
    key, good = private.public_key().public_bytes_raw(), private.sign(b"text")
    verify(key, b"text", good)
    raised = (int.from_bytes(good[32:], "little") + ORDER).to_bytes(32, "little")
    for bad in (good[:32] + raised, good[:-1], good + b"\x00", b"", bytes(64)):
        with pytest.raises(SignatureError):
            verify(key, b"text", bad)
