"""What was done to the input between the brokers that a sealer reads and those that scoring reads: each is found, and named.

The bank's records are on one cluster, the sealer's; on the other, scoring's, somebody has been at them: a partition each.
"""

import asyncio
import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import redirect_stdout
from io import StringIO
from typing import Any

import pytest

from tallystick.cli.demo.platform import SEALER, Platform
from tallystick.cli.demo.steps import published_decisions, wait_until
from tallystick.cli.main import main
from tallystick.cli.provision.kafka import provision_kafka, topics
from tallystick.embedded import Tansu
from tallystick.runtime.kafka import producer
from tallystick.runtime.settings import KafkaSettings

from .bank import Sent, now_ms
from .governing import Release, install
from .starting import started

AT = 7
"""The sequence at which each partition's records were changed."""
ROWS = 20
Records = list[Sent]


def _changed(**what: Any) -> Callable[[Records], Records]:
    def change(some: Records) -> Records:
        fields = {name: getattr(some[AT], name) for name in ("value", "key", "timestamp_ms")} | what
        return [*some[:AT], Sent(**fields), *some[AT + 1 :]]

    return change


ATTACKS: dict[str, Callable[[Records], Records]] = {
    "nothing": lambda some: some,
    "drop": lambda some: [*some[:AT], *some[AT + 1 :]],
    "insert": lambda some: [*some[:AT], Sent(b"a payment of our own", b"k", some[AT].timestamp_ms), *some[AT:]],
    "reorder": lambda some: [*some[:AT], some[AT + 1], some[AT], *some[AT + 2 :]],
    "alter": _changed(value=b"paid another amount"),
    "re-key": _changed(key=b"another customer"),
    "leave out the end": lambda some: some[:AT],
}


async def _send(bootstrap: str, partitions: Sequence[Records]) -> None:
    async with producer(KafkaSettings(kafka_bootstrap=bootstrap)) as sender:
        for partition, records in enumerate(partitions):
            for one in records:
                await sender.send_and_wait(
                    "transactions", one.value, one.key, partition=partition, timestamp_ms=one.timestamp_ms
                )


@pytest.fixture(scope="module")
def attacked(tmp_path_factory: pytest.TempPathFactory, release: Release) -> Iterator[tuple[Platform, str]]:
    """Run a chain and, on brokers of its own, a sealer; give the chain and the sealer's address, all read and decided."""
    directory = tmp_path_factory.mktemp("attacked")
    real = Tansu(directory / "real")
    (directory / "real").mkdir()
    with real:
        reach = {SEALER: {"TALLYSTICK_KAFKA_BOOTSTRAP": real.address, "TALLYSTICK_SEAL_EVERY_S": "0.5"}}
        asyncio.run(provision_kafka({"bootstrap_servers": real.address}, topics(len(ATTACKS))))
        platform = Platform(directory / "chain", partitions=len(ATTACKS), sealed=True, extra=reach)
        with started(platform):
            install(platform, release)
            records = [Sent(f"paid {number}".encode(), b"customer", now_ms()) for number in range(ROWS)]
            given = [attack(list(records)) for attack in ATTACKS.values()]
            asyncio.run(_send(real.address, [records] * len(ATTACKS)))
            asyncio.run(_send(platform.stack.kafka.address, given))
            wait_until(lambda: platform.health(SEALER)["seals"]["records"] == ROWS * len(ATTACKS), "the sealer to have read")
            decided = sum(map(len, given))
            wait_until(lambda: published_decisions(platform.health("notary")) >= decided, "the decisions to be logged")
            yield platform, platform.url(SEALER)


def told(platform: Platform, *arguments: str) -> tuple[int, dict[str, Any]]:
    """Return what `tallystick completeness` says, and its exit code."""
    with redirect_stdout(StringIO()) as out:
        code = main(["completeness", str(platform.log_dir), "--policy", str(platform.policy), "--json", *arguments])
    return code, json.loads(out.getvalue())


def test_each_attack_is_found_and_named(attacked: tuple[Platform, str]) -> None:
    """By partition and sequence, from what the sealer itself serves; what nobody touched agrees."""
    platform, url = attacked
    code, said = told(platform, "--sealer", f"{SEALER}={url}", "--patience", "0")
    assert code == 1
    (finding,) = said["sealers"]
    found = {(one["partition"], one["sequence"]) for one in finding["differences"]}
    assert found == {(partition, AT) for partition in range(1, len(ATTACKS))}
    assert finding["undecided"] == [{"partition": len(ATTACKS) - 1, "first": AT, "end": ROWS}]


def test_seals_that_are_kept_from_the_log_prove_nothing(attacked: tuple[Platform, str]) -> None:
    """By the log alone there is no word of this sealer: its topic is on the other brokers."""
    platform, _ = attacked
    code, said = told(platform)
    assert code == 1
    assert "has sealed nothing in this time" in said["reason"]


def test_a_sealer_that_the_policy_does_not_name_counts_for_nothing(
    attacked: tuple[Platform, str], capsys: pytest.CaptureFixture[str]
) -> None:
    """Whose word counts the trust policy says, and nobody on the command line."""
    platform, url = attacked
    assert main(["completeness", str(platform.log_dir), "--policy", str(platform.policy), "--sealer", f"other={url}"]) == 2
    assert "the sealers that the trust policy names are: sealer" in capsys.readouterr().err
