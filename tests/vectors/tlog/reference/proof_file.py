"""Proof files (C2SP tlog-proof), read by a regular expression."""

import re

from .note import unbase64
from .policy import Policy, accepts
from .tree import proves_inclusion

_PROOF = re.compile(
    rb"c2sp\.org/tlog-proof@v1\n(?:extra ([A-Za-z0-9+/]*=*)\n)?index (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/=]+\n)*)\n(.*)", re.DOTALL
)


def verify_proof_file(data: bytes, leaf: bytes, policy: Policy, origin: str) -> tuple[int, bytes] | None:
    """Verify a proof file for a leaf hash: its index and its extra data; None if it is to be refused."""
    found = _PROOF.fullmatch(data)
    if found is None:
        return None
    extra = unbase64((found[1] or b"").decode())
    hashes = [unbase64(row.decode()) for row in found[3].split(b"\n")[:-1]]
    if extra is None or any(value is None or len(value) != 32 for value in hashes) or accepts(policy, found[4], origin) is None:
        return None
    _, size, root = found[4].split(b"\n")[:3]
    proof = [value for value in hashes if value is not None]
    sound = proves_inclusion(int(found[2]), int(size), leaf, proof, unbase64(root.decode()) or b"")
    return (int(found[2]), extra) if sound else None
