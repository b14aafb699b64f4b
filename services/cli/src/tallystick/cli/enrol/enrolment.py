"""What an enrolment says next. Pure: the log's meaning in, records out."""

from base64 import b64encode
from collections.abc import Iterable

from google.protobuf.message import DecodeError

from tallystick.cli.approval import ApprovalError, Proposed, check_signatures
from tallystick.contracts import Enrolment, EnrolmentStatement
from tallystick.trust.enrolments import Roster, check_enrolment
from tallystick.trust.governance import Governance
from tallystick.trust.records import APPROVALS, RecordError
from tallystick.trust.statements import APPROVER

SAFE = APPROVALS + 1
"""With fewer approvers than this, one lost key leaves nobody who could be replaced or replace."""


def next_enrolment(governance: Governance, name: str, public_key: bytes | None, roles: Iterable[str]) -> EnrolmentStatement:
    """State a person's roles from now on; `public_key` (32 bytes) may be left out of somebody known.

    Raises:
        ApprovalError: It would not count.
    """
    roster = governance.roster
    known = roster.people.get(name)
    if public_key is None and known is None:
        raise ApprovalError(f"{name!r} is new: give their public key")
    statement = EnrolmentStatement(
        log=roster.log,
        signer=name,
        public_key=public_key or (known.public_key if known else b""),
        roles=sorted(roles),
        superseded_index=roster.changed.get(name),
    )
    _check(statement, roster)
    return statement


def next_revocation(governance: Governance, name: str) -> EnrolmentStatement:
    """State that a person may sign nothing from now on.

    Raises:
        ApprovalError: There is no such person, or they are revoked already.
    """
    if name not in governance.roster.people:
        raise ApprovalError(f"neither the trust policy nor the governance log knows {name!r}")
    return next_enrolment(governance, name, None, ())


def open_enrolment_file(data: bytes, governance: Governance) -> Proposed[Enrolment]:
    """Read a proposed enrolment and check that it would count now, but for signatures that are still missing.

    Raises:
        ApprovalError: The file is no enrolment, a signature is not good or the person's own, or the log has moved on.
    """
    try:
        record = Enrolment.FromString(data)
        statement = EnrolmentStatement.FromString(record.statement)
    except DecodeError as error:
        raise ApprovalError("the file does not hold an enrolment") from error
    check_signatures(record, governance.roster, 1)
    _check(statement, governance.roster)
    if statement.signer in (signature.signer for signature in record.signatures):
        raise ApprovalError(f"{statement.signer!r} cannot sign an enrolment of their own: it takes two others")
    return Proposed(record, f"enrolment/{statement.signer}", _summary(statement, governance.roster))


def _check(statement: EnrolmentStatement, roster: Roster) -> None:
    try:
        check_enrolment(statement, roster)
    except RecordError as error:
        raise ApprovalError(f"the log would not accept it: {error}") from error


def _summary(statement: EnrolmentStatement, roster: Roster) -> str:
    known = roster.people.get(statement.signer)
    before = "new" if known is None else f"now {' and '.join(sorted(known.roles)) or 'revoked'}"
    after = " and ".join(statement.roles) or "revoked: what is logged from then on with this signature has no effect"
    lines = [
        f"{statement.signer} ({before}), public key {b64encode(statement.public_key).decode()}",
        f"  from then on {after}",
    ]
    approvers = (set(roster.holding(APPROVER)) - {statement.signer}) | (
        {statement.signer} if APPROVER in statement.roles else set()
    )
    if len(approvers) < SAFE:
        lines.append(
            f"  then only {' and '.join(sorted(approvers))} can approve: neither could be revoked, and if one key is lost,"
            " nothing can be changed any more. Enrol a third"
        )
    return "".join(f"{line}\n" for line in lines)
