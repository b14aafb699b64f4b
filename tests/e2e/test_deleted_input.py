"""Input that its retention deletes before anybody scored it: said, and passed by two people where decisions went before."""

import asyncio
import json
import subprocess
from collections.abc import Iterator
from itertools import count, islice
from pathlib import Path
from typing import Any

import httpx
import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from tallystick.cli.demo.platform import SEALER, Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.contracts import Decision
from tallystick.embedded.service_process import console_script
from tallystick.runtime import kafka

from ..apache import make_kafka
from .bank import now_ms, partition_of, send, sound
from .gateways import Gateway, payment
from .governing import Release, governance, install, pass_gap
from .reading import read
from .starting import started

EARLY, SCORED, LOST = 3, 4, 5
HERE, OLDER = range(2)
"""The partition that loses what nobody scored, and one that is older than the chain."""


@pytest.fixture
def platform(tmp_path: Path, release: Release) -> Iterator[Platform]:
    """Run a chain with a sealer, on Apache Kafka, one of whose partitions has lost its beginning before."""
    made = Platform(tmp_path / "chain", partitions=2, sealed=True, kafka=make_kafka(tmp_path / "kafka"))
    with started(made, lambda: asyncio.run(_lost_early(made))):
        install(made, release)
        yield made


def test_input_that_was_deleted_unscored(platform: Platform, tmp_path: Path) -> None:
    """A topic that has lost its beginning is scored from where it begins; later, what is lost stops the partition and is said.

    An incident lets it go on with the next sequence, and the log is sound. It is not complete, and an auditor is told why: the
    first sequence that was sealed and never decided, the incident, and what became of the answers that a gateway gave.
    """
    _send(platform, OLDER, "older", 1)
    _send(platform, HERE, "scored", SCORED)
    wait_until(lambda: len(_decided(platform)) == SCORED + 1, "the first decisions")
    assert _places(platform, OLDER) == [(0, EARLY)]
    assert _places(platform, HERE) == [(n, n) for n in range(SCORED)]

    gateway = Gateway(platform, tmp_path / "gateway")
    try:
        gateway.start()
        platform.services["scoring"].stop()
        _answered(gateway, "lost")
        _send(platform, HERE, "lost", LOST - 1)
        wait_until(lambda: platform.health(SEALER)["seals"]["records"] == 1 + SCORED + LOST, "the sealer to have read them")
        asyncio.run(_delete(platform, HERE))
        platform.services["scoring"].start()
        said = f"the records at {SCORED} to {SCORED + LOST - 1} were deleted before they were scored"
        wait_until(lambda: said in str(platform.health("scoring")), "scoring to say what was lost")
        _answered(gateway, "decided otherwise", 499_900)
    finally:
        gateway.process.stop()

    end = read(platform).records["decisions"][HERE][-1].offset + 1
    pass_gap(platform, SCORED, SCORED, end, tmp_path / "incident")
    _send(platform, HERE, "afterwards", 1)
    wait_until(lambda: len(_places(platform, HERE)) == SCORED + 2, "the partition to go on")
    assert _places(platform, HERE)[SCORED:] == [(SCORED, SCORED + LOST), (SCORED + 1, SCORED + LOST + 1)]
    wait_until(lambda: bool(platform.health("scoring")["ready"]), "scoring to be ready")
    assert _said(platform, "fsck")[0] == 0
    (incident,) = governance(platform).incidents
    assert (incident.statement.from_sequence, incident.statement.to_sequence) == (SCORED, SCORED)

    signed = platform.health(SEALER)["seals"]["signed"]
    wait_until(lambda: platform.health("notary")["logs"]["seals"]["published_size"] >= signed, "the seals to be logged")
    code, told = _said(platform, "completeness")
    assert (code, told["complete"]) == (1, False)
    (sealer,) = told["sealers"]
    assert [(one["partition"], one["sequence"]) for one in sealer["differences"]] == [(HERE, SCORED), (OLDER, 0)]
    assert "one was left out" in sealer["differences"][0]["reason"]
    assert f"offsets 0 to {EARLY - 1} were deleted before they were read" in sealer["differences"][1]["reason"]
    assert sealer["incidents"] == [incident.index]
    shown = httpx.get(f"{platform.url('audit')}/console/completeness").text
    assert f"found a gap in partition {OLDER} of transactions: offsets 0 to {EARLY - 1} were deleted" in shown
    fallbacks = told["fallbacks"]
    assert fallbacks["never"] == [{"partition": HERE, "offset": SCORED, "answered": "APPROVE"}]
    (otherwise,) = fallbacks["otherwise"]
    assert (otherwise["sequence"], otherwise["answered"], otherwise["decided"]) == (SCORED, "APPROVE", "DECLINE")
    assert (fallbacks["decided_as_answered"], fallbacks["not_decided_yet"], fallbacks["log"]) == (0, 0, {"APPROVE": 2})


def _names(partition: int, what: str) -> Iterator[str]:
    """Give customers of a partition."""
    names = (f"{what.replace(' ', '-')}-{number}" for number in count())
    return (name for name in names if partition_of(name.encode(), 2) == partition)


def _send(platform: Platform, partition: int, what: str, some: int) -> None:
    asyncio.run(send(platform.kafka, [sound(name, now_ms()) for name in islice(_names(partition, what), some)]))


def _answered(gateway: Gateway, what: str, amount_minor: int = 1_234) -> None:
    """Ask a gateway, which answers without a decision, and wait until the log of fallbacks has it."""
    told = gateway.post(what, payment(next(_names(HERE, what)), amount_minor), deadline_ms=2_000)
    assert told.json()["basis"] == "BASIS_FALLBACK", told.text
    wait_until(lambda: not gateway.health()["spool"]["waiting"], "its answer to be logged")


def _decided(platform: Platform) -> list[Decision]:
    return sorted(read(platform).decisions.values(), key=lambda decision: decision.sequence)


def _places(platform: Platform, partition: int) -> list[tuple[int, int]]:
    return [(one.sequence, one.source_offset) for one in _decided(platform) if one.source_partition == partition]


def _said(platform: Platform, command: str) -> tuple[int, dict[str, Any]]:
    done = subprocess.run(
        [console_script("tallystick"), command, platform.log_dir, "--policy", platform.policy, "--json"],
        capture_output=True,
        text=True,
        check=False,
    )
    return done.returncode, json.loads(done.stdout)


async def _lost_early(platform: Platform) -> None:
    """Send transactions, and delete them, before anything runs."""
    await send(platform.kafka, [sound(name, now_ms()) for name in islice(_names(OLDER, "early"), EARLY)])
    await _delete(platform, OLDER)


async def _delete(platform: Platform, partition: int) -> None:
    """Delete all that a partition of the input holds."""
    admin = AIOKafkaAdminClient(**kafka.client_options(platform.kafka))
    await admin.start()
    try:
        await admin.delete_records({TopicPartition("transactions", partition): RecordsToDelete(-1)})
    finally:
        await admin.close()
