"""Log policies (C2SP tlog-policy): which logs are known, which witnesses, and how many of these must have cosigned.

log <vkey> [<url>]
witness <name> <vkey> [<url>]
group <name> <k|any|all> <member>...
quorum <name|none>
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType

from tallystick.merkle.checkpoints import Checkpoint, CheckpointError
from tallystick.merkle.encoding import EncodingError, parse_decimal
from tallystick.merkle.errors import MerkleError
from tallystick.merkle.hashing import EMPTY_ROOT
from tallystick.merkle.keys import COSIGNATURE_V1, ED25519, VerifierKey
from tallystick.merkle.notes import Note, verify_note

MAX_POLICY_SIZE = 256 * 1024
_NONE = "none"


class PolicyError(MerkleError):
    """A log policy is malformed; the message names the line."""


class RetiredKeyError(CheckpointError):
    """A checkpoint is signed by retired keys of the log alone, and larger than what these speak for."""


class QuorumError(CheckpointError):
    """A checkpoint is the log's, but too few witnesses have cosigned it."""


@dataclass(frozen=True, slots=True)
class Group:
    """At least `threshold` of `members` (witnesses or earlier groups) must have cosigned."""

    name: str
    threshold: int
    members: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class VerifiedCheckpoint:
    """A checkpoint that a policy accepts, the note it came in, and which of the policy's witnesses cosigned it when (s).

    `quorum_time_s` is the latest time such that those who cosigned then or later make a quorum: when the quorum last stood by
    this head. None where the quorum is none.
    """

    checkpoint: Checkpoint
    note: Note
    cosigned: Mapping[str, int]
    quorum_time_s: int | None


@dataclass(frozen=True, slots=True)
class LogPolicy:
    """What a checkpoint must carry to be trusted.

    Names are octets in the file; here they are text, bytes that are not UTF-8 as surrogate escapes, so that different octets
    stay different names. `quorum` is the name of a witness or group, or None if no cosignature is wanted. `retired` is not in
    the file: by log key, the size of the largest tree that the key still speaks for.
    """

    logs: tuple[tuple[VerifierKey, str | None], ...]
    witnesses: Mapping[str, VerifierKey]
    witness_urls: Mapping[str, str]
    groups: tuple[Group, ...]
    quorum: str | None
    retired: Mapping[VerifierKey, int] = field(default_factory=lambda: MappingProxyType({}))

    @classmethod
    def parse(cls, data: bytes) -> "LogPolicy":
        """Parse a policy file.

        Raises:
            PolicyError: it is not one, or has something that is not understood here, such as keys of another kind.
        """
        if len(data) > MAX_POLICY_SIZE:
            raise PolicyError(f"a log policy of more than {MAX_POLICY_SIZE:,} bytes")
        if data and not data.endswith(b"\n"):
            raise PolicyError("the log policy's last line does not end in a newline")
        parser = _Parser()
        for number, line in enumerate(data.split(b"\n"), start=1):
            try:
                parser.read(line)
            except MerkleError as error:
                raise PolicyError(_shown(f"log policy, line {number}: {error}")) from error
        return parser.policy()

    def has_quorum(self, witnesses: Collection[str]) -> bool:
        """Say whether these witnesses (names in the policy) are enough."""
        return self.quorum is None or self.quorum_time_s(dict.fromkeys(witnesses, 0)) is not None

    def quorum_time_s(self, cosigned: Mapping[str, int]) -> int | None:
        """Return the latest time such that those who cosigned then or later make a quorum.

        Args:
            cosigned: when each witness cosigned, by its name in the policy, in seconds since 1970.

        Returns:
            Seconds since 1970; None if these are not enough, or if the quorum is none.
        """
        if self.quorum is None:
            return None
        times = {name: time_s for name, time_s in cosigned.items() if name in self.witnesses}
        for group in self.groups:  # a group names only what stands before it
            latest = sorted((times[member] for member in group.members if member in times), reverse=True)
            if len(latest) >= group.threshold:
                times[group.name] = latest[group.threshold - 1]
        return times.get(self.quorum)

    def verify_checkpoint(self, data: bytes, origin: str) -> VerifiedCheckpoint:
        """Verify a signed checkpoint: the log `origin` has signed it, and enough witnesses have cosigned it.

        Of several keys of one origin (a log that changed its key) any one suffices that speaks for this size. A witness that
        cosigned several times counts once, with its latest time.

        Raises:
            NoteError: not a signed note, or a key of this policy has a bad signature in it.
            CheckpointError: another log's, not signed by this one, malformed, signed by a retired key alone
                (RetiredKeyError), or without quorum (QuorumError).
        """
        note = Note.parse(data)
        verified = verify_note(note, [*(key for key, _ in self.logs), *self.witnesses.values()])
        log_keys = [signature.key for signature in verified if signature.key.kind == ED25519 and signature.key.name == origin]
        if not log_keys:
            raise CheckpointError(f"the checkpoint is not signed by {origin}")
        checkpoint = Checkpoint.parse(note.text)
        if all(checkpoint.size > self.retired.get(key, checkpoint.size) for key in log_keys):
            sizes = ", ".join(f"{self.retired[key]:,}" for key in log_keys)
            raise RetiredKeyError(
                f"the checkpoint of {checkpoint.size:,} entries is signed by a retired key of {origin}, good up to {sizes}"
            )
        if checkpoint.origin != origin:
            raise CheckpointError(f"the checkpoint is of the log {checkpoint.origin}, not of {origin}")
        if checkpoint.size == 0 and checkpoint.root != EMPTY_ROOT:
            raise CheckpointError("the checkpoint of an empty log has another root than the empty tree's")
        names = {key: name for name, key in self.witnesses.items()}
        cosigned: dict[str, int] = {}
        for signature in verified:
            if signature.time_s is not None:
                name = names[signature.key]
                cosigned[name] = max(signature.time_s, cosigned.get(name, 0))
        if not self.has_quorum(cosigned):
            lacking = f"the checkpoint of {origin} lacks cosignatures that the policy's quorum {self.quorum} asks for"
            raise QuorumError(_shown(lacking))
        return VerifiedCheckpoint(checkpoint, note, MappingProxyType(cosigned), self.quorum_time_s(cosigned))


class _Parser:
    """Reads a policy line by line; a name must be defined before it is used, so one pass is enough."""

    def __init__(self) -> None:
        self._logs: list[tuple[VerifierKey, str | None]] = []
        self._witnesses: dict[str, VerifierKey] = {}
        self._witness_urls: dict[str, str] = {}
        self._groups: dict[str, Group] = {}
        self._members: set[str] = set()
        self._quorums: list[str] = []

    def read(self, line: bytes) -> None:
        if any((octet < 0x20 and octet != 0x09) or octet == 0x7F for octet in line):
            raise PolicyError("control characters other than tabs and newlines are not allowed")
        words = [word.decode("utf-8", "surrogateescape") for word in line.replace(b"\t", b" ").split(b" ") if word]
        if not words or words[0].startswith("#"):
            return
        keyword, *arguments = words
        readers = {"log": self._log, "witness": self._witness, "group": self._group, "quorum": self._quorum}
        if keyword not in readers:
            raise PolicyError("a line begins with log, witness, group, quorum or #")
        readers[keyword](arguments)

    def policy(self) -> LogPolicy:
        if len(self._quorums) != 1:
            raise PolicyError("a log policy has exactly one quorum line")
        quorum = None if self._quorums[0] == _NONE else self._quorums[0]
        witnesses, urls = MappingProxyType(self._witnesses), MappingProxyType(self._witness_urls)
        return LogPolicy(tuple(self._logs), witnesses, urls, tuple(self._groups.values()), quorum)

    def _log(self, words: list[str]) -> None:
        if len(words) not in {1, 2}:
            raise PolicyError("write: log <vkey> [<url>]")
        key = _key(words[0], ED25519, "a log's key must be of kind 1 (Ed25519)")
        if any(key.public_key == other.public_key for other, _ in self._logs):
            raise PolicyError("two logs have the same public key")
        self._logs.append((key, words[1] if len(words) == 2 else None))

    def _witness(self, words: list[str]) -> None:
        if len(words) not in {2, 3}:
            raise PolicyError("write: witness <name> <vkey> [<url>]")
        name = self._new_name(words[0])
        key = _key(words[1], COSIGNATURE_V1, "a witness's key must be of kind 4 (cosignature/v1)")
        if any(key.public_key == other.public_key for other in self._witnesses.values()):
            raise PolicyError("two witnesses have the same public key")
        self._witnesses[name] = key
        if len(words) == 3:
            self._witness_urls[name] = words[2]

    def _group(self, words: list[str]) -> None:
        if len(words) < 3:
            raise PolicyError("write: group <name> <k|any|all> <member>...")
        name, members = self._new_name(words[0]), tuple(words[2:])
        for member in members:
            self._check_defined(member)
            if member in self._members:
                raise PolicyError(f"{member} is a member twice, and may be of one group only")
            self._members.add(member)
        self._groups[name] = Group(name, _threshold(words[1], len(members)), members)

    def _quorum(self, words: list[str]) -> None:
        if len(words) != 1:
            raise PolicyError("write: quorum <name>, or: quorum none")
        if words[0] != _NONE:
            self._check_defined(words[0])
        self._quorums.append(words[0])

    def _new_name(self, name: str) -> str:
        if name == _NONE or name in self._witnesses or name in self._groups:
            raise PolicyError(f"the name {name} is taken")
        return name

    def _check_defined(self, name: str) -> None:
        if name not in self._witnesses and name not in self._groups:
            raise PolicyError(f"{name} is not a witness or group of an earlier line")


def _key(text: str, kind: int, otherwise: str) -> VerifierKey:
    key = VerifierKey.parse(text)
    if key.kind != kind:
        raise PolicyError(otherwise)
    return key


def _threshold(text: str, members: int) -> int:
    if text in {"any", "all"}:
        return 1 if text == "any" else members
    try:
        threshold = parse_decimal(text, members)
    except EncodingError as error:
        raise PolicyError(f"a group's threshold is any, all or a number from 1 to {members}") from error
    if threshold == 0:
        raise PolicyError(f"a group's threshold is any, all or a number from 1 to {members}")
    return threshold


def _shown(message: str) -> str:
    """Make text that may hold names that are not UTF-8 fit to be printed."""
    return message.encode("utf-8", "surrogateescape").decode("utf-8", "backslashreplace")
