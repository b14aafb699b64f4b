"""Seals in audit packages: what others read of the input, held against the decisions."""

from collections.abc import Callable
from dataclasses import replace
from functools import partial

import pytest

from tallystick.contracts import EntryKind, Seal, SealStatement
from tallystick.merkle.proof_files import ProofFile
from tallystick.trust.account import NO_COMPLETENESS
from tallystick.trust.packages.archive import write_archive
from tallystick.trust.packages.contents import PackageError
from tallystick.trust.packages.verifying import VerifiedPackage, verify_package

from ..sealer.input import POLICY, SEALS, Sealing, decided, records
from .helpers import Log, World
from .test_packages import bank, contents, summed

READ = records(3)


def logged(*seals: Seal) -> Log:
    """Return a log of seals."""
    log = Log(SEALS)
    for seal in seals:
        log.append(EntryKind.ENTRY_KIND_SEAL, seal.SerializeToString(), topic="seals")
    return log


def proof_file(log: Log, index: int) -> bytes:
    """Return the proof file of an entry."""
    proven = log.prove(index)
    return ProofFile(index, tuple(proven.proof), log.checkpoint(), proven.entry).encode()


def log_of(count: int, name: str = "s1") -> Log:
    """Return the log of a sealer's empty seal, and of one over the first records."""
    sealing = Sealing(name)
    first = sealing.seal()
    sealing.read(*READ[:count])
    return logged(first, sealing.seal())


@pytest.fixture
def world() -> World:
    """Return the bank, its decision made on the first record."""
    world = bank()
    world.decision.chain = decided(READ)[0].chain
    return world


def packaged(world: World, seals: dict[str, bytes]) -> VerifiedPackage:
    """Verify a package of the world's decision with these seals in it."""
    return verify_package(write_archive(summed(contents(world) | seals)), POLICY)


def test_who_has_sealed_how_much_is_told(world: World) -> None:
    """Without seals, it is said that they are missing; with one by each sealer, what each amounts to."""
    bare = packaged(world, {})
    assert (dict(bare.sealed), NO_COMPLETENESS in bare.unchecked) == ({"s1": 0, "s2": 0}, True)
    seals = [Sealing(name) for name in ("s1", "s2")]
    for sealing in seals:
        sealing.read(*READ)
    log = logged(*(sealing.seal() for sealing in seals))
    package = packaged(world, {f"seals/{index}.tlog-proof": proof_file(log, index) for index in range(2)})
    assert package.sealed == {"s1": 1, "s2": 1}
    assert NO_COMPLETENESS not in package.unchecked
    assert "up to 1 of the decisions s1 read what they were made on" in package.checks
    one = packaged(world, {"seals/0.tlog-proof": proof_file(log, 0)})
    assert [left for left in one.unchecked if "s2" in left] == [
        "what s2 read of the input: no seal of its on 1 of the decisions counts here"
    ]
    assert any("beyond its first 4 bytes" in left for left in package.unchecked)


@pytest.mark.parametrize(("count", "byte", "found"), [(3, 3, True), (3, 4, False), (1, 3, True), (1, 4, True)])
def test_a_decision_on_other_records_is_found(world: World, count: int, byte: int, found: bool) -> None:
    """By the bytes that a trail has of each hash; at a seal's last record by all of it.

    Fails if the wrong place of the trail is looked at, or the last record's whole hash is not.
    """
    chain = bytearray(world.decision.chain)
    chain[byte] ^= 1
    world.decision.chain = bytes(chain)
    seals = {"seals/1.tlog-proof": proof_file(log_of(count), 1)}
    if not found:
        assert packaged(world, seals).sealed["s1"] == 1
        return
    with pytest.raises(PackageError, match=r"seals/1\.tlog-proof: s1 read other records than the decision at partition 0"):
        packaged(world, seals)


def test_behind_a_gap_a_seal_says_nothing(world: World) -> None:
    """With the seal that told of the gap beside it another running hash is no wonder; without it, it is.

    Fails if a gap after the seal in question, or one in another partition, excuses anything.
    """
    sealing = Sealing()
    told, elsewhere = (sealing.seal(partial(_tell, partition)) for partition in (0, 1))
    sealing.read(*records(3, first=7))
    seals = {
        "seals/2.tlog-proof": proof_file(log := logged(told, elsewhere, sealing.seal(), sealing.seal(partial(_tell, 0))), 2)
    }
    for other in ({}, {"seals/1.tlog-proof": proof_file(log, 1)}, {"seals/3.tlog-proof": proof_file(log, 3)}):
        with pytest.raises(PackageError, match=r"s1 read other records|about none of the decisions"):
            packaged(world, seals | other)
    assert packaged(world, seals | {"seals/0.tlog-proof": proof_file(log, 0)}).sealed["s1"] == 0


def _tell(partition: int, said: SealStatement) -> None:
    said.partitions[partition].gap = "three records are missing"


def test_a_sealer_with_two_words_has_none(world: World) -> None:
    """Two statements of one number, each well signed and logged, are refused whatever they say."""
    seals = [Sealing(), Sealing()]
    for sealing, number in zip(seals, (3, 2), strict=True):
        sealing.read(*READ[:number])
    log = logged(*(sealing.seal() for sealing in seals))
    with pytest.raises(PackageError, match="s1 signed two different statements of number 0"):
        packaged(world, {f"seals/{index}.tlog-proof": proof_file(log, index) for index in range(2)})


def test_each_place_of_a_trail_is_held_against_its_own_decision(world: World) -> None:
    """A decision in the middle, and one at the end, of what a seal goes over."""
    log = log_of(3)
    for decision in decided(READ)[1:]:
        world.decision.sequence, world.decision.chain = decision.sequence, decision.chain
        world.decision.source_offset = decision.source_offset
        inside = contents(world, decision.sequence) | {"seals/1.tlog-proof": proof_file(log, 1)}
        assert verify_package(write_archive(summed(inside)), POLICY).sealed["s1"] == 1


Make = Callable[[World], tuple[str, bytes]]


def _of_decisions(world: World) -> tuple[str, bytes]:
    log, index = world.logged()
    return f"seals/{index}.tlog-proof", proof_file(log, index)


def _malformed(_: World) -> tuple[str, bytes]:
    log = Log(SEALS)
    log.append(EntryKind.ENTRY_KIND_MALFORMED, b"", topic="seals")
    return "seals/0.tlog-proof", proof_file(log, 0)


def _by_a_stranger(_: World) -> tuple[str, bytes]:
    return "seals/1.tlog-proof", proof_file(log_of(3, "s3"), 1)


def _unlogged(_: World) -> tuple[str, bytes]:
    sealed, other = log_of(3), log_of(2)
    file = ProofFile.parse(proof_file(sealed, 1))
    return "seals/1.tlog-proof", replace(file, checkpoint=other.checkpoint()).encode()


FORGED: dict[str, tuple[Make, str]] = {
    "of another index": (lambda _: ("seals/0.tlog-proof", proof_file(log_of(3), 1)), "0.tlog-proof is entry 1 of"),
    "over nothing asked for": (lambda _: ("seals/0.tlog-proof", proof_file(log_of(3), 0)), "about none of the decisions"),
    "of another log": (_of_decisions, "not from the log of seals"),
    "malformed": (_malformed, "0.tlog-proof is not a seal"),
    "by a stranger": (_by_a_stranger, "its sealer 's3' is not in the trust policy"),
    "not in the log": (_unlogged, "not in the log|not lead"),
    "no proof": (lambda _: ("seals/1.tlog-proof", b"c2sp.org/tlog-proof@v1\n"), "1.tlog-proof: "),
    "under no name": (lambda _: ("seals/one.tlog-proof", proof_file(log_of(3), 1)), "none of the files"),
}


@pytest.mark.parametrize("what", FORGED)
def test_what_is_no_seal_is_refused(world: World, what: str) -> None:
    """Each under sums put right: the policy's keys and the log of seals decide."""
    make, words = FORGED[what]
    name, data = make(world)
    with pytest.raises(PackageError, match=words):
        packaged(world, {name: data})


def test_a_policy_without_sealers_has_no_seals(world: World) -> None:
    """There is no log that they could be from."""
    seals = {"seals/1.tlog-proof": proof_file(log_of(3), 1)}
    with pytest.raises(PackageError, match=r"seals/1\.tlog-proof"):
        verify_package(write_archive(summed(contents(world) | seals)), replace(POLICY, seals_origin=None, sealers=()))
