"""The logs' own keys, as the governance log adds and retires them.

The keys in the trust policy's `log.policy` are where a verifier begins. A `LogKey`, signed by two approvers, adds a key to a
log or retires one. It counts if it is for this governance log, the key is a sound one that no person, no other log, no witness
and no receipts have, and the same was not said before: a key is added once, retired once, and does not come back. A log's last
key is not retired: another one is added first.

Nobody's policy changes by itself: verifiers go on with the keys that they have, and take a new one when a person gives them the
policy that has it (`with_added`). What only narrows is applied by whoever replays the log (`with_retired`): a retired key no
longer speaks for trees beyond the size at which it was retired, so that a thief cannot make the log grow.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from types import MappingProxyType

from tallystick.contracts import LogKey, LogKeyStatement
from tallystick.merkle.keys import ED25519, NoteError, VerifierKey
from tallystick.merkle.policy import LogPolicy
from tallystick.trust.enrolments import Roster
from tallystick.trust.messages import parse_message
from tallystick.trust.records import APPROVALS, RecordError
from tallystick.trust.statements import APPROVER, verify_signatures


@dataclass(frozen=True, slots=True)
class SignedLogKey:
    """A key's addition (`last_size` None) or retirement that counts: its place in the log, and who signed it."""

    index: int
    key: VerifierKey
    last_size: int | None
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class LogKeys:
    """What a governance log says of logs' keys: where each was added, up to which size each retired one is good."""

    added: Mapping[VerifierKey, int] = field(default_factory=lambda: MappingProxyType({}))
    retired: Mapping[VerifierKey, int] = field(default_factory=lambda: MappingProxyType({}))

    def after(self, change: SignedLogKey) -> "LogKeys":
        """Return the keys after a change that was opened under these."""
        if change.last_size is None:
            return replace(self, added=MappingProxyType({**self.added, change.key: change.index}))
        return replace(self, retired=MappingProxyType({**self.retired, change.key: change.last_size}))

    def with_retired(self, policy: LogPolicy) -> LogPolicy:
        """Return the policy, narrowed: of two sizes at which a key is retired the smaller one holds."""
        both = dict(policy.retired)
        for key, size in self.retired.items():
            both[key] = min(size, both.get(key, size))
        return replace(policy, retired=MappingProxyType(both))

    def with_added(self, policy: LogPolicy) -> LogPolicy:
        """Return the policy with the added keys of logs that it knows, and narrowed."""
        known = {key for key, _ in policy.logs}
        names = {key.name for key in known}
        taken = {key.public_key for key in (*known, *policy.witnesses.values())}
        new = [(key, None) for key in self.added if key.name in names and key.public_key not in taken]
        return self.with_retired(replace(policy, logs=(*policy.logs, *new)))

    def signing(self, policy: LogPolicy, origin: str) -> frozenset[bytes]:
        """Return the public keys that may sign a log's next checkpoint."""
        whole = self.with_added(policy)
        return frozenset(key.public_key for key, _ in whole.logs if key.name == origin and key not in whole.retired)


def open_log_key(index: int, value: bytes, roster: Roster, keys: LogKeys, policy: LogPolicy) -> SignedLogKey:
    """Return the `LogKey` in `value`, logged at `index` when `roster` and `keys` were in force; `policy` is where logs began.

    Raises:
        TrustError: It is not well formed, not well signed, or breaks a rule.
    """
    record = parse_message(LogKey, value, "the record")
    approvers = verify_signatures("LogKeyStatement", record.statement, record.signatures, roster.signers, APPROVER, APPROVALS)
    statement = parse_message(LogKeyStatement, record.statement, "the statement")
    key = check_log_key(statement, roster, keys, policy)
    return SignedLogKey(index, key, statement.last_size if statement.HasField("last_size") else None, approvers)


def check_log_key(statement: LogKeyStatement, roster: Roster, keys: LogKeys, policy: LogPolicy) -> VerifierKey:
    """Return the key that a statement is about, having checked it against what was said before; signatures are not looked at.

    Raises:
        RecordError: It breaks a rule.
    """
    if statement.log != roster.log:
        raise RecordError(f"the key is stated for the log {statement.log!r} and not for {roster.log!r}")
    try:
        key = VerifierKey.make(statement.origin, ED25519, statement.public_key)
    except NoteError as error:
        raise RecordError(f"the log's key: {error}") from None
    for signer in roster.signers:
        if signer.public_key == key.public_key:
            raise RecordError(f"the key is that of {signer.name!r}, and no log's")
    if key in keys.retired:
        raise RecordError(f"this key of {key.name} was retired before, and does not come back")
    began = {known for known, _ in policy.logs}
    if statement.HasField("last_size"):
        if not any(other.name == key.name for other in (began | keys.added.keys()) - keys.retired.keys() - {key}):
            raise RecordError(f"{key.name} would be left without a key: add another one first")
        return key
    if key in keys.added:
        raise RecordError(f"this key of {key.name} was added before, at index {keys.added[key]}")
    if key.public_key in roster.machines and key not in began:
        raise RecordError("the key is that of another log, of a witness or of receipts")
    return key
