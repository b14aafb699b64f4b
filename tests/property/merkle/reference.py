"""The formats once more, as naively as their specifications read: slow, one rule a line, sharing no code with what they check.

Each function takes bytes and returns what they say as plain tuples, or raises `RefusedError`. Where an implementation may set a
limit, ours is written here as a number.
"""

import base64
import hashlib
import io
import re
from typing import Any

# Unicode's White_Space property; the signed-note specification says "Unicode spaces".
SPACES = "\t\n\x0b\x0c\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(map(chr, range(0x2000, 0x200B)))


class RefusedError(Exception):
    """The specification does not allow it."""


def require(condition: object) -> None:
    """Refuse unless the rule holds."""
    if not condition:
        raise RefusedError


def base64_strict(text: bytes) -> bytes:
    """RFC 4648 §4, with padding (§3.2) and pad bits zero (§3.5)."""
    require(re.fullmatch(rb"(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/]{2}==|[A-Za-z0-9+/]{3}=)?", text))
    data = base64.b64decode(text)
    require(base64.b64encode(data) == text)
    return data


def decimal(text: bytes, maximum: int = 2**63 - 1) -> int:
    """ASCII decimal, no leading zeros unless it is 0."""
    require(re.fullmatch(rb"0|[1-9][0-9]*", text))
    require(int(text) <= maximum)
    return int(text)


def utf8(data: bytes) -> str:
    """UTF-8 and nothing else."""
    try:
        return data.decode("utf-8")
    except UnicodeDecodeError:
        raise RefusedError from None


def key_name(name: bytes) -> None:
    """Non-empty UTF-8, no Unicode spaces, no plus; no control characters, for it stands in notes."""
    require(1 <= len(name) <= 1024)
    require(not any(character in SPACES or character == "+" or ord(character) < 0x20 for character in utf8(name)))


def note(data: bytes) -> tuple[bytes, list[tuple[bytes, bytes, bytes]]]:
    """C2SP signed-note: the text, and (name, key id, signature) a line."""
    require(len(data) <= 1_000_000)
    utf8(data)
    require(not any(byte < 0x20 and byte != 0x0A for byte in data))
    require(b"\n\n" in data and data.endswith(b"\n"))
    cut = data.rindex(b"\n\n")
    text, lines = data[: cut + 1], data[cut + 2 : -1].split(b"\n")
    require(data[cut + 2 :] and len(lines) <= 100)
    signatures = []
    for line in lines:
        match = re.fullmatch("— ([^ ]+) ([^ ]+)".encode(), line)
        require(match)
        assert match
        key_name(match[1])
        blob = base64_strict(match[2])
        require(len(blob) > 4)
        signatures.append((match[1], blob[:4], blob[4:]))
    return text, signatures


def checkpoint(text: bytes) -> tuple[bytes, int, bytes, list[bytes]]:
    """C2SP tlog-checkpoint: origin, size, root, extension lines."""
    require(len(text) <= 100_000 and text.endswith(b"\n"))
    utf8(text)
    lines = text[:-1].split(b"\n")
    require(len(lines) >= 3)
    require(all(lines) and not any(byte < 0x20 for line in lines for byte in line))
    root = base64_strict(lines[2])
    require(len(root) == 32)
    return lines[0], decimal(lines[1]), root, lines[3:]


def verifier_key(text: bytes, kinds: tuple[int, ...] = (1, 4)) -> tuple[bytes, int, bytes]:
    """C2SP signed-note's vkey: name, type, public key (not checked to be a point)."""
    require(len(utf8(text)) <= 4096)
    parts = text.split(b"+", 2)
    require(len(parts) == 3)
    name, key_id, encoded = parts
    key_name(name)
    material = base64_strict(encoded)
    require(len(material) == 33 and material[0] in kinds)
    require(key_id == hashlib.sha256(name + b"\n" + material).digest()[:4].hex().encode())
    return name, material[0], material[1:]


def tile_path(path: bytes) -> tuple[int, int, int]:
    """C2SP tlog-tiles: level (-1: entries), index, width."""
    match = re.fullmatch(rb"tile/([^/]+)/(.+?)(?:\.p/([^/]+))?", path, re.DOTALL)
    require(match)
    assert match
    level = -1 if match[1] == b"entries" else decimal(match[1], 63)
    groups = match[2].split(b"/")
    require(all(re.fullmatch(rb"x[0-9]{3}", group) for group in groups[:-1]) and re.fullmatch(rb"[0-9]{3}", groups[-1]))
    require(len(groups) == 1 or groups[0] != b"x000")
    index = int(b"".join(group.lstrip(b"x") for group in groups))
    require(index <= (2**63 - 1) // 256)
    width = 256 if match[3] is None else decimal(match[3], 255)
    require(width >= 1)
    return level, index, width


def entry_bundle(data: bytes, width: int) -> list[bytes]:
    """C2SP tlog-tiles: (uint16 big-endian, entry), `width` times and then the end."""
    stream, entries = io.BytesIO(data), []
    for _ in range(width):
        length = stream.read(2)
        require(len(length) == 2)
        entry = stream.read(length[0] * 256 + length[1])
        require(len(entry) == length[0] * 256 + length[1])
        entries.append(entry)
    require(not stream.read())
    return entries


Rule = dict[bytes, tuple[int, list[bytes]]]


def policy(data: bytes) -> tuple[list[bytes], dict[bytes, bytes], Rule, bytes]:
    """C2SP tlog-policy: the logs' keys, the witnesses' by name, the groups' thresholds and members, the quorum's name."""
    require(len(data) <= 256 * 1024 and (not data or data.endswith(b"\n")))
    logs: list[bytes] = []
    witnesses: dict[bytes, bytes] = {}
    groups: Rule = {}
    quorums, listed = [], []
    for line in data.split(b"\n"):
        require(all(byte == 9 or 0x20 <= byte <= 0x7E or byte >= 0x80 for byte in line))
        words = [word for word in re.split(rb"[ \t]+", line) if word]
        if not words or words[0].startswith(b"#"):
            continue
        match words:
            case [b"log", key] | [b"log", key, _]:
                public = verifier_key(key, (1,))[2]
                require(public not in [verifier_key(other)[2] for other in logs])
                logs.append(key)
            case [b"witness", name, key] | [b"witness", name, key, _]:
                public = verifier_key(key, (4,))[2]
                require(public not in [verifier_key(other)[2] for other in witnesses.values()])
                require(name not in {b"none", *witnesses, *groups})
                witnesses[name] = key
            case [b"group", name, threshold, *members] if members:
                require(name not in {b"none", *witnesses, *groups})
                for member in members:
                    require(member in witnesses or member in groups)
                    require(member not in listed)
                    listed.append(member)
                k = {b"any": 1, b"all": len(members)}.get(threshold) or decimal(threshold, len(members))
                require(k >= 1)
                groups[name] = (k, members)
            case [b"quorum", name]:
                require(name == b"none" or name in witnesses or name in groups)
                quorums.append(name)
            case _:
                raise RefusedError
    require(len(quorums) == 1)
    return logs, witnesses, groups, quorums[0]


def witnessed(name: bytes, groups: Rule, cosigned: set[bytes]) -> bool:
    """Say whether a witness or group counts as having cosigned, by the definition, from the top down."""
    if name == b"none":
        return True
    if name not in groups:
        return name in cosigned
    threshold, members = groups[name]
    return [witnessed(member, groups, cosigned) for member in members].count(True) >= threshold


def proof_file(data: bytes) -> tuple[bytes, int, list[bytes], bytes]:
    """C2SP tlog-proof: extra, index, path, checkpoint (a signed note with a checkpoint's text)."""
    require(len(data) <= 2**20)
    lines = data.split(b"\n")
    require(lines.pop(0) == b"c2sp.org/tlog-proof@v1")
    extra = b""
    if lines and lines[0].startswith(b"extra "):
        extra = base64_strict(lines.pop(0)[6:])
        require(extra)
    require(lines and lines[0].startswith(b"index "))
    index = decimal(lines.pop(0)[6:], 2**63 - 2)
    path = []
    while lines and lines[0]:
        path.append(base64_strict(lines.pop(0)))
        require(len(path[-1]) == 32)
    require(len(path) <= 63 and lines and lines.pop(0) == b"")
    rest = b"\n".join(lines)
    checkpoint(note(rest)[0])
    return extra, index, path, rest


def cbor(data: bytes) -> Any:
    """RFC 8949, what of it is read here, in the shortest form; a map as ("map", pairs), a tag as ("tag", number, value)."""
    require(len(data) <= 65_536)
    stream = io.BytesIO(data)

    def exactly(size: int) -> bytes:
        taken = stream.read(min(size, len(data) + 1))
        require(len(taken) == size)
        return taken

    def item(depth: int) -> Any:
        kind, info = divmod(exactly(1)[0], 32)
        require(info < 28 and (kind != 7 or info == 22) and (kind < 4 or kind == 7 or depth < 8))
        argument = info
        if info >= 24:
            argument = int.from_bytes(exactly(2 ** (info - 24)), "big")
            require(argument >= (24, 2**8, 2**16, 2**32)[info - 24])
        match kind:
            case 0 | 1:
                return argument if kind == 0 else -1 - argument
            case 2 | 3:
                return exactly(argument) if kind == 2 else utf8(exactly(argument))
            case 4:
                return [item(depth + 1) for _ in range(argument)]
            case 5:
                pairs = [(item(depth + 1), item(depth + 1)) for _ in range(argument)]
                require(all(isinstance(key, int | str) for key, _ in pairs))
                require(len({key for key, _ in pairs}) == len(pairs))
                return "map", pairs
            case 6:
                return "tag", argument, item(depth + 1)
        return None

    value = item(0)
    require(stream.tell() == len(data))
    return value


def fields(value: Any, *keys: int) -> list[Any]:
    """Return a map's values, which has exactly these keys in this order."""
    require(isinstance(value, tuple) and value[0] == "map" and [key for key, _ in value[1]] == list(keys))
    return [item for _, item in value[1]]


def receipt(data: bytes) -> tuple[str, int, bytes, bytes, int, int, int, list[bytes]]:
    """RFC 9942 with our header: origin, size, key id, signature, kind of proof, its two numbers, its path."""
    whole = cbor(data)
    require(isinstance(whole, tuple) and whole[:2] == ("tag", 18) and isinstance(whole[2], list) and len(whole[2]) == 4)
    protected, unprotected, payload, signature = whole[2]
    require(isinstance(protected, bytes) and payload is None and isinstance(signature, bytes) and len(signature) == 64)
    algorithm, key_id, claims, structure, size = fields(cbor(protected), 1, 4, 15, 395, -65537)
    (origin,) = fields(claims, 1)
    require(algorithm == -19 and structure == 1 and isinstance(key_id, bytes) and len(key_id) == 32)
    require(isinstance(origin, str) and isinstance(size, int) and 1 <= size <= 2**63 - 1)
    key_name(origin.encode())
    (proofs,) = fields(unprotected, 396)
    require(isinstance(proofs, tuple) and proofs[0] == "map" and len(proofs[1]) == 1)
    kind, wrapped = proofs[1][0]
    require(kind in (-1, -2) and isinstance(wrapped, list) and len(wrapped) == 1 and isinstance(wrapped[0], bytes))
    proof = cbor(wrapped[0])
    require(isinstance(proof, list) and len(proof) == 3 and isinstance(proof[0], int) and isinstance(proof[1], int))
    first, second, path = proof
    require(isinstance(path, list) and 1 <= len(path) <= 64)
    require(all(isinstance(node, bytes) and len(node) == 32 for node in path))
    require(first == size and 0 <= second < size if kind == -1 else second == size and 1 <= first <= size)
    return origin, size, key_id, signature, kind, first, second, path


def node(left: bytes, right: bytes) -> bytes:
    """RFC 6962 §2.1."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def split(n: int) -> int:
    """Return the largest power of two smaller than n."""
    return 1 << (n - 1).bit_length() - 1


def inclusion_root(index: int, size: int, leaf: bytes, path: list[bytes]) -> bytes:
    """RFC 6962 §2.1.1 turned round: the root of a tree of which PATH(index) is given, from the root down."""
    require(0 <= index < size < 2**63 and all(len(value) == 32 for value in [leaf, *path]))
    if size == 1:
        require(not path)
        return leaf
    require(path)
    k = split(size)
    if index < k:
        return node(inclusion_root(index, k, leaf, path[:-1]), path[-1])
    return node(path[-1], inclusion_root(index - k, size - k, leaf, path[:-1]))


def consistency_roots(m: int, n: int, old_root: bytes, path: list[bytes]) -> tuple[bytes, bytes]:
    """RFC 6962 §2.1.2 turned round: the roots over m and over n leaves of trees of which PROOF(m, D[n]) is given."""
    require(1 <= m <= n < 2**63)

    def subproof(m: int, n: int, rest: list[bytes], *, whole: bool) -> tuple[bytes, bytes]:
        if m == n:
            require(len(rest) == (0 if whole else 1))
            known = old_root if whole else rest[0]
            return known, known
        require(rest)
        k = split(n)
        if m <= k:
            old, new = subproof(m, k, rest[:-1], whole=whole)
            return old, node(new, rest[-1])
        old, new = subproof(m - k, n - k, rest[:-1], whole=False)
        return node(rest[-1], old), node(rest[-1], new)

    if m < n:
        require(all(len(value) == 32 for value in [old_root, *path]))
    return subproof(m, n, path, whole=True)
