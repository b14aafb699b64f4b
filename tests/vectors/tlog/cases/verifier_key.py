"""Verifier keys: `name+hex(key id)+base64(type ‖ public key)`."""

import base64
from itertools import count

from ..case import STRICT, Case, accept, agree, reject, undecided
from ..reference.note import COSIGNATURE, ED25519, SPACES, Key, key_id, read_vkey, unbase64, vkey
from . import published

SPEC = "https://c2sp.org/signed-note#verifier-keys"

LOG = Key("example.com/log")
PUBLIC = LOG.public


def _sound() -> list[Case]:
    with_plus = next(key for key in (Key(f"example.com/plus{i}") for i in count()) if key.vkey.count("+") > 2)
    keys = [
        ("Ed25519", "type 01", LOG),
        ("cosignature/v1", "type 04", Key("witness.example/w1", COSIGNATURE)),
        ("plus in the base64", "only the first two plus signs separate", with_plus),
        ("name of one letter", "names are not empty", Key("x")),
        ("name like a URL with a port", "names hold anything but spaces and plus", Key("Example.COM:8443/a//b/~1_")),
        ("name in other scripts", "names are UTF-8", Key("пример.рф/日志")),
        ("name of digits and equals signs", "names hold anything but spaces and plus", Key("=0=")),
    ]
    others = {**published.KEYS, **published.WITNESSES}
    return [accept(name, why, vkey=key.vkey) for name, why, key in keys] + [
        accept(f"of others: {name}", "as published", vkey=text) for name, text in others.items()
    ]


def _broken() -> list[Case]:
    good = LOG.vkey
    name, identifier, encoded = good.split("+", 2)
    other = Key("example.com/other")
    forms = [
        ("empty", "three parts", ""),
        ("one part", "three parts", name),
        ("two parts", "three parts", f"{name}+{identifier}"),
        ("no name", "names are not empty", vkey("", ED25519, PUBLIC)),
        ("no key id", "eight hexadecimal digits", f"{name}++{encoded}"),
        ("seven digits", "eight hexadecimal digits", f"{name}+{identifier[1:]}+{encoded}"),
        ("nine digits", "eight hexadecimal digits", f"{name}+0{identifier}+{encoded}"),
        ("digits that are none", "hexadecimal", f"{name}+g{identifier[1:]}+{encoded}"),
        ("key id of another name", "the id belongs to name, type and key", f"{other.name}+{identifier}+{encoded}"),
        ("key id of another key", "the id belongs to name, type and key", f"{name}+{identifier}+{other.vkey.split('+', 2)[2]}"),
        ("key id of another type", "the id belongs to name, type and key", f"{name}+{key_id(name, 4, PUBLIC).hex()}+{encoded}"),
        ("key id of zeros", "the id belongs to name, type and key", f"{name}+00000000+{encoded}"),
        ("no public key", "type and public key", f"{name}+{identifier}+"),
        ("type alone", "an Ed25519 public key has 32 bytes", vkey(name, ED25519, b"")),
        ("31 bytes", "an Ed25519 public key has 32 bytes", vkey(name, ED25519, PUBLIC[:31])),
        ("33 bytes", "an Ed25519 public key has 32 bytes", vkey(name, ED25519, PUBLIC + b"\x00")),
        ("31 bytes of a cosignature key", "an Ed25519 public key has 32 bytes", vkey(name, COSIGNATURE, PUBLIC[:31])),
        ("no base64", "standard base64", f"{name}+{identifier}+{encoded[:-1]}!"),
        ("base64 without padding", "standard base64 is padded", vkey(name, 0x41, PUBLIC[:30]).rstrip("=")),
        ("space before", "names hold no spaces", f" {good}"),
        ("space after", "standard base64", f"{good} "),
        ("newline after", "a key is one line", f"{good}\n"),
        ("plus in the name", "names hold no plus", vkey("a+b", ED25519, PUBLIC)),
        ("control character in the name", "notes hold none, so no note could name this key", vkey("a\tb", ED25519, PUBLIC)),
        ("newline in the name", "notes hold names in one line", vkey("a\nb", ED25519, PUBLIC)),
    ]
    cases = [reject(label, why, vkey=text) for label, why, text in forms]
    cases += [
        reject(f"U+{ord(space):04X} in the name", "names hold no Unicode spaces", vkey=vkey(f"a{space}b", ED25519, PUBLIC))
        for space in SPACES
    ]
    small = (1).to_bytes(32, "little")
    unreduced = (2**255 - 19 + 3).to_bytes(32, "little")
    off_curve = (2).to_bytes(32, "little")
    cases += [
        reject(
            "public key of small order", "anybody can sign for it; see ed25519.json", STRICT, vkey=vkey(name, ED25519, small)
        ),
        reject("cosignature key of small order", "anybody can sign for it", STRICT, vkey=vkey(name, COSIGNATURE, small)),
        reject("public key that is not canonical", "RFC 8032 §5.1.3 decodes only y < p", vkey=vkey(name, ED25519, unreduced)),
        reject("public key that is no point", "RFC 8032 §5.1.3: there is no x for this y", vkey=vkey(name, ED25519, off_curve)),
        reject("capital hexadecimal", "two spellings of one key", STRICT, vkey=_upper()),
        reject("base64 with bits that no byte needs", "two spellings of one key", STRICT, vkey=_loose()),
    ]
    return cases


def _upper() -> str:
    keys = (Key(f"example.com/hex{i}").vkey for i in count())
    name, identifier, encoded = next(key for key in keys if not key.split("+")[1].isdigit()).split("+", 2)
    return f"{name}+{identifier.upper()}+{encoded}"


def _loose() -> str:
    """Return a key of an unknown type whose base64 is padded, with a bit set that is no byte's."""
    text = vkey("example.com/log", 0xFF, bytes(33))
    return text[:-3] + "B=="


def _unknown() -> list[Case]:
    why = "a type that a verifier need not know: it may refuse the key, or keep it and never verify with it"
    types = [("ECDSA", 2, 91), ("reserved", 3, 32), ("RFC 6962", 5, 91), ("ML-DSA-44", 6, 1312), ("private", 255, 40)]
    return [
        undecided(f"type {kind:02x}, {label}", why, vkey=vkey("example.com/log", kind, bytes(size)))
        for label, kind, size in types
    ]


def cases() -> list[Case]:
    """Return the cases, checked against the naive reference, with what a sound key says."""
    every = _sound() + _broken() + _unknown()
    for case in every:
        key = read_vkey(case["vkey"])
        agree(case, key)
        if key is not None:
            case |= {"name": key[0], "key_id": key[1].hex(), "type": key[2], "public_key": key[3].hex()}
    assert unbase64(_loose().split("+", 2)[2]) is None
    assert base64.b64decode(_loose().split("+", 2)[2])
    return every
