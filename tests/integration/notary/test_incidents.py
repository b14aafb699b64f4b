"""A real gap in the decisions: its partition stops, the others go on, and only what two people signed lets it go on."""

import asyncio

import pytest

from tallystick.contracts import EntryKind, LogEntry, Malformed

from .installation import PARTITIONS, Installation, decision, logged_sequences


@pytest.mark.parametrize("installation", [1, 2], indirect=True)
async def test_a_gap_is_passed_by_two_people_only(installation: Installation) -> None:
    """Neither one signature nor a stranger's nor another gap's helps; with the incident the log goes on, and shows it."""
    first = next(iter(installation.policy.origins))
    notary = await installation.started()
    await installation.send_decisions(range(3))
    await installation.send((0, decision(0, sequence)) for sequence in range(6, 9))
    await installation.send((partition, decision(partition, 3)) for partition in range(1, PARTITIONS))
    await installation.stops(notary, 1, "sequence 6 where 3 is next", first)

    await installation.send_incident(0, 3, 6, 3, "ada")
    await installation.send_incident(0, 3, 6, 3, "ada", "ada")
    await installation.send_incident(0, 3, 6, 3, "ada", "eve")
    await installation.send_incident(0, 3, 7, 3)
    await installation.send_incident(0, 2, 6, 3)
    await installation.wait_for(5, "governance")
    await asyncio.sleep(5)
    await installation.stops(notary, 1, "sequence 6 where 3 is next", first)
    _, entries = await installation.verify(first)
    assert logged_sequences(entries)[0] == [0, 1, 2]
    size = len(entries)

    await installation.send_incident(0, 3, 6, 3)
    _, entries = await installation.wait_for(size + 4, first)
    assert logged_sequences(entries)[0] == [0, 1, 2, 6, 7, 8]
    assert logged_sequences(entries)[1] == [0, 1, 2, 3]
    _, governance = await installation.verify("governance")
    assert entries[size] == governance[5]
    await installation.stops(notary, 0, "", first)

    notary.stop()
    await installation.started()
    await installation.send([(0, decision(0, 9))])
    _, entries = await installation.wait_for(size + 5, first)
    assert logged_sequences(entries)[0] == [0, 1, 2, 6, 7, 8, 9]
    assert [entry.kind for entry in entries].count(EntryKind.ENTRY_KIND_INCIDENT) == 1


async def test_a_forged_decision_is_passed_over(installation: Installation) -> None:
    """A number from nowhere does not push the partition's own ahead: it is logged as malformed, and the true one follows."""
    notary = await installation.started()
    await installation.send([(0, decision(0, 0)), (0, decision(0, 10**9))])
    await installation.stops(notary, 1, "sequence 1000000000 where 1 is next")
    await installation.send_incident(0, 1, 1, 2)
    await installation.send([(0, decision(0, 1))])
    _, entries = await installation.wait_for(4)
    assert [entry.kind for entry in entries] == [
        EntryKind.ENTRY_KIND_DECISION,
        EntryKind.ENTRY_KIND_MALFORMED,
        EntryKind.ENTRY_KIND_INCIDENT,
        EntryKind.ENTRY_KIND_DECISION,
    ]
    assert "passed over by the incident at 0" in _malformed(entries[1]).reason
    assert logged_sequences(entries) == {0: [0, 1]}


def _malformed(entry: LogEntry) -> Malformed:
    return Malformed.FromString(entry.value)
