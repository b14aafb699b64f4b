"""Incidents as a governance log would give them."""

from dataclasses import dataclass, field

from tallystick.contracts import EntryKind, Incident, IncidentStatement, LogEntry
from tallystick.trust.incidents import NO_INCIDENTS, Incidents, SignedIncident


def incident(
    partition: int, from_sequence: int, to_sequence: int, record_offset: int, index: int = 9, topic: str = "transactions"
) -> SignedIncident:
    """Return an incident; `from_sequence` is next, and the partition goes on with `to_sequence` from `record_offset` on."""
    statement = IncidentStatement(
        topic=topic,
        partition=partition,
        from_sequence=from_sequence,
        to_sequence=to_sequence,
        record_offset=record_offset,
        explanation="a broker lost them",
    )
    value = Incident(statement=statement.SerializeToString()).SerializeToString()
    entry = LogEntry(kind=EntryKind.ENTRY_KIND_INCIDENT, topic="governance", offset=index, value=value).SerializeToString()
    return SignedIncident(index, entry, statement, ("ada", "bob"))


def incidents(*known: SignedIncident) -> Incidents:
    """Return those about the topic `transactions`."""
    return Incidents.of(known, "transactions")


@dataclass
class Told:
    """A place to learn incidents from."""

    incidents: Incidents = NO_INCIDENTS
    asked: list[None] = field(default_factory=list)

    async def read(self) -> Incidents:
        """See `IncidentSource`."""
        self.asked.append(None)
        return self.incidents
