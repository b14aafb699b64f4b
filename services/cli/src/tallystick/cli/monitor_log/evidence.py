"""The evidence of an alarm, for anybody to check without this program's word.

    { "format": "tallystick/log-evidence/v1", "kind": "fork" | "rollback",
      "first": "<signed note>", "second": "<signed note>",            in the order in which they were seen
      "prefix": null | {"start": "…", "path": ["…", …]},              what the larger tree begins with
      "seen_at": "2026-11-22T12:00:00Z" }

A fork is proven by this file and the log's key alone. That a head came after a larger one is the word of who saw it, and no
proof: a log's cache may be behind.
"""

import json
from dataclasses import dataclass
from hashlib import sha256

from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.encoding import decode_base64, encode_base64
from tallystick.merkle.forks import PrefixProof, proves_fork
from tallystick.merkle.notes import Note, verify_note
from tallystick.merkle.policy import LogPolicy
from tallystick.trust.strict_json import fields, parse_object

FORMAT = "tallystick/log-evidence/v1"
FORK, ROLLBACK = "fork", "rollback"
MAX_EVIDENCE_BYTES = 2**21


@dataclass(frozen=True, slots=True)
class Evidence:
    """Two heads of a log (signed notes, in the order in which they were seen) that do not go together."""

    kind: str
    first: bytes
    second: bytes
    prefix: PrefixProof | None
    seen_at: str

    def encode(self) -> bytes:
        """Return the evidence's file."""
        prefix = None
        if self.prefix is not None:
            prefix = {"start": encode_base64(self.prefix.start), "path": [encode_base64(node) for node in self.prefix.path]}
        document = {"format": FORMAT, "kind": self.kind, "first": self.first.decode(), "second": self.second.decode()}
        return json.dumps(document | {"prefix": prefix, "seen_at": self.seen_at}, ensure_ascii=False, indent=1).encode() + b"\n"

    @classmethod
    def parse(cls, data: bytes) -> "Evidence":
        """Read an evidence file. Raises ValueError."""
        types: dict[str, type] = {"format": str, "kind": str, "first": str, "second": str, "seen_at": str}
        document = parse_object(data, MAX_EVIDENCE_BYTES)
        if document.get("prefix", 0) is None:
            del document["prefix"]
        found = fields(document, "the evidence", types, {"prefix": dict})
        if found["format"] != FORMAT or found["kind"] not in (FORK, ROLLBACK):
            raise ValueError(f"it is no evidence of the format {FORMAT}")
        prefix = None
        if "prefix" in found:
            inside = fields(found["prefix"], "prefix", {"start": str, "path": list})
            if not all(isinstance(node, str) for node in inside["path"]):
                raise ValueError("prefix: 'path' must be an array of strings")
            prefix = PrefixProof(decode_base64(inside["start"]), tuple(map(decode_base64, inside["path"])))
        return cls(found["kind"], found["first"].encode(), found["second"].encode(), prefix, found["seen_at"])

    def digest(self) -> str:
        """Return 16 hexadecimal digits of a digest of what it is about: its kind, and the two heads without their signatures.

        Raises:
            NoteError: A head is no signed note.
        """
        texts = [Note.parse(note).text for note in (self.first, self.second)]
        return sha256(b"\n".join([self.kind.encode(), *texts])).hexdigest()[:16]

    def verdict(self, policy: LogPolicy) -> str:
        """Return what this proves, in a sentence. Raises ValueError if it proves nothing."""
        first, second = (_signed(note, policy) for note in (self.first, self.second))
        if first.origin != second.origin:
            raise ValueError(f"the heads are of two logs, {first.origin} and {second.origin}")
        smaller, larger = sorted((first, second), key=lambda head: head.size)
        if smaller.size and proves_fork(smaller.size, smaller.root, larger.size, larger.root, self.prefix):
            if smaller.size == larger.size:
                return f"{first.origin} has signed two trees of {larger.size:,} entries"
            return (
                f"{first.origin} has signed two histories: its tree of {larger.size:,} entries does not begin with its tree of "
                f"{smaller.size:,} entries"
            )
        if self.kind == ROLLBACK and second.size < first.size:
            return (
                f"{first.origin} has signed heads of {first.size:,} and {second.size:,} entries; that the smaller was shown "
                "after the larger rests on the word of who saw it"
            )
        raise ValueError("the two heads do not contradict each other")


def _signed(data: bytes, policy: LogPolicy) -> Checkpoint:
    note = Note.parse(data)
    checkpoint = Checkpoint.parse(note.text)
    verify_note(note, [key for key, _ in policy.logs if key.name == checkpoint.origin])
    return checkpoint
