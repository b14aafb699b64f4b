"""An entry's proof in the log's own formats, verified: a proof file (C2SP tlog-proof) or a COSE receipt (RFC 9942).

Both show that an entry is in a log and no more; what a decision was made under, only a proof bundle shows. What was not
checked is said in `unchecked`.

A proof file of ours has the entry's bytes in its `extra` line. Nobody has signed that line: the path shows that the entry's
hash is in the log, or it is refused. A receipt has no room for the entry; it comes beside it.
"""

from collections.abc import Mapping, Set
from dataclasses import dataclass

from tallystick.contracts import Decision, EntryKind, LogEntry
from tallystick.merkle.checkpoints import Checkpoint
from tallystick.merkle.hashing import leaf_hash
from tallystick.merkle.notes import Note
from tallystick.merkle.proof_files import HEADER, MAX_PROOF_FILE_SIZE, ProofFile, verify_proof_file
from tallystick.merkle.receipts import (
    ConsistencyReceipt,
    InclusionReceipt,
    parse_receipt,
    verify_consistency_receipt,
    verify_inclusion_receipt,
)
from tallystick.trust.account import NO_COMPLETENESS
from tallystick.trust.decisions import check_decision, check_log
from tallystick.trust.errors import TrustError
from tallystick.trust.fallbacks import open_fallback
from tallystick.trust.messages import parse_message
from tallystick.trust.policy import TrustPolicy
from tallystick.trust.records import kind_name, open_entry
from tallystick.trust.seals import open_seal

MAX_LOG_PROOF_BYTES = MAX_PROOF_FILE_SIZE
PROOF_FILE, RECEIPT = "tlog-proof", "COSE receipt"
_OF_BOTH = {EntryKind.ENTRY_KIND_INCIDENT, EntryKind.ENTRY_KIND_MALFORMED}
_OF_DECISIONS = _OF_BOTH | {EntryKind.ENTRY_KIND_DECISION}
_OF_FALLBACKS = {EntryKind.ENTRY_KIND_FALLBACK, EntryKind.ENTRY_KIND_MALFORMED}
_OF_SEALS = {EntryKind.ENTRY_KIND_SEAL, EntryKind.ENTRY_KIND_MALFORMED}
_OF_GOVERNANCE = set(EntryKind.values()) - {
    EntryKind.ENTRY_KIND_UNSPECIFIED,
    EntryKind.ENTRY_KIND_DECISION,
    EntryKind.ENTRY_KIND_FALLBACK,
    EntryKind.ENTRY_KIND_SEAL,
}
_COSE_SIGN1 = b"\xd2"
_PROOF_FILE_START = HEADER.partition(b"@")[0] + b"@"

_NO_WITNESS = "whether everybody is shown this same log: the quorum is none, so no witness had to look"
_ONE_KEY = "whether everybody is shown this same log: a receipt is the word of one key, and carries no cosignatures"
_NO_TIME = "when it was signed: nothing anchors it outside"
_NO_MODEL = "whether its model and policy were published and approved, and its outcome follows: a proof bundle shows that"


class LogProofError(TrustError):
    """A proof file or receipt does not prove what it should; the message is one sentence for people."""


class MissingPartError(TrustError):
    """A proof file or receipt cannot be checked without what it is about; the message says what to bring."""


@dataclass(frozen=True, slots=True)
class VerifiedLogProof:
    """An entry that a log holds.

    `format` is `PROOF_FILE` or `RECEIPT`; `cosigned` says which of the policy's witnesses cosigned when (s); `decision` is what
    the entry holds, None if it holds something else.
    """

    format: str
    origin: str
    index: int
    size: int
    root: bytes
    cosigned: Mapping[str, int]
    entry: LogEntry
    decision: Decision | None
    checks: list[str]
    unchecked: list[str]


@dataclass(frozen=True, slots=True)
class VerifiedGrowth:
    """That a log's tree of `size` leaves begins with its tree of `old_size`."""

    format: str
    origin: str
    old_size: int
    size: int
    root: bytes
    checks: list[str]
    unchecked: list[str]


def is_log_proof(data: bytes) -> bool:
    """Say whether a file begins like a proof file or a COSE receipt, rather than like a proof bundle."""
    return data.startswith((_PROOF_FILE_START, _COSE_SIGN1))


def verify_log_proof(
    data: bytes, policy: TrustPolicy, entry: bytes | None = None, older: bytes | None = None
) -> VerifiedLogProof | VerifiedGrowth:
    """Verify a proof file or receipt.

    Args:
        data: the file.
        policy: whom to believe.
        entry: the log entry's bytes; needed by a receipt of inclusion, and by a proof file without an `extra` line.
        older: a signed checkpoint of the older tree; needed by a receipt of consistency.

    Raises:
        LogProofError: anything in it is not as it must be.
        MissingPartError: `entry` or `older` is needed.
    """
    try:
        if data.startswith(_PROOF_FILE_START):
            return _verify_proof_file(ProofFile.parse(data), policy, entry)
        receipt = parse_receipt(data)
        if isinstance(receipt, InclusionReceipt):
            return _verify_inclusion(receipt, policy, entry)
        return _verify_consistency(receipt, policy, older)
    except MissingPartError:
        raise
    except ValueError as error:  # every error of trust and merkle is one
        raise LogProofError(str(error)) from error


def _verify_proof_file(file: ProofFile, policy: TrustPolicy, entry: bytes | None) -> VerifiedLogProof:
    from_extra = entry is None
    entry = file.extra if entry is None else entry
    if from_extra and not file.extra:
        raise MissingPartError("this proof file does not hold the entry that it is about: give the entry's file with --entry")
    # Which log it is of is its own word until the checkpoint is verified as that log's.
    origin = Checkpoint.parse(Note.parse(file.checkpoint).text).origin
    verified = verify_proof_file(file, policy.log_policy, origin, leaf_hash(entry))
    size, root = verified.checkpoint.size, verified.checkpoint.root
    opened, decision = _open(entry, origin, policy)
    cosigned = f", cosigned by {', '.join(sorted(verified.cosigned))}" if verified.cosigned else ""
    checks = [f"the log {origin} signed a checkpoint of {size:,} entries{cosigned}", *_checks(file.index, opened, decision)]
    unchecked = [] if policy.log_policy.quorum else [_NO_WITNESS]
    unchecked += _unchecked(decision)
    if not from_extra and file.extra:
        unchecked.append("the file's extra line, which nobody has signed")
    return VerifiedLogProof(PROOF_FILE, origin, file.index, size, root, verified.cosigned, opened, decision, checks, unchecked)


def _verify_inclusion(receipt: InclusionReceipt, policy: TrustPolicy, entry: bytes | None) -> VerifiedLogProof:
    if entry is None:
        raise MissingPartError("a receipt does not hold the entry that it is about: give the entry's file with --entry")
    root = verify_inclusion_receipt(receipt, leaf_hash(entry), policy.receipt_keys)
    header = receipt.signed.header
    opened, decision = _open(entry, header.origin, policy)
    checks = [
        f"the receipt key of {header.origin} signed the root of {header.size:,} entries",
        *_checks(receipt.index, opened, decision),
    ]
    return VerifiedLogProof(
        RECEIPT,
        header.origin,
        receipt.index,
        header.size,
        root,
        {},
        opened,
        decision,
        checks,
        [_ONE_KEY, *_unchecked(decision)],
    )


def _verify_consistency(receipt: ConsistencyReceipt, policy: TrustPolicy, older: bytes | None) -> VerifiedGrowth:
    header = receipt.signed.header
    if older is None:
        raise MissingPartError(
            f"a receipt of consistency is about an older tree, here of {receipt.old_size:,} entries: give the checkpoint of it "
            "that you have with --older"
        )
    checkpoint = policy.log_policy.verify_checkpoint(older, header.origin).checkpoint
    if checkpoint.size != receipt.old_size:
        raise LogProofError(f"the receipt is about {receipt.old_size:,} entries, the older checkpoint has {checkpoint.size:,}")
    root = verify_consistency_receipt(receipt, checkpoint.root, policy.receipt_keys)
    checks = [
        f"the log {header.origin} signed the older checkpoint, of {checkpoint.size:,} entries",
        f"the receipt key of {header.origin} signed the root of {header.size:,} entries",
        "the newer tree begins with all entries of the older one, in their order",
    ]
    return VerifiedGrowth(RECEIPT, header.origin, checkpoint.size, header.size, root, checks, [_ONE_KEY, _NO_TIME])


def _open(data: bytes, origin: str, policy: TrustPolicy) -> tuple[LogEntry, Decision | None]:
    """Return the entry and, if it is one, its decision; a decision outside of its partition's log is refused."""
    entry = open_entry(data)
    if entry.kind not in _kinds_of(origin, policy):
        raise LogProofError(f"the entry is of kind {kind_name(entry.kind)}, which is not what {origin} is for")
    if entry.kind == EntryKind.ENTRY_KIND_FALLBACK:
        open_fallback(entry.value, policy)
    if entry.kind == EntryKind.ENTRY_KIND_SEAL:
        open_seal(entry.value, policy)
    if entry.kind != EntryKind.ENTRY_KIND_DECISION:
        return entry, None
    decision = parse_message(Decision, entry.value, "its record")
    check_decision(decision, policy)
    check_log(decision, origin, policy)
    if entry.partition != decision.source_partition:
        raise LogProofError(f"the decision is of partition {decision.source_partition}, and was logged from {entry.partition}")
    return entry, decision


def _kinds_of(origin: str, policy: TrustPolicy) -> Set[int]:
    if origin in policy.decisions_origins:
        return _OF_DECISIONS
    others = {policy.fallbacks_origin: _OF_FALLBACKS, policy.seals_origin: _OF_SEALS}
    return others.get(origin, _OF_GOVERNANCE)


def _checks(index: int, entry: LogEntry, decision: Decision | None) -> list[str]:
    checks = [f"the {kind_name(entry.kind)} is entry {index:,} of it"]
    if decision is not None:
        checks.append("the decision's fields agree with each other and with the trust policy")
    return checks


def _unchecked(decision: Decision | None) -> list[str]:
    if decision is None:
        return [_NO_TIME, "what the entry says, and who signed it: only that the log holds it"]
    return [_NO_TIME, _NO_MODEL, NO_COMPLETENESS]
