"""Two decisions logs through the whole chain, and a real gap in one: who stops, who goes on, and what two people can do."""

import asyncio
import json
import os
import subprocess
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tallystick.cli.demo.platform import Platform
from tallystick.cli.demo.steps import wait_until
from tallystick.contracts import Decision, EntryKind, Transaction
from tallystick.embedded.service_process import console_script

from .bank import Sent, now_ms, partition_of, send, sent, stream, transactions
from .governing import Release, install, pass_gap
from .reading import Run, logged, read, read_run
from .starting import started

ROWS = 400
LOST = 5
LOGS = ("decisions-0", "decisions-1")


@pytest.fixture
def chain(tmp_path: Path, release: Release) -> Iterator[Platform]:
    """Run a chain with two decisions logs, and stream something through it."""
    platform = Platform(tmp_path / "several", decisions_logs=2)
    with started(platform):
        install(platform, release)
        asyncio.run(stream(platform.kafka, transactions(ROWS, "both")))
        yield platform


def _check_both(chain: Platform, run: Run, tmp_path: Path) -> None:
    """Check that each decision is in the log of its partition, that audit finds it there, and that its bundle verifies."""
    decided = run.of("both")
    assert len(decided) == ROWS
    assert {name: {entry.partition for entry in entries} for name, entries in run.logs.items()} == {
        "decisions-0": {0, 1},
        "decisions-1": {2, 3},
    }
    served = httpx.get(f"{chain.url('audit')}/v1/logs").json()["logs"]
    assert [log["name"] for log in served] == [*LOGS, "fallbacks", "governance"]
    for partitions, log in (({0, 1}, LOGS[0]), ({2, 3}, LOGS[1])):
        row = next(row for row, decision in decided.items() if decision.source_partition in partitions)
        assert _verified(chain, f"both-{row}", tmp_path)["log"]["origin"].endswith(f"/{log}")
    assert _fsck(chain)[0] == 0


def test_two_logs_and_a_gap_in_one_that_two_people_pass(chain: Platform, tmp_path: Path) -> None:
    """Each record is decided once, in the log of its partition, where audit finds it.

    Decisions that the brokers lost stop their partition, in the notary and in scoring; all others go on.

    One person changes nothing. With an incident that two signed both go on at the same record, the log shows it, and everything
    verifies again.
    """
    before = read_run(chain)
    _check_both(chain, before, tmp_path)
    customer = next(f"gap-{number}" for number in range(99) if partition_of(f"gap-{number}".encode()) == 0)
    last = [item for item in before.decisions.values() if item.source_partition == 0][-1]
    offset = len(before.records["decisions"][0])
    _lose(chain, last, customer)
    size = logged(chain)

    chain.services["scoring"].start()
    wait_until(lambda: "0" in _stopped(chain, "decisions-0"), "the notary to stop the partition")
    wait_until(lambda: "decisions are missing" in _scoring(chain).get("partition 0", ""), "scoring to stop the partition")
    asyncio.run(stream(chain.kafka, transactions(ROWS, "others")))
    others = sum(partition_of(str(key).encode()) != 0 for key in transactions(ROWS, "others")["customer_id"].to_pylist())
    wait_until(lambda: logged(chain) >= size + others, "the other partitions to go on")
    assert list(_stopped(chain, "decisions-0")) == ["0"]

    going_on = (last.sequence + 1, last.sequence + 1 + LOST)
    pass_gap(chain, *going_on, offset, tmp_path / "incident", second="ada", code=1)
    assert list(_stopped(chain, "decisions-0")) == ["0"]
    pass_gap(chain, *going_on, offset, tmp_path / "incident")

    wait_until(lambda: not _stopped(chain, "decisions-0"), "the notary to go on")
    wait_until(lambda: bool(chain.health("scoring")["ready"]), "scoring to go on")
    run = _after(chain, last, customer)
    entries = run.logs["decisions-0"]
    (place,) = [index for index, entry in enumerate(entries) if entry.kind == EntryKind.ENTRY_KIND_INCIDENT]
    sequences = [
        Decision.FromString(entry.value).sequence
        for entry in entries
        if entry.kind == EntryKind.ENTRY_KIND_DECISION and entry.partition == 0
    ]
    inputs = len(run.records["transactions"][0])
    assert sequences == [*range(last.sequence + 1), *range(last.sequence + 1 + LOST, inputs)]
    assert Decision.FromString(entries[place + 1].value).sequence == last.sequence + 1 + LOST

    assert _verified(chain, f"{customer}-{LOST + 3}", tmp_path)["log"]["origin"].endswith("/decisions-0")
    code, said = _fsck(chain)
    assert code == 0
    assert f"{LOST} decisions missing; signed by ada and grace: the brokers lost them" in said


def _lose(chain: Platform, last: Decision, customer: str) -> None:
    """Stop scoring, send transactions on, and leave of their decisions only one: those before it are lost."""
    chain.services["scoring"].stop()
    values = [
        Transaction(transaction_id=f"{customer}-{number}", customer_id=customer, amount_minor=1_000, currency="EUR")
        for number in range(3 * LOST)
    ]
    asyncio.run(send(chain.kafka, [sent(value, now_ms()) for value in values]))
    survivor = Decision()
    survivor.CopyFrom(last)
    survivor.sequence += 1 + LOST
    survivor.source_offset += 1 + LOST
    asyncio.run(send(chain.kafka, [Sent(survivor.SerializeToString(), None, now_ms(), partition=0)], "decisions"))


def _after(chain: Platform, last: Decision, customer: str) -> Run:
    """Return everything once the customer's last transaction is decided in the log."""
    newest = last.sequence + 3 * LOST

    def reached() -> bool:
        return any(item.source_partition == 0 and item.sequence >= newest for item in read(chain).decisions.values())

    wait_until(reached, f"the decisions on {customer}")
    return read(chain)


def _stopped(chain: Platform, log: str) -> dict[str, str]:
    stopped: dict[str, str] = chain.health("notary")["logs"][log]["stopped_partitions"]
    return stopped


def _scoring(chain: Platform) -> dict[str, str]:
    components: dict[str, str] = chain.health("scoring")["components"]
    return components


def _verified(chain: Platform, transaction_id: str, folder: Path) -> dict[str, dict[str, str]]:
    """Return what the offline verifier says of a transaction's bundle, which must verify."""
    url = f"{chain.url('audit')}/v1/decisions/{transaction_id}"
    wait_until(lambda: httpx.get(url, headers=chain.auditor).status_code == httpx.codes.OK, f"audit to have {transaction_id}")
    bundle = folder / "bundle.json"
    bundle.write_bytes(httpx.get(f"{url}/bundle", headers=chain.auditor).content)
    done = _run("verify", str(bundle), "--policy", str(chain.policy), "--json")
    assert done.returncode == 0, done.stdout
    answer: dict[str, dict[str, str]] = httpx.get(url, headers=chain.auditor).json()
    assert json.loads(done.stdout)
    return answer


def _fsck(chain: Platform) -> tuple[int, str]:
    done = _run("fsck", str(chain.log_dir), "--policy", str(chain.policy))
    return done.returncode, " ".join((done.stdout + done.stderr).split())


def _run(*arguments: str) -> subprocess.CompletedProcess[str]:
    environment = {"PATH": os.environ["PATH"], "COLUMNS": "400"}
    return subprocess.run(
        [console_script("tallystick"), *arguments], env=environment, capture_output=True, text=True, check=False
    )
