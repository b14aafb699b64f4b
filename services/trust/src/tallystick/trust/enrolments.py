"""Who may sign, at a place of the governance log.

The trust policy's signers are the founders. An `Enrolment` changes the roles of one person from its entry on. It counts if

- two approvers of that moment signed it, with different names and keys, neither of them the person whom it is about;
- the person is new, with a name and a key that nobody has or had, not even a revoked person, a log or a witness; or known, with
  the very key. Name and key belong together for good, so that one person can never sign as two; a new key is a new name;
- it names the index of the person's last enrolment as superseded (the first none), so that none can be logged again, and is for
  this log;
- it changes something: no roles means revoked, and a revoked person may be given roles again.

It follows that two approvers always remain: whoever is revoked was revoked by two others. It also follows that with two left
neither can be revoked, and that the loss of one more key ends all change: keep three or more.

What a person signed counts by their roles at the place where it was logged. What was logged before a revocation stands; what is
logged after it does not, whenever it was signed.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from types import MappingProxyType
from typing import Self

from tallystick.contracts import Enrolment, EnrolmentStatement
from tallystick.merkle.ed25519 import PublicKeyError
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import APPROVALS, RecordError
from tallystick.trust.statements import APPROVER, ROLES, Signer, verify_signatures

MAX_NAME = 64


@dataclass(frozen=True, slots=True)
class SignedEnrolment:
    """An enrolment that counts: its place in the log, what it says and who signed it."""

    index: int
    statement: EnrolmentStatement
    approvers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Roster:
    """Everybody who ever might sign, as of some place in a governance log.

    `log` is that log's origin, `people` everybody by name (a revoked person has no roles), `changed` the index of each person's
    last enrolment, `machines` the keys of logs and witnesses, which nobody may have.
    """

    log: str
    people: Mapping[str, Signer]
    changed: Mapping[str, int]
    machines: frozenset[bytes]

    @classmethod
    def founders(cls, policy: TrustPolicy) -> Self:
        """Return the trust policy's signers: the roster before the first entry."""
        people = {signer.name: signer for signer in policy.signers}
        return cls(policy.governance_origin, MappingProxyType(people), MappingProxyType({}), policy.machine_keys)

    @property
    def signers(self) -> tuple[Signer, ...]:
        """Everybody, founders first, then by the order of enrolment."""
        return tuple(self.people.values())

    def holding(self, role: str) -> tuple[str, ...]:
        """Return the names of those who hold a role."""
        return tuple(signer.name for signer in self.signers if role in signer.roles)

    def after(self, enrolment: SignedEnrolment) -> "Roster":
        """Return the roster that an enrolment, opened under this one, leaves behind."""
        statement = enrolment.statement
        signer = Signer(statement.signer, statement.public_key, frozenset(statement.roles))
        return replace(
            self,
            people=MappingProxyType({**self.people, signer.name: signer}),
            changed=MappingProxyType({**self.changed, signer.name: enrolment.index}),
        )

    def without_key(self, public_key: bytes) -> "Roster":
        """Return the roster in which nobody can be enrolled with a key that is a log's."""
        return replace(self, machines=self.machines | {public_key})


def open_enrolment(index: int, value: bytes, roster: Roster) -> SignedEnrolment:
    """Return the `Enrolment` in `value`, logged at `index` when `roster` was in force.

    Raises:
        TrustError: It is not well formed, not well signed, or breaks a rule.
    """
    record = parse_message(Enrolment, value, "the record")
    approvers = verify_signatures(
        "EnrolmentStatement", record.statement, record.signatures, roster.signers, APPROVER, APPROVALS
    )
    statement = parse_message(EnrolmentStatement, record.statement, "the statement")
    check_enrolment(statement, roster)
    if statement.signer in approvers:
        raise RecordError(f"{statement.signer!r} signed an enrolment of their own, which takes two others")
    return SignedEnrolment(index, statement, approvers)


def check_enrolment(statement: EnrolmentStatement, roster: Roster) -> None:
    """Check what an enrolment says against the roster that it is to change; its signatures are not looked at.

    Raises:
        RecordError: It is not the person's next one, or breaks a rule.
    """
    if statement.log != roster.log:
        raise RecordError(f"the enrolment is for the log {statement.log!r} and not for {roster.log!r}")
    roles = list(statement.roles)
    if roles != sorted(set(roles) & ROLES):
        raise RecordError(f"its roles must be some of {', '.join(sorted(ROLES))}, each once and in this order")
    known = roster.people.get(statement.signer)
    if known is None:
        _check_newcomer(statement, roster)
    elif statement.public_key != known.public_key:
        raise RecordError(f"{known.name!r} has another key; a name keeps its key for good, a new key takes a new name")
    elif known.roles == set(roles):
        raise RecordError(f"it changes nothing: the roles of {known.name!r} are these already")
    last = roster.changed.get(statement.signer)
    if (statement.superseded_index if statement.HasField("superseded_index") else None) != last:
        raise RecordError(
            f"it is not the next enrolment of {statement.signer!r}: that one supersedes {'none' if last is None else last}"
        )


def needed(enrolments: Sequence[SignedEnrolment], names: Iterable[str], before: int) -> set[int]:
    """Return the indexes of all enrolments that show who `names` were before an index.

    These are each person's own, and those of everybody who signed them, and so on to the founders.

    Args:
        enrolments: those that count, in log order.
        names: who signed something.
        before: the index at which that was logged.
    """
    found: set[int] = set()
    waiting = [(name, before) for name in names]
    while waiting:
        name, end = waiting.pop()
        for enrolment in enrolments:
            if enrolment.index < end and enrolment.statement.signer == name and enrolment.index not in found:
                found.add(enrolment.index)
                waiting += [(approver, enrolment.index) for approver in enrolment.approvers]
    return found


def _check_newcomer(statement: EnrolmentStatement, roster: Roster) -> None:
    name = statement.signer
    # ASCII alone: what looks alike must be alike, and which other characters are printable differs from Python to Python.
    if not 1 <= len(name) <= MAX_NAME or not name.isascii() or not name.isprintable() or name != name.strip():
        raise RecordError(f"a new name must be 1 to {MAX_NAME} printable ASCII characters, without spaces around it")
    try:
        Signer(name, statement.public_key, frozenset())
    except PublicKeyError as error:
        raise RecordError(f"the key of {name!r}: {error}") from None
    if statement.public_key in roster.machines:
        raise RecordError(f"the key of {name!r} is that of a log or a witness")
    for other in roster.signers:
        if other.public_key == statement.public_key:
            raise RecordError(f"the key of {name!r} is that of {other.name!r}: a person has one name, revoked or not")
    if not statement.roles:
        raise RecordError(f"there is nobody called {name!r} to revoke")
