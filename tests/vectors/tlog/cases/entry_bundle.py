"""Entry bundles, as they are and as HTTP carries them with gzip."""

import base64
import zlib
from hashlib import sha256

from ..case import Case, accept, agree, reject
from ..documents import Repeat, to_bytes, to_document
from ..reference.tree import bundle, unbundle
from .log import entry

SPEC = "https://c2sp.org/tlog-tiles"

LARGEST = 65_535


def gzip(data: bytes) -> bytes:
    """Wrap data in gzip without compressing it (RFC 1951 §3.2.4, RFC 1952): the same bytes from every machine."""
    blocks = [data[at : at + 65_535] for at in range(0, len(data), 65_535)] or [b""]
    stored = b"".join(
        bytes([number == len(blocks) - 1])
        + len(block).to_bytes(2, "little")
        + (len(block) ^ 0xFFFF).to_bytes(2, "little")
        + block
        for number, block in enumerate(blocks)
    )
    return (
        b"\x1f\x8b\x08\0\0\0\0\0\0\xff"
        + stored
        + zlib.crc32(data).to_bytes(4, "little")
        + (len(data) & 0xFFFFFFFF).to_bytes(4, "little")
    )


# What zlib made of the bundle of `entry 0` to `entry 255`; kept, for another zlib may make another form of it.
COMPRESSED = base64.b64decode(
    "H4sIAAAAAAACA0XUq5VcQRAE0WGSvJAJ01nfNmjpAh0ReS8yL4MlqosqXj++vv/++ff7/fqM8ww9I56Rz6hn9DPmGfuM+/r5Ofj2Ol7yCq/0Kq/2Gq/1"
    "siEbsiEbsiEbsiEbsiEbshE2wkbYCBthI2yEjbARNsJG2kgbaSNtpI20kTbSRtpIG2WjbJSNslE2ykbZKBtlo2y0jbbRNtpG22gbbaNttI22MTbGxtgY"
    "G2NjbIyNsTE2xsbaWBtrY22sjbWxNtbG2lgb18a1cW1cG9fGtXFtXBvXxr2vX88PvpmHKWYwk1nMZg5zmWgH7aAdtIN20A7aQTtoB+2gCU1oQhOa0IQm"
    "NKEJTWiBFmiBFmiBFmiBFmiBFmiJlmiJlmiJlmiJlmiJlmiFVmiFVmiFVmiFVmiFVmiN1miN1miN1miN1miN1miDNmiDNmiDNmiDNmiDNmiLtmiLtmiL"
    "tmiLtmiLtmgX7aJdtIt20S7aRbtoF42WiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaI"
    "loiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJaIloiWiJao6j/AMfP5kgoAAA=="
)


def _sound() -> list[Case]:
    large: list[bytes | Repeat] = [(LARGEST).to_bytes(2, "big"), Repeat(b"a", LARGEST)]
    row = bundle([entry(i) for i in range(256)])
    shapes: list[tuple[str, str, int, list[bytes | Repeat]]] = [
        ("one entry", "uint16 length, then the entry", 1, [bundle([b"entry 0"])]),
        ("one empty entry", "a length of 0", 1, [b"\0\0"]),
        ("256 empty entries", "lengths of 0", 256, [Repeat(b"\0\0", 256)]),
        ("an entry of 65,535 bytes", "the largest that a uint16 can say", 1, large),
        (
            "256 entries of 65,535 bytes",
            "16.7 MB: no bundle is larger",
            256,
            [Repeat((b"\xff\xff", Repeat(b"a", LARGEST)), 256)],
        ),
        ("an entry of 255 bytes", "length 00 ff", 1, [b"\0\xff", Repeat(b"a", 255)]),
        ("an entry of 256 bytes", "length 01 00: big-endian", 1, [b"\1\0", Repeat(b"a", 256)]),
        ("an entry that is a bundle", "entries are opaque", 1, [bundle([row[:9]])]),
        ("binary entries", "entries are opaque", 3, [bundle([b"\0", b"\xff\xfe", b"\r\n"])]),
        ("255 entries", "a partial bundle", 255, [bundle([entry(i) for i in range(255)])]),
        ("256 entries", "a full bundle", 256, [row]),
    ]
    cases = [accept(name, why, width=width, bundle=to_document(*parts)) for name, why, width, parts in shapes]
    zipped = [
        ("gzip, stored", "Content-Encoding: gzip, without compression", gzip(row)),
        ("gzip, compressed", "Content-Encoding: gzip", COMPRESSED),
    ]
    return cases + [
        accept(name, why, width=256, content_encoding="gzip", bundle=to_document(data)) for name, why, data in zipped
    ]


def _broken() -> list[Case]:
    row = bundle([entry(i) for i in range(3)])
    forms = [
        ("nothing", "empty bundles are never served", 1, b""),
        ("one byte", "ends within a length", 1, b"\0"),
        ("length alone", "ends within an entry", 1, b"\0\1"),
        ("length too large", "ends within an entry", 1, b"\xff\xffa"),
        ("last byte missing", "ends within an entry", 3, row[:-1]),
        ("last entry missing", "fewer entries than the path says", 3, row[: len(row) // 3 * 2]),
        ("an entry too many", "more entries than the path says", 2, row),
        ("a byte too many", "trailing bytes", 3, row + b"\0"),
        ("an empty entry too many", "more entries than the path says", 3, row + b"\0\0"),
        ("257 entries", "a bundle holds no more than 256", 257, b"\0\0" * 257),
        ("width 0", "a bundle holds at least one", 0, b""),
        (
            "little-endian lengths",
            "ends within an entry",
            3,
            b"".join(len(entry(i)).to_bytes(2, "little") + entry(i) for i in range(3)),
        ),
        ("lengths of 3 bytes", "static-ct's uint24 is for certificates, not for bundles", 1, b"\0\0\7entry 0"),
        ("hashes in place of entries", "a hash tile is no bundle", 1, sha256(b"").digest()),
    ]
    cases = [reject(name, why, width=width, bundle=to_document(data)) for name, why, width, data in forms]
    whole = gzip(row)
    zipped = [
        ("gzip: checksum altered", "the checksum does not fit", whole[:-8] + bytes([whole[-8] ^ 1]) + whole[-7:]),
        ("gzip: length altered", "the length does not fit", whole[:-1] + b"\1"),
        ("gzip: cut short", "the stream does not end", whole[:-9]),
        ("gzip: nothing", "no gzip header", b""),
        ("gzip: something behind", "nothing follows the stream", whole + b"\0"),
        ("gzip: bytes of another stream behind", "one bundle, one stream", whole + gzip(b"")),
        ("gzip: not gzip", "no gzip header", row),
        ("gzip: a good stream of a broken bundle", "ends within an entry", gzip(row[:-1])),
    ]
    return cases + [reject(name, why, width=3, content_encoding="gzip", bundle=to_document(data)) for name, why, data in zipped]


def cases() -> list[Case]:
    """Return the cases, checked against the naive reference, with the digest of what sound bundles hold."""
    every = _sound() + _broken()
    for case in every:
        data = to_bytes(case["bundle"])
        entries = unbundle(_unzip(data) if "content_encoding" in case else data, case["width"])
        agree(case, entries)
        if entries is not None:
            case["entries_sha256"] = sha256(b"".join(sha256(value).digest() for value in entries)).hexdigest()
    return every


def _unzip(data: bytes) -> bytes:
    stream = zlib.decompressobj(wbits=31)
    try:
        whole = stream.decompress(data)
    except zlib.error:
        return b""
    return whole if stream.eof and not stream.unused_data else b""
