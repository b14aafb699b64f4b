"""Ed25519 in integers, straight from RFC 8032 §5.1: slow, plain, and able to sign as no honest signer does."""

from hashlib import sha512

P = 2**255 - 19
L = 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
SQRT_MINUS_1 = pow(2, (P - 1) // 4, P)

Point = tuple[int, int]
IDENTITY: Point = (0, 1)


def recover_x(y: int, sign: int) -> int | None:
    """Return the x of the curve point with this y and sign bit, None if there is none (RFC 8032 §5.1.3)."""
    u, v = (y * y - 1) % P, (D * y * y + 1) % P
    x = u * pow(v, 3, P) * pow(u * pow(v, 7, P), (P - 5) // 8, P) % P
    if v * x * x % P == -u % P:
        x = x * SQRT_MINUS_1 % P
    if v * x * x % P != u or (x == 0 and sign == 1):
        return None
    return P - x if x & 1 != sign else x


_BASE_Y = 4 * pow(5, -1, P) % P
BASE: Point = (recover_x(_BASE_Y, 0) or 0, _BASE_Y)


def add(a: Point, b: Point) -> Point:
    """Add two points; the formula is complete, so it doubles too."""
    (x1, y1), (x2, y2) = a, b
    t = D * x1 * x2 * y1 * y2 % P
    return (x1 * y2 + x2 * y1) * pow(1 + t, -1, P) % P, (y1 * y2 + x1 * x2) * pow(1 - t, -1, P) % P


def multiply(scalar: int, point: Point) -> Point:
    """Add a point to itself `scalar` times, in projective coordinates (X, Y, Z, T), RFC 8032 §5.1.4."""
    x, y = point
    result, addend = (0, 1, 1, 0), (x, y, 1, x * y % P)
    while scalar:
        if scalar & 1:
            result = _add_projective(result, addend)
        addend = _add_projective(addend, addend)
        scalar >>= 1
    inverse = pow(result[2], -1, P)
    return result[0] * inverse % P, result[1] * inverse % P


def _add_projective(p: tuple[int, int, int, int], q: tuple[int, int, int, int]) -> tuple[int, int, int, int]:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def encode(point: Point) -> bytes:
    """Return the 32 bytes of a point: y little-endian, the top bit is x's parity."""
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def decode(data: bytes, *, strict: bool = True) -> Point | None:
    """Read a point; None if there is none. `strict` also refuses a y that is not reduced (RFC 8032 §5.1.3, step 1)."""
    number = int.from_bytes(data, "little")
    y, sign = number & (2**255 - 1), number >> 255
    if y >= P and strict:
        return None
    x = recover_x(y % P, sign)
    if x is None:
        return None if strict or recover_x(y % P, 0) is None else (0, y % P)
    return x, y % P


def secret_scalar(seed: bytes) -> int:
    """Return the scalar of a private key of 32 bytes (RFC 8032 §5.1.5)."""
    number = int.from_bytes(sha512(seed).digest()[:32], "little")
    return number & ~7 & (2**254 - 1) | 2**254


def public_key(seed: bytes) -> bytes:
    """Return the public key of a private key of 32 bytes."""
    return encode(multiply(secret_scalar(seed), BASE))


def challenge(r: bytes, key: bytes, message: bytes) -> int:
    """Return k = SHA-512(R ‖ A ‖ M) modulo L."""
    return int.from_bytes(sha512(r + key + message).digest(), "little") % L


def sign(seed: bytes, message: bytes) -> bytes:
    """Sign as RFC 8032 §5.1.6 says."""
    key = public_key(seed)
    nonce = int.from_bytes(sha512(sha512(seed).digest()[32:] + message).digest(), "little") % L
    r = encode(multiply(nonce, BASE))
    s = (nonce + challenge(r, key, message) * secret_scalar(seed)) % L
    return r + s.to_bytes(32, "little")


def order(point: Point) -> int:
    """Return 1, 2, 4 or 8 for a point of small order, L for one of the main subgroup, 8·L at the most for a mixture."""
    small = next((n for n in (1, 2, 4, 8) if multiply(n, point) == IDENTITY), None)
    return small or next(n for n in (L, 2 * L, 4 * L, 8 * L) if multiply(n, point) == IDENTITY)


def key_is_acceptable(key: bytes) -> bool:
    """Say whether a public key may be trusted: 32 bytes, canonical, on the curve, not of small order."""
    point = decode(key) if len(key) == 32 else None
    return point is not None and multiply(8, point) != IDENTITY


def verify(key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify with an acceptable key: S < L, and R is byte for byte the encoding of [S]B - [k]A (the cofactorless equation)."""
    if len(signature) != 64 or not key_is_acceptable(key):
        return False
    a, s = decode(key), int.from_bytes(signature[32:], "little")
    if a is None or s >= L:
        return False
    minus_a = (P - a[0]) % P, a[1]
    k = challenge(signature[:32], key, message)
    return encode(add(multiply(s, BASE), multiply(k, minus_a))) == signature[:32]


def verify_with_cofactor(key: bytes, message: bytes, signature: bytes) -> bool:
    """Verify by [8][S]B = [8]R + [8][k]A, which RFC 8032 §5.1.7 also allows; reads points leniently."""
    a, r, s = decode(key, strict=False), decode(signature[:32], strict=False), int.from_bytes(signature[32:], "little")
    if a is None or r is None or s >= L:
        return False
    k = challenge(signature[:32], key, message)
    return multiply(8 * s, BASE) == add(multiply(8, r), multiply(8 * k, a))
