"""What an incident says. Pure: the trust policy and the log's meaning in, records out."""

from collections.abc import Callable

from google.protobuf.message import DecodeError

from tallystick.cli.approval import ApprovalError, Proposed, check_signatures
from tallystick.contracts import Incident, IncidentStatement
from tallystick.trust.errors import TrustError
from tallystick.trust.governance import Governance
from tallystick.trust.incidents import check_incident
from tallystick.trust.policy import TrustPolicy


def next_incident(
    policy: TrustPolicy,
    topic: str,
    partition: int,
    *,
    from_sequence: int,
    to_sequence: int,
    record_offset: int,
    explanation: str,
) -> IncidentStatement:
    """State where a partition stands and with which decision it goes on.

    Raises:
        ApprovalError: It would not count.
    """
    try:
        statement = IncidentStatement(
            topic=topic,
            partition=partition,
            from_sequence=from_sequence,
            to_sequence=to_sequence,
            explanation=explanation,
            log=policy.decisions_origin(topic, partition),
            record_offset=record_offset,
        )
        check_incident(statement, policy)
    except ValueError as error:  # every error of trust is one, and protobuf's for a number that is out of range
        raise ApprovalError(f"the log would not accept it: {error}") from error
    return statement


def open_incident_file(policy: TrustPolicy) -> Callable[[bytes, Governance], Proposed[Incident]]:
    """Return what reads a proposed incident and checks that it would count, but for signatures that are still missing."""

    def read(data: bytes, governance: Governance) -> Proposed[Incident]:
        try:
            record = Incident.FromString(data)
            statement = IncidentStatement.FromString(record.statement)
        except DecodeError as error:
            raise ApprovalError("the file does not hold an incident") from error
        check_signatures(record, governance.roster, 1)
        try:
            check_incident(statement, policy)
        except TrustError as error:
            raise ApprovalError(f"the log would not accept it: {error}") from error
        for known in governance.incidents:
            if known.statement == statement:
                raise ApprovalError(f"the governance log has this incident already, at index {known.index}")
        return Proposed(
            record, f"incident/{statement.topic}-{statement.partition}-{statement.from_sequence}", _summary(statement)
        )

    return read


def _summary(said: IncidentStatement) -> str:
    lost = said.to_sequence - said.from_sequence
    missing = (
        f"{lost:,} decisions are missing: {said.from_sequence} to {said.to_sequence - 1}" if lost else "no decision is missing"
    )
    lines = [
        f"partition {said.partition} of {said.topic}, log {said.log}",
        f"  after sequence {said.from_sequence - 1}: {missing}" if said.from_sequence else f"  from its beginning: {missing}",
        f"  goes on with sequence {said.to_sequence}, at offset {said.record_offset} of decisions/{said.partition} or later,",
        "  whatever that one's source offset and activation; what is not due before it is logged as malformed",
        f"  {said.explanation}",
    ]
    return "".join(f"{line}\n" for line in lines)
