"""Log policies (C2SP tlog-policy), read in one pass over words; a quorum is a recursion over names."""

from dataclasses import dataclass, field

from .note import COSIGNATURE, ED25519, open_note, read_checkpoint, read_note, read_vkey
from .tree import Tree


@dataclass
class Policy:
    """What a policy file says; `groups` gives threshold and members."""

    logs: list[str] = field(default_factory=list)
    witnesses: dict[bytes, str] = field(default_factory=dict)
    groups: dict[bytes, tuple[int, list[bytes]]] = field(default_factory=dict)
    quorum: bytes = b""


def read_policy(data: bytes) -> Policy | None:
    """Read a policy file; None if it is to be refused."""
    if any((octet < 0x20 and octet not in b"\t\n") or octet == 0x7F for octet in data) or not data.endswith(b"\n"):
        return None
    policy, quorums = Policy(), 0
    listed: set[bytes] = set()
    for row in data.split(b"\n"):
        words = [word for word in row.replace(b"\t", b" ").split(b" ") if word]
        if not words or words[0].startswith(b"#"):
            continue
        keyword, rest = words[0], words[1:]
        defined = {*policy.witnesses, *policy.groups}
        if keyword == b"log" and len(rest) in {1, 2} and (key := _key(rest[0], ED25519)):
            if any(read_vkey(key)[3] == read_vkey(other)[3] for other in policy.logs):  # type: ignore[index]  # both were read
                return None
            policy.logs.append(key)
        elif keyword == b"witness" and len(rest) in {2, 3} and (key := _key(rest[1], COSIGNATURE)):
            if rest[0] in {*defined, b"none"}:
                return None
            if any(read_vkey(key)[3] == read_vkey(other)[3] for other in policy.witnesses.values()):  # type: ignore[index]
                return None
            policy.witnesses[rest[0]] = key
        elif keyword == b"group" and len(rest) >= 3:
            name, members = rest[0], rest[2:]
            threshold = {b"any": 1, b"all": len(members)}.get(rest[1], int(rest[1]) if rest[1].isdigit() else 0)
            if name in {*defined, b"none"} or not 1 <= threshold <= len(members):
                return None
            if not set(members) <= defined or len(set(members)) != len(members) or listed & set(members):
                return None
            listed |= set(members)
            policy.groups[name] = threshold, members
        elif keyword == b"quorum" and len(rest) == 1 and rest[0] in {*defined, b"none"}:
            policy.quorum = rest[0]
            quorums += 1
        else:
            return None
    return policy if quorums == 1 else None


def _key(word: bytes, kind: int) -> str | None:
    try:
        text = word.decode()
    except UnicodeDecodeError:
        return None
    key = read_vkey(text)
    return text if key and key[2] == kind else None


def accepts(policy: Policy, data: bytes, origin: str) -> dict[str, int] | None:
    """Verify a checkpoint under a policy: the witnesses that cosigned it and their latest time; None if it is to be refused."""
    signers, note = open_note(data, [*policy.logs, *policy.witnesses.values()]), read_note(data)
    head = read_checkpoint(note[0]) if note else None
    if signers is None or head is None or head[0] != origin or (head[1] == 0 and head[2] != Tree(lambda _: b"").root(0)):
        return None
    signed = [vkey for vkey, _ in signers]
    if not any(vkey in signed and read_vkey(vkey)[0] == origin for vkey in policy.logs):  # type: ignore[index]
        return None
    times = {name: [t for key, t in signers if key == vkey and t] for name, vkey in policy.witnesses.items()}
    cosigned = {name for name, found in times.items() if found}

    def has(name: bytes) -> bool:
        threshold, members = policy.groups.get(name, (0, []))
        return name in cosigned if not members else sum(map(has, members)) >= threshold

    if policy.quorum != b"none" and not has(policy.quorum):
        return None
    return {name.decode("utf-8", "surrogateescape"): max(found) for name, found in times.items() if found}
