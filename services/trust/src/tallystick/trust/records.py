"""The governance log's records, one by one: well formed, and signed by those who may (`signers`: the roster at that place).

What an activation says about other entries is checked by `check_activation`, which both the replay of the whole log and the
check of a single bundle use.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import sha256

from tallystick.contracts import (
    Activation,
    ActivationStatement,
    EntryKind,
    LogEntry,
    ModelStatement,
    ModelVersion,
    PolicyStatement,
    PolicyVersion,
)
from tallystick.trust.commitments import DIGEST_SIZE
from tallystick.trust.errors import TrustError
from tallystick.trust.features import FeatureSchema
from tallystick.trust.messages import parse_message
from tallystick.trust.policy_statements import check_policy
from tallystick.trust.statements import APPROVER, PUBLISHER, Signer, verify_signatures

CHAMPION = "champion"
"""The slot whose activation decides."""

CHALLENGER = "challenger/"
"""How the slots begin whose activations are asked beside the champion and decide nothing."""

APPROVALS = 2
"""How many different approvers an activation needs."""

MODEL_FORMATS = frozenset({"xgboost-json"})
_SLOT = re.compile(rf"{CHAMPION}|{CHALLENGER}[a-z0-9][a-z0-9_.-]{{0,51}}")


class RecordError(TrustError):
    """A governance record is not well formed, or not signed as it must be."""


@dataclass(frozen=True, slots=True)
class SignedModel:
    """A model version: its place in the log, what it says and who published it."""

    index: int
    statement: ModelStatement
    publishers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedPolicy:
    """A policy version: its place in the log, the SHA-256 of its statement, what it says and who published it."""

    index: int
    digest: bytes
    statement: PolicyStatement
    publishers: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SignedActivation:
    """An activation by itself: its place in the log, what it says and who approved it."""

    index: int
    statement: ActivationStatement
    approvers: tuple[str, ...]


def open_entry(data: bytes, kind: EntryKind | None = None) -> LogEntry:
    """Return the log entry in `data`, which must be of `kind` if one is given.

    Raises:
        TrustError: It is not a `LogEntry`, or of another kind.
    """
    entry = parse_message(LogEntry, data, "the entry")
    if kind is not None and entry.kind != kind:
        raise RecordError(f"the entry is of kind {kind_name(entry.kind)} and not {kind_name(kind)}")
    return entry


def kind_name(kind: int) -> str:
    """Return an entry kind's name for people, such as "model version"."""
    if kind not in EntryKind.values():
        return str(kind)
    return EntryKind.Name(EntryKind.ValueType(kind)).removeprefix("ENTRY_KIND_").replace("_", " ").lower()


def open_model(index: int, value: bytes, signers: Iterable[Signer]) -> SignedModel:
    """Return the `ModelVersion` in `value`, published by at least one publisher.

    Raises:
        TrustError: It is not well formed or not well signed.
    """
    record = parse_message(ModelVersion, value, "the record")
    publishers = verify_signatures("ModelStatement", record.statement, record.signatures, signers, PUBLISHER, 1)
    statement = parse_message(ModelStatement, record.statement, "the statement")
    _check_named(statement.name, statement.version)
    _check_digest(statement.digest, "the model's digest")
    if statement.format not in MODEL_FORMATS:
        raise RecordError(f"the model's format {statement.format!r} is not known")
    if not statement.size_bytes:
        raise RecordError("the model's size is missing")
    FeatureSchema.parse(statement.feature_schema)
    return SignedModel(index, statement, publishers)


def open_policy(index: int, value: bytes, signers: Iterable[Signer]) -> SignedPolicy:
    """Return the `PolicyVersion` in `value`, published by at least one publisher.

    Raises:
        TrustError: It is not well formed or not well signed.
    """
    record = parse_message(PolicyVersion, value, "the record")
    publishers = verify_signatures("PolicyStatement", record.statement, record.signatures, signers, PUBLISHER, 1)
    statement = parse_message(PolicyStatement, record.statement, "the statement")
    _check_named(statement.name, statement.version)
    check_policy(statement)
    return SignedPolicy(index, sha256(record.statement).digest(), statement, publishers)


def open_activation(index: int, value: bytes, signers: Iterable[Signer], log: str) -> SignedActivation:
    """Return the `Activation` in `value`, approved by two different approvers for the governance log whose origin is `log`.

    What it points to is not looked at here.

    Raises:
        TrustError: It is not well formed, not well signed, or signed for another log.
    """
    record = parse_message(Activation, value, "the record")
    approvers = verify_signatures("ActivationStatement", record.statement, record.signatures, signers, APPROVER, APPROVALS)
    statement = parse_message(ActivationStatement, record.statement, "the statement")
    check_slot(statement, log)
    if statement.HasField("superseded_index") == (statement.number == 0):
        raise RecordError("the first activation of a slot has number 0 and supersedes none; every other supersedes one")
    return SignedActivation(index, statement, approvers)


def check_slot(statement: ActivationStatement, log: str) -> None:
    """Check which log and which slot an activation is for.

    Raises:
        RecordError: It is for another log, or for no slot that there is.
    """
    if statement.log != log:
        raise RecordError(f"the activation is for the log {statement.log!r} and not for {log!r}")
    if not _SLOT.fullmatch(statement.slot):
        raise RecordError(f"the activation's slot {statement.slot!r} is neither {CHAMPION} nor {CHALLENGER} and a name")
    if statement.HasField("until_ms") and statement.slot == CHAMPION:
        raise RecordError("the champion's activation ends with the next one, and at no time of its own")


def check_activation(activation: SignedActivation, model: SignedModel, policy: SignedPolicy) -> None:
    """Check that `activation` names exactly this model and this policy, both logged before it.

    Raises:
        RecordError: It points to something else.
    """
    statement = activation.statement
    if (statement.model_index, statement.model_digest) != (model.index, model.statement.digest):
        raise RecordError(f"the activation points to another model than the one at index {model.index}")
    if (statement.policy_index, statement.policy_digest) != (policy.index, policy.digest):
        raise RecordError(f"the activation points to another policy than the one at index {policy.index}")
    if not max(model.index, policy.index) < activation.index:
        raise RecordError("the activation comes before the model or policy that it activates")
    if statement.HasField("superseded_index") and statement.superseded_index >= activation.index:
        raise RecordError("the activation supersedes one that does not come before it")


def _check_named(name: str, version: str) -> None:
    for what, text in (("name", name), ("version", version)):
        if not text or len(text) > 128 or not text.isprintable():
            raise RecordError(f"its {what} must be 1 to 128 printable characters")


def _check_digest(digest: bytes, what: str) -> None:
    if len(digest) != DIGEST_SIZE:
        raise RecordError(f"{what} has {len(digest)} bytes and not {DIGEST_SIZE}")
