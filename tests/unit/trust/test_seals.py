"""Seals: who may make them, and what follows what."""

from collections.abc import Callable

import pytest

from tallystick.contracts import EntryKind, LogEntry, Seal, SealStatement
from tallystick.notary.intake import SEAL_KINDS, WholeTopicIntake
from tallystick.notary.state import Progress
from tallystick.trust.errors import TrustError
from tallystick.trust.policy import TrustPolicy, TrustPolicyError
from tallystick.trust.seals import SealLog, open_seal

from ..notary.stand import Stored
from ..sealer.input import POLICY, SEALS, Sealing, records, resigned
from .helpers import DECISIONS, GOVERNANCE, encoded_public, log_policy, trust_toml

KIND = EntryKind.ENTRY_KIND_SEAL


def entry(offset: int, seal: Seal, kind: EntryKind = KIND) -> bytes:
    """Return the log's entry of a seal."""
    value = seal.SerializeToString()
    return LogEntry(kind=kind, topic="seals", partition=0, offset=offset, value=value).SerializeToString()


def taken(*seals: Seal) -> SealLog:
    """Return the log of these."""
    log = SealLog(POLICY)
    for offset, seal in enumerate(seals):
        log.take(entry(offset, seal))
    return log


def history() -> tuple[Seal, Seal, Seal]:
    """Return three seals of one sealer that follow each other."""
    sealing = Sealing()
    first = sealing.seal()
    sealing.read(*records(3))
    second = sealing.seal()
    sealing.read(*records(2, first=3))
    return first, second, sealing.seal()


def test_what_the_notary_writes_is_sound() -> None:
    """Seals of two sealers, one that came twice, and what is none: all is logged, and the sealers' word alone counts."""
    first, second, _ = history()
    other = Sealing("s2").seal()
    values = [seal.SerializeToString() for seal in (first, other, second, second)]
    stranger = Seal(statement=first.statement, sealer="s3", signature=first.signature).SerializeToString()
    stored = [Stored(0, place, value, b"seal/s1", "seals") for place, value in enumerate((*values, stranger, b"\xff"))]
    log = SealLog(POLICY)
    for data in WholeTopicIntake(SEAL_KINDS).admit({0: stored}, Progress({}, {}), 0).entries:
        log.take(data)
    assert log.counts == {"s1": 2, "s2": 1, "REPEATED": 1, "REFUSED": 1, "MALFORMED": 1}
    assert log.notes() == []


def test_a_seal_of_another_kind_of_signature_is_refused() -> None:
    """A signature by another sealer, or over other bytes, is none."""
    first, second, _ = history()
    for bad in (
        Seal(statement=first.statement, sealer="s2", signature=first.signature),
        Seal(statement=first.statement, sealer="s1", signature=second.signature),
        Seal(statement=first.statement + b"\x08\x01", sealer="s1", signature=first.signature),
    ):
        with pytest.raises(TrustError, match=r"the signature of 's.' on it is not good"):
            open_seal(bad.SerializeToString(), POLICY)


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda said: setattr(said, "number", 5), "comes after 1: those between are missing", id="number"),
        pytest.param(lambda said: setattr(said, "number", 1), "two different statements of number 1", id="same-number"),
        pytest.param(lambda said: setattr(said, "previous_digest", bytes(32)), "follows another one than", id="previous"),
        pytest.param(lambda said: setattr(said, "cluster_id", "other"), "the Kafka cluster 'other'", id="cluster"),
        pytest.param(lambda said: setattr(said, "sealed_at_ms", 1), "the sealer's clock went back", id="clock"),
        pytest.param(lambda said: setattr(said.partitions[0], "next_sequence", 2), "goes back from sequence 3 to 2", id="back"),
        pytest.param(lambda said: setattr(said.partitions[0], "trail", bytes(4)), "is not that of the 2 records", id="trail"),
        pytest.param(lambda said: setattr(said.partitions[0], "chain", bytes(32)), "is not that of the 2 records", id="chain"),
        pytest.param(lambda said: setattr(said.partitions[1], "chain", b"c" * 32), "changed without a record", id="moved"),
        pytest.param(lambda said: setattr(said.partitions[0], "next_offset", 4), "more records than there are off", id="off"),
    ],
)
def test_a_statement_that_does_not_follow_is_said(change: Callable[[SealStatement], object], reason: str) -> None:
    """Each thing that one statement says of the one before it is held to that one."""
    sealing = Sealing()
    first = sealing.seal()
    sealing.read(*records(3))
    second = sealing.seal()
    sealing.read(*records(2, first=3))
    third = sealing.seal(change)
    log = taken(first, second, third)
    assert reason in log.broken["s1"]
    assert log.counts == {"s1": 2, "BROKEN": 1}


def test_a_missing_first_statement_is_said() -> None:
    """What a sealer said before its first statement here was kept from the log."""
    _, second, third = history()
    assert "those before it are missing" in taken(second, third).broken["s1"]


def test_other_partitions_than_the_policys_are_said() -> None:
    """A topic that was made anew with other partitions is not the one that the trust policy is about."""
    sealing = Sealing()
    first = sealing.seal()
    del sealing.partitions[3]
    assert (
        "is about 3 partitions of 'transactions', and by the trust policy there are 4"
        in taken(first, sealing.seal()).broken["s1"]
    )


def test_a_gap_is_told_and_lets_offsets_go_back() -> None:
    """A topic that was made anew begins at offset 0 again: sound as a statement, and said to everybody who reads it."""
    sealing = Sealing()
    sealing.read(*records(3))
    first = sealing.seal()
    sealing.partitions[0].lose("it was made anew", 0)
    sealing.read(*records(2))
    log = taken(first, sealing.seal())
    assert log.notes() == ["s1 found a gap in partition 0 of transactions: it was made anew"]


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        pytest.param(lambda said: setattr(said, "topic", "labels"), "which is not in the trust policy", id="topic"),
        pytest.param(lambda said: said.partitions.pop(), "does not name every partition once", id="few"),
        pytest.param(lambda said: setattr(said.partitions[1], "partition", 0), "does not name every partition", id="order"),
        pytest.param(lambda said: setattr(said.partitions[1], "chain", b""), "partition 1 is out of range", id="chain"),
        pytest.param(lambda said: setattr(said.partitions[1], "next_offset", 2**63), "partition 1 is out of", id="offset"),
    ],
)
def test_a_statement_that_cannot_be_is_refused(change: Callable[[SealStatement], object], reason: str) -> None:
    """Whatever a sealer signs, what is out of range means nothing."""
    statement = SealStatement.FromString(Sealing().seal().statement)
    change(statement)
    with pytest.raises(TrustError, match=reason):
        open_seal(resigned(statement).SerializeToString(), POLICY)


@pytest.mark.parametrize(
    ("offset", "kind", "reason"),
    [(3, KIND, "offset 3, where 1 is next"), (1, EntryKind.ENTRY_KIND_DECISION, "kind decision does not belong")],
)
def test_an_entry_that_cannot_come_here_breaks_the_log(offset: int, kind: EntryKind, reason: str) -> None:
    """The log of seals is its topic's copy, and nothing else."""
    first, second, _ = history()
    log = taken(first)
    with pytest.raises(TrustError, match=reason):
        log.take(entry(offset, second, kind))


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ('[[sealers]]\nname = "s1"\npublic_key = "{s1}"\n', "[[sealers]] and [logs].seals go together"),
        ('[[sealers]]\nname = "S 1"\npublic_key = "{s1}"\n', "sealer 1: the name must be"),
        ('[[sealers]]\nname = "s1"\npublic_key = "AA=="\n', "sealer 1 (s1): public_key: "),
    ],
)
def test_a_policy_names_sealers_whole(text: str, reason: str) -> None:
    """A sealer needs a name, a key and a log for its seals."""
    with pytest.raises(TrustPolicyError) as refused:
        TrustPolicy.parse(log_policy(), trust_toml() + text.format(s1=encoded_public("s1")).encode())
    assert reason in str(refused.value)


@pytest.mark.parametrize("whose", [DECISIONS, SEALS, "notary-clock", "notary-receipts-decisions", "s2", "ada"])
def test_a_sealer_has_a_key_of_its_own(whose: str) -> None:
    """Whoever has another key here is the operator, a cosigner or somebody else; a sealer's word would be theirs."""
    toml = trust_toml().replace(b"governance =", f'seals = "{SEALS}"\ngovernance ='.encode())
    for name, key in (("s2", "s2"), ("s1", whose)):
        toml += f'[[sealers]]\nname = "{name}"\npublic_key = "{encoded_public(key)}"\n'.encode()
    with pytest.raises(TrustPolicyError, match="has the key of"):
        TrustPolicy.parse(log_policy(logs=(DECISIONS, SEALS, GOVERNANCE)), toml)
