"""A witness in memory (C2SP tlog-witness): what must be answered, in the order that the specification gives."""

import re
from dataclasses import dataclass, field
from hashlib import sha256

from .note import open_note, read_checkpoint, read_note, read_vkey, unbase64
from .tree import proves_consistency

_REQUEST = re.compile(rb"old (0|[1-9][0-9]*)\n((?:[A-Za-z0-9+/=]+\n){0,63})\n(.*)", re.DOTALL)


@dataclass
class Witness:
    """A witness that knows these logs; `heads` holds size and root by origin."""

    logs: list[str]
    heads: dict[str, tuple[int, bytes]] = field(default_factory=dict)

    def read(self, path: str) -> int:
        """Answer GET: the status."""
        known = {f"/{sha256(origin.encode()).hexdigest()}/checkpoint" for origin in self.heads}
        return 200 if path in known else 404

    def add_checkpoint(self, body: bytes) -> tuple[int, str | None]:
        """Answer POST /add-checkpoint: the status, and for 409 the body."""
        found = _REQUEST.fullmatch(body)
        note = read_note(found[3]) if found else None
        head = read_checkpoint(note[0]) if note else None
        if found is None or head is None:
            return 400, None
        proof = [unbase64(row.decode()) for row in found[2].split(b"\n")[:-1]]
        old, (origin, size, root, _) = int(found[1]), head
        if old >= 2**63 or any(value is None or len(value) != 32 for value in proof):
            return 400, None
        keys = [vkey for vkey in self.logs if (read_vkey(vkey) or ("",))[0] == origin]
        if not keys:
            return 404, None
        if open_note(found[3], keys) is None:
            return 403, None
        if old > size:
            return 400, None
        known_size, known_root = self.heads.get(origin, (0, sha256(b"").digest()))
        if old != known_size:
            return 409, f"{known_size}\n"
        hashes = [value for value in proof if value is not None]
        if not self._follows(old, known_root, size, root, hashes):
            return 422, None
        self.heads[origin] = size, root
        return 200, None

    @staticmethod
    def _follows(old: int, old_root: bytes, size: int, root: bytes, proof: list[bytes]) -> bool:
        if old == 0:
            return not proof and (size > 0 or root == sha256(b"").digest())
        return proves_consistency(old, size, old_root, root, proof)
