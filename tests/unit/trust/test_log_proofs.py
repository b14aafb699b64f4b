"""Proof files and receipts under a trust policy: sound ones, and one mutation at a time."""

from collections.abc import Callable
from dataclasses import dataclass, field

import pytest

from tallystick.contracts import EntryKind
from tallystick.merkle.proof_files import ProofFile
from tallystick.trust.log_proofs import (
    PROOF_FILE,
    RECEIPT,
    LogProofError,
    MissingPartError,
    VerifiedGrowth,
    VerifiedLogProof,
    is_log_proof,
    verify_log_proof,
)

from .helpers import DECISIONS, GOVERNANCE, RECEIPTS, Log, World, key, trust_policy

TRUST = trust_policy()


@dataclass
class Case:
    """What a verifier is given; a mutation changes one thing."""

    world: World = field(default_factory=World)
    log: Log = field(init=False)
    index: int = field(init=False)
    extra: bytes = b""
    entry: bytes | None = None

    def __post_init__(self) -> None:
        self.log, self.index = self.world.logged()
        self.entry = self.log.entries[self.index]

    def file(self, signer: str | None = None) -> bytes:
        """Return the proof file."""
        proof = self.log.prove(self.index)
        return ProofFile(self.index, tuple(proof.proof), self.log.checkpoint(signer), self.extra).encode()


def proven(data: bytes, entry: bytes | None = None) -> VerifiedLogProof:
    """Verify an entry's proof."""
    verified = verify_log_proof(data, TRUST, entry)
    assert isinstance(verified, VerifiedLogProof)
    return verified


def test_a_proof_file_proves_a_decision() -> None:
    """Checkpoint, inclusion and the decision's own fields; the rest is said to be unchecked."""
    case = Case()
    verified = proven(case.file(), case.entry)
    assert (verified.format, verified.origin, verified.index, verified.size) == (PROOF_FILE, DECISIONS, 5, 9)
    assert verified.decision == case.world.decision
    assert set(verified.cosigned) == {"notary-clock"}
    assert verified.checks == [
        f"the log {DECISIONS} signed a checkpoint of 9 entries, cosigned by notary-clock",
        "the decision is entry 5 of it",
        "the decision's fields agree with each other and with the trust policy",
    ]
    told = " ".join(verified.unchecked)
    for left in ("the quorum is none", "nothing anchors it", "a proof bundle shows that", "sealers show that"):
        assert left in told


def test_a_proof_file_may_bring_its_entry() -> None:
    """The extra line is authenticated by nothing, but the path bears its hash out; beside `--entry` it is not looked at."""
    case = Case()
    case.extra = case.log.entries[case.index]
    assert proven(case.file()).decision == case.world.decision
    case.extra = b"anything"
    with pytest.raises(LogProofError, match="does not lead from leaf 5"):
        proven(case.file())
    assert "the file's extra line, which nobody has signed" in proven(case.file(), case.entry).unchecked
    case.extra = b""
    with pytest.raises(MissingPartError, match="--entry"):
        proven(case.file())


def test_a_quorum_is_enforced() -> None:
    """With a quorum, a proof file without the cosignature is refused, and one with it leaves less unchecked."""
    case, strict = Case(), trust_policy("notary-clock")
    assert not any("quorum" in left for left in verify_log_proof(case.file(), strict, case.entry).unchecked)
    bare = ProofFile(5, tuple(case.log.prove(5).proof), case.log.checkpoint(cosigners=()))
    with pytest.raises(LogProofError, match="lacks cosignatures"):
        verify_log_proof(bare.encode(), strict, case.entry)


def test_a_receipt_proves_a_decision() -> None:
    """The receipt key's word on the root, inclusion, and the decision; that no witness is bound is said."""
    case = Case()
    verified = proven(case.log.inclusion_receipt(case.index), case.entry)
    assert (verified.format, verified.origin, verified.index, verified.size) == (RECEIPT, DECISIONS, 5, 9)
    assert verified.decision == case.world.decision
    assert not verified.cosigned
    assert "carries no cosignatures" in verified.unchecked[0]
    with pytest.raises(MissingPartError, match="--entry"):
        proven(case.log.inclusion_receipt(case.index))


def test_a_receipt_of_consistency_proves_growth() -> None:
    """From a checkpoint that one has to the signed root."""
    case = Case()
    older = Log(DECISIONS, case.log.entries[:4])
    receipt = case.log.consistency_receipt(4)
    verified = verify_log_proof(receipt, TRUST, older=older.checkpoint())
    assert isinstance(verified, VerifiedGrowth)
    assert (verified.origin, verified.old_size, verified.size) == (DECISIONS, 4, 9)
    with pytest.raises(MissingPartError, match=r"of 4 entries: .* --older"):
        verify_log_proof(receipt, TRUST)
    with pytest.raises(LogProofError, match="the receipt is about 4 entries, the older checkpoint has 3"):
        verify_log_proof(receipt, TRUST, older=Log(DECISIONS, case.log.entries[:3]).checkpoint())
    with pytest.raises(LogProofError, match="has not signed the root that the proof leads to"):
        verify_log_proof(receipt, TRUST, older=Log(DECISIONS, [b"rewritten"] * 4).checkpoint())
    with pytest.raises(LogProofError, match=r"no known key has signed|is not signed by"):
        verify_log_proof(receipt, TRUST, older=older.checkpoint("ada"))


def test_other_entries_are_proven_as_what_they_are() -> None:
    """A governance entry is in its log; what it says and who signed it is not looked at."""
    log = World().governance_log()
    file = ProofFile(0, tuple(log.prove(0).proof), log.checkpoint(), log.entries[0])
    verified = proven(file.encode())
    assert (verified.origin, verified.decision) == (GOVERNANCE, None)
    assert verified.entry.kind == EntryKind.ENTRY_KIND_MODEL_VERSION
    assert any("what the entry says" in left for left in verified.unchecked)


def _misplaced(case: Case) -> None:
    case.log = Log(GOVERNANCE, case.log.entries)


def _unsound(case: Case) -> None:
    case.world.decision.score = 1
    case.__post_init__()


def _other_partition(case: Case) -> None:
    case.world.decision.source_partition = 1
    other, _ = case.world.logged()
    case.world.decision.source_partition = 2
    case.log, case.index = case.world.logged()
    entry = case.log.entries[case.index].replace(b"\x18\x02", b"\x18\x03", 1)
    assert other.entries != case.log.entries
    case.log.entries[case.index] = case.entry = entry


MUTATIONS: dict[str, tuple[Callable[[Case], None], str]] = {
    "another entry": (lambda case: setattr(case, "entry", b"after"), "does not lead from leaf 5|has not signed the root"),
    "a decision in the governance log": (_misplaced, "is not what .*/governance is for|no known receipt key of"),
    "a decision that is not sound": (_unsound, "its score is 1"),
    "an entry of another partition": (_other_partition, "it is of partition|is of partition 2, and was logged from 3"),
}


@pytest.mark.parametrize("name", MUTATIONS)
@pytest.mark.parametrize("receipt", [False, True])
def test_mutations_are_refused(name: str, receipt: bool) -> None:
    """Each for its own reason, in both formats."""
    mutate, reason = MUTATIONS[name]
    case = Case()
    mutate(case)
    with pytest.raises(LogProofError, match=reason):
        proven(case.log.inclusion_receipt(case.index) if receipt else case.file(), case.entry)


def test_keys_are_for_one_thing() -> None:
    """A log's key makes no receipts, a receipt key no checkpoints, and one log's receipt key none of another log's."""
    case = Case()
    with pytest.raises(LogProofError, match=r"no known key has signed|is not signed by"):
        proven(case.file(RECEIPTS), case.entry)
    for signer in (DECISIONS, "stranger"):
        signed = case.log.signed_root(signer)
        forged = case.log.inclusion_receipt(case.index).replace(case.log.signed_root().signature, signed.signature)
        with pytest.raises(LogProofError, match="has not signed the root"):
            proven(forged, case.entry)
    assert key(DECISIONS) != key(RECEIPTS)


@pytest.mark.parametrize("data", [b"", b"{}", b"\xd2", b"c2sp.org/tlog-proof@v2\nindex 0\n\n", b"\xd2\x84\x40\xa0\xf6\x40"])
def test_what_is_none_is_refused(data: bytes) -> None:
    """Whatever its content begins with, only LogProofError comes out."""
    assert is_log_proof(data) == (data[:1] in {b"c", b"\xd2"})
    with pytest.raises(LogProofError):
        verify_log_proof(data, TRUST, b"", b"")
