"""The notary as a process, over real servers, when all goes well."""

import asyncio
import time

import httpx
import hvac

from tallystick.contracts import Decision, EntryKind, ModelVersion
from tallystick.merkle.signed_roots import SignedRoot

from .installation import Installation, decision, eventually, every_partition, logged_sequences


async def test_decisions_are_logged_indexed_and_published(installation: Installation) -> None:
    """Every decision is in the log once and in order, its place in the index, and the partition's position over HTTP."""
    notary = await installation.started()
    await installation.send_decisions(range(1000))

    checkpoint, entries = await installation.wait_for(4000)

    assert checkpoint.size == 4000
    assert logged_sequences(entries) == every_partition(range(1000))
    async with httpx.AsyncClient(base_url=notary.health_url.removesuffix("/health")) as client:
        position = (await client.get("/v1/position/transactions/2")).json()
        assert (await client.get("/v1/position/other/2")).status_code == 404
    assert position["next_sequence"] == 1000
    assert position["source_offset"] == 1998
    assert position["activation_index"] == 2
    assert position["record_offset"] == 999
    last = entries[position["log_index"]]
    assert (last.partition, last.offset) == (2, 999)
    assert notary.stop() == 0


async def test_heads_are_signed_for_receipts(installation: Installation) -> None:
    """The newest head's root is in the database, signed in COSE by the key that the trust policy names; health says so."""
    notary = await installation.started()
    await installation.send_decisions(range(10))
    checkpoint, _ = await installation.wait_for(40)
    await installation.says_receipts(notary, "ok")
    connection = await installation.connect()
    try:
        async with asyncio.timeout(60):
            # The file is public before the row is there.
            while not (rows := await connection.fetch(_NEWEST_RECEIPT, checkpoint.size)):  # noqa: ASYNC110  another process's
                await asyncio.sleep(0.05)
    finally:
        await connection.close()
    signed = SignedRoot.parse(rows[0]["receipt"])
    signed.verify(checkpoint.root, installation.policy.receipt_keys)
    assert (rows[0]["root"], signed.header.size) == (checkpoint.root, 40)


async def test_a_receipt_key_that_is_gone_does_not_stop_the_log(installation: Installation) -> None:
    """Deleted in Vault: decisions are logged and published, the notary is ready, and says what is wrong."""
    vault = installation.stack.vault
    root = hvac.Client(url=vault.address, token=vault.root_token)
    key = "notary-receipts-decisions"
    root.secrets.transit.update_key_configuration(name=key, deletion_allowed=True)
    root.secrets.transit.delete_key(name=key)
    try:
        notary = await installation.started()
        await installation.send_decisions(range(10))
        await installation.wait_for(40)
        await installation.says_receipts(notary, key)
        assert (await installation.health(notary))["ready"]
    finally:
        root.secrets.transit.create_key(name=key, key_type="ed25519", exportable=False, allow_plaintext_backup=False)
        root.adapter.close()


_NEWEST_RECEIPT = "SELECT root, receipt FROM notary.receipts WHERE log = 'decisions' AND size = $1"


async def test_both_logs_are_published_before_anything_is_sent(installation: Installation) -> None:
    """An empty log has a checkpoint; governance's bears the clock's cosignature, and gets a new one while nothing happens."""
    await installation.started(TALLYSTICK_REFRESH_S="0.5")
    policy, origin = installation.policy, installation.policy.governance_origin
    path = installation.log_dir / "governance" / "checkpoint"

    await installation.wait_for(0, "decisions")
    await installation.wait_for(0, "governance")
    first = policy.log_policy.verify_checkpoint(path.read_bytes(), origin)
    assert first.checkpoint.size == 0
    assert abs(first.cosigned["notary-clock"] - time.time()) < 60

    def again() -> int:
        return policy.log_policy.verify_checkpoint(path.read_bytes(), origin).cosigned["notary-clock"]

    await eventually(lambda: again() >= first.cosigned["notary-clock"] + 2)


async def test_governance_records_are_logged_by_their_keys(installation: Installation) -> None:
    """A record of a known kind is logged as it is; any other as malformed."""
    await installation.started()
    model = ModelVersion(statement=b"s").SerializeToString()
    await installation.send([(0, model)], "governance", b"model_version/m")
    await installation.send([(0, model)], "governance", b"nothing/m")
    await installation.send([(0, b"\xff")], "governance", b"activation/1")

    _, entries = await installation.wait_for(3, "governance")

    kinds = [EntryKind.ENTRY_KIND_MODEL_VERSION, EntryKind.ENTRY_KIND_MALFORMED, EntryKind.ENTRY_KIND_MALFORMED]
    assert [entry.kind for entry in entries] == kinds
    assert entries[0].value == model


async def test_a_gap_stops_its_partition_only(installation: Installation) -> None:
    """A missing decision stops its partition, which health says; the others go on."""
    notary = await installation.started()
    await installation.send([(1, decision(1, at)) for at in (0, 1, 3, 4)])
    await installation.send([(0, decision(0, at)) for at in (0, 1, 1, 2)])

    _, entries = await installation.wait_for(5)

    assert logged_sequences(entries) == {0: [0, 1, 2], 1: [0, 1]}
    state = (await installation.health(notary))["logs"]["decisions"]
    assert state["repeats"] == 1
    assert list(state["stopped_partitions"]) == ["1"]
    assert "sequence 3 where 2 is next" in state["stopped_partitions"]["1"]


async def test_numbers_that_the_database_cannot_hold_are_logged_as_malformed(installation: Installation) -> None:
    """Up to 2^63 - 1 a number is taken, beyond it the record is Malformed; the notary goes on with the next."""
    notary = await installation.started()
    largest, beyond = 2**63 - 1, 2**63
    crafted = [
        made(0, 0, source_offset=beyond),
        made(0, 0, activation_index=beyond),
        made(0, beyond),
        made(0, 0, source_offset=largest, activation_index=largest),
    ]
    await installation.send([(0, value) for value in crafted] + [(1, made(1, 0)), (1, made(1, 1, activation_index=1))])

    _, entries = await installation.wait_for(5)

    kinds = [entry.kind for entry in entries if entry.partition == 0]
    assert kinds == [EntryKind.ENTRY_KIND_MALFORMED] * 3 + [EntryKind.ENTRY_KIND_DECISION]
    async with httpx.AsyncClient(base_url=notary.health_url.removesuffix("/health")) as client:
        position = (await client.get("/v1/position/transactions/0")).json()
    assert (position["source_offset"], position["activation_index"]) == (largest, largest)
    while not (stopped := (await installation.health(notary))["logs"]["decisions"]["stopped_partitions"]):  # noqa: ASYNC110  another process
        await asyncio.sleep(0.05)  # it may come a batch later
    assert list(stopped) == ["1"]
    assert "decided under the activation at 1 after the one at 2" in stopped["1"]


def made(partition: int, sequence: int, **changes: int) -> bytes:
    """Return a decision with other numbers than it should have."""
    crafted = Decision.FromString(decision(partition, min(sequence, 9)))
    crafted.sequence = sequence
    for name, value in changes.items():
        setattr(crafted, name, value)
    return crafted.SerializeToString()
