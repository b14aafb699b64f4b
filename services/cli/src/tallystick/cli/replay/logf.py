"""The natural logarithm of a float32, bit for bit as C libraries compute it.

XGBoost turns a model's base score into its base margin with `logf`, whose last bit IEEE 754 leaves open; a margin must not
depend on which library a verifier has. This is the algorithm of glibc (since 2.28) and musl: constants and order of evaluation
are those of Arm Optimized Routines' `logf` (Copyright (c) 2017-2018 Arm Limited, SPDX-License-Identifier: MIT).
"""

from struct import Struct

_float32 = Struct("<f")
_bits32 = Struct("<I")

_OFFSET = 0x3F330000
_LN2 = float.fromhex("0x1.62e42fefa39efp-1")
_A0, _A1, _A2 = (float.fromhex(x) for x in ("-0x1.00ea348b88334p-2", "0x1.5575b0be00b6ap-2", "-0x1.ffffef20a4123p-2"))

# For each of the 16 intervals of the significand: 1/c and log(c), c near its middle.
_TABLE = [
    (float.fromhex(inverse), float.fromhex(logarithm))
    for inverse, logarithm in (
        ("0x1.661ec79f8f3bep+0", "-0x1.57bf7808caadep-2"),
        ("0x1.571ed4aaf883dp+0", "-0x1.2bef0a7c06ddbp-2"),
        ("0x1.49539f0f010bp+0", "-0x1.01eae7f513a67p-2"),
        ("0x1.3c995b0b80385p+0", "-0x1.b31d8a68224e9p-3"),
        ("0x1.30d190c8864a5p+0", "-0x1.6574f0ac07758p-3"),
        ("0x1.25e227b0b8eap+0", "-0x1.1aa2bc79c81p-3"),
        ("0x1.1bb4a4a1a343fp+0", "-0x1.a4e76ce8c0e5ep-4"),
        ("0x1.12358f08ae5bap+0", "-0x1.1973c5a611cccp-4"),
        ("0x1.0953f419900a7p+0", "-0x1.252f438e10c1ep-5"),
        ("0x1p+0", "0x0p+0"),
        ("0x1.e608cfd9a47acp-1", "0x1.aa5aa5df25984p-5"),
        ("0x1.ca4b31f026aap-1", "0x1.c5e53aa362eb4p-4"),
        ("0x1.b2036576afce6p-1", "0x1.526e57720db08p-3"),
        ("0x1.9c2d163a1aa2dp-1", "0x1.bc2860d22477p-3"),
        ("0x1.886e6037841edp-1", "0x1.1058bc8a07ee1p-2"),
        ("0x1.767dcf5534862p-1", "0x1.4043057b6ee09p-2"),
    )
]


def logf(x: float) -> float:
    """Return log(x) as a float32. Requires a positive, finite, normal float32."""
    bits: int = _bits32.unpack(_float32.pack(x))[0]
    shifted = (bits - _OFFSET) & 0xFFFFFFFF
    exponent = (shifted >> 23) - (512 if shifted >> 31 else 0)
    inverse, logarithm = _TABLE[(shifted >> 19) % 16]
    significand: float = _float32.unpack(_bits32.pack((bits - (shifted & 0xFF800000)) & 0xFFFFFFFF))[0]
    r = significand * inverse - 1.0
    r2 = r * r
    y = _A0 * r2 + (_A1 * r + _A2)
    result: float = _float32.unpack(_float32.pack(y * r2 + ((logarithm + exponent * _LN2) + r)))[0]
    return result
