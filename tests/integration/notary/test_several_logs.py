"""Several decisions logs side by side: in one process or in several, and a partition stays where it began."""

import re
from dataclasses import replace

import httpx
import pytest

from tallystick.cli.provision import provision

from .installation import PARTITIONS, Installation, eventually, logged_sequences

NAMES = ("decisions-0", "decisions-1")
two_logs = pytest.mark.parametrize("installation", [2], indirect=True)


async def check_both(installation: Installation, sequences: range) -> None:
    """Check that each log holds these decisions on its own half of the partitions, in order, and nothing else."""
    for number, name in enumerate(NAMES):
        _, entries = await installation.wait_for(len(sequences) * PARTITIONS // 2, name)
        own = range(number * PARTITIONS // 2, (number + 1) * PARTITIONS // 2)
        assert logged_sequences(entries) == {partition: list(sequences) for partition in own}


@two_logs
async def test_one_notary_writes_several_logs(installation: Installation) -> None:
    """Each has its partitions, its key and its head, and health and the positions say which is which."""
    notary = await installation.started()
    await installation.send_decisions(range(6))

    await check_both(installation, range(6))

    said = await installation.health(notary)
    assert {name: log["size"] for name, log in said["logs"].items()} == {
        "decisions-0": 12,
        "decisions-1": 12,
        "governance": 0,
        "fallbacks": 0,
    }
    async with httpx.AsyncClient(base_url=notary.health_url.removesuffix("/health")) as client:
        answers = [(await client.get(f"/v1/position/transactions/{partition}")).json() for partition in range(PARTITIONS)]
        assert (await client.get(f"/v1/position/transactions/{PARTITIONS}")).status_code == 404
    origins = [installation.policy.decisions_origin("transactions", partition) for partition in range(PARTITIONS)]
    assert [(answer["origin"], answer["next_sequence"]) for answer in answers] == [(origin, 6) for origin in origins]


@two_logs
async def test_several_notaries_share_the_logs(installation: Installation) -> None:
    """Two processes of disjoint logs do not fence each other, and either ends and comes back without the other."""
    first = installation.notary(TALLYSTICK_LOGS="decisions-0,governance")
    second = installation.notary(TALLYSTICK_LOGS="decisions-1")
    first.start()
    second.start()
    await installation.send_decisions(range(3))
    await check_both(installation, range(3))

    second.stop()
    await installation.send_decisions(range(3, 5))
    await installation.wait_for(10, "decisions-0")
    assert (await installation.verify("decisions-1"))[0].size == 6
    installation.notary(TALLYSTICK_LOGS="decisions-1").start()
    await check_both(installation, range(5))
    assert first.is_alive


@two_logs
@pytest.mark.parametrize("logs", [1, 4])
async def test_a_partition_stays_in_its_log(installation: Installation, logs: int) -> None:
    """Under a trust policy that divides the partitions otherwise nothing is written; the message says who has what."""
    running = await installation.started()
    await installation.send_decisions(range(2))
    await check_both(installation, range(2))
    running.stop()

    moved = await provision(replace(installation.provisioned.plan, logs=logs, replace_policy=True))
    notary = installation.notary(TALLYSTICK_TRUST_POLICY=str(moved.policy))
    notary.start()
    await eventually(lambda: notary.exit_code is not None)

    assert notary.exit_code == 1
    assert "belong" in notary.child.log_tail()
    assert "for ever" in notary.child.log_tail()
    # Every log looks at its own partitions, and the first that finds one of another's says so.
    assert re.search(r"decisions-[01]\b", notary.child.log_tail())
