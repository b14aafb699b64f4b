"""Ed25519 where implementations differ: after "Taming the many EdDSAs" (eprint 2020/1244) and RFC 8032 §7.1."""

from collections.abc import Callable, Iterator
from hashlib import sha256, sha512
from itertools import count

from ..case import STRICT, Case, accept, agree, reject, undecided
from ..reference.ed25519 import (
    BASE,
    IDENTITY,
    L,
    P,
    Point,
    add,
    challenge,
    decode,
    encode,
    key_is_acceptable,
    multiply,
    order,
    public_key,
    recover_x,
    secret_scalar,
    sign,
    verify,
    verify_with_cofactor,
)

SPEC = "RFC 8032 §5.1"

SEED = sha256(b"Ed25519 edge cases").digest()
KEY, SCALAR = public_key(SEED), secret_scalar(SEED)
A: Point = multiply(SCALAR, BASE)
R_SCALAR = int.from_bytes(sha512(b"a nonce").digest(), "little") % L
RFC8032 = [
    ("9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60", b""),
    ("4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb", b"\x72"),
    ("c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7", b"\xaf\x82"),
]


def _torsion() -> Point:
    """Return a point of order 8: L times a point that is not in the main subgroup."""
    for y in count(2):
        x = recover_x(y, 0)
        if x is not None and order(point := multiply(L, (x, y))) == 8:
            return point
    raise AssertionError


T = _torsion()
SMALL = [multiply(n, T) for n in range(8)]


def key_cases() -> list[Case]:
    """Return public keys, on which verifiers must agree before anything is verified."""
    cases = [accept("an honest key", "a point of the main subgroup", public_key=KEY.hex())]
    cases += [
        accept(f"RFC 8032 §7.1, key {n}", "as published", public_key=public_key(bytes.fromhex(seed)).hex())
        for n, (seed, _) in enumerate(RFC8032, 1)
    ]
    cases += [
        reject(
            f"order {order(point)}, {n}·T",
            "small order: whoever knows no private key can sign",
            STRICT,
            public_key=encode(point).hex(),
        )
        for n, point in enumerate(SMALL)
    ]
    zero = [("x = 0 with its sign bit, y = 1", 1), ("x = 0 with its sign bit, y = -1", P - 1)]
    cases += [
        reject(
            name,
            "RFC 8032 §5.1.3, step 4: no point, and of small order if one takes it for one",
            public_key=(y | 1 << 255).to_bytes(32, "little").hex(),
        )
        for name, y in zero
    ]
    for y in range(P, 2**255):
        for bit in (0, 1):
            point = decode((y | bit << 255).to_bytes(32, "little"), strict=False)
            if point is not None:
                what = f"order {order(point)}" if multiply(8, point) == IDENTITY else "large order"
                cases.append(
                    reject(
                        f"y = p + {y - P}, sign {bit}, {what}",
                        "RFC 8032 §5.1.3, step 1: y is less than p",
                        public_key=(y | bit << 255).to_bytes(32, "little").hex(),
                    )
                )
    off = [y for y in range(2, 40) if recover_x(y, 0) is None][:4]
    cases += [
        reject(f"y = {y}: not on the curve", "RFC 8032 §5.1.3: u/v is no square", public_key=y.to_bytes(32, "little").hex())
        for y in off
    ]
    lengths = [("no bytes", b""), ("31 bytes", KEY[:31]), ("33 bytes", KEY + b"\0"), ("64 bytes", KEY * 2)]
    cases += [reject(name, "a public key has 32 bytes", public_key=data.hex()) for name, data in lengths]
    why = "a mixture of the main subgroup and small order: no honest key, yet RFC 8032 does not forbid it"
    cases += [undecided(f"mixed order, with torsion {n}", why, public_key=encode(add(A, SMALL[n])).hex()) for n in (1, 2, 4)]
    for case in cases:
        agree(case, key_is_acceptable(bytes.fromhex(case["public_key"])))
    return cases


def _messages() -> Iterator[bytes]:
    return (b"edge case %d" % n for n in count())


def _search(
    r: bytes, key: bytes, wanted: Callable[[int], bool], hashed_r: bytes | None = None, hashed_key: bytes | None = None
) -> tuple[bytes, int]:
    """Find a message whose challenge is as wanted; the hash may be over other encodings than those that are sent."""
    for message in _messages():
        k = challenge(hashed_r or r, hashed_key or key, message)
        if wanted(k):
            return message, k
    raise AssertionError


def _signature(
    name: str, why: str, make: Callable[..., Case], key: bytes, message: bytes, signature: bytes, **fields: str
) -> Case:
    case = make(name, why, **fields, public_key=key.hex(), message=message.hex(), signature=signature.hex())
    agree(case, verify(key, message, signature))
    # Point encodings of their own: what lenient libraries make of the case, for those who want to know which kind theirs is.
    whole = len(key) == 32 and len(signature) == 64
    case["accepted_with_cofactor"] = whole and verify_with_cofactor(key, message, signature)
    return case


def _speccheck() -> list[Case]:
    """Return the twelve cases of the paper's table, in its order."""
    s_one = R_SCALAR
    mixed_key = encode(add(A, T))
    small_key = encode(T)
    mixed_r = [encode(add(multiply(R_SCALAR, BASE), point)) for point in SMALL]
    plain_r = encode(multiply(R_SCALAR, BASE))
    small, both = (
        "small order: whoever knows no private key can sign",
        "RFC 8032 §5.1.7 allows both equations, and they differ here",
    )
    cases = []

    def cancels(r_torsion: int) -> Callable[[int], bool]:
        return lambda k: add(SMALL[r_torsion], multiply(k % 8, T)) == IDENTITY

    message, _ = _search(small_key, small_key, cancels(1))
    cases.append(
        _signature(
            "0: S = 0, A and R of small order", small, reject, small_key, message, small_key + bytes(32), strength=STRICT
        )
    )
    message, _ = _search(mixed_r[1], small_key, cancels(1))
    cases.append(
        _signature(
            "1: A of small order, R mixed",
            small,
            reject,
            small_key,
            message,
            mixed_r[1] + s_one.to_bytes(32, "little"),
            strength=STRICT,
        )
    )
    message, k = _search(encode(SMALL[1]), mixed_key, cancels(1))
    s = k * SCALAR % L
    cases.append(
        _signature(
            "2: A mixed, R of small order",
            "both equations hold; a verifier may refuse such an R or such an A",
            undecided,
            mixed_key,
            message,
            encode(SMALL[1]) + s.to_bytes(32, "little"),
        )
    )
    message, k = _search(mixed_r[1], mixed_key, cancels(1))
    s = (R_SCALAR + k * SCALAR) % L
    cases.append(
        _signature(
            "3: A and R mixed",
            "both equations hold; a verifier may refuse such an A",
            undecided,
            mixed_key,
            message,
            mixed_r[1] + s.to_bytes(32, "little"),
        )
    )
    message, k = _search(mixed_r[1], mixed_key, lambda k: not cancels(1)(k))
    s = (R_SCALAR + k * SCALAR) % L
    cases.append(
        _signature(
            "4: A and R mixed, only the cofactored equation holds",
            both,
            undecided,
            mixed_key,
            message,
            mixed_r[1] + s.to_bytes(32, "little"),
        )
    )
    message, k = _search(plain_r, mixed_key, lambda k: k % 8 != 0)
    s = (R_SCALAR + k * SCALAR) % L
    cases.append(
        _signature(
            "5: A mixed, R of order L, only the cofactored equation holds",
            both,
            undecided,
            mixed_key,
            message,
            plain_r + s.to_bytes(32, "little"),
        )
    )
    good = sign(SEED, b"edge case")
    s = int.from_bytes(good[32:], "little")
    range_of_s = "RFC 8032 §5.1.7: S is less than L, or anybody could make a second signature"
    cases.append(_signature("6: S + L", range_of_s, reject, KEY, b"edge case", good[:32] + (s + L).to_bytes(32, "little")))
    highest = s + (2**256 - 1 - s) // L * L
    cases.append(
        _signature("7: S far beyond L", range_of_s, reject, KEY, b"edge case", good[:32] + highest.to_bytes(32, "little"))
    )
    strange = (P + 1).to_bytes(32, "little")  # the identity, with y = p + 1
    plain = encode(IDENTITY)
    unreduced = "RFC 8032 §5.1.3: y is less than p, in R as well as in A"
    message, k = _search(strange, KEY, lambda k: True)
    cases.append(
        _signature(
            "8: R not canonical, hashed as sent",
            unreduced,
            reject,
            KEY,
            message,
            strange + (k * SCALAR % L).to_bytes(32, "little"),
        )
    )
    message, k = _search(strange, KEY, lambda k: True, hashed_r=plain)
    cases.append(
        _signature(
            "9: R not canonical, hashed in canonical form",
            unreduced,
            reject,
            KEY,
            message,
            strange + (k * SCALAR % L).to_bytes(32, "little"),
        )
    )
    message, _ = _search(plain_r, strange, lambda k: True)
    cases.append(
        _signature(
            "10: A not canonical, hashed as sent", unreduced, reject, strange, message, plain_r + s_one.to_bytes(32, "little")
        )
    )
    message, _ = _search(plain_r, strange, lambda k: True, hashed_key=plain)
    cases.append(
        _signature(
            "11: A not canonical, hashed in canonical form",
            unreduced,
            reject,
            strange,
            message,
            plain_r + s_one.to_bytes(32, "little"),
        )
    )
    return cases


def signature_cases() -> list[Case]:
    """Return signatures: the paper's twelve, published ones, and what breaks a good one."""
    cases = _speccheck()
    for number, (seed, message) in enumerate(RFC8032, 1):
        secret = bytes.fromhex(seed)
        cases.append(
            _signature(
                f"RFC 8032 §7.1, test {number}", "as published", accept, public_key(secret), message, sign(secret, message)
            )
        )
    good, message = sign(SEED, b"message"), b"message"
    s = int.from_bytes(good[32:], "little")
    cases.append(_signature("a good signature", "as RFC 8032 §5.1.6 makes it", accept, KEY, message, good))
    broken = [
        ("another message", KEY, b"messagf", good),
        ("empty message", KEY, b"", good),
        ("another key", public_key(bytes(32)), message, good),
        ("R one bit off", KEY, message, bytes([good[0] ^ 1]) + good[1:]),
        ("S one bit off", KEY, message, good[:32] + bytes([good[32] ^ 1]) + good[33:]),
        ("R and S exchanged", KEY, message, good[32:] + good[:32]),
        ("sign of R turned", KEY, message, good[:31] + bytes([good[31] ^ 0x80]) + good[32:]),
        ("S negated", KEY, message, good[:32] + (L - s).to_bytes(32, "little")),
        ("S with its top bit set", KEY, message, good[:63] + bytes([good[63] | 0x80])),
        ("zeros", KEY, message, bytes(64)),
        ("S = L", KEY, message, good[:32] + L.to_bytes(32, "little")),
        ("63 bytes", KEY, message, good[:63]),
        ("65 bytes", KEY, message, good + b"\0"),
        ("no bytes", KEY, message, b""),
        ("R not on the curve", KEY, message, (2).to_bytes(32, "little") + good[32:]),
    ]
    cases += [
        _signature(name, "the signature is not this key's over this message", reject, *values) for name, *values in broken
    ]
    identity = encode(IDENTITY)
    k = challenge(identity, KEY, message)
    cases.append(
        _signature(
            "R the neutral element",
            "gives the private key away; both equations hold",
            undecided,
            KEY,
            message,
            identity + (k * SCALAR % L).to_bytes(32, "little"),
        )
    )
    return cases
