"""Input that its retention deletes before anybody scored it: said, and passed by two people where decisions went before."""

import asyncio
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
from aiokafka import TopicPartition
from aiokafka.admin import AIOKafkaAdminClient
from aiokafka.admin.records_to_delete import RecordsToDelete

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.contracts import Decision
from tallystick.embedded.service_process import console_script
from tallystick.runtime import kafka

from ..apache import make_kafka
from .bank import now_ms, send, sound
from .governing import Release, governance, install, pass_gap
from .reading import read
from .starting import started

EARLY, SCORED, LOST = 3, 4, 5
INPUT = TopicPartition("transactions", 0)


@pytest.fixture
def platform(tmp_path: Path, release: Release) -> Iterator[Platform]:
    """Run a chain of one partition, on Apache Kafka, whose topic is older than the chain and has lost its beginning."""
    made = Platform(tmp_path / "chain", partitions=1, kafka=make_kafka(tmp_path / "kafka"))
    with started(made, lambda: asyncio.run(_lost(made, "early", EARLY))):
        install(made, release)
        yield made


def test_input_that_was_deleted_unscored(platform: Platform, tmp_path: Path) -> None:
    """A topic that has lost its beginning is scored from where it begins; later, what is lost stops the partition and is said.

    An incident lets it go on with the next sequence, and the log is sound.
    """
    asyncio.run(send(platform.kafka, [sound(f"scored-{number}", now_ms()) for number in range(SCORED)]))
    wait_until(lambda: len(_decided(platform)) == SCORED, "the first decisions")
    assert [(one.sequence, one.source_offset) for one in _decided(platform)] == [(n, EARLY + n) for n in range(SCORED)]

    platform.services["scoring"].stop()
    asyncio.run(_lost(platform, "lost", LOST))
    platform.services["scoring"].start()
    said = f"the records at {EARLY + SCORED} to {EARLY + SCORED + LOST - 1} were deleted before they were scored"
    wait_until(lambda: said in str(platform.health("scoring")), "scoring to say what was lost")

    end = read(platform).records["decisions"][0][-1].offset + 1
    pass_gap(platform, SCORED, SCORED, end, tmp_path / "incident")
    asyncio.run(send(platform.kafka, [sound("afterwards", now_ms())]))
    wait_until(lambda: len(_decided(platform)) == SCORED + 1, "the partition to go on")
    last = _decided(platform)[-1]
    assert (last.sequence, last.source_offset) == (SCORED, EARLY + SCORED + LOST)
    wait_until(lambda: bool(platform.health("scoring")["ready"]), "scoring to be ready")
    done = subprocess.run(
        [console_script("tallystick"), "fsck", platform.log_dir, "--policy", platform.policy],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout
    (incident,) = governance(platform).incidents
    assert (incident.statement.from_sequence, incident.statement.to_sequence) == (SCORED, SCORED)


def _decided(platform: Platform) -> list[Decision]:
    return sorted(read(platform).decisions.values(), key=lambda decision: decision.sequence)


async def _lost(platform: Platform, name: str, count: int) -> None:
    """Send transactions, and delete all that the input holds."""
    await send(platform.kafka, [sound(f"{name}-{number}", now_ms()) for number in range(count)])
    admin = AIOKafkaAdminClient(**kafka.client_options(platform.kafka))
    await admin.start()
    try:
        await admin.delete_records({INPUT: RecordsToDelete(-1)})
    finally:
        await admin.close()
