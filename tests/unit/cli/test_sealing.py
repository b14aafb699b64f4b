"""Which seals go into an audit package: those over its decisions, found among all that was ever logged."""

import asyncio
from dataclasses import replace
from pathlib import Path

import pytest

from tallystick.cli.export.sealing import seals_over
from tallystick.cli.replay.reading import BrokenLogError
from tallystick.contracts import Decision, EntryKind, Seal, SealStatement
from tallystick.merkle.proof_files import ProofFile
from tallystick.runtime.log_reader import LogReader
from tallystick.trust.log_proofs import VerifiedLogProof, verify_log_proof
from tallystick.trust.packages.sealed import covers
from tallystick.trust.seals import open_seal

from ..sealer.input import POLICY, SEALS, Sealing, decided, records, resigned
from ..trust.helpers import Log
from .logs import publish

SECONDS, EACH = 300, 3
"""More seals than a tile holds, over so many records of partition 0 each."""


@pytest.fixture(scope="module")
def log(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Return a folder with a log of seals: two sealers', one of them late, and between them what is nobody's."""
    sealings, log = (Sealing("s1"), Sealing("s2")), Log(SEALS)
    read = records(SECONDS * EACH)
    for second in range(SECONDS):
        for number, sealing in enumerate(sealings):
            if number and second % 7:  # the second one seals less often
                continue
            done = sealing.partitions[0].next_sequence
            sealing.read(*read[done : (second + 1) * EACH])
            log.append(EntryKind.ENTRY_KIND_SEAL, sealing.seal().SerializeToString(), topic="seals")
        log.append(EntryKind.ENTRY_KIND_SEAL, Seal(sealer="s3").SerializeToString(), topic="seals")
        log.append(EntryKind.ENTRY_KIND_MALFORMED, b"", topic="seals")
    folder = tmp_path_factory.mktemp("sealed")
    publish(log, folder / "seals")
    return folder


def found(folder: Path, decisions: list[Decision]) -> tuple[dict[int, bytes], list[str]]:
    """Return the proof files, and what is said to be missing."""
    left_out: list[str] = []
    return asyncio.run(seals_over(folder.as_uri(), POLICY, decisions, None, left_out)), left_out


def test_each_decision_has_a_seal_of_each_sealer(log: Path) -> None:
    """At every place of the log: one file for each sealer, which proves just the seal over the decision's record.

    Fails if the search goes wrong by one anywhere, or stops at what is nobody's.
    """
    made = decided(records((SECONDS - 7) * EACH))
    files, left_out = found(log, made)
    assert left_out == []
    seals = []
    for index, data in files.items():
        proof = verify_log_proof(data, POLICY)
        assert isinstance(proof, VerifiedLogProof)
        assert proof.index == index == ProofFile.parse(data).index
        seals.append(open_seal(proof.entry.value, POLICY))
    for decision in made:
        assert sorted(seal.sealer for seal in seals if covers(seal, decision)) == ["s1", "s2"]


def test_seals_are_shared_and_what_is_not_sealed_is_counted(log: Path) -> None:
    """Decisions under one seal have one file; of those that nobody read there is a sentence for each sealer."""
    made = decided(records((SECONDS + 1) * EACH))
    files, left_out = found(log, made[:EACH])
    assert len(files) == 2
    files, left_out = found(log, made[-EACH:])
    assert (files, len(left_out)) == ({}, 2)
    assert left_out[0] == "s1's seals on 3 of the decisions: none was found"


def test_a_gap_before_is_taken_along(tmp_path: Path) -> None:
    """Where a seal does not bear a decision out, the seal that told why goes with it, if there is one."""
    sealing, log = Sealing(), Log(SEALS)

    def tell(said: SealStatement) -> None:
        said.partitions[0].gap = "three records are missing"

    made = [sealing.seal(), sealing.seal(tell)]
    sealing.read(*records(3, first=7))
    for seal in (*made, sealing.seal()):
        log.append(EntryKind.ENTRY_KIND_SEAL, seal.SerializeToString(), topic="seals")
    publish(log, tmp_path / "seals")
    files, left_out = found(tmp_path, decided(records(1)))
    assert (sorted(files), left_out) == ([1, 2], ["s2's seals on 1 of the decisions: none was found"])


def test_old_seals_once_more_hide_nothing(tmp_path: Path) -> None:
    """Whoever may write there logs a sealer's first seal again and again, and one signed that has too few partitions.

    Fails if what halving does not find counts as not there.
    """
    sealing, log = Sealing(), Log(SEALS)
    read = records(30)
    made = []
    for second in range(10):
        sealing.read(*read[second * EACH : (second + 1) * EACH])
        made.append(sealing.seal())
    odd = SealStatement.FromString(made[0].statement)
    del odd.partitions[1:]
    odd.partition_count = 1
    for seal in (*made, *[made[0]] * 11, resigned(odd)):
        log.append(EntryKind.ENTRY_KIND_SEAL, seal.SerializeToString(), topic="seals")
    publish(log, tmp_path / "seals")
    for decision in decided(read):
        files, left_out = found(tmp_path, [decision])
        assert (len(files), len(left_out)) == (1, 1), decision.sequence


def test_a_sealer_that_is_not_there_is_looked_for_once(log: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Thousands of decisions without a seal: the log is read once for all of them, not once each."""
    reads = 0
    entries = LogReader.entries

    async def counted(self: LogReader, *where: int) -> list[bytes]:
        nonlocal reads
        reads += 1
        return await entries(self, *where)

    monkeypatch.setattr(LogReader, "entries", counted)
    left_out: list[str] = []
    policy = replace(POLICY, sealers=(*POLICY.sealers, replace(POLICY.sealers[0], name="s9")))
    asyncio.run(seals_over(log.as_uri(), policy, decided(records(500)), None, left_out))
    assert left_out == ["s9's seals on 500 of the decisions: none was found"]
    assert reads < 500


def test_what_is_not_there_is_said_and_what_is_not_the_log_s_is_refused(log: Path, tmp_path: Path) -> None:
    """No log of seals, none in the policy, no decisions; and a checkpoint that nobody signed."""
    assert found(tmp_path, decided(records(1))) == ({}, ["seals: there is no log of them here"])
    assert found(log, []) == ({}, [])
    without = replace(POLICY, seals_origin=None)
    assert asyncio.run(seals_over(log.as_uri(), without, decided(records(1)), None, [])) == {}
    publish(Log(SEALS), tmp_path / "seals", Log(SEALS).checkpoint("eve"))
    with pytest.raises(BrokenLogError, match="the checkpoint is refused"):
        found(tmp_path, decided(records(1)))
