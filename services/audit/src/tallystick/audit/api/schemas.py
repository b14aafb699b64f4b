"""The shapes of JSON answers. Digests are hex; roots and proof hashes are base64, as checkpoints and bundles write them."""

from typing import Annotated, Any

from pydantic import BaseModel, ConfigDict, Field

Hex32 = Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
Base64Hash = Annotated[str, Field(pattern="^[A-Za-z0-9+/]{43}=$")]
Count = Annotated[int, Field(ge=0)]


class Answer(BaseModel):
    """The base of all answers: strict, nothing undeclared."""

    model_config = ConfigDict(strict=True, extra="forbid")


class SourceRecord(Answer):
    """The transaction's record in the input topic."""

    topic: str
    partition: Count
    offset: Count


class DecisionRecord(Answer):
    """The decision's record in its own topic, as the log's envelope names it."""

    topic: str
    partition: Count
    offset: Count
    timestamp_ms: int


class Margin(Answer):
    """The model's raw margin."""

    bits: str = Field(description="Its IEEE 754 binary32 bits, the truth", pattern="^[0-9a-f]{8}$")
    value: float | None = Field(description="The same as a number; null if it is not finite")


class Decision(Answer):
    """A decision as the log holds it, in plain words."""

    log_index: Count = Field(description="Where it is in its partition's log")
    leaf_hash: Hex32 = Field(description="SHA-256(00 || log entry)")
    source: SourceRecord
    sequence: Count = Field(description="Counts the partition's decided records from 0 without gaps")
    record: DecisionRecord
    decided_at: str | None = Field(description="The transaction record's Kafka time stamp, RFC 3339")
    decided_at_ms: int
    outcome: str = Field(description="APPROVE, REVIEW, DECLINE or REJECTED")
    reasons: list[str] = Field(description="Why, most telling first")
    applied: list[str] = Field(description="The policy's lists and rules that applied, by name")
    margin: Margin | None = Field(description="null if the record was rejected")
    score: Annotated[int, Field(ge=0, le=1000)] | None
    chain: str = Field(description="The partition's running hash after this record, hex")
    model_digest: str | None
    policy_digest: str | None
    feature_schema_digest: str | None
    activation_index: Count | None = Field(description="The activation in force, in the governance log")
    evidence_digest: str | None
    commitments: dict[str, str] = Field(description="By disclosure group: SHA-256(salt || content), hex")


class LogHead(Answer):
    """The checkpoint that an answer was made against."""

    origin: str
    size: Count
    root: Base64Hash


class OtherDecision(Answer):
    """An older decision on the same transaction id."""

    partition: Count
    sequence: Count
    log_index: Count
    decided_at_ms: int


class DecisionAnswer(Answer):
    """A decision, and what it was read from."""

    decision: Decision
    log: LogHead
    other_decisions: list[OtherDecision] = Field(
        description="Where older decisions on the same transaction id are, newest first"
    )
    bundle: str = Field(description="Where its proof bundle is")


class ListedDecision(Answer):
    """Where a decision is, by the index."""

    decided_at: str | None = Field(description="The transaction record's Kafka time stamp, RFC 3339")
    decided_at_ms: int
    partition: Count
    sequence: Count
    outcome: str
    log: str = Field(description="The log that holds it, by name")
    log_index: Count
    decision: str = Field(description="Where it is told in full")


class DecisionList(Answer):
    """A page of decisions."""

    decisions: list[ListedDecision]
    next: str | None = Field(description="The cursor of the next page; null: this was the last")
    indexed: dict[str, Count] = Field(description="How many entries of each log the index covers")


class Reason(Answer):
    """Why a decision is what it is."""

    code: str
    text: str = Field(description="The same in words")


class OwnDecision(Answer):
    """A decision as its customer is told of it; the receipt holds the rest."""

    log_index: Count = Field(description="Where it is in its partition's log")
    decided_at: str | None = Field(description="The transaction record's Kafka time stamp, RFC 3339")
    decided_at_ms: int
    outcome: str = Field(description="APPROVE, REVIEW, DECLINE or REJECTED")
    outcome_text: str = Field(description="The same in words")
    reasons: list[Reason] = Field(description="Why, most telling first")
    applied: list[str] = Field(description="The policy's lists and rules that applied, by name")


class OwnDecisionAnswer(Answer):
    """A customer's own decision, and what it was read from."""

    decision: OwnDecision
    log: LogHead
    other_decisions: list[OtherDecision] = Field(
        description="Where the customer's older decisions on the same transaction id are, newest first"
    )
    bundle: str = Field(description="Where its proof bundle is")


class ErasureAnswer(Answer):
    """An erasure: it names keys, and no customer."""

    key_ids: list[Annotated[str, Field(pattern="^[0-9a-f]{32}$")]] = Field(description="The destroyed keys' ids")
    requested_at: str | None = Field(description="When the keys were destroyed, RFC 3339")
    requested_at_ms: int
    effective_at: str | None = Field(description="When nothing readable remains anywhere, backups included, RFC 3339")
    effective_at_ms: int
    log_index: Count | None = Field(description="The entry in the governance log; null: it will be there in a moment")


class HoldAnswer(Answer):
    """Whether a customer is under a legal hold."""

    held: bool
    placed_at: str | None = Field(description="Since when erasure is refused, RFC 3339; null if it is not")
    placed_at_ms: int | None


class OpenedGroup(Answer):
    """The opening of one commitment: SHA-256(salt || content)."""

    group: str
    salt: str = Field(description="16 bytes, base64")
    content: str = Field(description="The group's message, base64")


class OpenedEvidence(Answer):
    """An evidence record, opened as far as was asked for."""

    sequence: Count
    digest: Hex32 = Field(description="SHA-256 of the record's value, which its decision names")
    erased: bool = Field(description="The key was destroyed: nobody can open it")
    sealed: str | None = Field(
        description="The record itself if it was erased, base64: the governance log has an erasure that names its key"
    )
    openings: list[OpenedGroup]


class EvidenceAnswer(Answer):
    """The evidence of a stretch of decisions, by rising sequence."""

    evidence: list[OpenedEvidence]


class LogDescription(Answer):
    """A log that is served here."""

    name: str = Field(description="The end of its origin, such as decisions or governance")
    origin: str
    size: Count
    root: Base64Hash
    prefix: str = Field(description="Where its checkpoint and tiles are (C2SP tlog-tiles)")


class Logs(Answer):
    """The logs that are served here."""

    logs: list[LogDescription]


class ModelDescription(Answer):
    """A model version, as its publisher signed it."""

    index: Count = Field(description="Its entry in the governance log")
    name: str
    version: str
    digest: Hex32 = Field(description="SHA-256 of its file")
    size_bytes: Count
    format: str
    engine: str
    training_data_digest: str | None
    metrics: dict[str, float | None]
    card: str = Field(description="The model card, Markdown")
    created_at: str | None
    active: bool = Field(description="Whether an activation of the champion or a challenger that is not superseded names it")


class Models(Answer):
    """A page of models."""

    models: list[ModelDescription]
    next: Count | None


class PolicyDescription(Answer):
    """A policy, as its publisher signed it."""

    index: Count = Field(description="Its entry in the governance log, which has it in full")
    name: str
    version: str
    digest: Hex32 = Field(description="SHA-256 of its statement")
    decline_margin: float
    review_margin: float
    rules: list[str] = Field(description="Name and condition")
    lists: list[str]
    created_at: str | None


class Policies(Answer):
    """A page of policies."""

    policies: list[PolicyDescription]
    next: Count | None


class ActivationDescription(Answer):
    """An activation that counts."""

    index: Count = Field(description="Its entry in the governance log")
    slot: str
    number: Count
    model_digest: Hex32
    policy_digest: Hex32
    effective_at: str | None
    approvers: list[str]


class Activations(Answer):
    """A page of activations."""

    activations: list[ActivationDescription]
    next: Count | None


class ReportDescription(Answer):
    """A monitor's finding."""

    index: Count = Field(description="Its entry in the governance log")
    subject: str
    from_time: str | None
    to_time: str | None
    figures: dict[str, float | None]
    summary: str


class Reports(Answer):
    """A page of reports."""

    reports: list[ReportDescription]
    next: Count | None


class Cosignature(Answer):
    """A witness's word for a checkpoint."""

    witness: str = Field(description="Its name in the trust policy")
    at: str | None


class Cosignatures(Answer):
    """Who stands by a log's newest checkpoint."""

    origin: str
    size: Count
    witnesses: list[Cosignature]


class InclusionAnswer(Answer):
    """That an entry with this leaf hash is at `index` of the log's tree of `size` entries (RFC 6962 §2.1.1)."""

    origin: str
    index: Count
    size: Annotated[int, Field(ge=1)]
    leaf_hash: Base64Hash = Field(description="SHA-256(00 || entry)")
    root: Base64Hash
    proof: list[Base64Hash] = Field(description="Sibling hashes, leaf to root")


class ConsistencyAnswer(Answer):
    """That the log's tree of `first` entries begins its tree of `second` (RFC 6962 §2.1.2)."""

    origin: str
    first: Annotated[int, Field(ge=1)]
    second: Annotated[int, Field(ge=1)]
    first_root: Base64Hash
    second_root: Base64Hash
    proof: list[Base64Hash]


class AnchoredSizes(Answer):
    """The sizes of a log's heads that are anchored, in their order."""

    origin: str
    sizes: list[Annotated[int, Field(ge=1)]]


class AnchorsAnswer(Answer):
    """The receipts for one head of a log, as bundles hold them (tallystick/proof-bundle/v1)."""

    origin: str
    size: Annotated[int, Field(ge=1)]
    checkpoint: str = Field(description="The signed checkpoint, a note")
    receipts: list[dict[str, Any]]
    unreadable: list[str] = Field(description="Under whose names something is kept that is no receipt of theirs")
