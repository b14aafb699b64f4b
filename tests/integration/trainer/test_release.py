"""A model from the handbook's first weeks: trained and published by the console script, approved by two, sent to Kafka."""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from aiokafka import ConsumerRecord, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from tallystick.cli.approval import read_governance
from tallystick.cli.simulate import generate, write_parquet
from tallystick.contracts import EntryKind
from tallystick.embedded import Tansu
from tallystick.runtime.kafka import consumer, read_to_end
from tallystick.runtime.settings import KafkaSettings

from ...unit.activate.log_directory import LogDirectory

KINDS = {
    b"model_version": EntryKind.ENTRY_KIND_MODEL_VERSION,
    b"policy_version": EntryKind.ENTRY_KIND_POLICY_VERSION,
    b"activation": EntryKind.ENTRY_KIND_ACTIVATION,
}


@pytest.fixture(scope="module")
def broker(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Tansu]:
    """Start a broker of our own."""
    broker = Tansu(tmp_path_factory.mktemp("kafka"))
    broker.start()
    yield broker
    broker.stop()


@pytest.fixture(scope="module")
def release(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, dict[str, Any]]:
    """Train on days 0 to 27 of the card stream, the last week held out; the release's folder and what was printed."""
    folder = tmp_path_factory.mktemp("release")
    write_parquet(generate().days(0, 28), folder / "weeks.parquet")
    options = ("--train-days", "0:28", "--threads", "1", "--out", str(folder), "--json")
    done = console("tallystick-trainer", "train", str(folder / "weeks.parquet"), *options)
    assert done.returncode == 0, done.stderr
    return folder, json.loads(done.stdout)


def console(script: str, *arguments: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a console script with exactly these settings."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("TALLYSTICK_")} | settings
    command = [str(Path(sys.executable).with_name(script)), *arguments]
    return subprocess.run(command, capture_output=True, text=True, timeout=90, check=False, env=environment)


async def governance_records(broker: Tansu) -> list[ConsumerRecord]:
    """Read the governance topic."""
    reader = consumer(KafkaSettings(kafka_bootstrap=broker.address))
    await reader.start()
    try:
        return await read_to_end(reader, TopicPartition("governance", 0), 0)
    finally:
        await reader.stop()


def log_records(log: LogDirectory, records: list[ConsumerRecord]) -> None:
    """Put records into the log as the notary does."""
    for record in records[len(log.entries) :]:
        log.append(KINDS[record.key.split(b"/")[0]], record.value)


def test_the_handbooks_first_weeks_give_a_useful_model(release: tuple[Path, dict[str, Any]]) -> None:
    """Average precision on the held-out week is far over the share of fraud, and declined transactions mostly are fraud."""
    figures = release[1]["metrics"]
    assert figures["transactions"] == 67_412
    assert figures["average_precision"] > 0.25
    assert figures["decline_precision"] >= 0.9
    assert figures["review_or_decline_false_positive_rate"] < 0.006


async def test_a_release_comes_into_force_through_kafka(
    broker: Tansu, release: tuple[Path, dict[str, Any]], tmp_path: Path
) -> None:
    """Publisher, two approvers and the log agree: what is replayed from the records is what was trained."""
    folder, outcome = release
    admin = AIOKafkaAdminClient(bootstrap_servers=broker.address)
    await admin.start()
    await admin.create_topics([NewTopic("governance", 1, 1)])
    await admin.close()
    log = LogDirectory(tmp_path)
    models = tmp_path / "models"
    settings = {"TALLYSTICK_KAFKA_BOOTSTRAP": broker.address, "TALLYSTICK_MODELS_URL": models.as_uri()}
    publish = ("publish", str(folder), "--signer-key", str(log.key_file("ada")), "--signer", "ada", "--json")
    done = await asyncio.to_thread(console, "tallystick-trainer", *publish, **settings)
    assert done.returncode == 0, done.stderr
    (model_file,) = models.iterdir()
    assert model_file.name == f"{outcome['model_digest']}.json"
    assert sha256(model_file.read_bytes()).hexdigest() == outcome["model_digest"]
    log_records(log, await governance_records(broker))

    common = ("--log", log.url, "--trust", str(log.trust_folder))
    ada, ben = (("--key", str(log.key_file(name)), "--signer", name) for name in ("ada", "ben"))
    file = str(tmp_path / "activation")
    what = ("--model", outcome["model_digest"], "--policy", outcome["policy_digest"], "--effective-at", "2024-01-01T00:00:00Z")
    done = await asyncio.to_thread(console, "tallystick", "activate", "propose", *what, *common, *ada, "-o", file)
    assert done.returncode == 0, done.stderr
    send = ("--yes", "--publish", "--kafka", broker.address)
    done = await asyncio.to_thread(console, "tallystick", "activate", "approve", file, *common, *ben, *send)
    assert done.returncode == 0, done.stderr
    log_records(log, await governance_records(broker))

    governance = await read_governance(log.url, log.trust)
    (active,) = governance.activations
    assert governance.rejected == []
    assert (active.index, active.approvers) == (2, ("ada", "ben"))
    assert active.model_digest.hex() == outcome["model_digest"]
    assert active.policy.decline_margin == outcome["decline_margin"]
    assert active.model.size_bytes == model_file.stat().st_size


@pytest.mark.parametrize(
    ("settings", "complaint"),
    [
        ({}, "TALLYSTICK_MODELS_URL: must be set"),
        ({"TALLYSTICK_MODELS_URL": "/models"}, "TALLYSTICK_MODELS_URL: must be file:///folder"),
        ({"TALLYSTICK_MODELS_URL": "file:///m", "TALLYSTICK_MODEL_URL": "x"}, "TALLYSTICK_MODEL_URL: there is no such setting"),
    ],
)
def test_wrong_settings_are_named(settings: dict[str, str], complaint: str) -> None:
    """`publish` stops at once with the setting's name and exit code 2."""
    done = console("tallystick-trainer", "publish", ".", "--signer-key", "k", "--signer", "ada", **settings)
    assert done.returncode == 2
    assert complaint in done.stderr
